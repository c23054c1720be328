"""The sampler of decoder transformers: prompts in, streamed continuations out.

Each example has its own generator, cache slot and text stream, and on the CPU every number of it is computed as if it were alone, so
that neither the batch nor the order changes its text. (On other devices products over a batch are rounded by its size; texts agree up
to ties.) Examples beyond the number of slots wait and start as others end.

When the context is full the example is re-anchored: the last half of the context is kept, read again as if it were a prompt, and
decoding goes on. A prompt longer than the context is cut to its last half in the same way. Positions beyond what the model was made
for are never used.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import DataError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.block_decoder import read_block
from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import DecoderShape, DecoderWeights, pack_weights
from makar.families.transformer.options import TextOptions
from makar.families.transformer.row_decoder import RowDecoder
from makar.families.transformer.sampling import choose, strategies
from makar.families.transformer.text_stream import TextStream
from makar.tensor_spec import TARGET

TEXT = "text"
"""Slot of the sampler's output with the text of the new tokens, as UTF-8 bytes; it ends before a stop text, tokens may not."""

POSITIONS_STEP = 1024


class TransformerSampler(Sampler):
    """Continues token sequences.

    Args:
        shape: The numbers of the model.
        tensors: Its tensors by their names in transformers.
        end_tokens: Each ends an example.
        decode_tokens: From tokens to text.
        hooks: Applied to the logits after the filters, a watermark; ``Never`` before them.
        device: Where to run.
        slots: Largest number of examples that are computed at once.
        interval_seconds: Shortest time between two pieces of one example.
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
        slots: int = 16,
        interval_seconds: float = 0.05,
    ) -> None:
        self.shape = shape
        self.hooks = tuple(hooks)
        self._tensors = tensors
        self._end_tokens = frozenset(end_tokens)
        self.begin_token = next(iter(end_tokens), 0)
        """What an empty prompt is replaced with: an end token, because texts begin after it, unless a family knows better."""
        self._decode_tokens = decode_tokens
        self._device = device
        self._slots = slots
        self._interval_seconds = interval_seconds
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
        waiting = deque(
            _Example(index, self._prompt_tokens(prompt), seed, TextStream(self._decode_tokens, stop=options.stop))
            for index, (prompt, seed) in enumerate(zip(prompts, seeds))
        )
        return self._run(options, waiting)

    def weights(self, precision: str, *, positions: int) -> DecoderWeights:
        """Return the packed weights in a precision, usable up to a number of positions; packed at first use."""
        # Whole steps, so that a slightly longer text needs no new table. A context is only a number that a file states.
        positions = -(-positions // POSITIONS_STEP) * POSITIONS_STEP
        packed = self._packed.get(precision)
        if packed is None:
            packed = pack_weights(
                self.shape, self._tensors, precision=precision, device=self._device, positions=positions
            )
        self._packed[precision] = packed.reaching(positions)
        return self._packed[precision]

    @torch.inference_mode()
    def _run(
        self, options: TextOptions, waiting: "deque[_Example]"
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        if not waiting:
            return
        longest = max(len(example.tokens) for example in waiting) + options.max_tokens
        capacity = min(self.shape.context_length, longest)
        weights = self.weights(options.precision, positions=capacity)
        chain = strategies(options, self.hooks)
        free = list(range(min(self._slots, len(waiting))))
        cache = KeyValueCache(
            depth=self.shape.depth,
            slots=len(free),
            heads=self.shape.key_value_heads,
            capacity=capacity,
            head_width=self.shape.head_width,
            device=self._device,
        )
        rows = RowDecoder(weights, cache) if cache.arrays else None
        active: list[_Example] = []
        while active or waiting:
            stepping = [example for example in active if cache.remaining(example.slot)]
            starting = [example for example in active if not cache.remaining(example.slot)]
            ready: list[tuple[_Example, Tensor]] = []
            if stepping:
                ready += zip(stepping, self._step(weights, cache, rows, stepping))
            while free and waiting:
                example = waiting.popleft()
                example.slot = free.pop()
                active.append(example)
                starting.append(example)
            ready += ((example, self._read(weights, cache, example)) for example in starting)
            for example, logits in ready:
                token = choose(logits, example.tokens, chain=chain, generator=example.generator)
                finished = example.take(token, end_tokens=self._end_tokens, limit=options.max_tokens)
                if finished:
                    active.remove(example)
                    free.append(example.slot)
                    cache.lengths[example.slot] = 0
                now = time.monotonic()
                if finished or now - example.shown_seconds >= self._interval_seconds:
                    new_tokens, text = example.stream.finish() if finished else example.stream.take()
                    if new_tokens or finished:
                        example.shown_seconds = now
                        yield example.index, _piece(new_tokens, text), finished

    def _step(
        self, weights: DecoderWeights, cache: KeyValueCache, rows: RowDecoder | None, examples: "list[_Example]"
    ) -> Sequence[Tensor]:
        slots = [example.slot for example in examples]
        last = [example.tokens[-1] for example in examples]
        if rows is not None:
            return torch.from_numpy(rows.step(last, slots)).unbind()
        return read_block(weights, cache, [torch.tensor([token]) for token in last], slots=slots).cpu().unbind()

    def _read(self, weights: DecoderWeights, cache: KeyValueCache, example: "_Example") -> Tensor:
        kept = example.tokens
        if len(kept) > cache.capacity:
            kept = kept[-max(1, cache.capacity // 2) :]
        cache.lengths[example.slot] = 0
        return read_block(weights, cache, [torch.tensor(kept)], slots=[example.slot])[0].cpu()

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


class _Example:
    """One continuation in the making."""

    def __init__(self, index: int, prompt: list[int], seed: int, stream: TextStream) -> None:
        self.index = index
        self.tokens = prompt
        self.made = 0
        self.slot = -1
        self.stream = stream
        self.shown_seconds = 0.0
        self.generator = torch.Generator().manual_seed(seed)

    def take(self, token: int, *, end_tokens: Collection[int], limit: int) -> bool:
        """Take the chosen token and say whether the example is complete."""
        if token in end_tokens:
            return True
        self.tokens.append(token)
        self.made += 1
        self.stream.add(token)
        return self.made >= limit or self.stream.stopped


def _piece(tokens: list[int], text: str) -> dict[str, np.ndarray]:
    return {TARGET: np.array(tokens, dtype=np.int64), TEXT: np.frombuffer(text.encode(), dtype=np.uint8)}
