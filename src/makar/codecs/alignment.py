"""When each unit of a text is spoken in a recording: monotonic alignment search with a normal distribution for every state of a unit.

Every unit is two states in a row that each last at least one frame. From an even division, the mean and variance of the frames of every
state are found, then the division that makes all frames likeliest under them, and so on: Viterbi training of a hidden Markov model
without transition probabilities, which is the alignment search of Glow-TTS (Kim et al. 2020, arXiv 2005.11129, algorithm 1) with means
that are a table and not a network. What a unit sounds like needs no labels; that its order is known is enough. Frames are 8 ms apart and
seen with their slope, finer than those of the picture.
"""

import dataclasses

import numpy as np

from makar.data.sound import Sound
from makar.data.spectrogram import mel_decibels
from makar.errors import ArtifactError, DataError

FRAME_SECONDS = 0.008
BANDS = 24
FLOOR_DB = 60.0
"""Below the loudest of a recording nothing is told apart."""

STATES = 2
ROUNDS = 12
TOGETHER, TOGETHER_FRAMES = 32, 8192
SMALLEST_DEVIATION = 2.0
"""In decibels: no state is surer than this of what it sounds like."""

IMPOSSIBLE = np.float32(1e30)


@dataclasses.dataclass(frozen=True, eq=False)
class Aligner:
    """What every state of every unit sounds like.

    Attributes:
        means: float32 ``[units * STATES, features]``.
        variances: The same shape.
    """

    means: np.ndarray
    variances: np.ndarray

    def ends(self, features: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Return when every unit of one recording ends, in seconds, float64 ``[units]``.

        Args:
            features: From ``features_of``.
            units: Numbers of the units in their order.

        Raises:
            DataError: There are more states than frames.
        """
        (found,) = _state_ends([features], [units], self)
        return np.asarray(found[STATES - 1 :: STATES] * FRAME_SECONDS)

    def misfit(self, features: np.ndarray, units: np.ndarray) -> float:
        """Return how little a recording sounds like units: the mean over its frames of -2 log p, in their likeliest division.

        Args:
            features: From ``features_of``.
            units: Numbers of the units in their order.

        Raises:
            DataError: There are more states than frames.
        """
        (found,) = _state_ends([features], [units], self)
        states = np.repeat(_states(units), np.diff(found, prepend=0))
        away = (features - self.means[states]) ** 2 / self.variances[states] + np.log(self.variances[states])
        return float(away.sum(1).mean())

    def to_arrays(self) -> dict[str, list[list[float]]]:
        """Return plain values for a file."""
        return {"means": self.means.round(3).tolist(), "variances": self.variances.round(3).tolist()}

    @classmethod
    def from_arrays(cls, values: dict[str, list[list[float]]], *, units: int) -> "Aligner":
        """Rebuild an aligner.

        Raises:
            ArtifactError: The values do not have the shape of one for so many units.
        """
        arrays = [np.asarray(values[name], np.float32) for name in ("means", "variances")]
        if any(array.shape != (units * STATES, 2 * BANDS) or not np.isfinite(array).all() for array in arrays):
            raise ArtifactError("an alignment of another shape", expected=f"[{units * STATES}, {2 * BANDS}]")
        return cls(arrays[0], np.maximum(arrays[1], SMALLEST_DEVIATION**2))


def features_of(sound: Sound) -> np.ndarray:
    """Return what is compared: loudness of bands below the loudest moment, and its slope, float32 ``[frames, 2 * BANDS]``."""
    hop = max(1, round(FRAME_SECONDS * sound.rate_hz))
    loudness = mel_decibels(sound.mono(), rate_hz=sound.rate_hz, hop=hop, mels=BANDS).T
    level = np.maximum(loudness - loudness.max(), -FLOOR_DB)
    padded = np.pad(level, ((2, 2), (0, 0)), mode="edge")
    slope = (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 5
    return np.concatenate([level, slope], axis=1).astype(np.float32)


def learned_aligner(
    features: list[np.ndarray],
    sequences: list[np.ndarray],
    *,
    units: int,
    lengths: np.ndarray | None = None,
    halves_alone: bool = False,
) -> Aligner:
    """Return an aligner from recordings and the units that are spoken in them.

    Args:
        features: Of every recording, from ``features_of``.
        sequences: Numbers of its units.
        units: How many different units there are.
        lengths: About how long each of them lasts beside the others, float64 ``[units]``; by default all are alike.
        halves_alone: Whether the states of one unit alone, whose beginning and end are known, are its halves; else they are searched for.

    Raises:
        DataError: No recording is long enough for its text.
    """
    fitting = [number for number, part in enumerate(features) if len(part) >= STATES * len(sequences[number])]
    if not fitting:
        raise DataError(
            "no recording is long enough for what is said to be spoken in it", expected="the text of what is heard"
        )
    # Recordings of a length are divided side by side.
    fitting.sort(key=lambda number: len(features[number]))
    parts, orders = [features[number] for number in fitting], [sequences[number] for number in fitting]
    whole = np.concatenate(parts)
    everywhere = (whole.mean(0), np.maximum(whole.var(0), SMALLEST_DEVIATION**2))
    usual = np.ones(units) if lengths is None else lengths
    ends = [_divided(len(part), np.repeat(usual[order], STATES)) for part, order in zip(parts, orders, strict=True)]
    open_parts = [number for number, order in enumerate(orders) if len(order) > 1 or not halves_alone]
    for _ in range(ROUNDS if open_parts else 0):
        aligner = _estimated(parts, orders, ends, units=units, everywhere=everywhere)
        found = _state_ends(
            [parts[number] for number in open_parts], [orders[number] for number in open_parts], aligner
        )
        for number, one in zip(open_parts, found, strict=True):
            ends[number] = one
    return _estimated(parts, orders, ends, units=units, everywhere=everywhere)


def _divided(frames: int, lengths: np.ndarray) -> np.ndarray:
    """Return where states end that are so long beside each other."""
    ends: np.ndarray = np.round(np.cumsum(lengths) * frames / lengths.sum()).astype(np.int64)
    return ends


def _states(order: np.ndarray) -> np.ndarray:
    return (STATES * order[:, None] + np.arange(STATES)).reshape(-1)


def _estimated(
    parts: list[np.ndarray],
    orders: list[np.ndarray],
    ends: list[np.ndarray],
    *,
    units: int,
    everywhere: tuple[np.ndarray, np.ndarray],
) -> Aligner:
    """Return the mean and variance of the frames of every state; of one that is seldom heard partly those of all sound."""
    labels = np.concatenate(
        [np.repeat(_states(order), np.diff(end, prepend=0)) for order, end in zip(orders, ends, strict=True)]
    )
    whole = np.concatenate(parts).astype(np.float64)
    count = np.bincount(labels, minlength=units * STATES)[:, None].astype(np.float64)
    order = np.argsort(labels, kind="stable")
    edges = np.concatenate([[0], np.cumsum(count[:, 0])]).astype(np.int64)
    sums = np.concatenate([np.zeros((1, whole.shape[1])), np.cumsum(whole[order], axis=0)])
    squares = np.concatenate([np.zeros((1, whole.shape[1])), np.cumsum(whole[order] ** 2, axis=0)])
    mean, variance = everywhere
    prior = 5.0
    first = np.diff(sums[edges], axis=0) + prior * mean
    second = np.diff(squares[edges], axis=0) + prior * (variance + mean**2)
    means = first / (count + prior)
    variances = np.maximum(second / (count + prior) - means**2, SMALLEST_DEVIATION**2)
    return Aligner(means.astype(np.float32), variances.astype(np.float32))


def _state_ends(parts: list[np.ndarray], orders: list[np.ndarray], aligner: Aligner) -> list[np.ndarray]:
    """Return where every state ends in the likeliest division of each recording."""
    found: list[np.ndarray] = []
    while len(found) < len(parts):
        start = len(found)
        # Words and phones are short, so many of them make as large a table as a few recordings.
        end = start + TOGETHER
        while end < len(parts) and (end - start) * len(parts[end]) < TOGETHER_FRAMES:
            end += 1
        found += _searched(parts[start:end], orders[start:end], aligner)
    return found


def _searched(parts: list[np.ndarray], orders: list[np.ndarray], aligner: Aligner) -> list[np.ndarray]:
    states = [_states(order) for order in orders]
    lengths, counts = [len(part) for part in parts], [len(order) for order in states]
    for length, count in zip(lengths, counts, strict=True):
        if length < count:
            raise DataError(
                f"a recording of {length * FRAME_SECONDS:.2f} seconds for {count // STATES} units",
                expected="the text of what is heard",
            )
    batch, longest, most = len(parts), max(lengths), max(counts)
    costs = np.full((longest, batch, most), IMPOSSIBLE, np.float32)
    inverse = 1 / aligner.variances
    constant = (aligner.means**2 * inverse + np.log(aligner.variances)).sum(1)
    for number, (part, order) in enumerate(zip(parts, states, strict=True)):
        table = (part**2) @ inverse.T - 2 * part @ (aligner.means * inverse).T + constant
        costs[: len(part), number, : len(order)] = table[:, order]
    best = np.full((batch, most), IMPOSSIBLE, np.float32)
    best[:, 0] = costs[0, :, 0]
    moved = np.zeros((longest, batch, most), bool)
    before = np.full((batch, most), IMPOSSIBLE, np.float32)
    for frame in range(1, longest):
        before[:, 1:] = best[:, :-1]
        moved[frame] = before < best
        # Added up over thousands of frames what is impossible stays so, and what is possible stays exact enough.
        best = np.minimum(np.minimum(before, best) + costs[frame], IMPOSSIBLE)
    return [_traced(moved[:length, number], count) for number, (length, count) in enumerate(zip(lengths, counts))]


def _traced(moved: np.ndarray, count: int) -> np.ndarray:
    """Return where every state ends, going back from the last."""
    ends = np.zeros(count, np.int64)
    state = count - 1
    ends[state] = len(moved)
    for frame in range(len(moved) - 1, 0, -1):
        if moved[frame, state] and state:
            state -= 1
            ends[state] = frame
    return ends
