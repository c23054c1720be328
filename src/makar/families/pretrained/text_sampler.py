"""Text from a checkpoint of transformers: one token after the other, drawn by the strategies that our own decoder has.

Decisions. (1) Every example is computed alone, so that its text depends neither on the others nor on their number, on any device. (2) The
network keeps keys and values itself and hands them back; one that keeps nothing is asked with the whole text again. (3) A network that
continues text is re-anchored when its context is full, like our own: the last half is kept and read again. (4) A network that writes a text
from a text reads the source once; the tokens that its authors say a text begins with are taken, not drawn, and the one that begins
every answer is never drawn.
"""

import dataclasses
import inspect
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import DataError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.options import TextOptions
from makar.families.transformer.sampler import TEXT
from makar.families.transformer.sampling import NEVER, choose, strategies
from makar.families.transformer.text_stream import TextStream
from makar.tensor_spec import SOURCE, TARGET

INTERVAL_SECONDS = 0.05
"""Shortest time between two pieces of one example."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answering:
    """How a network that writes a text from a text begins.

    Attributes:
        start: The token that its decoder begins with.
        forced: The token that comes next whatever the network says; ``None`` for none.
    """

    start: int
    forced: int | None


class PretrainedTextSampler(Sampler):
    """Writes text.

    Args:
        network: A causal network, or one of encoder and decoder.
        codec: Its tokenizer.
        context: Positions that it was made for; 0 for any number.
        vocabulary: Tokens that it has rows for.
        answering: For encoder and decoder: how an answer begins.
        hooks: Applied to the logits after the filters; a watermark.
    """

    def __init__(
        self,
        network: Any,
        *,
        codec: PretrainedTextCodec,
        context: int,
        vocabulary: int,
        answering: Answering | None = None,
        hooks: tuple[LogitsHook, ...] = (),
    ) -> None:
        self._network = network
        self._codec = codec
        self._context = context
        self._vocabulary = vocabulary
        self._answering = answering
        self._hooks = hooks

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Write one text for every prompt; see ``Sampler.sample``.

        Yields:
            (index, {"target": new tokens, "text": their text as UTF-8 bytes}, finished), one example after the other.

        Raises:
            UnsupportedError: The options are of another class, or a prompt has a slot that the network cannot use.
            DataError: A prompt has tokens beyond the vocabulary, or a source is longer than the network reads.
        """
        if not isinstance(options, TextOptions):
            raise UnsupportedError(f"options are {type(options).__name__}", expected="TextOptions")
        if options.precision == "int8":
            raise UnsupportedError(
                "int8 for a checkpoint of others",
                expected="float32 or bfloat16",
                do="makar import FOLDER -o NAME makes one of ours of it, where its layout is known; that has int8",
            )
        if options.stretch != 1:
            raise UnsupportedError(
                "a stretched context for a checkpoint of others",
                expected="stretch 1",
                do="makar import FOLDER -o NAME makes one of ours of it, where its layout is known; that can be stretched",
            )
        if len(prompts) != len(seeds):
            raise DataError(f"{len(prompts)} prompts and {len(seeds)} seeds", expected="one seed a prompt")
        # Before the first text: what is refused must cost nothing.
        given = [self._tokens(prompt) for prompt in prompts]
        return self._sample(options, given, seeds)

    def _tokens(self, prompt: Batch) -> list[int]:
        slot = TARGET if self._answering is None else SOURCE
        if unknown := set(prompt) - {slot}:
            raise UnsupportedError(f"the prompt has {', '.join(sorted(unknown))}", expected=f"only {slot}")
        tokens = [int(token) for token in prompt[slot]] if slot in prompt else []
        if tokens and not 0 <= min(tokens) <= max(tokens) < self._vocabulary:
            raise DataError(
                "a prompt has tokens that the network has no rows for", expected=f"below {self._vocabulary}"
            )
        if self._answering is None:
            return tokens or [self._codec.begin_token]
        if not tokens:
            raise UnsupportedError("this model writes a text from a text, and none was given", expected="a prompt")
        if self._context and len(tokens) > self._context:
            raise DataError(
                f"a text of {len(tokens)} tokens", expected=f"at most {self._context}", do="give it in parts"
            )
        return tokens

    @torch.inference_mode()
    def _sample(
        self, options: TextOptions, given: list[list[int]], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        for index, (tokens, seed) in enumerate(zip(given, seeds)):
            chain = strategies(options, self._hooks)
            reader = _Reader(self._network, context=self._context, is_half=options.precision == "bfloat16")
            history, forced = tokens, None
            if self._answering is not None:
                reader.read_source(tokens)
                history, forced = [self._answering.start], self._answering.forced
            generator = torch.Generator().manual_seed(seed)
            stream = TextStream(self._codec.decode_tokens, stop=options.stop)
            shown = 0.0
            for made in range(1, options.max_tokens + 1):
                logits = self._drawable(reader.logits(history))
                token = choose(logits, history, chain=chain, generator=generator) if forced is None else forced
                forced = None
                is_end = token in self._codec.end_tokens
                if not is_end:
                    history.append(token)
                    stream.add(token)
                finished = is_end or stream.stopped or made == options.max_tokens
                now = time.monotonic()
                if finished or now - shown >= INTERVAL_SECONDS:
                    new_tokens, text = stream.finish() if finished else stream.take()
                    if new_tokens or finished:
                        shown = now
                        yield index, _piece(new_tokens, text), finished
                if finished:
                    break

    def _drawable(self, logits: Tensor) -> Tensor:
        if self._answering is not None and self._answering.start not in self._codec.end_tokens:
            logits[self._answering.start] = NEVER
        return logits


class _Reader:
    """One text in the making, with what the network keeps of it."""

    def __init__(self, network: Any, *, context: int, is_half: bool) -> None:
        self._network = network
        self._context = context
        self._is_half = is_half
        known = inspect.signature(network.forward).parameters
        self._keeping = {"use_cache": True} if "use_cache" in known and "past_key_values" in known else {}
        self._kept: Any = None
        self._read = 0
        self._source: dict[str, Any] = {}

    def read_source(self, tokens: list[int]) -> None:
        """Read what an answer is written from."""
        row = torch.tensor([tokens], device=self._network.device)
        with self._arithmetic():
            encoded = self._network.get_encoder()(input_ids=row, attention_mask=torch.ones_like(row))
        self._source = {"encoder_outputs": encoded, "attention_mask": torch.ones_like(row)}

    def logits(self, tokens: list[int]) -> Tensor:
        """Return the logits after all tokens, float32 on the CPU; what was read before is not read again."""
        if self._context and self._read + 1 > self._context:
            self._kept = None
        new = tokens[-1:]
        if self._kept is None:
            is_full = self._context and len(tokens) > self._context
            new = tokens[-max(1, self._context // 2) :] if is_full else tokens
            self._read = 0
        name = "decoder_input_ids" if self._source else "input_ids"
        given = {name: torch.tensor([new], device=self._network.device), **self._source, **self._keeping}
        if self._kept is not None:
            given["past_key_values"] = self._kept
        with self._arithmetic():
            made = self._network(**given)
        self._kept = made.get("past_key_values")
        self._read += len(new)
        last: Tensor = made["logits"][0, -1]
        return last.float().cpu()

    def _arithmetic(self) -> torch.autocast:
        # Around single calls: what is done between two pieces of a text is not this network's.
        return torch.autocast(self._network.device.type, dtype=torch.bfloat16, enabled=self._is_half)


def _piece(tokens: list[int], text: str) -> dict[str, np.ndarray]:
    return {TARGET: np.array(tokens, dtype=np.int64), TEXT: np.frombuffer(text.encode(), dtype=np.uint8)}
