"""The answer to "is this new?" for one asset: how near it is to the training data, where the limit lies, and whose work it is near to."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class NearSource:
    """A training record that an asset is near to.

    Attributes:
        record: Its number in the training store.
        source: Where it was found, relative to the data set.
        document: The document it is a part of.
        licence: SPDX identifier, ``NOASSERTION`` when unknown.
        words: Text: length of the verbatim span; 0 for images.
        distance: Images: distance after alignment, 0 for an exact copy; structures: RMSD in angstroms; 0 for text.
        passage: Text: the span, shortened.
    """

    record: int
    source: str
    document: str
    licence: str
    words: int = 0
    distance: float = 0.0
    passage: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Novelty:
    """How new one asset is.

    Attributes:
        medium: Medium of the asset.
        score: 0 for a copy to 1. Text: 1 minus the share of words in spans of 13 and more, beyond what is usual for people. Images:
            distance to the nearest training image over the mean distance to the next 20. Structures: r / (r + 1) for an RMSD of r.
        is_copy: Whether ``value`` is beyond ``threshold``.
        measure: What decides: ``"longest_span"`` (words; large is a copy), ``"distance_ratio"`` (small is a copy), ``"rmsd"``
            (angstroms; small is a copy) or ``"same"`` (1 is a copy).
        value: The measure for this asset.
        threshold: The limit, set so that about 1 % of held-out items made by people are beyond it.
        longest_span: Words of the longest verbatim span; 0 for images.
        share_13: Share of words inside verbatim spans of 13 and more words; 0 for images.
        share_50: The same for 50.
        baseline: The same figures for held-out items: means and the number of items; empty when there were none.
        nearest: The nearest training records, nearest first.
        uncovered: Data that could not be compared with, in words: that of a model from which this one began; empty when there is none.
    """

    medium: str
    score: float
    is_copy: bool
    measure: str
    value: float
    threshold: float
    longest_span: int = 0
    share_13: float = 0.0
    share_50: float = 0.0
    baseline: dict[str, float] = dataclasses.field(default_factory=dict)
    nearest: tuple[NearSource, ...] = ()
    uncovered: str = ""

    @property
    def excess_13(self) -> float:
        """Share of words in spans of 13 and more beyond that of held-out text by people, not below 0."""
        return max(0.0, self.share_13 - self.baseline.get("share_13", 0.0))

    @property
    def excess_50(self) -> float:
        """Share of words in spans of 50 and more beyond that of held-out text by people, not below 0."""
        return max(0.0, self.share_50 - self.baseline.get("share_50", 0.0))

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON, the excess included."""
        values = dataclasses.asdict(self)
        values["nearest"] = [dataclasses.asdict(near) for near in self.nearest]
        return {**values, "excess_13": self.excess_13, "excess_50": self.excess_50}

    def summary(self) -> str:
        """Return one sentence for a person."""
        named = f" ({self.nearest[0].source}, licence {self.nearest[0].licence})" if self.nearest else ""
        if self.measure == "same":
            what = "the same as a training item" if self.is_copy else "no training item is the same"
        elif self.measure == "longest_span":
            what = f"longest verbatim span {self.longest_span} words, limit {self.threshold:.0f}"
        elif self.measure == "rmsd":
            what = f"{self.value:.2f} A from the nearest training backbone, limit {self.threshold:.2f} A"
        else:
            what = f"distance ratio {self.value:.2f}, limit {self.threshold:.2f}"
        rest = f"; not compared with {self.uncovered}" if self.uncovered else ""
        return (f"too close to the training data: {what}{named}" if self.is_copy else f"new: {what}") + rest
