"""Texts with classes: what is learned of them, what is noticed, and what is refused."""

import numpy as np
import pytest

from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.labelled_text_config import LabelledTextCodecConfig
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import CLASS, TARGET


def row(text, *labels):
    return Record(
        id="",
        medium="text",
        content=text,
        document="",
        source="",
        split="train",
        roles={"text": text, "labels": labels},
    )


def fitted(*rows, **settings):
    return fit_codec(LabelledTextCodecConfig(**settings), iter(rows))


ROWS = [row("a good film", "pos"), row("a bad film", "neg"), row("bad, bad", "neg")]


def test_classes_are_numbered_and_others_come_after_them():
    codec = fitted(*ROWS)
    assert codec.class_names == ("neg", "pos")
    assert [int(codec.encode(one)[CLASS]) for one in (*ROWS, row("who knows", "other"))] == [1, 0, 0, 2]


def test_numbers_are_in_the_order_of_their_size():
    assert fitted(*(row("words", str(number)) for number in (10, 9, 2))).class_names == ("2", "9", "10")


def test_several_labels_or_none_become_one_mark_a_label():
    codec = fitted(row("hot fox", "hot", "fox"), row("nothing"), row("fox", "fox"))
    assert codec.several
    marks = [codec.encode(one)[CLASS].tolist() for one in (row("", "fox"), row("", "hot", "cold"), row(""))]
    assert marks == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    "rows", [[], [row("a", "x"), row("b", "x")], [row("words", str(number)) for number in range(1001)]]
)
def test_no_class_one_class_and_too_many_are_refused(rows):
    with pytest.raises(ConfigError):
        fitted(*rows)


def test_labels_seen_once_and_texts_cut_off_are_said():
    said = " ".join(fitted(*ROWS, length=2, vocabulary_size=260).remarks())
    assert "pos" in said and "2 tokens" in said
    assert not fitted(*ROWS, *ROWS).remarks()


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "שלום", "東京 🦊👩‍👧", "a\x00b\x07\u202e", "Straße  ­x", " spaces "])
def test_other_scripts_emoji_and_control_characters_are_not_lost(text):
    codec = fitted(row(text, "a"), row("b", "b"))
    assert codec.decode(codec.encode(row(text, "a"))) == text


def test_a_long_text_is_read_in_windows_that_hold_all_of_it():
    codec = fitted(*ROWS, length=8)
    text = "one two three four five six seven eight nine ten eleven twelve"
    tokens = codec.rows.tokens(text)
    windows = codec.windows(text)
    assert windows.shape[1] == 8 and len(windows) > 1
    assert np.array_equal(windows[0], tokens[:8])
    assert set(tokens.tolist()) <= set(windows.reshape(-1).tolist())
    assert len(codec.windows("one")) == 1


def test_with_the_tokenizer_of_another_model_it_learns_the_classes_only():
    first = fitted(*ROWS)
    files = {"tokenizer.json": first.tokenizer_json()}
    bare = load_codec(first.config, files)
    assert bare.class_names == ()
    new = bare.counted(iter([row("a good film", "yes"), row("no", "no")]))
    assert new.class_names == ("no", "yes")
    assert np.array_equal(new.encode(row("a good film", "yes"))[TARGET], first.encode(ROWS[0])[TARGET])
    assert first.counted(iter([])) is first
