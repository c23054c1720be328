"""The perceptual distance is 0 for equal images, grows with damage, and is the published formula written out."""

import numpy as np
import pytest
import torch

from makar.evaluation import extractor as module
from makar.evaluation.extractor import extractor_for
from makar.evaluation.perceptual import distance_name, perceptual_distance
from tests.novelty.samples import image_store, smooth_images


@pytest.fixture
def extractor(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 3)
    monkeypatch.setattr(module, "BATCH", 16)
    return extractor_for(image_store(tmp_path / "store", smooth_images(np.random.default_rng(0), 40, size=20)))


def images(count=6):
    return smooth_images(np.random.default_rng(1), count, size=24).transpose(0, 3, 1, 2)


def test_equal_images_are_at_no_distance_and_it_is_the_same_both_ways(extractor):
    one, other = images(), images()[::-1]
    assert perceptual_distance(extractor, one, one) == pytest.approx(np.zeros(6), abs=1e-9)
    there, back = perceptual_distance(extractor, one, other), perceptual_distance(extractor, other, one)
    assert there == pytest.approx(back) and (there > 0).all()


def test_more_noise_is_farther(extractor):
    noise = np.random.default_rng(2).normal(size=images().shape)
    distances = [
        perceptual_distance(extractor, images(), np.clip(images() + amount * noise, 0, 255).astype(np.uint8)).mean()
        for amount in (4, 16, 64)
    ]
    assert distances == sorted(distances) and distances[0] < distances[-1] / 2


def test_it_is_the_formula_written_out(extractor):
    one, other = images(2)[:1], images(2)[1:]
    total = 0.0
    for first, second in zip(extractor.depths(one), extractor.depths(other)):
        first, second = (torch.nn.functional.normalize(part, dim=1) for part in (first, second))
        total += float(((first - second) ** 2).sum(1).mean())
    assert perceptual_distance(extractor, one, other)[0] == pytest.approx(total, rel=1e-5)
    assert len(extractor.depths(one)) == 4 and extractor.hash[:8] in distance_name(extractor)
