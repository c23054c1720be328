"""Images and their words letter for letter, for models that read with tokenizers of their own."""

import dataclasses

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.prompted_image import words_of
from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.data.record import Record
from makar.errors import UnsupportedError
from makar.tensor_spec import CAPTION, TARGET


def record(caption):
    return Record(
        id="0",
        medium="image",
        content=np.zeros((20, 30, 1), np.uint8),
        document="0",
        source="0",
        split="train",
        caption=caption,
    )


def codec(**settings):
    return fit_codec(PromptedImageCodecConfig(height=16, width=24, **settings), iter(()))


@pytest.mark.parametrize("words", ["a red fox", "Ein Fuchs, 狐 🦊", " two  spaces "])
def test_words_come_back_letter_for_letter(words):
    made = codec()
    assert words_of(made.encode(record(words))[CAPTION]) == words
    assert words_of(made.encode_caption(words)) == words


def test_pictures_have_one_size_and_three_channels():
    made = codec().encode(record("a fox"))
    assert made[TARGET].shape == (3, 16, 24)


def test_a_picture_without_words_gets_the_caption_of_the_settings():
    given = codec(caption="a photo of sks dog")
    assert words_of(given.encode(record(None))[CAPTION]) == "a photo of sks dog"
    assert words_of(given.encode(record("  "))[CAPTION]) == "a photo of sks dog"
    assert words_of(given.encode(record("a cat"))[CAPTION]) == "a cat"
    assert words_of(codec().encode(record(None))[CAPTION]) == ""


def test_what_is_too_long_is_cut_in_training_and_refused_as_a_prompt():
    made = codec(caption_bytes=16)
    assert words_of(made.encode(record("x" * 15 + "狐"))[CAPTION]) == "x" * 15
    with pytest.raises(UnsupportedError, match="17 bytes"):
        made.encode_caption("x" * 17)


def test_a_picture_of_another_size_is_decoded_as_it_comes():
    assert codec().decode({TARGET: np.zeros((3, 40, 8), np.float32)}).shape == (40, 8, 3)
    assert dataclasses.asdict(codec().config)["height"] == 16
