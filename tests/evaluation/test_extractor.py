"""The extractor tells real from damaged and whole from partial, and is the same for the same data."""

import numpy as np
import pytest
import torch

from makar.evaluation import extractor as module
from makar.evaluation.extractor import DAMAGES, extractor_for
from makar.evaluation.frechet import frechet_distance
from tests.novelty.samples import image_store, smooth_images


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 40)
    monkeypatch.setattr(module, "BATCH", 32)
    coarse = smooth_images(np.random.default_rng(0), 150, size=16, waves=1)
    fine = 255 - smooth_images(np.random.default_rng(1), 150, size=16, waves=9)
    labels = [0] * 150 + [1] * 150
    return image_store(tmp_path / "store", np.concatenate([coarse, fine]), labels)


def test_noise_and_a_missing_class_are_farther_than_other_real_images(store):
    extractor = extractor_for(store)
    assert extractor.task == "classes"
    assert extractor.accuracy > 0.7
    new = np.concatenate(
        [
            smooth_images(np.random.default_rng(5), 100, size=16, waves=1),
            255 - smooth_images(np.random.default_rng(6), 100, size=16, waves=9),
        ]
    ).transpose(0, 3, 1, 2)
    reference = extractor.features(store.columns["target"].values)
    floor = frechet_distance(extractor.features(new), reference)
    noise = np.random.default_rng(7).integers(0, 256, new.shape).astype(np.uint8)
    assert frechet_distance(extractor.features(noise), reference) > 10 * floor
    assert frechet_distance(extractor.features(np.tile(new[:100], (2, 1, 1, 1))), reference) > 3 * floor


def test_it_is_kept_and_named_by_its_hash_and_the_same_when_made_again(store):
    first = extractor_for(store)
    steps = []
    kept = extractor_for(store, progress=lambda done, total: steps.append(done))
    assert kept.hash == first.hash
    assert not steps
    assert first.name == f"own[{first.hash[:8]}]"
    for path in (module.home() / "extractors").iterdir():
        path.unlink()
    again = extractor_for(store, progress=lambda done, total: steps.append(done))
    assert len(steps) == 40
    assert again.hash == first.hash


def test_without_labels_it_learns_to_tell_turns_and_takes_colour_and_alpha(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 3)
    images = smooth_images(np.random.default_rng(0), 40, size=20, channels=4)
    extractor = extractor_for(image_store(tmp_path / "store", images))
    assert extractor.task == "turns"
    assert extractor.features(images.transpose(0, 3, 1, 2)).shape == (40, 64)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_every_damage_keeps_the_shape_and_all_but_one_change_the_image(damage):
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    done = damage(images[0], images, np.random.default_rng(1))
    assert done.shape == images[0].shape
    assert torch.equal(done, images[0]) == (damage.__name__ == "_untouched")


def test_exchanged_tiles_are_the_same_pixels():
    image = torch.arange(32.0 * 32).view(1, 32, 32)
    done = DAMAGES[3](image, image[None], np.random.default_rng(0))
    assert torch.equal(done.flatten().sort().values, image.flatten())
    assert (done[0, :8, 1:8] - done[0, :8, :7] == 1).all()
