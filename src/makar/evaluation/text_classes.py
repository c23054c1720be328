"""Measures a model that tells the classes of texts, beside TF-IDF with logistic regression on the same texts, and beside the usual class.

Accuracy, F1 in the mean over classes (macro-F1), and calibration: how far stated probabilities are from how often they come true, in 15
bins (expected calibration error: Guo et al. 2017, arXiv 1706.04599, equation 3). Where texts may bear several labels accuracy is the share
of texts whose labels are all right, and F1 is counted label by label. Every model is measured on what this one reads: the first tokens of a
text. A held-out text of a class that was never learned counts as wrong.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from makar.data.store import Store
from makar.errors import UnsupportedError
from makar.evaluation.bootstrap import Interval, interval_of, share_interval
from makar.evaluation.findings import Findings, Score, Table
from makar.evaluation.material import Material
from makar.evaluation.text_guesses import guessed_labels
from makar.families.encoder.classifier import LEAST_CHANCE, ClassifierFamily
from makar.nn.threads import threads_for
from makar.tensor_spec import CLASS, TARGET

TOGETHER = 64
BINS = 15
SHOWN_CLASSES = 50


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What somebody says of texts.

    Attributes:
        chance: Probability of each class, float ``[texts, classes]``.
        marks: What is named, bool ``[texts, classes]``.
    """

    chance: np.ndarray
    marks: np.ndarray


def evaluate_classes(material: Material) -> Findings:
    """Measure a model that tells the classes of texts.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model is of another kind, or weights of the Inception network were given.
    """
    family = material.artifact.family()
    if not isinstance(family, ClassifierFamily):
        raise UnsupportedError(f"classes by a model of family {family.config.kind}", expected="classifier")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    names, several = material.codec.class_names, family.config.several  # type: ignore[attr-defined]  # its codec has them
    right = marks_of(material.held_out, len(names))
    others = {name: _told(chance, several) for name, chance in _guesses(material, len(names), several).items()}
    told = {"": _told(_chances(material, family), several), **others}
    scores = tuple(_score(key, told, right, several=several) for key in ("accuracy", "macro_f1", "calibration_error"))
    unknown = int((~right.any(1)).sum()) if not several else 0
    lines = tuple(
        f"{score.name}: {score.interval.value:.3f} ({score.interval.low:.3f} to {score.interval.high:.3f})"
        + "".join(f"; {name}: {interval.value:.3f}" for name, interval in score.baselines)
        + "."
        for score in scores
    )
    if unknown:
        lines += (f"{unknown} of {len(right)} texts are of classes that no training text has.",)
    lines += tuple(f"{remark[0].upper()}{remark[1:]}." for remark in material.codec.remarks())
    return Findings(
        verdict=lines,
        scores=scores,
        tables=(_by_class(names, told[""], right),),
        details={"texts": len(right), "classes": list(names), "of_unknown_class": unknown},
    )


def marks_of(store: Store, classes: int) -> np.ndarray:
    """Return which classes the texts of a store bear, bool ``[texts, classes]``; none where it is one that was not learned."""
    values = store.columns[CLASS]
    if values.offsets is None:
        numbers = np.asarray(values.values).reshape(-1)
        return np.asarray(numbers[:, None] == np.arange(classes))
    return np.asarray(values.values).reshape(len(store), -1)[:, :classes] > 0


def _chances(material: Material, family: ClassifierFamily) -> np.ndarray:
    store, parts = material.held_out, []
    rows = np.asarray(store.columns[TARGET].values).reshape(len(store), -1)
    device = family.temperature.device
    with threads_for(family.config.parameter_count()):
        for start in range(0, len(rows), TOGETHER):
            material.say("reading texts", start, len(rows))
            tokens = torch.from_numpy(rows[start : start + TOGETHER].astype(np.int64)).to(device)
            parts.append(family.probabilities(tokens).cpu().double().numpy())
    return np.concatenate(parts)


def _guesses(material: Material, classes: int, several: bool) -> dict[str, np.ndarray]:
    if material.train is None:
        return {}
    material.say("fitting TF-IDF with logistic regression")
    marks = marks_of(material.train, classes)
    found = guessed_labels(
        texts_of(material.train, material), marks, texts_of(material.held_out, material), several=several
    )
    usual = np.tile(marks.mean(0), (len(material.held_out), 1))
    return {"TF-IDF and logistic regression": found, "how often each class is": usual}


def texts_of(store: Store, material: Material) -> list[str]:
    """Return the texts of a store as the model reads them."""
    column = store.columns[TARGET]
    return [str(material.codec.decode({TARGET: np.asarray(column[number])})) for number in range(len(store))]


def _told(chance: np.ndarray, several: bool) -> Told:
    if several:
        return Told(chance=chance, marks=chance > LEAST_CHANCE)
    return Told(chance=chance, marks=chance.argmax(1)[:, None] == np.arange(chance.shape[1]))


def _score(key: str, told: dict[str, Told], right: np.ndarray, *, several: bool) -> Score:
    name, better, meaning, measure = _MEASURES[key]
    found = {who: measure(said, right, several) for who, said in told.items()}
    return Score(
        key=key,
        name=name,
        interval=found.pop(""),
        better="lower" if better == "lower" else "higher",
        meaning=meaning,
        baselines=tuple(found.items()),
    )


def _accuracy(told: Told, right: np.ndarray, several: bool) -> Interval:
    hits = (told.marks == right).all(1) if several else (told.marks & right).any(1)
    return share_interval(int(hits.sum()), len(hits))


def _macro_f1(told: Told, right: np.ndarray, several: bool) -> Interval:
    del several
    return interval_of(lambda times: macro_f1(told.marks, right, times), len(right))


def macro_f1(marks: np.ndarray, right: np.ndarray, times: np.ndarray) -> float:
    """Return the mean over classes of F1 = 2 hits / (named + borne); classes that nobody names or bears are left out.

    Args:
        marks: What was named, bool ``[texts, classes]``.
        right: What is right, bool ``[texts, classes]``.
        times: How many times each text is taken.
    """
    hits, named, borne = ((times @ part.astype(np.float64)) for part in (marks & right, marks, right))
    there = named + borne > 0
    return float((2 * hits[there] / (named + borne)[there]).mean()) if there.any() else 0.0


def _calibration_error(told: Told, right: np.ndarray, several: bool) -> Interval:
    if several:
        chance, came = told.chance.reshape(-1), right.reshape(-1)
        owner = np.repeat(np.arange(len(right)), right.shape[1])
    else:
        chance, came = told.chance.max(1), (told.marks & right).any(1)
        owner = np.arange(len(right))
    return interval_of(lambda times: calibration_error(chance, came, times[owner]), len(right))


def calibration_error(chance: np.ndarray, came: np.ndarray, times: np.ndarray) -> float:
    """Return the mean distance of stated probability and share that came true, over bins, weighted by what is in them.

    Args:
        chance: Stated probabilities, float ``[statements]``.
        came: Which of them came true, bool ``[statements]``.
        times: How many times each statement is taken.
    """
    place = np.minimum((chance * BINS).astype(np.int64), BINS - 1)
    stated, true = (np.bincount(place, times * part, BINS) for part in (chance, came.astype(np.float64)))
    return float(np.abs(stated - true).sum() / times.sum())


def _by_class(names: tuple[str, ...], told: Told, right: np.ndarray) -> Table:
    order = np.argsort(-right.sum(0), kind="stable")[:SHOWN_CLASSES]
    rows = []
    for number in order.tolist():
        hits = int((told.marks[:, number] & right[:, number]).sum())
        named, borne = int(told.marks[:, number].sum()), int(right[:, number].sum())
        rows.append(
            (
                names[number],
                str(borne),
                f"{hits / named:.3f}" if named else "–",
                f"{hits / borne:.3f}" if borne else "–",
                f"{2 * hits / (named + borne):.3f}" if named + borne else "–",
            )
        )
    return Table(
        key="classes",
        caption="Each class: how many held-out texts bear it, how many of those named so do, how many of those that do are named so, F1.",
        columns=("class", "texts", "precision", "recall", "F1"),
        rows=tuple(rows),
    )


Measure = Callable[[Told, np.ndarray, bool], Interval]
_MEASURES: dict[str, tuple[str, str, str, Measure]] = {
    "accuracy": ("Accuracy", "higher", "Share of held-out texts that are told right.", _accuracy),
    "macro_f1": (
        "Macro-F1",
        "higher",
        "F1 of each class, in the mean over classes; rare ones count as much.",
        _macro_f1,
    ),
    "calibration_error": (
        "Calibration error",
        "lower",
        "How far stated probabilities are from how often they come true.",
        _calibration_error,
    ),
}
