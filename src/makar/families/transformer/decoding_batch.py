"""A running batch of texts in the making, which texts join and leave at any step.

One step chooses a token for every text, or several where guesses from repeats came true (``prompt_lookup``). Texts beyond the number of
slots wait and start as others end. On the CPU every number of a text is computed as if it were alone, so neither its company nor the
moment at which it joined changes it.

Prompts are read in blocks of ``BLOCK`` positions, counted from the start of the text, so that what a block is computed to depends on the
tokens up to its end alone; one block of each at a step, so that nobody waits for the whole of a long one. A text that joins takes the free
slot that begins most like it and does not read again the whole blocks that they have in common: the former turns of a conversation, or the
instructions of a template.

Source: Yu et al. 2022, "Orca: a distributed serving system for transformer-based generative models" (batching by step); Agrawal et al.
2023, arXiv 2308.16369 (prompts in pieces between the steps of others).
"""

import time
from collections import deque
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from makar.errors import MakarError
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.prompt_lookup import PromptLookup
from makar.families.transformer.reading import Reader
from makar.families.transformer.sampling import choose
from makar.families.transformer.text_stream import TextStream

BLOCK = 128
"""Positions of a prompt that are read at a time."""
READ_TOGETHER = 1024
"""Positions of several prompts that are read at a time: many enough for the products; more bring no more."""
TOGETHER = 16
"""Tokens of one step up to which guesses are added: the products are still bound by reading the weights."""

UNHURRIED = 8
"""Texts at once up to which each is shown as often as it may be."""


class Writing:
    """One text in the making.

    Args:
        index: Its number in its request.
        prompt: At least one token; new ones are appended.
        chain: Strategies that reshape its logits.
        seed: Seed of its own draws.
        stream: Takes its new tokens.
        end_tokens: End it; none of them is part of it.
        limit: Most new tokens.
        interval_seconds: Shortest time between two pieces of it.
    """

    def __init__(
        self,
        index: int,
        prompt: list[int],
        *,
        chain: Sequence[LogitsHook],
        seed: int,
        stream: TextStream,
        end_tokens: Collection[int],
        limit: int,
        interval_seconds: float,
    ) -> None:
        self.index = index
        self.tokens = prompt
        self.chain = chain
        self.stream = stream
        self.is_finished = False
        self.has_news = False
        """Whether a token was chosen since ``take`` was called last."""
        self.slot = -1
        self.left = limit
        self.end_tokens = frozenset(end_tokens)
        self._interval_seconds = interval_seconds
        self._shown_seconds = 0.0
        self._error: MakarError | None = None
        self.generator = torch.Generator().manual_seed(seed)
        self.lookup = PromptLookup(prompt)

    def choose(self, logits: Tensor) -> int:
        """Choose the next token and take it; sets ``is_finished`` after the last."""
        self.has_news = True
        try:
            token = choose(logits, self.tokens, chain=self.chain, generator=self.generator)
        except MakarError as error:
            # It belongs to whoever asked for this text, not to whoever computes the step for all.
            self._error, token = error, -1
        if self._error is not None or token in self.end_tokens:
            self.is_finished = True
            return token
        self.tokens.append(token)
        self.lookup.add(token)
        self.left -= 1
        self.stream.add(token)
        self.is_finished = self.left == 0 or self.stream.stopped
        return token

    def take(self, *, company: int = 1) -> tuple[list[int], str] | None:
        """Return the new tokens and their text; ``None`` while there is nothing to show yet.

        Args:
            company: Texts that are written at once. Where they are many, pieces come less often: to tell of each costs as much as a token.

        Raises:
            MakarError: A strategy could not go on.
        """
        self.has_news = False
        if self._error is not None:
            raise self._error
        now = time.monotonic()
        interval = self._interval_seconds * max(1.0, company / UNHURRIED)
        if not self.is_finished and now - self._shown_seconds < interval:
            return None
        tokens, text = self.stream.finish() if self.is_finished else self.stream.take()
        if not tokens and not self.is_finished:
            return None
        self._shown_seconds = now
        return tokens, text


class DecodingBatch:
    """Texts that are computed together.

    Args:
        reader: Reads tokens; it has a slot for each text that is computed at once, and a longer text than its capacity is re-anchored.
        guesses: Most tokens that are guessed for a text at a time; 0 turns guessing off.
    """

    def __init__(self, reader: Reader, *, guesses: int) -> None:
        self._reader = reader
        self._guesses = guesses
        self._waiting: deque[Writing] = deque()
        self._active: list[Writing] = []
        self._unread: dict[Writing, deque[list[int]]] = {}
        """Of texts that have a slot: the blocks of their prompt that are still to be read."""
        self._free = list(range(reader.slots))
        self._blocks: list[list[int]] = [[] for _ in range(reader.slots)]
        """By slot: the tokens of the whole blocks that were read there and still stand there."""
        self.steps = 0
        """Times that the weights were read for tokens one after the other."""
        self.reread = 0
        """Positions of prompts that were there already and not read again."""

    def join(self, writing: Writing) -> None:
        """Let a text take part from the next step on, or as soon as there is room."""
        self._waiting.append(writing)

    def leave(self, writing: Writing) -> None:
        """Drop a text that nobody wants any more; one that is finished has left by itself."""
        if writing in self._active:
            self._release(writing)
        elif writing in self._waiting:
            self._waiting.remove(writing)

    @property
    def company(self) -> int:
        """How many texts are written at once."""
        return len(self._active)

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._active or self._waiting)

    @torch.inference_mode()
    def step(self) -> list[Writing]:
        """Choose at least one token for every text whose prompt is read, and return those that have a slot; the finished ones leave."""
        try:
            return self._step()
        except BaseException:
            # Nobody knows what stands where now: every text is read anew.
            self._waiting.extendleft(reversed([one for one in self._active if not one.is_finished]))
            self._active = []
            self._unread = {}
            self._free = list(range(self._reader.slots))
            self._blocks = [[] for _ in self._free]
            self._reader.lengths[:] = [0] * self._reader.slots
            raise

    def _step(self) -> list[Writing]:
        going = [writing for writing in self._active if writing not in self._unread]
        stepping = [writing for writing in going if self._remaining(writing)]
        full = [writing for writing in going if not self._remaining(writing)]
        if stepping:
            self._advance(stepping)
        for writing in full + self._begin():
            self._unread[writing] = deque(self._blocks_of(writing))
        self._read()
        moved = self._active
        for writing in moved:
            if writing.is_finished:
                self._release(writing)
        return moved

    def _begin(self) -> list[Writing]:
        """Give the free slots to those who wait, and return these."""
        begun: list[Writing] = []
        while self._free and self._waiting:
            writing = self._waiting.popleft()
            # Of equals the one that was left first, whose blocks are the least likely to be asked for again.
            writing.slot = max(self._free, key=lambda slot: _shared_blocks(self._blocks[slot], writing.tokens))
            self._free.remove(writing.slot)
            begun.append(writing)
        self._active = self._active + begun
        return begun

    def _release(self, writing: Writing) -> None:
        self._active = [other for other in self._active if other is not writing]
        slot = writing.slot
        if self._unread.pop(writing, None):
            # Only what was read stands there.
            self._blocks[slot] = self._blocks[slot][: self._reader.lengths[slot]]
        self._reader.lengths[slot] = 0
        self._free.append(slot)

    def _advance(self, writings: list[Writing]) -> None:
        most = min(self._guesses, TOGETHER // len(writings) - 1)
        guesses = [
            writing.lookup.guess(min(most, writing.left - 1, self._remaining(writing) - 1)) for writing in writings
        ]
        rows = [[writing.tokens[-1], *guess] for writing, guess in zip(writings, guesses)]
        self.steps += 1
        for writing, guess, logits in zip(writings, guesses, self._reader.append(rows, [one.slot for one in writings])):
            right = 0
            while writing.choose(logits[right]) == (guess[right] if right < len(guess) else None):
                right += 1
                if writing.is_finished:
                    break
            if guess:
                # Of what was written into the cache only what is part of the text may count.
                self._reader.lengths[writing.slot] -= max(0, len(guess) - right)
                writing.lookup.judge(len(guess), right)

    def _remaining(self, writing: Writing) -> int:
        return self._reader.capacity - self._reader.lengths[writing.slot]

    def _read(self) -> None:
        """Read a block of several texts, and choose a token for those whose prompt ends with it."""
        # Each once, whatever becomes free meanwhile. Several at a time: the products are larger, and the weights are read once.
        left = list(self._unread)
        while left:
            together: list[Writing] = []
            rows: list[list[int]] = []
            count = 0
            while left and (not rows or count + len(self._unread[left[0]][0]) <= READ_TOGETHER):
                together.append(left.pop(0))
                rows.append(self._unread[together[-1]].popleft())
                count += len(rows[-1])
            for writing, logits in zip(together, self._reader.read(rows, [writing.slot for writing in together])):
                if not self._unread[writing]:
                    del self._unread[writing]
                    writing.choose(logits)

    def _blocks_of(self, writing: Writing) -> list[list[int]]:
        """Return the blocks of a text that are to be read, or of its last half where it is longer than its place."""
        slot, capacity = writing.slot, self._reader.capacity
        kept = writing.tokens if len(writing.tokens) <= capacity else writing.tokens[-max(1, capacity // 2) :]
        # One token has to be read, because the logits after it are wanted.
        start = min(_shared_blocks(self._blocks[slot], kept), (len(kept) - 1) // BLOCK * BLOCK)
        self._reader.lengths[slot] = start
        self.reread += start
        self._blocks[slot] = kept[: len(kept) // BLOCK * BLOCK]
        return [kept[begin : begin + BLOCK] for begin in range(start, len(kept), BLOCK)]


def _shared_blocks(there: list[int], wanted: list[int]) -> int:
    """Return how many positions of whole blocks two texts begin with in common."""
    shared = 0
    while shared < len(there) and there[shared : shared + BLOCK] == wanted[shared : shared + BLOCK]:
        shared += BLOCK
    return min(shared, len(there))
