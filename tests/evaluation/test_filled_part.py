"""Which part of held-out images is filled in to measure a model: the middle, or the lower half where only the end can be made anew."""

import types

import numpy as np
import pytest

from makar import registry
from makar.evaluation import image_edits


@pytest.mark.parametrize("recipe, box", [("image", (4, 4, 12, 12)), ("dalle", (0, 8, 16, 16))])
def test_a_model_is_asked_for_a_part_that_it_can_make(recipe, box, monkeypatch):
    asked = []

    def edited(material, doing, images, how):
        asked.append(how["box"])
        return images

    monkeypatch.setattr(image_edits, "_edited", edited)
    monkeypatch.setattr(image_edits, "_score", lambda extractor, key, what, images, made, others: others)
    material = types.SimpleNamespace(artifact=types.SimpleNamespace(recipe=registry.load("recipes", recipe)()))
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    plain = image_edits._filled(material, None, images)["mean colour"]
    left, top, right, bottom = box
    kept = np.ones((16, 16), bool)
    kept[top:bottom, left:right] = False
    assert asked == [box] and np.array_equal(plain[:, kept], images[:, kept])
    assert all(len(np.unique(image[~kept], axis=0)) == 1 for image in plain)
