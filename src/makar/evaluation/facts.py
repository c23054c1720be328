"""What a report says about a model or an index apart from its measurement: where it comes from, its cost, and the hashes that prove it."""

import dataclasses
from typing import Any, Literal

from makar.artifacts.artifact import Artifact
from makar.evaluation.comparison import Comparison, compare
from makar.evaluation.findings import Picture
from makar.evaluation.pictures import curves_png


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about a model; of an index of documents, which learned nothing, most fields are empty.

    Attributes:
        name: Its name.
        medium: What it makes.
        measured_on: In words, what it was measured on.
        date: Day of the measurement, ISO 8601.
        model: Pairs of a name and a value for people.
        data: Pairs about the training data.
        licences: (SPDX identifier, number of items) of the training data.
        predictions: What the plan predicted beside what happened.
        energy: Energy range in words, empty when unknown.
        hashes: Pairs of what and its hash.
        curves: The loss curves, ``None`` where the run is not on this machine.
        training: The training facts of the model as they are.
        subject: ``"model"``, or ``"index"`` for an index of documents.
    """

    name: str
    medium: str
    measured_on: str
    date: str
    model: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    licences: tuple[tuple[str, str], ...]
    predictions: tuple[Comparison, ...]
    energy: str
    hashes: tuple[tuple[str, str], ...]
    curves: Picture | None
    training: dict[str, Any]
    subject: Literal["model", "index"] = "model"

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            self.subject: self.name,
            "medium": self.medium,
            "measured_on": self.measured_on,
            "date": self.date,
            "about": dict(self.model),
            "data": dict(self.data),
            "licences": dict(self.licences),
            "predicted_and_real": [comparison.to_dictionary() for comparison in self.predictions],
            "energy": self.energy,
            "hashes": dict(self.hashes),
            "training": self.training,
        }


def gather_facts(artifact: Artifact, *, metrics: list[dict[str, Any]], measured_on: str, date: str) -> Facts:
    """Collect what is known about a model from its header and its run.

    Args:
        artifact: The model.
        metrics: Progress and validation events of its training; empty where the run is not on this machine.
        measured_on: In words, what it was measured on.
        date: Day of the measurement, ISO 8601.
    """
    header = artifact.header
    training, data = dict(header["training"]), dict(header["data"])
    recipe = artifact.recipe
    stage = recipe.stages[-1]
    model = [
        ("recipe", recipe.name),
        ("family", stage.family.kind),
        ("codec", stage.codec.kind),
        ("parameters", f"{stage.family.parameter_count():,}"),
    ]
    for key, label in (("steps", "steps"), ("items", f"{stage.family.item_name}s seen"), ("machine", "machine")):
        if key in training:
            model.append((label, _plain(training[key])))
    if "seconds" in training:
        model.append(("trained for", _duration(float(training["seconds"]))))
    if training.get("incidents"):
        model.append(("what went wrong on the way", "; ".join(map(str, training["incidents"]))))
    curves = curves_png(metrics)
    return Facts(
        name=artifact.name,
        medium=artifact.medium,
        measured_on=measured_on,
        date=date,
        model=tuple(model),
        data=tuple((key, _plain(data[key])) for key in ("name", "items", "languages") if data.get(key)),
        licences=tuple((str(name), _plain(count)) for name, count in _pairs(data.get("licences"))),
        predictions=compare(training),
        energy=_energy(training.get("energy_kwh")),
        hashes=(
            ("model (signed manifest)", artifact.hash),
            ("training data", str(data.get("fingerprint", "unknown"))),
            ("signing key", artifact.signer),
            ("run", artifact.run or "not on this machine"),
        ),
        curves=None
        if curves is None
        else Picture(
            key="curves",
            caption="Loss on the training batches and on the inner validation set, over the time of training.",
            alternative=f"Curves of the loss; the last validation loss is {_last_loss(metrics)}.",
            png=curves,
        ),
        training=training,
    )


def _energy(range_kwh: Any) -> str:
    if not isinstance(range_kwh, dict) or "central" not in range_kwh:
        return ""
    low, central, high = (1000 * float(range_kwh[name]) for name in ("low", "central", "high"))
    method = f"; {range_kwh['method']}" if range_kwh.get("method") else ""
    return f"{central:.3g} Wh ({low:.3g} to {high:.3g}{method})"


def _pairs(licences: Any) -> list[tuple[Any, Any]]:
    if isinstance(licences, dict):
        return list(licences.items())
    if isinstance(licences, list | tuple):
        return [(name, "") for name in licences]
    return []


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _last_loss(metrics: list[dict[str, Any]]) -> str:
    losses = [event["inner_loss"] for event in metrics if isinstance(event.get("inner_loss"), float)]
    return f"{losses[-1]:.4g}" if losses else "unknown"
