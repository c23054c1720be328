"""The n-gram model that a sceptic would compare with: interpolated modified Kneser-Ney over bytes, in numpy.

    p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / c(h) * p(w | h without its first byte)

with counts c of the highest order as they occur and of lower orders as the number of different bytes that precede; the discounts come
from the numbers of n-grams seen once to four times, and below the lowest order stands 1 / 256. Source: Kneser & Ney 1995; Chen &
Goodman 1998 (TR-10-98, equations 24 to 28).

Decisions: bytes, so that the figure compares with any codec; at most 7 of them, which fit a 64-bit key, so that counting is
sorting; every probability of a text is looked up at once by binary search. Documents are separated by a zero byte.
"""

import dataclasses

import numpy as np

from makar.errors import ConfigError

MOST_ORDER = 7
ALPHABET = 256


@dataclasses.dataclass(frozen=True)
class _Order:
    """Tables of one order: the n-grams and the contexts as sorted keys."""

    keys: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    context_totals: np.ndarray
    reserved: np.ndarray
    discounts: np.ndarray


class NgramModel:
    """An interpolated n-gram model of bytes.

    Args:
        text: What it learns from.
        order: Length of the n-grams in bytes, 1 to 7.
    """

    def __init__(self, text: bytes, *, order: int = 6) -> None:
        if not 1 <= order <= MOST_ORDER:
            raise ConfigError(f"an n-gram order of {order}", expected=f"1 to {MOST_ORDER}")
        self.order = order
        symbols = np.frombuffer(text, np.uint8)
        self._tables: list[_Order] = []
        keys, counts = np.unique(_keys(symbols, order), return_counts=True)
        for length in range(order, 0, -1):
            self._tables.insert(0, _table(keys, counts))
            # What a lower order counts is how many different bytes precede it, one for every n-gram of this order.
            keys, counts = np.unique(keys & _mask(length - 1), return_counts=True)

    def probabilities(self, text: bytes) -> np.ndarray:
        """Return the probability of every byte of a text given those before it, by every order.

        Returns:
            float64 ``[order, bytes]``; row ``n - 1`` is the model of order ``n``.
        """
        symbols = np.frombuffer(text, np.uint8)
        lower = np.full(len(symbols), 1 / ALPHABET)
        rows = []
        for length, table in enumerate(self._tables, start=1):
            lower = _interpolated(table, _keys(symbols, length, padded=True), lower)
            rows.append(lower)
        return np.stack(rows)

    def following(self, contexts: list[bytes]) -> np.ndarray:
        """Return the probability of every byte after each context, by the highest order.

        Args:
            contexts: Texts; their last bytes count.

        Returns:
            float64 ``[contexts, 256]``.
        """
        symbols = np.arange(ALPHABET, dtype=np.uint64)
        lower = np.full((len(contexts), ALPHABET), 1 / ALPHABET)
        # Padded with zeros as before the start of a text.
        ends = [int.from_bytes(context[-(MOST_ORDER - 1) :], "big") for context in contexts]
        before = np.array(ends, np.uint64)[:, None]
        for length, table in enumerate(self._tables, start=1):
            keys = (((before & _mask(length - 1)) << np.uint64(8)) | symbols).ravel()
            lower = _interpolated(table, keys, lower.ravel()).reshape(lower.shape)
        return lower

    def bits(self, text: bytes) -> np.ndarray:
        """Return the information of every byte of a text in bits, by every order, float64 ``[order, bytes]``."""
        return -np.log2(self.probabilities(text))


def _mask(length: int) -> np.uint64:
    return np.uint64((1 << (8 * length)) - 1)


def _keys(symbols: np.ndarray, length: int, *, padded: bool = False) -> np.ndarray:
    """Return the last ``length`` bytes at every position as one number, oldest highest; padded with zeros before the start."""
    if padded:
        symbols = np.concatenate([np.zeros(length - 1, np.uint8), symbols])
    windows = np.lib.stride_tricks.sliding_window_view(symbols, length) if len(symbols) >= length else None
    keys = np.zeros(0 if windows is None else len(windows), np.uint64)
    for position in range(length):
        if windows is not None:
            keys = (keys << np.uint64(8)) | windows[:, position]
    return keys


def _table(keys: np.ndarray, counts: np.ndarray) -> _Order:
    occurs = [int((counts == number).sum()) for number in (1, 2, 3, 4)]
    discounts = _discounts(occurs)
    contexts, starts = np.unique(keys >> np.uint64(8), return_index=True)
    if not len(keys):
        empty = np.zeros(0)
        return _Order(keys, counts, contexts, empty, empty, discounts)
    given = discounts[np.minimum(counts, 3)]
    return _Order(
        keys=keys,
        counts=counts,
        contexts=contexts,
        context_totals=np.add.reduceat(counts, starts).astype(np.float64),
        reserved=np.add.reduceat(np.minimum(given, counts), starts),
        discounts=discounts,
    )


def _discounts(occurs: list[int]) -> np.ndarray:
    """Return the discounts of a count of 0, 1, 2 and 3 or more (Chen & Goodman 1998, equation 26)."""
    if 0 in occurs[:2]:
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = occurs[0] / (occurs[0] + 2 * occurs[1])
    found = [0.0]
    for number in (1, 2, 3):
        more = occurs[number] / occurs[number - 1] if occurs[number - 1] else 0.0
        found.append(float(np.clip(number - (number + 1) * share * more, 0.05, number - 0.05)))
    return np.array(found)


def _interpolated(table: _Order, keys: np.ndarray, lower: np.ndarray) -> np.ndarray:
    count = _looked_up(table.keys, table.counts, keys)
    contexts = keys >> np.uint64(8)
    total = _looked_up(table.contexts, table.context_totals, contexts)
    reserved = _looked_up(table.contexts, table.reserved, contexts)
    known = total > 0
    discounted = np.maximum(count - table.discounts[np.minimum(count, 3).astype(np.int64)], 0)
    result = lower.copy()
    result[known] = (discounted[known] + reserved[known] * lower[known]) / total[known]
    return result


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(keys):
        return np.zeros(len(wanted))
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0).astype(np.float64)
