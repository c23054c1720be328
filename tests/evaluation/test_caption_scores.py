"""BLEU and CIDEr-D against values worked out by hand, and against what must hold for any captions."""

import math

import numpy as np
import pytest

from makar.evaluation.caption_scores import bleu_counts, cider, words_of

RIGHT = [["the cat sat on the mat"], ["a red heart"], ["two dogs run along the beach"]]


def test_bleu_of_a_hand_worked_example() -> None:
    # Of the first, "the" counts twice and "cat" once; of two words "the cat" and "on the".
    counts = bleu_counts(["the cat the cat on the", "a b c d e"], [["the cat sat on the mat"], ["a b c d f g"]])
    assert counts.matches.tolist() == [[4, 2, 0, 0], [4, 3, 2, 1]]
    assert counts.totals.tolist() == [[6, 5, 4, 3], [5, 4, 3, 2]]
    assert counts.lengths.tolist() == [[6, 6], [5, 6]]
    precisions = [8 / 11, 5 / 9, 2 / 7, 1 / 5]
    expected = 100 * math.exp(1 - 12 / 11) * math.prod(precisions) ** 0.25
    assert counts.score() == pytest.approx(expected)


def test_bleu_clips_repeated_words_and_takes_the_nearest_reference_for_length() -> None:
    # The example of the paper: "the" seven times, in a reference at most twice.
    counts = bleu_counts(
        ["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat, is it not"]]
    )
    assert counts.matches[0, 0] == 2 and counts.totals[0, 0] == 7 and counts.lengths.tolist() == [[7, 6]]
    assert counts.score() == 0


def test_the_right_captions_have_the_highest_scores() -> None:
    said = [right[0] for right in RIGHT]
    assert bleu_counts(said, RIGHT).score() == pytest.approx(100 * 1.0)
    found = cider(said, RIGHT)
    # Three words have no run of four.
    assert found == pytest.approx([10.0, 7.5, 10.0])
    assert (cider(said[1:] + said[:1], RIGHT) < found).all()


def test_cider_of_a_hand_worked_example() -> None:
    # Two images. "a" is in both references and counts nothing; every other run is in one, with weight log 2.
    right = [["a red heart"], ["a blue moon"]]
    found = cider(["a red moon", "a blue moon"], right)
    # Of the first: one of two words (cosine 1 / 2 by the clipped product), one of two runs of two, none of the longer.
    assert found == pytest.approx([10 * (1 / 2 + 1 / 2) / 4, 10 * 3 / 4])


def test_cider_forgives_little_length_and_punishes_much() -> None:
    right = [["red heart"], ["blue moon"]]
    longer = cider(["red heart red heart red heart red heart", "blue moon"], right)
    word = math.exp(-(6**2) / 72) * (1 * 1 + 1 * 1) / (math.hypot(4, 4) * math.hypot(1, 1))
    pair = math.exp(-(6**2) / 72) * 1 / (math.hypot(4, 3) * 1)
    assert longer[0] == pytest.approx(10 * (word + pair) / 4)


def test_no_words_at_all_score_nothing() -> None:
    assert cider(["", "blue moon"], [["red heart"], ["blue moon"]])[0] == 0
    assert bleu_counts([""], [["red heart"]]).score() == 0


def test_words_of_other_scripts_are_words() -> None:
    assert words_of("Красное СЕРДЦЕ, 心") == ["красное", "сердце", "心"]


def test_the_interval_of_bleu_holds_its_value_and_narrows() -> None:
    draw = np.random.default_rng(0)
    vocabulary = ["a", "b", "c", "d"]
    right = [[" ".join(draw.choice(vocabulary, 8))] for _ in range(200)]
    said = [" ".join(draw.choice(vocabulary, 8)) for _ in range(200)]
    wide, narrow = (bleu_counts(said[:count], right[:count]).interval() for count in (50, 200))
    for interval in (wide, narrow):
        assert interval.low <= interval.value <= interval.high
    assert narrow.high - narrow.low < wide.high - wide.low
