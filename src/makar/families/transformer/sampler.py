"""The sampler of decoder transformers: prompts in, streamed continuations out.

Each example has its own generator, cache slot and text stream, and on the CPU every number of it is computed as if it were alone, so
that neither the batch nor the order changes its text. (On other devices products over a batch are rounded by its size; texts agree up
to ties.) Examples beyond the number of slots wait and start as others end.

When the context is full the example is re-anchored: the last half of the context is kept, read again as if it were a prompt, and
decoding goes on. A prompt longer than the context is cut to its last half in the same way. Positions beyond what the model was made
for are used only where ``stretch`` asks for it.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from makar.errors import DataError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.decoder import DecoderShape, DecoderWeights, pack_weights
from makar.families.transformer.decoding_batch import DecodingBatch, Writing
from makar.families.transformer.options import TextOptions
from makar.families.transformer.reading import EngineReaders, WeightsReader
from makar.families.transformer.sampling import strategies
from makar.families.transformer.shared_decoding import SharedDecoding
from makar.families.transformer.text_stream import TextStream
from makar.tensor_spec import TARGET

TEXT = "text"
"""Slot of the sampler's output with the text of the new tokens, as UTF-8 bytes; it ends before a stop text, tokens may not."""

POSITIONS_STEP = 1024
CACHE_SHARE = 0.5
"""Share of the memory that keys and values of texts at once may take: where they could take more, fewer texts are written at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How texts are computed together; none of it changes a text.

    Attributes:
        slots: Largest number of examples that are computed at once.
        guesses: Most tokens that are guessed from repeats at a time (``prompt_lookup``); 0 turns guessing off.
        shared: Running batches that other samplers of the same weights take part in; ``None`` for a batch of its own.
        interval_seconds: Shortest time between two pieces of one example.
    """

    slots: int = 16
    guesses: int = 15
    shared: SharedDecoding | None = None
    interval_seconds: float = 0.05


class TransformerSampler(Sampler):
    """Continues token sequences.

    Args:
        shape: The numbers of the model.
        tensors: Its tensors by their names in transformers.
        end_tokens: Each ends an example.
        decode_tokens: From tokens to text.
        hooks: Applied to the logits after the filters, a watermark; ``Never`` and constraints before them.
        device: Where to run.
        pace: How many at once, and in what company; it changes no text.
        engine: What computes instead of the packed weights; ``None`` for these. Its numbers are rounded in its own way.
    """

    def __init__(
        self,
        shape: DecoderShape,
        tensors: Mapping[str, Tensor],
        *,
        end_tokens: Sequence[int],
        decode_tokens: Callable[[np.ndarray], str],
        hooks: Sequence[LogitsHook] = (),
        device: str = "cpu",
        pace: Pace | None = None,
        engine: EngineReaders | None = None,
    ) -> None:
        self.shape = shape
        self.hooks = tuple(hooks)
        self._tensors = tensors
        self._end_tokens = frozenset(end_tokens)
        self.begin_token = next(iter(end_tokens), 0)
        """What an empty prompt is replaced with: an end token, because texts begin after it, unless a family knows better."""
        self._decode_tokens = decode_tokens
        self._device = device
        self._pace = Pace() if pace is None else pace
        self._engine = engine
        self._packed: dict[str, DecoderWeights] = {}

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Continue every prompt; see ``Sampler.sample``.

        Args:
            options: ``TextOptions``.
            prompts: ``{"target": tokens [length]}`` or empty, one an example.
            seeds: One an example.

        Yields:
            (index, {"target": new tokens int64, "text": their text as UTF-8 bytes uint8}, finished). Neither the prompt nor the end
            token is part of it. The text is what to show: with a stop text inside a token, that token's text is cut.

        Raises:
            UnsupportedError: The options are of another class or a prompt has a slot other than ``target``.
            DataError: A prompt is not a row of tokens of the vocabulary, or there are not as many seeds as prompts.
        """
        if not isinstance(options, TextOptions):
            raise UnsupportedError(f"options are {type(options).__name__}", expected="TextOptions")
        if len(prompts) != len(seeds):
            raise DataError(f"{len(prompts)} prompts and {len(seeds)} seeds", expected="one seed a prompt")
        writings = [
            Writing(
                index,
                self._prompt_tokens(prompt),
                chain=strategies(options, self.hooks),
                seed=seed,
                stream=TextStream(self._decode_tokens, stop=options.stop),
                end_tokens=self._end_tokens,
                limit=options.max_tokens,
                interval_seconds=self._pace.interval_seconds,
            )
            for index, (prompt, seed) in enumerate(zip(prompts, seeds))
        ]
        return self._run(options, writings)

    def weights(self, precision: str, *, positions: int, stretch: float = 1.0) -> DecoderWeights:
        """Return the packed weights in a precision, usable up to a number of positions; packed at first use.

        Args:
            precision: Of the products.
            positions: How far the rotations reach; at most the context, stretched.
            stretch: How many times longer than trained the context is taken.
        """
        # Whole steps, so that a slightly longer text needs no new table. A context is only a number that a file states.
        positions = -(-positions // POSITIONS_STEP) * POSITIONS_STEP
        packed = self._packed.get(precision)
        if packed is None:
            packed = pack_weights(
                self.shape, self._tensors, precision=precision, device=self._device, positions=positions
            )
        self._packed[precision] = packed if stretch != 1 else packed.reaching(positions)
        return self._packed[precision].stretched(stretch).reaching(positions)

    def _run(self, options: TextOptions, writings: list[Writing]) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        if self._pace.shared is not None:
            kind = (options.precision, options.stretch)
            pieces = self._pace.shared.follow(kind, lambda: self._batch(options, slots=self._pace.slots), writings)
        else:
            pieces = self._alone(options, writings)
        for writing, tokens, text, is_finished in pieces:
            yield writing.index, _piece(tokens, text), is_finished

    def _alone(self, options: TextOptions, writings: list[Writing]) -> Iterator[tuple[Writing, list[int], str, bool]]:
        if not writings:
            return
        longest = max(len(writing.tokens) for writing in writings) + options.max_tokens
        batch = self._batch(options, slots=min(self._pace.slots, len(writings)), longest=longest)
        for writing in writings:
            batch.join(writing)
        while batch.is_busy:
            for writing in batch.step():
                piece = writing.take()
                if piece is not None:
                    yield writing, *piece, writing.is_finished

    def _batch(self, options: TextOptions, *, slots: int, longest: int | None = None) -> DecodingBatch:
        if self._engine is not None:
            # Rows of several tokens are rounded in another way than single ones there: a guess could change the text.
            return DecodingBatch(
                self._engine.reader(options.precision, slots=slots, stretch=options.stretch), guesses=0
            )
        context = int(self.shape.context_length * options.stretch)
        capacity = context if longest is None else min(context, longest)
        weights = self.weights(options.precision, positions=capacity, stretch=options.stretch)
        shape = self.shape
        each = 8 * shape.depth * shape.key_value_heads * shape.head_width * capacity
        slots = max(1, min(slots, _room(weights.embedding.device) // each))
        return DecodingBatch(WeightsReader(weights, slots=slots, capacity=capacity), guesses=self._pace.guesses)

    def _prompt_tokens(self, prompt: Batch) -> list[int]:
        unknown = set(prompt) - {TARGET}
        if unknown:
            raise UnsupportedError(
                f"the prompt has {', '.join(sorted(unknown))}", expected="only target: the tokens to go on from"
            )
        tokens = np.asarray(prompt[TARGET]) if TARGET in prompt else np.zeros(0, dtype=np.int64)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise DataError(f"a prompt is {tokens.dtype} {tokens.shape}", expected="integers [length]")
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.shape.vocabulary:
            raise DataError("a prompt has tokens outside the vocabulary", expected=f"0 to {self.shape.vocabulary - 1}")
        return [int(token) for token in tokens] or [self.begin_token]


def _room(device: torch.device) -> int:
    """Return the bytes that keys and values of all texts may take."""
    if device.type == "cuda":
        # There all places are taken at once.
        return int(CACHE_SHARE * torch.cuda.mem_get_info(device)[0])
    return int(CACHE_SHARE * psutil.virtual_memory().total)


def _piece(tokens: list[int], text: str) -> dict[str, np.ndarray]:
    return {TARGET: np.array(tokens, dtype=np.int64), TEXT: np.frombuffer(text.encode(), dtype=np.uint8)}
