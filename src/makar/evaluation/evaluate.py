"""Measures any model and writes its report: gathers the material, calls the metric of the medium, adds what is known about the model.

The scores also go onto the model's card. The card travels with the model and the report does not: figures and the names of baselines
go along, and no sample, no passage and no name of a file of the training data.
"""

import dataclasses
import datetime
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from makar.artifacts.artifact import Artifact
from makar.artifacts.save import update_artifact_report
from makar.data.dataset import DataSet
from makar.data.workplace import workplace
from makar.errors import ArtifactError, IntegrityError, OutOfSpaceError, UnknownNameError, UnsupportedError, UsageError
from makar.evaluation.facts import gather_facts
from makar.evaluation.findings import Findings
from makar.evaluation.material import OnEvent, gather, run_folder
from makar.evaluation.report import Report, write_report
from makar.home import stores_folder
from makar.registry import load, names, resolve
from makar.training.progress import read_curve

SUITES: dict[str, tuple[tuple[str, ...], str]] = {
    "humaneval": (("code", "text"), "makar.evaluation.code_suites:measure_suite"),
    "mbpp": (("code", "text"), "makar.evaluation.code_suites:measure_suite"),
    "truthful": (("text", "code"), "makar.evaluation.truthful_suite:measure_truthful"),
    "bias": (("text", "code"), "makar.evaluation.bias_suite:measure_bias"),
    "safety": (("text", "code"), "makar.evaluation.safety_suite:measure_safety"),
}
"""By name: the media that a suite is for, and what measures it."""


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
    inception: Path | None = None,
    on_event: OnEvent = ignore_event,
) -> Report:
    """Measure a model against baselines and against its training data.

    Args:
        artifact: The model.
        data: What to measure on (its held-out part); ``None`` takes the held-out part of what the model learned from.
        folder: Where ``report.html`` and ``report.json`` go.
        seed: Seed of the samples.
        samples: Number of samples to make; 0 takes the number of the medium.
        inception: File with the weights of the Inception network, for images; ``None`` measures with the own extractor.
        on_event: Called with ``{"event": "evaluation", "measuring": ..., "done": ..., "total": ...}``, and with a warning where the
            model's folder cannot be written and its card keeps what it said.

    Returns:
        The report.

    Raises:
        DataError: There is nothing to measure on, or it is of another medium.
        UnknownNameError: No metric for this medium.
        IntegrityError: The model was changed on the disk since it was opened.
        UsageError: The number of samples is negative.
        UnsupportedError: Weights of the Inception network for a model that makes no images.
    """
    if samples < 0:
        raise UsageError(f"{samples} samples", expected="at least 1, or 0 for the usual number")
    if inception is not None and artifact.medium != "image":
        raise UnsupportedError(f"the Inception network for a model of {artifact.medium}", expected="a model of images")
    # A family that makes nothing of its medium has a metric of its own.
    kind = artifact.recipe.stages[-1].family.kind
    measure = load("metrics", kind if kind in names("metrics") else artifact.medium)
    # The data is encoded beside the other stores and not in the report, which is made to be shown around.
    with nullcontext() if data is None else workplace(stores_folder(), prefix="evaluation.") as place:
        material = gather(
            artifact,
            data,
            folder=folder,
            encoded_in=place,
            seed=seed,
            samples=samples,
            inception=inception,
            on_event=on_event,
        )
        folder.mkdir(parents=True, exist_ok=True)
        findings: Findings = measure(material)
        findings = dataclasses.replace(findings, verdict=(*findings.verdict, *sentences_on_training(artifact)))
        facts = gather_facts(artifact, metrics=material.metrics, measured_on=material.measured_on, date=_today())
        report = write_report(facts, findings, folder)
    # Whether the data are the model's own decides what the figures mean, and the name of other data is nobody else's business.
    measured_on = "held-out part of the training data" if data is None else "other data"
    _put_onto_card(artifact, card_scores(report.values, measured_on=measured_on), on_event)
    return report


def evaluate_suite(
    artifact: Artifact,
    suite: str,
    path: Any,
    *,
    folder: Path,
    seed: int = 0,
    samples: int = 0,
    inception: Any = None,
    on_event: OnEvent = ignore_event,
) -> Report:
    """Measure a model on a suite of problems and write the report; the model's card keeps what it says.

    Args:
        artifact: The model.
        suite: Name of the suite.
        path: The file with its problems.
        folder: Where the report goes.
        seed: Seed of the samples.
        samples: Samples a problem; 0 takes the number of the suite.
        inception: The weights of an Inception network, which no suite takes.
        on_event: Called with what is being done.

    Raises:
        UnknownNameError: There is no such suite.
        UsageError: There is no such file, or the number of samples is negative.
        UnsupportedError: The model makes something else than the suite asks for.
    """
    if inception is not None or not isinstance(path, str | Path):
        raise UsageError(f"the suite {suite} without its file alone", expected="the file with the problems")
    if suite not in SUITES:
        raise UnknownNameError("suite", suite, SUITES)
    medium, place = SUITES[suite]
    if artifact.medium not in medium:
        raise UnsupportedError(
            f"suite {suite} for a model of {artifact.medium}", expected=f"a model of {' or '.join(medium)}"
        )
    if samples < 0:
        raise UsageError(f"{samples} samples", expected="at least 1, or 0 for the usual number")
    findings, measured_on = resolve(place)(artifact, suite, Path(path), samples=samples, seed=seed, on_event=on_event)
    run = run_folder(artifact)
    metrics = read_curve(run / "metrics.jsonl") if run is not None else []
    return write_report(
        gather_facts(artifact, metrics=metrics, measured_on=measured_on, date=_today()), findings, folder
    )


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def sentences_on_training(artifact: Artifact) -> tuple[str, ...]:
    """Return what went wrong in a training (a collapse, a broken loss) and what was done about it; nothing where all went well.

    A model that came out of a rescue may be sound, and whoever reads its figures has to know all the same.
    """
    incidents = [str(incident) for incident in artifact.header["training"].get("incidents", ())]
    if not incidents:
        return ()
    more = f", and {len(incidents) - 1} more below" if len(incidents) > 1 else ""
    return (f"Its training went wrong on the way: {incidents[0]}{more}.",)


def card_scores(values: dict[str, Any], *, measured_on: str) -> dict[str, Any]:
    """Return the part of a report that goes along with the model.

    Args:
        values: The whole report.
        measured_on: In words, without names of data.
    """
    return {
        "schema": values["schema"],
        "date": values["date"],
        "measured_on": measured_on,
        "scores": {**values["scores"], **values["novelty"]},
    }


def _put_onto_card(artifact: Artifact, scores: dict[str, Any], on_event: OnEvent) -> None:
    try:
        update_artifact_report(artifact, scores)
    except (ArtifactError, OutOfSpaceError) as error:
        if isinstance(error, IntegrityError):
            raise
        message = f"the scores are not on the model's card: {error.came}"
        on_event({"event": "warning", "message": message})
