"""How different samples of text are within themselves and from each other.

distinct-n is the share of different n-grams of words among all (Li et al. 2016, arXiv:1510.03055). Overlap between samples is the share of
a sample's 4-grams that stand in another sample, a plain form of Self-BLEU (Zhu et al. 2018, arXiv:1802.01886) that needs no brevity
penalty. The compression ratio catches repetition of any length (Shaib et al. 2024, arXiv:2403.00553). All three depend on the amount
of text: compare only sets of samples with as many words, as ``evaluate_text`` does.
"""

import collections
import dataclasses

from makar.evaluation.compressor import compression_ratio
from makar.novelty.words import WordHasher

OVERLAP_WORDS = 4


@dataclasses.dataclass(frozen=True)
class Diversity:
    """Diversity of a set of samples.

    Attributes:
        words: Number of words measured.
        distinct_1: Share of different words.
        distinct_2: Share of different pairs of words.
        distinct_3: Share of different triples of words.
        overlap: Mean share of a sample's 4-grams that another sample has too.
        compression: Length over compressed length of all samples together.
    """

    words: int
    distinct_1: float
    distinct_2: float
    distinct_3: float
    overlap: float
    compression: float


def diversity(samples: list[str]) -> Diversity:
    """Return the diversity of samples.

    Args:
        samples: Texts; empty ones count for nothing.
    """
    hasher = WordHasher()
    words = [hasher(sample).tolist() for sample in samples]
    shares = []
    for length in (1, 2, 3):
        grams = [gram for sample in words for gram in _grams(sample, length)]
        shares.append(len(set(grams)) / len(grams) if grams else 0.0)
    holders: collections.Counter[tuple[int, ...]] = collections.Counter()
    sets = [_grams(sample, OVERLAP_WORDS) for sample in words]
    for grams in sets:
        holders.update(set(grams))
    overlaps = [sum(holders[gram] > 1 for gram in grams) / len(grams) for grams in sets if grams]
    return Diversity(
        words=sum(len(sample) for sample in words),
        distinct_1=shares[0],
        distinct_2=shares[1],
        distinct_3=shares[2],
        overlap=sum(overlaps) / len(overlaps) if overlaps else 0.0,
        compression=compression_ratio("\n".join(samples)),
    )


def _grams(words: list[int], length: int) -> list[tuple[int, ...]]:
    return list(zip(*(words[start:] for start in range(length))))
