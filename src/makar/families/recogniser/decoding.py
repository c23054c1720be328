"""From the chances of letters at every step to the likeliest transcript, and to when each of its letters is heard.

Source: Graves et al. 2006 (best path, section 3.2), Hannun et al. 2014, arXiv 1408.2873, algorithm 1 (search over beginnings, here without
a model of language), and the Viterbi form of the forward recursion of the former for the times.
"""

import dataclasses
import math

import numpy as np

from makar.tensor_spec import PADDING_TOKEN

LEAST_CHANCE = math.log(1e-3)
"""Letters that are less likely than this at a step begin nothing new there; the likeliest always may."""

NEVER = -math.inf


def likeliest_letters(chances: np.ndarray, *, beam: int) -> np.ndarray:
    """Return the letters of the likeliest transcript.

    Args:
        chances: Logarithms, float ``[steps, vocabulary]``; token 0 is nothing new.
        beam: Beginnings that are pursued; 1 takes the likeliest token at every step.

    Returns:
        int64 ``[letters]``.

    >>> likeliest_letters(np.log([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.2, 0.1, 0.7]]), beam=1)
    array([1, 2])
    """
    if beam == 1:
        path = chances.argmax(1)
        kept = np.append(True, path[1:] != path[:-1]) & (path != PADDING_TOKEN) if len(path) else np.zeros(0, bool)
        return path[kept].astype(np.int64)
    return _searched(chances, beam)


def _searched(chances: np.ndarray, beam: int) -> np.ndarray:
    # Of every beginning: how likely it is so far when the last step was nothing new, and when it was its last letter.
    beginnings: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    for row in chances.tolist():
        likely = max(range(len(row)), key=row.__getitem__)
        candidates = [
            letter
            for letter, chance in enumerate(row)
            if letter != PADDING_TOKEN and (chance > LEAST_CHANCE or letter == likely)
        ]
        found: dict[tuple[int, ...], list[float]] = {}
        for letters, (after_nothing, after_letter) in beginnings.items():
            either = _sum(after_nothing, after_letter)
            same = found.setdefault(letters, [NEVER, NEVER])
            same[0] = _sum(same[0], either + row[PADDING_TOKEN])
            if letters:
                same[1] = _sum(same[1], after_letter + row[letters[-1]])
            for letter in candidates:
                longer = found.setdefault((*letters, letter), [NEVER, NEVER])
                # The same letter twice needs nothing new between.
                before = after_nothing if letters and letters[-1] == letter else either
                longer[1] = _sum(longer[1], before + row[letter])
        best = sorted(found.items(), key=lambda item: _sum(*item[1]), reverse=True)[:beam]
        beginnings = {letters: (nothing, letter) for letters, (nothing, letter) in best}
    return np.array(max(beginnings, key=lambda letters: _sum(*beginnings[letters])), np.int64)


def _sum(first: float, second: float) -> float:
    """Return the logarithm of a sum of what two logarithms stand for."""
    if first < second:
        first, second = second, first
    return first if second == NEVER else first + math.log1p(math.exp(second - first))


@dataclasses.dataclass(frozen=True)
class HeardLetters:
    """When letters are heard.

    Attributes:
        first: Step at which each begins, int64 ``[letters]``.
        last: Its last step.
        chance: How likely it is where it is likeliest, float64 ``[letters]``, 0 to 1.
    """

    first: np.ndarray
    last: np.ndarray
    chance: np.ndarray


def heard_letters(chances: np.ndarray, letters: np.ndarray) -> HeardLetters:
    """Return when each letter of a transcript is heard, on the likeliest way to lay it over the steps.

    Args:
        chances: Logarithms, float ``[steps, vocabulary]``.
        letters: int64 ``[letters]``, a transcript that fits into the steps.
    """
    steps, count = len(chances), len(letters)
    if not count:
        empty = np.zeros(0, np.int64)
        return HeardLetters(empty, empty, np.zeros(0))
    # Places are nothing, letter, nothing, letter ... nothing.
    tokens = np.full(2 * count + 1, PADDING_TOKEN, np.int64)
    tokens[1::2] = letters
    may_skip = np.zeros(len(tokens), bool)
    may_skip[3::2] = letters[1:] != letters[:-1]
    score = np.full(len(tokens), NEVER)
    score[:2] = chances[0, tokens[:2]]
    came = np.zeros((steps, len(tokens)), np.int8)
    for step in range(1, steps):
        one = np.append(NEVER, score[:-1])
        two = np.where(may_skip, np.append([NEVER, NEVER], score[:-2]), NEVER)
        ways = np.stack([score, one, two])
        came[step] = ways.argmax(0)
        score = ways.max(0) + chances[step, tokens]
    place = len(tokens) - 1 if score[-1] >= score[-2] else len(tokens) - 2
    path = np.zeros(steps, np.int64)
    for step in range(steps - 1, -1, -1):
        path[step] = place
        place -= int(came[step, place])
    first, last, chance = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count)
    for number in range(count):
        on = np.flatnonzero(path == 2 * number + 1)
        first[number], last[number] = (on[0], on[-1]) if len(on) else (0, 0)
        chance[number] = math.exp(float(chances[first[number] : last[number] + 1, letters[number]].max()))
    return HeardLetters(first, last, chance)
