"""Precision and recall against sets whose overlap is known and sklearn's neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from makar.evaluation import precision_recall as module
from makar.evaluation.precision_recall import precision_recall


def blob(seed, centre=0.0, items=200):
    return np.random.default_rng(seed).normal(size=(items, 4)) + centre


def test_a_set_lies_in_itself_and_not_in_a_far_one():
    same, far = precision_recall(blob(0), blob(0)), precision_recall(blob(0, 100), blob(0))
    assert (same.precision, same.recall) == (1, 1)
    assert (far.precision, far.recall) == (0, 0)


def test_half_of_the_modes_give_precision_without_recall():
    real = np.concatenate([blob(0), blob(1, 50)])
    found = precision_recall(blob(2), real)
    assert found.precision > 0.8
    assert 0.4 < found.recall < 0.55
    assert found.recall == pytest.approx(precision_recall(real, blob(2)).precision)


def test_it_agrees_with_the_neighbours_of_sklearn(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 64)
    samples, real = blob(3, 0.7), blob(4)
    radii = NearestNeighbors(n_neighbors=4).fit(real).kneighbors(real)[0][:, 3]
    inside = (np.linalg.norm(samples[:, None] - real[None], axis=2) <= radii).any(1)
    assert precision_recall(samples, real).precision == pytest.approx(inside.mean())
