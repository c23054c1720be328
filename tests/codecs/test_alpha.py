"""Opacity goes into a model multiplied into the colours and comes back straight."""

import numpy as np
import pytest

from makar.codecs.alpha import SNAP, model_values, pixels_of
from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.tensor_spec import TARGET


def picture():
    return np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)


def test_opaque_pixels_come_back_bit_for_bit_and_others_look_the_same():
    image = picture()
    image[3, :4] = 255
    back = pixels_of(model_values(image)).transpose(2, 0, 1)
    assert np.array_equal(back[:, :4], image[:, :4])
    middle = (image[3] > 10) & (image[3] < 245)
    assert np.array_equal(back[3][middle], image[3][middle])
    seen = (back[:3] * (back[3:] / 255) - image[:3] * (image[3:] / 255))[:, middle]
    assert np.abs(seen).max() <= 1


def test_what_cannot_be_seen_is_one_value_whatever_lies_under_it():
    one, other = picture(), picture()[:, ::-1].copy()
    one[3] = other[3] = 0
    assert np.array_equal(model_values(one), model_values(other)) and (model_values(one) == -1).all()
    assert (pixels_of(model_values(one)) == 0).all()
    # Without opacity nothing is multiplied.
    assert not np.array_equal(model_values(one[:3]), model_values(other[:3]))


def test_the_last_noise_of_a_sampler_leaves_no_faint_holes():
    values = np.ones((4, 2, 2), np.float32)
    values[3] = 1 - SNAP
    assert (pixels_of(values)[:, :, 3] == 255).all()
    values[3] = -1 + SNAP
    assert (pixels_of(values)[:, :, 3] == 0).all()
    values[3] = 1 - 4 * SNAP
    assert (pixels_of(values)[:, :, 3] < 255).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_codec_goes_this_way_there_and_back(channels):
    pixels = np.random.default_rng(1).integers(30, 220, (16, 16, channels), np.uint8)
    record = Record(id="0", medium="image", content=pixels, document="d", source="d", split="train")
    codec = fit_codec(ImageCodecConfig(height=16, width=16, channels=channels), iter([record]))
    stored = codec.encode(record)[TARGET]
    assert np.array_equal(stored.transpose(1, 2, 0), pixels)
    values = codec.to_model(TARGET, stored)
    assert (values[:3].max() < 0.5) if channels == 4 else (values == stored * np.float32(2 / 255) - 1).all()
    assert np.abs(codec.decode({TARGET: values}).astype(int) - pixels).max() <= (4 if channels == 4 else 0)
