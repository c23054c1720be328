"""The image codec on pairs: the other image of a record or half of the image becomes the source, of the size of the target."""

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.errors import EmptyDataError


def record(content, pair=None):
    return Record(id="0", medium="image", content=content, pair=pair, document="d", source="d", split="train")


def picture(*, side=16, width=None, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, width or side, channels), dtype=np.uint8)


def codec(*records, **values):
    return fit_codec(ImageCodecConfig(height=16, width=16, **values), iter(records))


def channels_first(pixels):
    return pixels.transpose(2, 0, 1)


def test_the_other_image_of_a_pair_is_the_source_or_the_target():
    content, pair = picture(), picture(seed=1)
    both = record(content, pair)
    there, back = (codec(both, source=source).encode(both) for source in ("pair", "pair-back"))
    assert np.array_equal(there["target"], channels_first(content)) and np.array_equal(back["source"], there["target"])
    assert np.array_equal(there["source"], channels_first(pair)) and np.array_equal(back["target"], there["source"])


@pytest.mark.parametrize("source", ["left", "right"])
def test_half_of_an_image_that_shows_a_pair_is_the_source(source):
    left, right = picture(), picture(seed=1)
    whole = record(np.concatenate([left, right], 1))
    slots = codec(whole, source=source).encode(whole)
    given, made = (left, right) if source == "left" else (right, left)
    assert np.array_equal(slots["source"], channels_first(given))
    assert np.array_equal(slots["target"], channels_first(made))
    odd = record(np.concatenate([left, picture(width=1), right], 1))
    assert np.array_equal(codec(odd, source=source).encode(odd)["source"], channels_first(given))


def test_both_images_of_a_pair_get_the_size_and_the_channels_that_both_need():
    grey, colour = picture(channels=1), picture(side=32, seed=1)
    both = record(grey, colour)
    made = codec(both, source="pair")
    slots = made.encode(both)
    assert slots["target"].shape == slots["source"].shape == (3, 16, 16)
    assert made.spec["source"].sizes == made.spec["target"].sizes == (3, 16, 16)
    assert made.to_model("source", slots["source"]).min() >= -1
    line_art = record(grey, picture(channels=1, seed=1))
    assert codec(line_art, source="pair").spec["target"].sizes == (1, 16, 16)


def test_records_without_a_pair_are_left_out_even_where_they_come_first():
    alone, both = record(picture()), record(picture(seed=1), picture(seed=2))
    made = codec(*[alone] * 600, both, source="pair")
    assert made.encode(alone) == {} and set(made.encode(both)) == {"target", "source"}
    with pytest.raises(EmptyDataError, match="no pairs"):
        codec(alone, source="pair")


def test_a_pair_is_ignored_where_no_source_is_asked_for():
    both = record(picture(), picture(seed=1))
    assert set(codec(both).encode(both)) == {"target"}
    assert set(codec(both).completed({"target": np.zeros((1, 3, 16, 16), np.uint8)})) == {"target"}
