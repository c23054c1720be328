"""One window of tokens for each line of a file, in which the line comes last and what stands around it before.

A model that fills holes sees what follows the line too. Tokens are those of each line by itself, which under the pattern for code are the
tokens of the whole file.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from makar.codecs.codec import Codec
from makar.families.transformer.config import TransformerConfig
from makar.generation.infill import MarksHoles

AFTER_SHARE = 1 / 3
LINE_SHARE = 1 / 2
"""Of the context: what follows, and the line itself, may take so much."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LineWindow:
    """One line in its window.

    Attributes:
        number: Of the line, from 1.
        tokens: int64 ``[context + 1]``, filled up with end tokens.
        start: Where the line begins in the window.
        line: Its own tokens, cut where it is very long.
    """

    number: int
    tokens: np.ndarray
    start: int
    line: np.ndarray


def line_windows(
    lines: Sequence[str], numbers: Sequence[int], codec: Codec, config: TransformerConfig, *, end_token: int
) -> Iterator[LineWindow]:
    """Yield a window for each line that is asked for.

    Args:
        lines: The whole file, with the ends of lines.
        numbers: Lines to look at, from 1.
        codec: Turns text into tokens.
        config: Says how much the model sees, and whether it fills holes.
        end_token: Stands before a file and fills up a window.
    """
    assert isinstance(codec, MarksHoles), "a codec of text turns text into tokens"
    known_tokens: dict[int, np.ndarray] = {}

    def encoded(index: int) -> np.ndarray:
        """Return the tokens of a line; only those that some window shows are asked for."""
        if index not in known_tokens:
            known_tokens[index] = np.asarray(codec.encode_text(lines[index]), np.int64)
        return known_tokens[index]

    length = config.context + 1
    fills = "infill" in config.edits
    for number in numbers:
        line = encoded(number - 1)[: max(1, int(LINE_SHARE * config.context))]
        room = length - len(line) - (4 if fills else 1)
        after = _first(map(encoded, range(number, len(lines))), int(AFTER_SHARE * room)) if fills else line[:0]
        before = _last(map(encoded, range(number - 2, -1, -1)), room - len(after))
        if fills:
            prefix, suffix, middle = codec.infill_tokens
            parts = [[prefix, suffix], after, [middle], before]
        else:
            parts = [[end_token], before]
        known = np.concatenate([np.asarray(part, np.int64) for part in parts])
        rest = np.full(length - len(known) - len(line), end_token, np.int64)
        yield LineWindow(number=number, tokens=np.concatenate([known, line, rest]), start=len(known), line=line)


def _first(lines: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Return the first tokens of some lines, at most so many."""
    found: list[np.ndarray] = [np.zeros(0, np.int64)]
    size = 0
    for line in lines:
        if size >= count:
            break
        found.append(line)
        size += len(line)
    return np.concatenate(found)[: max(0, count)]


def _last(lines: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Return the last tokens of some lines, which come the last first, at most so many."""
    found: list[np.ndarray] = []
    size = 0
    for line in lines:
        if size >= count:
            break
        found.insert(0, line)
        size += len(line)
    joined = np.concatenate([np.zeros(0, np.int64), *found])
    return joined[max(0, len(joined) - max(0, count)) :]
