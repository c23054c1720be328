"""What a metric of a medium hands to the report: scores beside their baselines, sentences, tables, pictures and samples.

The report knows no medium. A plug-in that adds a metric (entry point ``makar.metrics``, a function from ``Material`` to ``Findings``)
gets its section with the same parts.
"""

import dataclasses
from typing import Any, Literal

from makar.evaluation.bootstrap import Interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """One figure of the model beside what it should be compared with.

    Attributes:
        key: Name in the JSON, for example ``"bits_per_byte"``.
        name: Name for a person.
        interval: The figure with its interval.
        better: ``"lower"``, ``"higher"``, or ``"near"`` when it should be near the first baseline.
        meaning: One sentence.
        unit: Unit, empty for a plain number.
        baselines: (name, figure) of what it is compared with.
    """

    key: str
    name: str
    interval: Interval
    better: Literal["lower", "higher", "near"]
    meaning: str
    unit: str = ""
    baselines: tuple[tuple[str, Interval], ...] = ()

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.interval.to_dictionary(),
            "unit": self.unit,
            "better": self.better,
            "baselines": {name: interval.to_dictionary() for name, interval in self.baselines},
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture of the report: PNG bytes with what a reader who cannot see it needs to know."""

    key: str
    caption: str
    alternative: str
    png: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heard:
    """A sound of the report, to be played: the bytes of a WAV file."""

    caption: str
    wave: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """A video of the report, to be played: the bytes of its file and their type."""

    caption: str
    file: bytes
    type: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the report."""

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample of text with how new it is, in words."""

    text: str
    note: str
    is_copy: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that was found about a model of one medium.

    Attributes:
        verdict: Sentences, the most important first.
        scores: Quality.
        novelty_scores: Novelty and diversity.
        tables: Further tables.
        pictures: Pictures, in order.
        sounds: Sounds to be played.
        clips: Videos to be played.
        samples: Samples of text.
        details: Further plain values for the JSON only.
    """

    verdict: tuple[str, ...]
    scores: tuple[Score, ...]
    novelty_scores: tuple[Score, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    sounds: tuple[Heard, ...] = ()
    clips: tuple[Played, ...] = ()
    samples: tuple[Sample, ...] = ()
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
