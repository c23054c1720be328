"""Which units are spoken in a recording, and how far it is known when: not at all, between the ends of words, or to the unit.

A recording is a row of spans with the units that are spoken in each. Without times it is one span, and when its units end is searched for
(``makar.codecs.alignment``). With times of words each word is one, so a search never leaves it; with times of phones each phone is one,
and nothing is left to search.
"""

import dataclasses
import itertools

import numpy as np

from makar.codecs.alignment import FRAME_SECONDS, STATES, Aligner
from makar.codecs.units import units_of
from makar.data.phones import PAUSE, is_silence
from makar.data.spoken_times import SpokenTimes
from makar.errors import UsageError

SHORTEST_PAUSE_SECONDS = 0.03
"""A shorter gap between two phones belongs to the first of them: times are rounded."""

CLAUSE_SECONDS = 0.1
"""A gap between words from which on letters have a pause there and not a space."""


@dataclasses.dataclass(frozen=True, eq=False)
class Span:
    """A stretch of a recording.

    Attributes:
        end: In seconds; it begins where the one before ends.
        order: Numbers of the units that are spoken in it, int64 ``[units]``, at least one.
    """

    end: float
    order: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Spoken:
    """What is spoken in a recording.

    Attributes:
        spans: From its beginning on.
        is_given: Whether somebody said when what is spoken.
    """

    spans: tuple[Span, ...]
    is_given: bool

    @property
    def order(self) -> np.ndarray:
        """Numbers of all units, int64 ``[units]``."""
        return np.concatenate([span.order for span in self.spans])

    def parts(self, features: np.ndarray) -> list[np.ndarray]:
        """Return the features of each span.

        Args:
            features: Of the recording, from ``features_of``.
        """
        if not self.is_given:
            return [features]
        edges = np.minimum(
            np.rint([0.0, *(span.end / FRAME_SECONDS for span in self.spans)]).astype(int), len(features)
        )
        return [features[start:end] for start, end in itertools.pairwise(edges)]

    def ends(self, aligner: Aligner, features: np.ndarray) -> np.ndarray:
        """Return when every unit ends, in seconds, float64 ``[units]``.

        Args:
            aligner: What units sound like.
            features: Of the recording, from ``features_of``.

        Raises:
            DataError: Nobody said when, and the recording is too short for its units.
        """
        if not self.is_given:
            return aligner.ends(features, self.spans[0].order)
        found, start = [], 0.0
        for span, part in zip(self.spans, self.parts(features), strict=True):
            count = len(span.order)
            if count == 1 or len(part) < STATES * count:
                ends = np.linspace(start, span.end, count + 1)[1:]
            else:
                ends = np.minimum(start + aligner.ends(part, span.order), span.end)
                ends[-1] = span.end
            found.append(ends)
            start = span.end
        return np.concatenate(found)


def spoken_by_text(text: str, kind: str, numbers: dict[str, int], *, seconds: float) -> Spoken:
    """Return the units of a text somewhere in a recording.

    Args:
        text: What is spoken.
        kind: ``"phones"`` or ``"letters"``.
        numbers: Number of every unit.
        seconds: How long the recording is.

    Raises:
        UsageError: Nothing in the text is spoken, or it is too long.
    """
    return Spoken((Span(seconds, _numbered(units_of(text, kind), numbers)),), is_given=False)


def spoken_by_times(times: SpokenTimes, kind: str, numbers: dict[str, int], *, seconds: float) -> Spoken | None:
    """Return the units of a recording with the times that are known of them; ``None`` where these are of no use for such units.

    Args:
        times: When what is spoken.
        kind: ``"phones"`` or ``"letters"``; times of phones say nothing of letters.
        numbers: Number of every unit.
        seconds: How long the recording is.
    """
    if kind == "phones" and times.phones:
        spans = _spans_of_phones(times, numbers, seconds=seconds)
    elif times.words:
        spans = _spans_of_words(times, kind, numbers, seconds=seconds)
    else:
        return None
    silent = numbers[PAUSE]
    return Spoken(tuple(spans), is_given=True) if any((span.order != silent).any() for span in spans) else None


def _spans_of_phones(times: SpokenTimes, numbers: dict[str, int], *, seconds: float) -> list[Span]:
    pause = np.array([numbers[PAUSE]], np.int64)
    found: list[Span] = []
    for one in times.phones:
        _reach(found, one.start, pause)
        _add(found, Span(min(one.end, seconds), np.array([numbers[one.label]], np.int64)), numbers[PAUSE])
    _reach(found, seconds, pause)
    return found


def _spans_of_words(times: SpokenTimes, kind: str, numbers: dict[str, int], *, seconds: float) -> list[Span]:
    pause = np.array([numbers[PAUSE]], np.int64)
    found: list[Span] = []
    for one in (word for word in times.words if not is_silence(word.label)):
        gap = one.start - (found[-1].end if found else 0.0)
        try:
            units = list(units_of(one.label, kind)[1:-1])
        except UsageError:
            # A cough or a mark: what is heard there is none of the units.
            continue
        is_joined = kind == "letters" and bool(found) and gap < CLAUSE_SECONDS
        if is_joined and gap >= SHORTEST_PAUSE_SECONDS:
            found.append(Span(one.start, _numbered((" ",), numbers)))
        elif is_joined:
            units.insert(0, " ")
        else:
            _reach(found, one.start, pause)
        _add(found, Span(min(one.end, seconds), _numbered(tuple(units), numbers)), numbers[PAUSE])
    _reach(found, seconds, pause)
    return found


def _reach(found: list[Span], time: float, pause: np.ndarray) -> None:
    """Go on to a time: with a pause, or where that would be too short by making the last span longer."""
    now = found[-1].end if found else 0.0
    if time - now >= SHORTEST_PAUSE_SECONDS:
        _add(found, Span(time, pause), int(pause[0]))
    elif found and time > now:
        found[-1] = dataclasses.replace(found[-1], end=time)


def _add(found: list[Span], span: Span, silent: int) -> None:
    """Put a span behind the others; two pauses are one."""
    is_pause = len(span.order) == 1 and span.order[0] == silent
    if is_pause and found and len(found[-1].order) == 1 and found[-1].order[0] == silent:
        found.pop()
    # What is said to begin within what is rounded off at the end of a recording is not there.
    if span.end > (found[-1].end if found else 0.0):
        found.append(span)


def _numbered(units: tuple[str, ...], numbers: dict[str, int]) -> np.ndarray:
    return np.array([numbers[unit] for unit in units], np.int64)
