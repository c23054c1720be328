"""Sentences and turns: where a text is cut, in any script, and what becomes of text without ends, of one sentence and of ten megabytes."""

import time

import pytest

from makar.codecs.sentences import LONGEST, PIECE, sentences_of, terms_of


@pytest.mark.parametrize(
    "text, found",
    [
        ("", []),
        ("   \n\t\n", []),
        ("One", ["One"]),
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ("Dr. A. Fox met Mrs. Hen at 5 p.m. yesterday. It rained.", ["Dr. A. Fox met Mrs. Hen at 5 p.m. yesterday.", "It rained."]),
        ('"Come!" said he. "No."', ['"Come!" said he.', '"No."']),
        ("It costs 3.50. Pi is 3.14159.", ["It costs 3.50.", "Pi is 3.14159."]),
        ("今日は雨だ。狐が来た！「どこへ？」と聞いた。", ["今日は雨だ。", "狐が来た！", "「どこへ？」", "と聞いた。"]),
        ("هل نزل المطر؟ نعم. ذهب الثعلب.", ["هل نزل المطر؟", "نعم.", "ذهب الثعلب."]),
        ("बारिश हुई। लोमड़ी आई।", ["बारिश हुई।", "लोमड़ी आई।"]),
        ("Ann: Hi. You?\nBob: Well.\nAnn: Bye!", ["Ann: Hi. You?", "Bob: Well.", "Ann: Bye!"]),
        ("Ann: Hi.\nand\nBob: Well.", ["Ann: Hi. and", "Bob: Well."]),
        ("A HEADING\n\nA fox ran over the\nfield and home. It slept.", ["A HEADING", "A fox ran over the field and home.", "It slept."]),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_its_sentences_or_turns_end(text, found):
    assert sentences_of(text) == found


@pytest.mark.parametrize("text", ["word " * 2000, "ก" * 5000, "no end, " * 900])
def test_what_runs_on_without_an_end_is_cut_and_nothing_of_it_is_lost(text):
    found = sentences_of(text)
    assert len(found) > 5 and max(map(len, found)) <= LONGEST
    assert "".join("".join(found).split()) == "".join(text.split()) and len(found[0]) <= PIECE


def test_words_of_scripts_without_spaces_are_pairs_of_letters():
    assert terms_of("the 狐 ran 東京都") == ["the", "狐", "ran", "東京", "京都"]


def test_ten_megabytes_are_cut_in_seconds():
    text = "The fox, who was hungry, ran over the field. " * 230_000
    start = time.process_time()
    assert len(sentences_of(text)) == 230_000 and time.process_time() - start < 30
