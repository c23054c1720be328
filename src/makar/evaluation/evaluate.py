"""Measures any model and writes its report: gathers the material, calls the metric of the medium, adds what is known about the model."""

import datetime
from contextlib import nullcontext
from pathlib import Path

from makar.artifacts.artifact import Artifact
from makar.data.dataset import DataSet
from makar.data.workplace import workplace
from makar.evaluation.facts import gather_facts
from makar.evaluation.findings import Findings
from makar.evaluation.material import OnEvent, gather
from makar.evaluation.report import Report, write_report
from makar.home import stores_folder
from makar.registry import load


def ignore_event(event: dict) -> None:
    """Take an event and do nothing."""
    del event


def evaluate(
    artifact: Artifact,
    data: DataSet | None = None,
    *,
    folder: Path,
    seed: int = 0,
    samples: int = 0,
    on_event: OnEvent = ignore_event,
) -> Report:
    """Measure a model against baselines and against its training data.

    Args:
        artifact: The model.
        data: What to measure on (its held-out part); ``None`` takes the held-out part of what the model learned from.
        folder: Where ``report.html`` and ``report.json`` go.
        seed: Seed of the samples.
        samples: Number of samples to make; 0 takes the number of the medium.
        on_event: Called with ``{"event": "evaluation", "measuring": ..., "done": ..., "total": ...}``.

    Returns:
        The report.

    Raises:
        DataError: There is nothing to measure on, or it is of another medium.
        UnknownNameError: No metric for this medium.
    """
    measure = load("metrics", artifact.medium)
    # The data is encoded beside the other stores and not in the report, which is made to be shown around.
    with nullcontext() if data is None else workplace(stores_folder(), prefix="evaluation.") as place:
        material = gather(
            artifact, data, folder=folder, encoded_in=place, seed=seed, samples=samples, on_event=on_event
        )
        folder.mkdir(parents=True, exist_ok=True)
        findings: Findings = measure(material)
        facts = gather_facts(material, date=datetime.datetime.now(datetime.UTC).date().isoformat())
        return write_report(facts, findings, folder)
