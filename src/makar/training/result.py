"""What a stage of a training ended with, kept beside the run so that a kill after the last step repeats nothing."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from makar.training.machine import peak_memory_bytes
from makar.training.whole_files import write_json


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageResult:
    """The end of a stage.

    Attributes:
        stage: Its name.
        inner_loss: Validation loss of the weights that were kept, on the inner set.
        best_step: Step at which they were taken.
        steps: Steps taken.
        items: Tokens or examples trained on.
        seconds: Time in the stage, over all processes.
        consumed_seconds: Consumed of the whole budget when it ended.
        items_per_second: Rate of the steps themselves.
        peak_fraction: Arithmetic achieved over the machine's measured peak; ``None`` when it was not measured.
        rollbacks: How often the run went back to a good state.
        energy: Range, method and assumptions.
        curve: The ``metrics.jsonl`` that holds the curves.
        incidents: In words, what went wrong on the way and what was done about it.
        peak_memory_bytes: Most memory that the process held until the stage ended, on the device where it trains on one.
    """

    stage: str
    inner_loss: float
    best_step: int
    steps: int
    items: int
    seconds: float
    consumed_seconds: float
    items_per_second: float
    peak_fraction: float | None
    rollbacks: int
    energy: dict[str, Any]
    curve: str
    incidents: list[str] = dataclasses.field(default_factory=list)
    peak_memory_bytes: int | None = dataclasses.field(default_factory=peak_memory_bytes)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for the artifact's header and the report."""
        return dataclasses.asdict(self)


def write_result(folder: Path, result: StageResult) -> None:
    """Write a result into the run's folder."""
    (folder / "results").mkdir(exist_ok=True)
    write_json(folder / "results" / f"{result.stage}.json", result.to_dictionary())


def finished_result(folder: Path, stage: str) -> StageResult | None:
    """Return the result of a stage that is over, ``None`` while it is not."""
    path = folder / "results" / f"{stage}.json"
    return StageResult(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
