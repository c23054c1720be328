"""What can be counted in a piece of music: keys, ranges, intervals, parallel fifths; and how far two sets of pieces are apart in them."""

import collections
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from makar.data.keys import NAMES, key_of, pitch_classes
from makar.data.score import DRUMS, STEPS_A_QUARTER, Note, Score, voices_of

LARGEST_INTERVAL = 12
FIFTH, OCTAVE = 7, 0


def melodies(score: Score) -> list[list[Note]]:
    """Return the highest note at every onset of each part, drums left out."""
    found: dict[int, dict[int, Note]] = collections.defaultdict(dict)
    for note in score.notes:
        line = found[note.part]
        if note.program != DRUMS and (note.start not in line or line[note.start].pitch < note.pitch):
            line[note.start] = note
    return [[line[start] for start in sorted(line)] for line in found.values()]


def interval_counts(scores: Iterable[Score]) -> np.ndarray:
    """Return how often each melodic interval from -12 to 12 semitones stands in some pieces, larger ones at the ends, float64 ``[25]``."""
    found = np.zeros(2 * LARGEST_INTERVAL + 1)
    for score in scores:
        for line in melodies(score):
            for before, after in itertools.pairwise(line):
                found[
                    int(np.clip(after.pitch - before.pitch, -LARGEST_INTERVAL, LARGEST_INTERVAL)) + LARGEST_INTERVAL
                ] += 1
    return found


def degree_counts(scores: Iterable[Score]) -> np.ndarray:
    """Return how long each pitch class above the tonic of its piece sounds in some pieces, float64 ``[12]``."""
    found = np.zeros(12)
    for score in scores:
        tonic = NAMES.index(key_of(score.notes).removesuffix("m"))
        found += np.roll(pitch_classes(score.notes), -tonic)
    return found


def duration_counts(scores: Iterable[Score]) -> np.ndarray:
    """Return how often notes of 1 to 16 sixteenths stand in some pieces, longer ones with the last, float64 ``[16]``."""
    found = np.zeros(16)
    for score in scores:
        for note in score.notes:
            found[min(note.duration, 16) - 1] += 1
    return found


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """Return how far two histograms are apart, 0 to 1: half the sum of the differences of their shares; 1 where one is empty."""
    if not first.sum() or not second.sum():
        return 1.0
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def ranges(scores: Sequence[Score]) -> dict[int, tuple[int, int]]:
    """Return between which pitches nearly all notes of each part lie: all but one in a hundred at either end."""
    found: dict[int, list[int]] = collections.defaultdict(list)
    for score in scores:
        for note in score.notes:
            found[note.part].append(note.pitch)
    return {part: (int(np.quantile(pitches, 0.01)), int(np.quantile(pitches, 0.99))) for part, pitches in found.items()}


def share_in_range(score: Score, usual: dict[int, tuple[int, int]]) -> float:
    """Return the share of the notes of a piece that lie in the range of their part; parts that are not known do not count."""
    known = [(note.pitch, usual[note.part]) for note in score.notes if note.part in usual]
    return sum(low <= pitch <= high for pitch, (low, high) in known) / len(known) if known else 1.0


def parallels(score: Score) -> float:
    """Return how many parallel fifths and octaves there are in a hundred quarters of a piece of four parts.

    Two parts move from a perfect fifth, or from a unison or octave, to another of the same kind, both in one direction.
    """
    return 100 * sum(1 for _ in _parallels(score)) * STEPS_A_QUARTER / max(1, score.steps)


def _parallels(score: Score) -> Iterator[int]:
    rows = voices_of(score)
    for upper, lower in itertools.combinations(rows, 2):
        for step in range(1, score.steps):
            before, after = (upper[step - 1], lower[step - 1]), (upper[step], lower[step])
            if None in (*before, *after) or before[0] == after[0] or before[1] == after[1]:
                continue
            first, second = _gap(before), _gap(after)
            moves = [
                int(np.sign(now - then))
                for then, now in zip(before, after, strict=True)
                if then is not None and now is not None
            ]
            if first == second and first in (FIFTH, OCTAVE) and moves[0] == moves[1]:
                yield step


def _gap(pair: tuple[int | None, int | None]) -> int:
    high, low = pair
    assert high is not None and low is not None
    return abs(high - low) % 12
