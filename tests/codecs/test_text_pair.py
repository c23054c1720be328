"""Pairs of texts: both come back letter for letter, a question goes with its passage, and what is cut off is told."""

import numpy as np
import pytest

from makar.codecs.pair import PairCodec, asked, rare_run
from makar.codecs.pair_config import PairCodecConfig
from makar.data.store import build_store
from makar.errors import ArtifactError, DataError, EmptyDataError, UnsupportedError
from tests.families.seq2seq.models import PAIRS, codec, record


def text_of(tokens):
    return codec().decode_tokens(np.asarray(tokens, np.int64))


def test_both_texts_come_back_in_every_script_and_end_with_the_end():
    for source, target in PAIRS:
        slots = codec().encode(record(source, target))
        assert text_of(slots["source"]) == source and codec().decode(slots) == target
        assert slots["source"][-1] == slots["target"][-1] == 1 and (slots["source"][:-1] > 1).all()


def test_reserved_names_in_a_text_are_text():
    tokens = codec().encode_source("<pad><|endoftext|>")
    assert (tokens[:-1] > 1).all() and text_of(tokens) == "<pad><|endoftext|>"


def test_further_targets_are_kept_where_they_are_scored_and_not_where_they_are_learned():
    learned = codec().encode(record("a b", "one", "two"))["target"]
    held_out = codec().encode(record("a b", "one", "two", split="held_out"))["target"]
    assert codec().texts(learned) == ["one"] and codec().texts(held_out) == ["one", "two"]
    assert codec().decode({"target": held_out}) == "one"


def test_records_without_the_roles_are_left_out():
    assert codec().encode(record("a", text="b", labels=("x",))) == {}
    with pytest.raises(EmptyDataError, match="rewrite"):
        PairCodec.fit(PairCodecConfig(), iter([record("a", text="b")]))


def test_an_answer_is_made_from_question_and_passage():
    config = PairCodecConfig(vocabulary_size=300, task="answer", longest_source=20)
    held = {"question": "Who runs?", "context": "A dog runs. " * 30, "answers": ("a dog", "the dog")}
    fitted = PairCodec.fit(config, iter([record("q", **held)]))
    slots = fitted.encode(record("q", **held))
    assert len(slots["source"]) == 20 and fitted.decode_tokens(slots["source"]).startswith("Who runs?\n\nA dog")
    assert fitted.decode(slots) == "a dog"
    assert asked(" Who? ", "He.\n") == "Who?\n\nHe."
    with pytest.raises(UnsupportedError, match="passage"):
        fitted.encode_source("Who runs?")


def test_a_prompt_that_is_too_long_is_refused_and_data_is_cut_and_told(tmp_path):
    short = PairCodec(codec().config.changed(longest_source=4, longest_target=3), codec()._text, codec().lengths)
    with pytest.raises(UnsupportedError, match="at most 4"):
        short.encode_source("A dog runs in the park.")
    records = [record("A dog runs in the park.", "Ein Hund läuft im Park."), record("A", "E")]
    store = build_store(tmp_path / "s", records, short.encode, key="k")
    assert short.cut_sentence(store).startswith("1 of 2 sources are longer than 4 tokens")
    assert "1 of 2 targets" in short.cut_sentence(store)
    whole = build_store(tmp_path / "w", records, codec().encode, key="k")
    assert codec().cut_sentence(whole) == ""


def test_half_a_character_is_refused():
    with pytest.raises(DataError, match="Unicode"):
        codec().encode_source("\ud800")
    with pytest.raises(DataError, match="Unicode"):
        PairCodec.fit(PairCodecConfig(), iter([record("\ud800", "a")]))


def test_spans_are_taken_from_texts_of_any_kind():
    config = PairCodecConfig(task="spans", marks=3, vocabulary_size=300)
    fitted = PairCodec.fit(config, iter([record("a", text="b")]))
    slots = fitted.encode(record("a", text="b"))
    assert set(slots) == {"target"} and fitted.marks == 3
    assert fitted.decode(slots) == "a\n\n" and slots["target"].min() == 1
    assert not fitted.token_byte_lengths()[:5].any() and fitted.token_byte_lengths()[5:].all()
    assert fitted.encode_source("b ___ a").tolist()[-1] == 1 and 2 in fitted.encode_source("b ___ a")
    for text in ("no gap", "___ " * 4):
        with pytest.raises(UnsupportedError, match="gaps"):
            fitted.encode_source(text)


def test_the_shortest_run_that_hardly_any_target_has_twice():
    once, thrice = np.arange(40), np.array([5, 6, 7, 8, 5, 6, 7, 8, 9])
    assert rare_run([once] * 3) == 3
    assert rare_run([once] * 99 + [thrice]) == 3 and rare_run([once] * 98 + [thrice] * 2) == 5
    assert rare_run([]) == 0 and rare_run([np.zeros(40, np.int64)] * 5) == 0


def test_what_the_targets_repeat_is_kept_with_the_model():
    records = [record("a b c", "one two three one two three")] * 5
    codec = PairCodec.fit(PairCodecConfig(vocabulary_size=300), iter(records))
    again = PairCodec.from_files(codec.config, codec.files())
    assert again.lengths == codec.lengths and again.rare_run == codec.rare_run == 3
    files = codec.files() | {"lengths.json": b'{"source": 3, "target": 4}'}
    assert PairCodec.from_files(codec.config, files).rare_run == 0


@pytest.mark.parametrize("damaged", [b"{", b"[]", b'{"source": 3}', b'{"source": "x", "target": 2}', b"\xff"])
def test_damaged_lengths_say_what_was_expected(damaged):
    with pytest.raises(ArtifactError, match="source, target and run"):
        PairCodec.from_files(codec().config, codec().files() | {"lengths.json": damaged})
