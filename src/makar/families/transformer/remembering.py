"""A sampler for one conversation: what a text has in common with the one before is not read again.

The turns of a conversation begin with all turns before, so keys and values of everything up to the new turn are in the cache already: the
answers that were drawn are there token by token, and only what was said since has to be read. The cache has one slot and grows with the
conversation. What is kept was computed in other pieces than it would be anew, so numbers are equal up to rounding. A text that does not fit
into the context, and several texts at once, go through the usual sampler, which keeps nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from makar.families.family import Batch, Sampler
from makar.families.transformer.block_decoder import read_block
from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.options import TextOptions
from makar.families.transformer.row_decoder import RowDecoder
from makar.families.transformer.sampler import TEXT, TransformerSampler
from makar.families.transformer.sampling import choose, strategies
from makar.families.transformer.text_stream import TextStream
from makar.tensor_spec import TARGET

STEP = 512
"""Positions that the cache grows by at least."""
INTERVAL_SECONDS = 0.05


class RememberingSampler(Sampler):
    """Continues one text after the other.

    Args:
        sampler: The sampler of the model, whose packed weights are used.
        end_tokens: Each ends a text.
        decode_tokens: From tokens to text.
        device: Where it computes.
    """

    def __init__(
        self,
        sampler: TransformerSampler,
        *,
        end_tokens: Sequence[int],
        decode_tokens: Callable[[np.ndarray], str],
        device: str = "cpu",
    ) -> None:
        self._sampler = sampler
        self._end_tokens = frozenset(end_tokens)
        self._decode_tokens = decode_tokens
        self._device = device
        self._cache: KeyValueCache | None = None
        self._precision = ""
        self._kept: list[int] = []
        self.read_tokens = 0
        """Tokens that were read of the last prompt; the others were known."""

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Continue a text; see ``TransformerSampler.sample``."""
        is_one = len(prompts) == 1 == len(seeds) and set(prompts[0]) == {TARGET}
        tokens = prompts[0][TARGET].tolist() if is_one else []
        shape = self._sampler.shape
        if not tokens or not isinstance(options, TextOptions) or max(tokens) >= shape.vocabulary:
            return self._sampler.sample(options, prompts, seeds)
        if len(tokens) + options.max_tokens > shape.context_length or options.stretch != 1:
            # Only the usual sampler knows how to go on from the last half of the context, or how to stretch it.
            self.read_tokens = len(tokens)
            return self._sampler.sample(options, prompts, seeds)
        return self._continue(options, tokens, seeds[0])

    @torch.inference_mode()
    def _continue(
        self, options: TextOptions, tokens: list[int], seed: int
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        room = len(tokens) + options.max_tokens
        weights = self._sampler.weights(options.precision, positions=room)
        cache = self._room(room, options.precision)
        # The last token is always read, because what follows it is wanted.
        known = min(_common(self._kept, tokens), len(tokens) - 1)
        cache.lengths[0] = known
        self.read_tokens = len(tokens) - known
        logits = read_block(weights, cache, [torch.tensor(tokens[known:])], slots=[0])[0].cpu()
        self._kept = list(tokens)
        rows = RowDecoder(weights, cache) if cache.arrays else None
        chain, generator = strategies(options, self._sampler.hooks), torch.Generator().manual_seed(seed)
        stream, shown = TextStream(self._decode_tokens, stop=options.stop), 0.0
        for made in range(1, options.max_tokens + 1):
            token = choose(logits, tokens, chain=chain, generator=generator)
            is_end = token in self._end_tokens
            if not is_end:
                tokens.append(token)
                stream.add(token)
            finished = is_end or stream.stopped or made == options.max_tokens
            now = time.monotonic()
            if finished or now - shown >= INTERVAL_SECONDS:
                new_tokens, text = stream.finish() if finished else stream.take()
                if new_tokens or finished:
                    shown = now
                    data = np.frombuffer(text.encode(), dtype=np.uint8)
                    yield 0, {TARGET: np.array(new_tokens, dtype=np.int64), TEXT: data}, finished
            if finished:
                return
            if rows is not None:
                logits = torch.from_numpy(rows.step([token], [0]))[0]
            else:
                logits = read_block(weights, cache, [torch.tensor([token])], slots=[0])[0].cpu()
            self._kept.append(token)

    def _room(self, positions: int, precision: str) -> KeyValueCache:
        """Return the cache with room for so many positions; what it holds stays where the arithmetic is the same."""
        if precision != self._precision:
            self._cache, self._kept, self._precision = None, [], precision
        before = self._cache
        if before is not None and before.capacity >= positions:
            return before
        shape = self._sampler.shape
        self._cache = KeyValueCache(
            depth=shape.depth,
            slots=1,
            heads=shape.key_value_heads,
            capacity=min(shape.context_length, positions + max(STEP, positions)),
            head_width=shape.head_width,
            device=self._device,
        )
        if before is not None:
            for new, old in zip(self._cache.layers, before.layers, strict=True):
                new[..., : before.capacity, :] = old
        return self._cache


def _common(first: list[int], second: list[int]) -> int:
    """Return how many tokens two texts have in common from the beginning."""
    pairs = enumerate(zip(first, second))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
