"""Near-duplicate texts: MinHash signatures of five-word shingles, banded so that only likely pairs are compared.

A. Z. Broder, "On the resemblance and containment of documents" (1997); banding as in Leskovec, Rajaraman, Ullman, "Mining of Massive
Datasets", section 3.4. With 16 bands of 8 rows a pair of Jaccard similarity 0.8 is found with probability 0.95, one of 0.5 with
0.06; found pairs are kept when their signatures agree in 80 % of places. Everything is one array, so that 100,000 documents cost
50 MB and seconds (a Python object for each would cost a hundred times more).
"""

import zlib

import numpy as np

DOCUMENT_LIMIT = 100_000
SHINGLE_WORDS = 5
BANDS, ROWS = 16, 8
SIMILARITY = 0.8
TEXT_CHARACTERS = 20_000

_generator = np.random.default_rng(20250711)
_MULTIPLIERS = (_generator.integers(1, 1 << 63, BANDS * ROWS, dtype=np.uint64) << np.uint64(1)) | np.uint64(1)
_OFFSETS = _generator.integers(0, 1 << 63, BANDS * ROWS, dtype=np.uint64)
_WORD_POWERS = np.array([pow(0x9E3779B97F4A7C15, k, 1 << 64) for k in range(SHINGLE_WORDS)], np.uint64)


def signature(text: str) -> np.ndarray:
    """Return the MinHash signature of a text, ``uint32 [128]``; the share of equal places estimates the Jaccard similarity.

    Args:
        text: Only its first ``TEXT_CHARACTERS`` characters count.
    """
    words = text[:TEXT_CHARACTERS].lower().split()
    if not words:
        return np.zeros(BANDS * ROWS, np.uint32)
    codes = np.array([zlib.crc32(word.encode("utf-8", "replace")) for word in words], np.uint64) + np.uint64(1)
    if len(codes) < SHINGLE_WORDS:
        codes = np.concatenate([codes, np.zeros(SHINGLE_WORDS - len(codes), np.uint64)])
    count = len(codes) - SHINGLE_WORDS + 1
    with np.errstate(over="ignore"):
        shingles = np.zeros(count, np.uint64)
        for place in range(SHINGLE_WORDS):
            shingles += codes[place : place + count] * _WORD_POWERS[place]
        shingles = _mixed(np.unique(shingles))
        # The upper half of a multiplication by an odd number is the part that is well mixed.
        hashed = (shingles[None, :] * _MULTIPLIERS[:, None] + _OFFSETS[:, None]) >> np.uint64(32)
    return hashed.min(axis=1).astype(np.uint32)


def near_pairs(signatures: np.ndarray, *, similarity: float = SIMILARITY) -> np.ndarray:
    """Return pairs of similar signatures, ``int64 [pairs, 2]`` with the earlier first.

    Each document is compared with the first and with the one before it in every band that they share, so that a thousand copies
    of one text cost a thousand comparisons, not half a million.

    Args:
        signatures: ``uint32 [documents, 128]``.
        similarity: Least share of equal places.
    """
    found: set[tuple[int, int]] = set()
    for band in range(BANDS if len(signatures) > 1 else 0):
        rows = np.ascontiguousarray(signatures[:, band * ROWS : (band + 1) * ROWS])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * ROWS))).ravel()
        _, inverse = np.unique(keys, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        ordered = inverse[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        first = order[np.repeat(starts, np.diff(np.r_[starts, len(order)]))]
        before = np.r_[order[:1], order[:-1]]
        same = np.r_[False, ordered[1:] == ordered[:-1]]
        for other in (first, before):
            left, right = other[same], order[same]
            for start in range(0, len(left), 10_000):
                a, b = left[start : start + 10_000], right[start : start + 10_000]
                agree = (signatures[a] == signatures[b]).mean(axis=1) >= similarity
                found.update(zip(a[agree].tolist(), b[agree].tolist()))
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finishing step of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
