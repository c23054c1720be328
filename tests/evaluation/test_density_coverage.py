"""Density and coverage against sets whose overlap is known, and against the definition written out."""

import numpy as np
import pytest

from makar.evaluation import density_coverage as module
from makar.evaluation.density_coverage import density_coverage


def blob(seed, centre=0.0, items=120):
    return np.random.default_rng(seed).normal(size=(items, 4)) + centre


def test_real_items_have_density_one_and_far_ones_nothing():
    like, far = density_coverage(blob(0), blob(1)), density_coverage(blob(0, 100), blob(1))
    assert like.density == pytest.approx(1, abs=0.25) and like.coverage > 0.9
    assert (far.density, far.coverage) == (0, 0)


def test_half_of_the_modes_cover_half():
    real = np.concatenate([blob(0), blob(1, 50)])
    found = density_coverage(blob(2), real)
    assert found.density > 0.7 and 0.4 < found.coverage <= 0.5


def test_the_same_sample_again_and_again_covers_only_what_is_around_it():
    found = density_coverage(np.repeat(blob(3, items=1) * 0, 120, axis=0), blob(4))
    assert found.density >= 1 and found.coverage < 0.5


def test_it_is_the_definition_written_out(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 50)
    samples, real = blob(5, 0.5), blob(6)
    apart = np.sort(np.linalg.norm(real[:, None] - real[None], axis=2), axis=1)[:, 5]
    inside = np.linalg.norm(samples[:, None] - real[None], axis=2) < apart
    found = density_coverage(samples, real, neighbours=5)
    assert found.density == pytest.approx(inside.sum() / (5 * len(samples)))
    assert found.coverage == pytest.approx(inside.any(0).mean())
