"""``predict --what bugs``: the lines of a file that look wrong, the worst first, with what is wrong in them.

A line of Python that does not parse is wrong for certain. One that a checker (pyflakes) objects to, because nothing defines a name in it,
comes next. Otherwise a line is as suspicious as its most surprising token: surprise minus uncertainty in nats, from what stands before
the line and, with a model that fills holes, after it. Comments and documentation are left out. A suspicious line need not be wrong: what
is unusual in it is shown, and what the model expected.

Source: Ray et al. 2016, "On the naturalness of buggy code", ICSE; Bavarian et al. 2022, arXiv 2207.14255 (both sides of a line).
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.codec import Codec
from makar.errors import EmptyDataError, UnsupportedError
from makar.families.transformer.family import TransformerFamily
from makar.generation.hole import lines_of, read_source
from makar.generation.infill import MarksHoles
from makar.generation.line_windows import LineWindow, line_windows
from makar.generation.python_source import code_columns, doubtful_lines, unparsable_lines
from makar.nn.threads import threads_for
from makar.tensor_spec import TARGET

BUGS = "bugs"
TOP = 10
TOGETHER = 16
PYTHON = (".py", ".pyi")
FINDERS = PARSER, CHECKER, MODEL = ("parser", "checker", "model")
"""The surest first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suspect:
    """A line that looks wrong.

    Attributes:
        line: Its number, from 1.
        column: Where in it, from 1.
        found_by: Who says so: one of ``FINDERS``.
        score: Surprise minus uncertainty of its worst token in nats; infinite where it does not parse.
        text: The line.
        reason: In words.
    """

    line: int
    column: int
    found_by: str = MODEL
    score: float
    text: str
    reason: str


def find_bugs(artifact: Artifact, inputs: Sequence[Any] | Any, *, top: int = TOP) -> Iterator[dict[str, Any]]:
    """Say which lines of each file look wrong.

    Args:
        artifact: A model of text or code.
        inputs: A file, or several.
        top: Lines of each file.

    Yields:
        One dictionary a line: ``input``, ``what``, ``rank`` within the file, ``line``, ``column``, ``found_by``, ``score`` (``None``
        where it does not parse), ``text`` and ``reason``.

    Raises:
        EmptyDataError: A file is empty.
    """
    for item in [inputs] if isinstance(inputs, str | Path) else list(inputs):
        source = read_source(item)
        for rank, suspect in enumerate(ranked_lines(artifact, source, is_python=Path(item).suffix in PYTHON)[:top], 1):
            row = dataclasses.asdict(suspect) | {"score": suspect.score if math.isfinite(suspect.score) else None}
            yield {"input": str(item), "what": BUGS, "rank": rank, **row}


def ranked_lines(artifact: Artifact, source: str, *, is_python: bool) -> list[Suspect]:
    """Return every line that says something, the most suspicious first.

    Args:
        artifact: A model of text or code.
        source: The whole file.
        is_python: Whether it should parse, and has comments to be left out.

    Raises:
        EmptyDataError: There is nothing to look at.
        UnsupportedError: The model is not of a kind that can be asked.
    """
    lines = lines_of(source)
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbers:
        raise EmptyDataError("the file is empty", expected="lines of code")
    wrong = {one.number: one.message for one in unparsable_lines(source)} if is_python else {}
    doubtful = {one.number: one.message for one in doubtful_lines(source)} if is_python and not wrong else {}
    columns = code_columns(source) if is_python and not wrong else None
    suspects = [
        _with_findings(suspect, wrong.get(suspect.line), doubtful.get(suspect.line))
        for suspect in _suspects(artifact, lines, numbers, columns)
    ]
    return sorted(suspects, key=lambda suspect: (FINDERS.index(suspect.found_by), -suspect.score, suspect.line))


def _with_findings(suspect: Suspect, wrong: str | None, doubtful: str | None) -> Suspect:
    if wrong is not None:
        reason = f"does not parse: {wrong}; {suspect.reason}"
        return dataclasses.replace(suspect, found_by=PARSER, score=math.inf, reason=reason)
    if doubtful is not None:
        return dataclasses.replace(suspect, found_by=CHECKER, reason=f"{doubtful}; {suspect.reason}")
    return suspect


def _suspects(
    artifact: Artifact, lines: list[str], numbers: list[int], columns: dict[int, list[tuple[int, int]]] | None
) -> Iterator[Suspect]:
    family, codec = artifact.family(), artifact.codec()
    if not isinstance(family, TransformerFamily) or not isinstance(codec, MarksHoles):
        raise UnsupportedError("this model does not say how surprising a token is", expected='a model of recipe "code"')
    config = family.config
    lengths = _byte_lengths(codec)
    windows = list(line_windows(lines, numbers, codec, config, end_token=_end_token(codec)))
    device = next(family.parameters()).device
    for start in range(0, len(windows), TOGETHER):
        part = windows[start : start + TOGETHER]
        batch = torch.from_numpy(np.stack([window.tokens for window in part])).to(device)
        with threads_for(config.parameter_count()):
            found = family.predict({TARGET: batch}, BUGS, torch.Generator())
        for row, window in enumerate(part):
            span = slice(window.start - 1, window.start - 1 + len(window.line))
            excess = (found["surprise"] - found["uncertainty"])[row, span]
            yield _suspect(
                window, lines[window.number - 1], excess, found["expected"][row, span], codec, lengths, columns
            )


def _byte_lengths(codec: Any) -> np.ndarray:
    lengths: np.ndarray = codec.token_byte_lengths()
    return lengths


def _end_token(codec: Any) -> int:
    return int(codec.end_token)


def _suspect(
    window: LineWindow,
    text: str,
    excess: np.ndarray,
    expected: np.ndarray,
    codec: Codec,
    lengths: np.ndarray,
    columns: dict[int, list[tuple[int, int]]] | None,
) -> Suspect:
    """Return what is worst in a line."""
    content = text.encode("utf-8", "surrogatepass")
    ends = np.cumsum(lengths[window.line])
    # Columns count characters; a token may end inside one.
    edges = [0, *(len(content[:end].decode("utf-8", "ignore")) for end in ends.tolist())]
    counts = [
        columns is None or any(first < end and start < last for first, last in columns.get(window.number, ()))
        for start, end in itertools.pairwise(edges)
    ]
    shown = text.rstrip("\r\n")
    if not any(counts):
        return Suspect(line=window.number, column=1, score=-math.inf, text=shown, reason="no code")
    worst = int(np.where(counts, excess, -np.inf).argmax())
    wanted = codec.decode({TARGET: expected[worst : worst + 1]})
    came = text[edges[worst] : edges[worst + 1]]
    return Suspect(
        line=window.number,
        column=edges[worst] + 1,
        score=float(excess[worst]),
        text=shown,
        reason=f"surprising: {came!r} where {wanted!r} was likely",
    )
