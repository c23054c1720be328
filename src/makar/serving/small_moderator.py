"""``makar-small``: a linear classifier of hate, harassment and illicit requests that comes with Makar and stands beside the patterns.

Decisions. (1) Every word, pair of neighbouring words and run of 3 to 5 bytes falls by a hash into one of 2^15 cells, and each cell has
one small whole number a category: no vocabulary is kept, so no text that it was trained on can be read from the file. (2) A long text is
judged in windows of 256 bytes that overlap by half, and its score is that of its worst window: one sentence of hate in a long letter is
not averaged away. Time and memory grow with the length of the text. (3) Only categories with enough labelled rows are learned; the others
are left to the patterns. `benchmarks/moderation.py` trains, measures and writes the file; docs/decisions/0026-moderation.md says why.

Source: Weinberger et al. 2009, arXiv 0902.2206 (hashed features); Davidson et al. 2017, arXiv 1703.04009; Roettger et al. 2021, arXiv
2012.15606 (the rows).
"""

import functools
import re
from pathlib import Path

import numpy as np

NAME = "makar-small"
CATEGORIES = ("hate", "harassment", "illicit")
CELL_BITS = 15
WINDOW_BYTES = 256
WEIGHTS = Path(__file__).with_name("small_moderator.safetensors")

_RUNS = (3, 4, 5)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BASE = 0x100000001B3
_INVERSE = pow(_BASE, -1, 1 << 64)
# What is no letter, digit or apostrophe separates words; bytes above 127 are parts of letters.
_KEPT = bytes(byte if chr(byte).isalnum() or byte == 39 or byte > 127 else 32 for byte in range(256))
_ADDRESS = re.compile(r"https?://\S+|@\w+")


def features_of(text: str) -> tuple[list[tuple[np.ndarray, np.ndarray | slice]], int]:
    """Return what a text is judged by.

    Args:
        text: Any text that UTF-8 can hold.

    Returns:
        For each kind of feature the cells (int64, from 0 to 2^15 - 1) and where in the plain text each begins, and the length of the plain
        text in bytes. The plain text is in lower case, without addresses and signs, with one blank between words.
    """
    plain = _ADDRESS.sub(" ", text).casefold().encode().translate(_KEPT)
    letters = np.frombuffer(b" ".join((b"", *plain.split(), b"")), np.uint8).astype(np.uint64)
    found: list[tuple[np.ndarray, np.ndarray | slice]] = []
    run = letters
    for length in range(2, _RUNS[-1] + 1):
        run = run[:-1] | letters[length - 1 :] << np.uint64(8 * (length - 1))
        if length in _RUNS:
            found.append((_cell(run + np.uint64(length << 56)), slice(0, len(run))))
    blanks = np.flatnonzero(letters == 32)
    starts, ends = blanks[:-1] + 1, blanks[1:]
    words = _hashes(letters, starts, ends)
    found += [(_cell(words), starts), (_cell(words[:-1] * np.uint64(31) + words[1:]), starts[:-1])]
    return found, len(letters)


def _hashes(letters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    # A word is the number that its bytes are the digits of, modulo 2^64: a difference of running sums, moved back to the first digit.
    powers = np.r_[np.uint64(1), np.cumprod(np.full(len(letters), _BASE, np.uint64))]
    backs = np.r_[np.uint64(1), np.cumprod(np.full(len(letters), _INVERSE, np.uint64))]
    sums = np.r_[np.uint64(0), np.cumsum(letters * powers[:-1])]
    hashes: np.ndarray = (sums[ends] - sums[starts]) * backs[starts]
    return hashes


def _cell(numbers: np.ndarray) -> np.ndarray:
    mixed = numbers * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
    return (mixed >> np.uint64(64 - CELL_BITS)).astype(np.int64)


@functools.cache
def _trained() -> tuple[np.ndarray, np.ndarray]:
    from safetensors.numpy import load_file

    tensors = load_file(WEIGHTS)
    return tensors["weights"] * tensors["scale"], tensors["bias"]


def scores_of(text: str) -> dict[str, float]:
    """Return the probability of each of the three categories in the worst window of a text."""
    return scores_with(*_trained(), text)


def scores_with(weights: np.ndarray, bias: np.ndarray, text: str) -> dict[str, float]:
    """Return the probabilities by some weights.

    Args:
        weights: Float, shape (cells, categories).
        bias: Float, shape (categories,).
        text: The text.
    """
    found, length = features_of(text)
    sums, counts = np.zeros((length + 1, len(CATEGORIES))), np.zeros(length + 1)
    for cells, places in found:
        sums[1:][places] += weights[cells]
        counts[1:][places] += 1
    sums, counts = sums.cumsum(axis=0), counts.cumsum()
    starts = np.arange(0, max(1, length - WINDOW_BYTES // 2), WINDOW_BYTES // 2)
    ends = np.minimum(starts + WINDOW_BYTES, length)
    logits = (sums[ends] - sums[starts]) / np.sqrt(np.maximum(1, counts[ends] - counts[starts]))[:, None] + bias
    worst = 1 / (1 + np.exp(-logits.max(axis=0)))
    return {name: float(score) for name, score in zip(CATEGORIES, worst)}
