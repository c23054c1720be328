"""Recordings with transcripts: which words count, which recordings are left out, letters come back, damaged files are refused."""

import numpy as np
import pytest

from makar.codecs.transcript import TranscriptCodec, plain_words
from makar.codecs.transcript_config import TranscriptCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, EmptyDataError
from tests.recipes.spoken_data import sentence, spoken

CONFIG = TranscriptCodecConfig(rate_hz=8000, hop=128, mels=32, frames=128, letters=24)


def record(number, *, caption=None, seconds=None):
    text = sentence(number) if caption is None else caption
    sound, _ = spoken(text, seed=number)
    if seconds is not None:
        sound = type(sound)(np.resize(sound.samples, (int(seconds * sound.rate_hz), 1)), sound.rate_hz)
    return Record(
        id=f"{number}", medium="sound", content=sound, document="", source="", split="train", caption=text or None
    )


@pytest.fixture(scope="module")
def codec():
    return TranscriptCodec.fit(CONFIG, iter([record(number) for number in range(8)]))


@pytest.mark.parametrize(
    "text, words",
    [
        ("  Low, LOW!  high? ", "low low high"),
        ("'tis the dogs' day", "tis the dogs day"),
        ("don\u2019t", "don't"),
        ("\u00c4rger, \u6771\u4eac 21", "\u00e4rger \u6771\u4eac 21"),
        ("?! --", ""),
    ],
)
def test_case_and_punctuation_do_not_count(text, words):
    assert plain_words(text) == words


def test_letters_come_back(codec):
    assert codec.alphabet == " ghilow"
    slots = codec.encode(record(5))
    assert codec.spell(slots["caption"]) == sentence(5) and slots["caption"].shape == (24,)
    assert slots["target"].shape == (1, 32, 128) and slots["target"].dtype == np.uint8


def test_what_cannot_be_learned_from_is_left_out_and_counted(codec):
    left = [record(1, caption=""), record(1, caption="low " * 9), record(1, seconds=3), record(2, seconds=0.1)]
    assert all(codec.encode(one) == {} for one in left)
    assert codec.encode(record(1, caption="low zoo")) == {}
    fitted = TranscriptCodec.fit(CONFIG, iter([record(0), *left]))
    assert "4 recordings" in fitted.remarks()[0] and not codec.remarks()


def test_letters_that_come_twice_need_a_step_between(codec):
    seconds = 8 * 2 * 128 / 8000 + 1e-3
    assert codec.encode(record(1, caption="ghilowgh", seconds=seconds)) and not codec.encode(
        record(1, caption="ghillowg", seconds=seconds)
    )


def test_recordings_without_words_are_refused():
    with pytest.raises(EmptyDataError, match="spoken in it"):
        TranscriptCodec.fit(CONFIG, iter([record(1, caption="")]))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"alphabet": "aa", "loudest_db": 1}', b'{"alphabet": 3, "loudest_db": 1}']
)
def test_damaged_files_are_refused(content):
    with pytest.raises(ArtifactError):
        TranscriptCodec.from_files(CONFIG, {"transcript_codec.json": content})
