"""What somebody likes, learned from what they said: a reward for any image, text or sound, of one person or of all.

The reward is linear in plain features, (w of all + w of the person) . features, and the probability that one thing is preferred to another
is that of Bradley and Terry: 1 / (1 + exp(reward of the other - reward of the one)). What all like is learned first, from everybody's
pairs, each person weighing the same; what one person likes beyond it from their own, drawn to what all like (a normal prior on both; the
hierarchy of Evgeniou and Pontil 2004, "Regularized multi-task learning", equation 4, with the logistic loss). Both are convex and found by
Newton's method. With tens of judgements a person there is nothing for a network to learn from; colours, shapes of light and words are what
people can be told to like.

Features. Images: the colours of a 4 x 4 thumbnail, a histogram of 3 x 3 x 3 colours, spread of each channel, energy of edges in four
directions. Sounds: loudness of 24 bands of pitch, how much it varies, how fast it changes, and how long the sound lasts. Texts: hashed
words and pairs of words, length, length of words and of sentences, punctuation. Each is brought to mean 0 and deviation 1 over what was
judged.
"""

import dataclasses
import hashlib
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from makar.data.feedback.judgement import FILE_MEDIA, RATES, WAVE_TYPE, Judged, Judgement
from makar.data.image_reader import read_image
from makar.data.sound_reader import read_sound
from makar.data.spectrogram import mel_decibels
from makar.errors import EmptyDataError, UnknownNameError, UnsupportedError

GRID, LEVELS, WORDS, BANDS = 4, 3, 192, 24
MOST_PAIRS = 4000
"""Pairs of one person that are looked at."""

DRAWN = 3.0
"""Inverse variance of the prior on each weight, of all and of one; see ``benchmarks/feedback.py``."""

MOST_STEPS = 30
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Taste:
    """A learned reward.

    Attributes:
        medium: ``"image"``, ``"text"`` or ``"sound"``.
        weights: Of the features.
        mean: Of the features over what was judged.
        deviation: Of the features.
        pairs: How many pairs it was learned from.
        raters: Of how many people.
    """

    medium: str
    weights: Float[np.ndarray, " features"]
    mean: Float[np.ndarray, " features"]
    deviation: Float[np.ndarray, " features"]
    pairs: int
    raters: int

    def rewards(self, items: Sequence[Judged]) -> Float[np.ndarray, " items"]:
        """Return how much each thing is liked, in nats; only differences mean something."""
        return self.rewards_of(features(items)) if items else np.zeros(0)

    def rewards_of(self, found: Float[np.ndarray, "items features"]) -> Float[np.ndarray, " items"]:
        """Return the same for things of which the features are known."""
        rewards: np.ndarray = (found - self.mean) / self.deviation @ self.weights
        return rewards


def learn_taste(
    judgements: Sequence[Judgement],
    *,
    medium: str,
    rater: str = "",
    shown: Callable[[Judged], Judged] = lambda item: item,
) -> Taste:
    """Return what one person likes, or what all like.

    Args:
        judgements: What was said.
        medium: ``"image"``, ``"text"`` or ``"sound"``.
        rater: Who; empty for all.
        shown: Gives a thing that was judged with what it shows; without it the judgements have that.

    Raises:
        EmptyDataError: Nothing that was said tells two things apart.
        UnknownNameError: That person said nothing of this medium.
        UnsupportedError: Nothing of this medium has features.
    """
    if medium in FILE_MEDIA.values() and medium != FILE_MEDIA[WAVE_TYPE]:
        raise UnsupportedError(f"taste in {medium}", expected="images, texts and sounds as WAV")
    alike = ("text", "code") if medium in ("text", "code") else (medium,)
    said = [one for one in judgements if one.consent and one.medium in alike]
    pairs = {name: pairs_of([one for one in said if one.rater == name]) for name in sorted({one.rater for one in said})}
    pairs = {name: found for name, found in pairs.items() if found}
    if not pairs:
        raise EmptyDataError(
            f"no feedback on {medium} tells two things apart", expected="two different judgements of one person"
        )
    if rater and rater not in pairs:
        raise UnknownNameError("rater", rater, pairs)
    items = {item.hash: item for found in pairs.values() for pair in found for item in pair}
    place = {hash_: number for number, hash_ in enumerate(items)}
    plain = np.stack([_of(shown(item)) for item in items.values()])
    mean, deviation = plain.mean(0), plain.std(0)
    # What is nearly the same everywhere says nothing, and must not be blown up.
    deviation = np.maximum(deviation, 0.05 * max(float(deviation.max()), 1e-6))
    scaled = (plain - mean) / deviation
    differences = {
        name: np.stack([scaled[place[better.hash]] - scaled[place[worse.hash]] for better, worse in found])
        for name, found in pairs.items()
    }
    rows = np.concatenate(list(differences.values()))
    # Each person weighs the same, and all together as much as they said.
    each = len(rows) / len(differences)
    importance = np.concatenate([np.full(len(found), each / len(found)) for found in differences.values()])
    weights = _fitted(rows, np.zeros(rows.shape[1]), importance)
    if rater:
        own = differences[rater]
        weights = weights + _fitted(own, weights, np.ones(len(own)))
    count = len(differences[rater]) if rater else len(rows)
    return Taste(
        medium=medium, weights=weights, mean=mean, deviation=deviation, pairs=count, raters=1 if rater else len(pairs)
    )


def pairs_of(judgements: Sequence[Judgement]) -> list[tuple[Judged, Judged]]:
    """Return pairs (better, worse) of what one person said; thumbs and stars are compared over prompts too."""
    found: list[tuple[Judged, Judged]] = []
    rated: dict[str, dict[str, tuple[Judged, int]]] = defaultdict(dict)
    for one in judgements:
        if one.kind in RATES:
            rated[one.kind][one.items[0].hash] = (one.items[0], one.value[0])
            continue
        for (first, item), (second, other) in itertools.combinations(zip(one.value, one.items), 2):
            if first != second:
                found.append((item, other) if first < second else (other, item))
    for things in rated.values():
        for (item, value), (other, number) in itertools.combinations(things.values(), 2):
            if value != number:
                found.append((item, other) if value > number else (other, item))
    if len(found) > MOST_PAIRS:
        chosen = np.random.default_rng(0).choice(len(found), MOST_PAIRS, replace=False)
        found = [found[number] for number in chosen.tolist()]
    return found


def features(items: Sequence[Judged]) -> Float[np.ndarray, "items features"]:
    """Return the features of things of one medium."""
    return np.stack([_of(item) for item in items])


def _of(item: Judged) -> Float[np.ndarray, " features"]:
    if item.png is not None:
        return _of_image(item.png)
    if item.file is None:
        return _of_text(item.text or "")
    if item.type != WAVE_TYPE:
        raise UnsupportedError(f"taste in files of {item.type}", expected="images, texts and sounds as WAV")
    return _of_sound(item.file)


def _of_sound(wave: bytes) -> Float[np.ndarray, " features"]:
    sound = read_sound(wave)
    # A hundred moments a second, whatever the rate.
    hop = max(1, sound.rate_hz // 100)
    heard = mel_decibels(sound.mono(), rate_hz=sound.rate_hz, hop=hop, mels=BANDS)
    # What is 80 dB below full scale is not heard.
    heard = np.maximum(heard, -80.0).astype(np.float64) / 20
    changes = np.abs(np.diff(heard, axis=1)).mean(1) if heard.shape[1] > 1 else np.zeros(BANDS)
    length = [math.log1p(len(sound.samples) / sound.rate_hz)]
    return np.concatenate([heard.mean(1), heard.std(1), changes, length])


def _of_image(png: bytes) -> Float[np.ndarray, " features"]:
    pixels = read_image(png).astype(np.float64) / 255
    alpha = pixels[:, :, 3:4] if pixels.shape[2] == 4 else np.ones((*pixels.shape[:2], 1))
    colours = pixels[:, :, :3] if pixels.shape[2] >= 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
    # Transparency is seen over white.
    colours = colours * alpha + 1 - alpha
    rows, columns = (np.array_split(np.arange(size), GRID) for size in colours.shape[:2])
    thumbnail = [
        colours[row[0] : row[-1] + 1, column[0] : column[-1] + 1].mean((0, 1))
        if len(row) and len(column)
        else np.zeros(3)
        for row in rows
        for column in columns
    ]
    bins = np.minimum((colours * LEVELS).astype(int), LEVELS - 1) @ np.array([LEVELS * LEVELS, LEVELS, 1])
    histogram = np.sqrt(np.bincount(bins.ravel(), minlength=LEVELS**3) / bins.size)
    grey = colours.mean(2)
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    edges = [np.abs(part).mean() if part.size else 0.0 for part in (across, down, across + down, across - down)]
    return np.concatenate([np.concatenate(thumbnail), histogram, colours.std((0, 1)), edges])


def _of_text(text: str) -> Float[np.ndarray, " features"]:
    words = [word.lower() for word in _WORD.findall(text)]
    plain = [word for word in words if word[0].isalnum()]
    hashed = np.zeros(WORDS)
    for gram in [*words, *map(" ".join, itertools.pairwise(words))]:
        number = int.from_bytes(hashlib.blake2b(gram.encode("utf-8", "replace"), digest_size=8).digest()[:8], "big")
        # The sign keeps grams that fall together from adding up (Weinberger et al. 2009, arXiv 0902.2206).
        hashed[number % WORDS] += 1.0 if number >> 63 else -1.0
    norm = math.sqrt(float((hashed**2).sum())) or 1.0
    sentences = max(1, sum(word in ".!?" for word in words))
    rest = [
        math.log1p(len(text)),
        sum(map(len, plain)) / max(1, len(plain)),
        len(plain) / sentences,
        len(set(plain)) / max(1, len(plain)),
        *(words.count(mark) / max(1, len(words)) for mark in (",", "!", "?", "\N{EM DASH}")),
        text.count("\n") / max(1, len(text)),
    ]
    return np.concatenate([hashed / norm, rest])


def _fitted(rows: np.ndarray, before: np.ndarray, importance: np.ndarray) -> Float[np.ndarray, " features"]:
    """Return the weights, beyond those before, that make the better thing of every row likelier (Newton's method)."""
    weights = np.zeros(rows.shape[1])
    # As many judgements as features move the weights about half of the way.
    drawn = DRAWN * rows.shape[1] / 10
    for _ in range(MOST_STEPS):
        wrong = 1 / (1 + np.exp(np.clip(rows @ (before + weights), -30, 30)))
        slope = rows.T @ (importance * wrong) - drawn * weights
        bend = (rows * (importance * wrong * (1 - wrong))[:, None]).T @ rows + drawn * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    return weights
