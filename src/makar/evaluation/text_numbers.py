"""Measures a model that gives texts numbers, beside TF-IDF with ridge regression on the same texts, and beside the mean.

Correlations say whether the order is right (Spearman) and the distances too (Pearson); the root of the mean squared error is in the unit of
the data, and the mean of the training texts is what it has to beat.
"""

import numpy as np
import torch

from makar.codecs.graded_text import GradedTextCodec
from makar.data.store import Store
from makar.errors import UnsupportedError
from makar.evaluation.bootstrap import Interval, interval_of
from makar.evaluation.correlation import pearson_interval, spearman_interval
from makar.evaluation.findings import Findings, Score
from makar.evaluation.material import Material
from makar.evaluation.text_classes import texts_of
from makar.evaluation.text_guesses import guessed_numbers
from makar.families.encoder.regressor import RegressorFamily
from makar.nn.threads import threads_for
from makar.tensor_spec import SCORE, TARGET

TOGETHER = 64


def evaluate_numbers(material: Material) -> Findings:
    """Measure a model that gives texts numbers.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model is of another kind, or weights of the Inception network were given.
    """
    family, codec = material.artifact.family(), material.codec
    if not isinstance(family, RegressorFamily) or not isinstance(codec, GradedTextCodec):
        raise UnsupportedError(f"numbers by a model of family {family.config.kind}", expected="regressor")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    right = codec.number(_numbers(material.held_out))
    told = {"": codec.number(_said(material, family))}
    if material.train is not None:
        material.say("fitting TF-IDF with ridge regression")
        numbers = codec.number(_numbers(material.train))
        asked = texts_of(material.held_out, material)
        told["TF-IDF and ridge regression"] = guessed_numbers(texts_of(material.train, material), numbers, asked)
    told["mean"] = np.full(len(right), codec.about["mean"])
    measured = {
        "spearman": ("Spearman's correlation", "higher", "Whether the order of texts is right.", spearman_interval),
        "pearson": ("Pearson's correlation", "higher", "Whether the distances are right too.", pearson_interval),
        "rmse": ("Root of the mean squared error", "lower", "In the unit of the data.", _error),
    }
    scores = []
    for key, (name, better, meaning, measure) in measured.items():
        found = {who: measure(said, right) for who, said in told.items() if who != "mean" or key == "rmse"}
        own = found.pop("")
        scores.append(
            Score(
                key=key,
                name=name,
                interval=own,
                better="lower" if better == "lower" else "higher",
                meaning=meaning,
                baselines=tuple(found.items()),
            )
        )
    lines = tuple(
        f"{score.name}: {score.interval.value:.3f} ({score.interval.low:.3f} to {score.interval.high:.3f})"
        + "".join(f"; {name}: {interval.value:.3f}" for name, interval in score.baselines)
        + "."
        for score in scores
    )
    lines += tuple(f"{remark[0].upper()}{remark[1:]}." for remark in codec.remarks())
    return Findings(verdict=lines, scores=tuple(scores), details={"texts": len(right)})


def _numbers(store: Store) -> np.ndarray:
    return np.asarray(store.columns[SCORE].values, np.float64).reshape(-1)


def _said(material: Material, family: RegressorFamily) -> np.ndarray:
    store, parts = material.held_out, []
    rows = np.asarray(store.columns[TARGET].values).reshape(len(store), -1)
    with threads_for(family.config.parameter_count()):
        for start in range(0, len(rows), TOGETHER):
            material.say("reading texts", start, len(rows))
            tokens = torch.from_numpy(rows[start : start + TOGETHER].astype(np.int64)).to(family.gram_share.device)
            parts.append(family.said(tokens)[:, 0].cpu().double().numpy())
    return np.concatenate(parts)


def _error(said: np.ndarray, right: np.ndarray) -> Interval:
    squares = (said - right) ** 2
    return interval_of(lambda times: float(np.sqrt((times @ squares) / times.sum())), len(squares))
