"""Windows of a passage, each behind the question: what is read at once where a passage is longer.

A row is the question, the end token and the passage. A window has the question, cut off where it takes more than half of the room, the end
token, and so many tokens of the passage from an offset on. The end token is the place that stands for "no answer here".
"""

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Windows of some rows.

    Attributes:
        tokens: int64 ``[windows, length]``.
        offset: Where in its passage each begins.
        null: Place of the end token in each.
        begin: Where the passage begins in the whole row, from 0 on.
        inside: Where tokens of the passage are.
    """

    tokens: Int[Tensor, "windows length"]
    offset: Int[Tensor, " windows"]
    null: Int[Tensor, " windows"]
    begin: Int[Tensor, " windows"]
    inside: Bool[Tensor, "windows length"]

    @property
    def allowed(self) -> Bool[Tensor, "windows length"]:
        """Where an answer may begin and end: in the passage, or at the place that stands for none."""
        return self.inside | (self._places == self.null[:, None])

    @property
    def shared(self) -> Bool[Tensor, "windows length"]:
        """Which tokens of the passage stand in the question too."""
        asked = (self._places < self.null[:, None])[:, None]
        return ((self.tokens[:, :, None] == self.tokens[:, None]) & asked).any(2) & self.inside

    @property
    def _places(self) -> Int[Tensor, "1 length"]:
        return torch.arange(self.tokens.shape[1], device=self.tokens.device)[None]

    def of_row(self, place: Int[Tensor, " windows"]) -> Int[Tensor, " windows"]:
        """Return places of windows as places of their rows, both from 0 on."""
        return place - self.null - 1 + self.offset + self.begin

    def in_window(self, place: Int[Tensor, "windows places"]) -> Int[Tensor, "windows places"]:
        """Return places of rows, from 0 on, as places of their windows; they may lie outside."""
        return place - (self.begin + self.offset)[:, None] + self.null[:, None] + 1


def cut(
    rows: Int[Tensor, "windows row"],
    begin: Int[Tensor, " windows"],
    offset: Int[Tensor, " windows"],
    *,
    length: int,
    padding: int,
) -> Windows:
    """Return one window of each row.

    Args:
        rows: Questions with passages, filled up with the padding token.
        begin: Where the passage begins, from 0 on; before it stands the end token.
        offset: Where in the passage the window begins.
        length: Tokens of a window; no more than those of the rows are there.
        padding: The padding token.
    """
    places = torch.arange(min(length, rows.shape[1]), device=rows.device)[None]
    null = (begin - 1).clamp(max=length // 2 - 1)[:, None]
    after = begin[:, None] + offset[:, None] + places - null - 1
    source = torch.where(places < null, places, torch.where(places == null, begin[:, None] - 1, after))
    longer = torch.cat([rows, torch.full_like(rows[:, :1], padding)], 1)
    tokens = longer.gather(1, source.clamp(max=rows.shape[1]))
    inside = (places > null) & (tokens != padding)
    return Windows(tokens=tokens, offset=offset, null=null[:, 0], begin=begin, inside=inside)


def room(begin: Int[Tensor, " rows"], length: int) -> Int[Tensor, " rows"]:
    """Return how many tokens of the passage a window has."""
    return length - 1 - (begin - 1).clamp(max=length // 2 - 1)


def all_offsets(
    counts: Int[Tensor, " rows"], rooms: Int[Tensor, " rows"]
) -> tuple[Int[Tensor, " windows"], Int[Tensor, " windows"]]:
    """Return the row and the offset of every window that it takes to read whole passages, overlapping by half.

    Args:
        counts: Tokens of each passage.
        rooms: Those that fit into a window.
    """
    owners: list[int] = []
    offsets: list[int] = []
    for number, (count, fits) in enumerate(zip(counts.tolist(), rooms.tolist(), strict=True)):
        starts = range(0, max(1, count - fits + max(1, fits // 2)), max(1, fits // 2)) if count > fits else (0,)
        owners += [number] * len(starts)
        offsets += starts
    return torch.tensor(owners), torch.tensor(offsets)


def drawn_offsets(
    counts: Int[Tensor, " rows"],
    rooms: Int[Tensor, " rows"],
    wanted: Int[Tensor, "rows 2"],
    draws: Float[Tensor, "rows 2"],
    *,
    share: float,
) -> Int[Tensor, " rows"]:
    """Return an offset for each row: of a window that holds a span, or of any.

    Args:
        counts: Tokens of each passage.
        rooms: Those that fit into a window.
        wanted: First and last token of the span in the passage, from 0 on.
        draws: Numbers between 0 and 1: which of the two, and where.
        share: Share of the windows that hold the span.
    """
    last = (counts - rooms).clamp(min=0)
    lowest = torch.minimum((wanted[:, 1] - rooms + 1).clamp(min=0), last)
    highest = torch.minimum(wanted[:, 0], last)
    holds = draws[:, 0] < share
    low = torch.where(holds, torch.minimum(lowest, highest), 0)
    high = torch.where(holds, highest, last)
    return (low + (draws[:, 1] * (high - low + 1)).long()).clamp(max=high)
