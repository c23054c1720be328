"""What a sceptic would compare a model of symbols with: counting symbols, and counting pairs of symbols, over the same tokens.

Both counts are smoothed by one, learn from the training part and predict the held-out part token by token, the end included, as the model
does. The pairs also write: items drawn from them are the control beside every figure of the model's samples.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, ratio_interval
from makar.evaluation.findings import Score
from makar.evaluation.likelihood import Likelihood
from makar.tensor_spec import TARGET

MOST_RECORDS = 200_000
LONGEST_DRAWN = 2000


@dataclasses.dataclass(frozen=True, kw_only=True)
class SymbolCounts:
    """How often each token, and each token after another, stands in a store.

    Attributes:
        singles: int64 ``[vocabulary]``.
        pairs: int64 ``[vocabulary, vocabulary]``, what comes before first.
    """

    singles: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, store: Store, *, vocabulary: int) -> "SymbolCounts":
        """Count the tokens of a store.

        Args:
            store: Its slot ``target`` holds tokens.
            vocabulary: Different tokens.
        """
        pairs = np.zeros(vocabulary * vocabulary, np.int64)
        column = store.columns[TARGET]
        for record in range(min(len(store), MOST_RECORDS)):
            tokens = np.asarray(column[record]).astype(np.int64)
            # What stands first follows the end of another.
            before = np.concatenate([tokens[-1:], tokens[:-1]])
            pairs += np.bincount(before * vocabulary + tokens, minlength=len(pairs))
        table = pairs.reshape(vocabulary, vocabulary)
        return cls(singles=table.sum(0), pairs=table)

    def nats(self, tokens: np.ndarray) -> tuple[float, float]:
        """Return what the tokens of an item but its first need by single symbols and by pairs."""
        tokens = np.asarray(tokens).astype(np.int64)
        size = len(self.singles)
        single = np.log((self.singles[tokens[1:]] + 1) / (self.singles.sum() + size))
        rows = self.pairs[tokens[:-1]]
        pair = np.log((self.pairs[tokens[:-1], tokens[1:]] + 1) / (rows.sum(1) + size))
        return -float(single.sum()), -float(pair.sum())

    def drawn(self, end: int, generator: np.random.Generator) -> np.ndarray:
        """Return an item drawn from the pairs, without its end.

        Args:
            end: The token that ends an item.
            generator: Source of the draws.
        """
        found: list[int] = []
        at = end
        while len(found) < LONGEST_DRAWN:
            row = self.pairs[at]
            at = int(generator.choice(len(row), p=row / row.sum()))
            if at == end:
                break
            found.append(at)
        return np.array(found, np.int64)


def drawn_items(counts: SymbolCounts, codec: Codec, *, end: int, count: int, seed: int) -> list[str]:
    """Return items that the pairs of symbols write."""
    generator = np.random.default_rng(seed)
    return [codec.decode({TARGET: counts.drawn(end, generator)}) for _ in range(count)]


def perplexity_score(likelihood: Likelihood, held_out: Store, counts: SymbolCounts | None) -> Score:
    """Return the perplexity of a symbol beside what counting gives.

    Args:
        likelihood: What was measured of the model.
        held_out: What it was measured on.
        counts: Of the training part; ``None`` where that is not on this machine.
    """
    return Score(
        key="perplexity",
        name="Perplexity of a symbol",
        interval=likelihood.perplexity,
        better="lower",
        meaning="Number of equally likely symbols that the model hesitates between, on items that it did not learn from.",
        baselines=() if counts is None else counted_perplexity(counts, held_out),
    )


def counted_perplexity(counts: SymbolCounts, held_out: Store) -> tuple[tuple[str, Interval], ...]:
    """Return the perplexity of counting single symbols and pairs of them on a store."""
    column = held_out.columns[TARGET]
    items = [np.asarray(column[record]) for record in range(min(len(held_out), MOST_RECORDS))]
    items = [tokens for tokens in items if len(tokens) > 1]
    nats = np.array([counts.nats(tokens) for tokens in items]).reshape(-1, 2)
    sizes = np.array([len(tokens) - 1 for tokens in items], np.float64)
    names = ("single symbols counted", "pairs of symbols counted")
    return tuple((name, _exponential(ratio_interval(nats[:, place], sizes))) for place, name in enumerate(names))


def quantile_distance(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how far two sets of numbers lie apart: the mean distance between their quantiles (Wasserstein's first distance)."""
    shares = (np.arange(1000) + 0.5) / 1000
    return float(np.abs(np.quantile(first, shares) - np.quantile(second, shares)).mean())


def _exponential(interval: Interval) -> Interval:
    return Interval(*(math.exp(min(part, 700.0)) for part in dataclasses.astuple(interval)))
