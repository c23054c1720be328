"""FID, KID and Inception Score are those of torchmetrics on fixed vectors."""

import numpy as np
import pytest
from scipy.special import softmax

from makar.evaluation.frechet import frechet_distance
from makar.evaluation.inception_score import inception_score, inception_scores
from makar.evaluation.kernel_distance import kernel_distance
from tests.evaluation import fixed_vectors as fixed


def test_the_frechet_distance_is_that_of_torchmetrics():
    assert frechet_distance(fixed.SAMPLES, fixed.REAL) == pytest.approx(fixed.FID, abs=1e-4)
    assert frechet_distance(fixed.SAMPLES, fixed.REAL + 0.01) != pytest.approx(fixed.FID, abs=1e-4)


def test_the_kernel_distance_is_that_of_torchmetrics():
    assert kernel_distance(fixed.SAMPLES, fixed.REAL[:60]) == pytest.approx(fixed.KID, abs=1e-6)


def test_the_inception_score_is_that_of_torchmetrics():
    probabilities = softmax(fixed.LOGITS, axis=1)
    assert inception_scores(probabilities, splits=1)[0] == pytest.approx(fixed.INCEPTION_SCORE, abs=1e-6)
    parts = inception_scores(probabilities, splits=4)
    assert parts.mean() == pytest.approx(fixed.INCEPTION_SCORE_4, abs=1e-6)
    assert parts.std(ddof=1) == pytest.approx(fixed.INCEPTION_DEVIATION_4, abs=1e-6)


def test_the_inception_score_lies_between_one_and_the_number_of_classes():
    certain_of_all, certain_of_one, uncertain = np.eye(10), np.eye(10)[[3] * 10], np.full((10, 10), 0.1)
    scores = [inception_scores(values, splits=1)[0] for values in (certain_of_all, certain_of_one, uncertain)]
    assert scores == pytest.approx([10, 1, 1])


def test_few_samples_are_not_split():
    probabilities = softmax(fixed.LOGITS, axis=1)
    assert inception_score(probabilities[:30]) == inception_scores(probabilities[:30], splits=1)[0]
    assert inception_score(probabilities) == inception_scores(probabilities, splits=3).mean()
