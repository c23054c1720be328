"""Plain label files: one line ``start end label`` for every phone or word, as .lab or as .tsv with tabs between.

Times are seconds. Two older ways to write them are known by their look: HTK counts in units of 100 ns, so that its times are whole numbers
no recording could be as long as; xlabel files, as festvox and CMU ARCTIC carry them, have ``#`` alone on a line and then ``end colour
label``. A first line of names (``start end label``) is passed over.
"""

import math

from makar.data.label_lines import STARTS
from makar.data.spoken_times import SpokenTimes, Stretch, times_of
from makar.errors import DataError

HTK_UNIT_SECONDS = 1e-7
LONGEST_SECONDS = 1000.0
"""Whole numbers beyond this are no seconds: longer recordings are never learned from whole."""


def times_of_labels(text: str, source: str) -> SpokenTimes:
    """Return the times in a label file.

    Args:
        text: The file.
        source: Its name.

    Raises:
        DataError: It is damaged or its times contradict each other; the message names file and line.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    marks = [place for place, (_, line) in enumerate(lines) if line.strip() == "#"]
    if marks:
        return times_of(source, either=_ends(lines[marks[0] + 1 :], source))
    if lines and _cells(lines[0][1])[0].strip().lower() in STARTS:
        lines = lines[1:]
    found = [Stretch(*_interval(line, number, source), line=number) for number, line in lines]
    if (
        found
        and all(one.start.is_integer() and one.end.is_integer() for one in found)
        and found[-1].end > LONGEST_SECONDS
    ):
        # Behind the label HTK may write how likely it is.
        found = [
            Stretch(one.start * HTK_UNIT_SECONDS, one.end * HTK_UNIT_SECONDS, one.label.split()[0], one.line)
            if one.label
            else one
            for one in found
        ]
    return times_of(source, either=found)


def _cells(line: str) -> list[str]:
    return line.split("\t", 2) if "\t" in line else line.split(None, 2)


def _number(cell: str) -> float:
    """Return the number in a cell.

    Raises:
        ValueError: It is none, or no finite one.
    """
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError(cell)
    return number


def _interval(line: str, number: int, source: str) -> tuple[float, float, str]:
    cells = _cells(line)
    try:
        start, end = _number(cells[0]), _number(cells[1])
    except (ValueError, IndexError):
        raise _damaged(line, number, source, "start end label") from None
    return start, end, cells[2].strip() if len(cells) > 2 else ""


def _ends(lines: list[tuple[int, str]], source: str) -> list[Stretch]:
    found: list[Stretch] = []
    for number, line in lines:
        cells = line.split(None, 2)
        try:
            end = _number(cells[0])
        except ValueError:
            raise _damaged(line, number, source, "end colour label") from None
        found.append(Stretch(found[-1].end if found else 0.0, end, cells[2].strip() if len(cells) > 2 else "", number))
    return found


def _damaged(line: str, number: int, source: str, expected: str) -> DataError:
    return DataError(f'{source} line {number}: "{line.strip()[:60]}"', expected=expected, do="mend the file")
