"""Figures of tasks of language against published examples and against scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from makar.codecs.tag_scheme import entities_of, normal_tags
from makar.evaluation.correlation import pearson, pearson_interval, ranks, spearman_interval
from makar.evaluation.rewriting_scores import answer_scores
from makar.evaluation.text_answers import nearest_sentences
from makar.evaluation.text_classes import calibration_error, macro_f1
from makar.evaluation.text_guesses import guessed_labels, guessed_numbers
from makar.evaluation.text_tags import counted, f1_of, usual_tags


def test_entity_f1_is_that_of_the_example_of_seqeval():
    # The example of its documentation: F1 0.50.
    right = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    told = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    assert f1_of(counted(told, right), np.ones(2)) == pytest.approx(0.5)
    assert f1_of(counted(right, right), np.ones(2)) == 1.0
    assert f1_of(counted(told, right), np.array([1.0, 0.0])) == 0.0
    assert f1_of(counted([["O"]], [["O"]]), np.ones(1)) == 0.0


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        (["B-PER", "B-PER"], [("PER", 0, 1), ("PER", 1, 2)]),
        (["I-PER", "I-LOC"], [("PER", 0, 1), ("LOC", 1, 2)]),
        (["B-PER", "I-LOC", "I-LOC"], [("PER", 0, 1), ("LOC", 1, 3)]),
        (["S-PER", "B-LOC", "E-LOC", "I-LOC"], [("PER", 0, 1), ("LOC", 1, 3), ("LOC", 3, 4)]),
        (["U-PER", "B-LOC", "I-LOC", "L-LOC"], [("PER", 0, 1), ("LOC", 1, 4)]),
        (["O", "NOUN"], []),
    ],
)
def test_entities_of_every_scheme(tags, entities):
    assert entities_of(tags) == entities
    assert normal_tags(normal_tags(tags)) == normal_tags(tags)


def test_the_most_frequent_tag_of_a_word():
    words = [np.array([1, 2]), np.array([1, 2]), np.array([1, 3])]
    tags = [["B-PER", "O"], ["B-PER", "O"], ["O", "O"]]
    assert usual_tags(words, tags, [np.array([1, 2, 9])]) == [["B-PER", "O", "O"]]


def test_macro_f1_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    right, said = draw.integers(0, 4, 60), draw.integers(0, 4, 60)
    marks = [numbers[:, None] == np.arange(4) for numbers in (said, right)]
    assert macro_f1(*marks, np.ones(60)) == pytest.approx(f1_score(right, said, average="macro"))
    twice = np.repeat([2.0, 0.0], 30)
    assert macro_f1(*marks, twice) == pytest.approx(f1_score(right[:30], said[:30], average="macro"))


def test_calibration_error_of_statements_that_come_true_as_often_as_they_say_is_zero():
    chance = np.array([0.75] * 4 + [0.5] * 2)
    came = np.array([True, True, True, False, True, False])
    assert calibration_error(chance, came, np.ones(6)) == pytest.approx(0.0)
    assert calibration_error(np.ones(4), came[:4], np.ones(4)) == pytest.approx(0.25)


def test_the_baseline_tells_words_apart_and_survives_texts_without_any():
    texts, marks = ["good film", "bad film"] * 5, np.array([[True, False], [False, True]] * 5)
    chance = guessed_labels(texts, marks, ["good", "bad"], several=False)
    assert chance.argmax(1).tolist() == [0, 1] and np.allclose(chance.sum(1), 1)
    assert guessed_labels(["!", "?"] * 5, marks, ["!"], several=False).tolist() == [[0.5, 0.5]]
    both = guessed_labels(texts, np.concatenate([marks, np.ones((10, 1), bool)], 1), ["good"], several=True)
    assert both[0, 0] > both[0, 1] and both[0, 2] == 1.0


def test_correlations_are_those_of_scipy():
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=40), np.round(draw.normal(size=40))
    assert pearson_interval(first, second).value == pytest.approx(stats.pearsonr(first, second).statistic)
    found = spearman_interval(first, second)
    assert (
        found.value == pytest.approx(stats.spearmanr(first, second).statistic) and found.low < found.value < found.high
    )
    assert ranks(np.array([3.0, 1.0, 3.0])).tolist() == [1.5, 0.0, 1.5]
    assert pearson(first, np.ones(40)) == 0.0
    twice = np.repeat([2.0, 0.0], 20)
    assert pearson(first, second, twice) == pytest.approx(pearson(first[:20], second[:20]))


def test_numbers_are_guessed_from_words():
    texts, numbers = ["good film", "bad film", "good plot", "bad plot"] * 5, np.array([5.0, 1.0, 5.0, 1.0] * 5)
    good, bad = guessed_numbers(texts, numbers, ["good film", "bad plot"])
    assert good > 4 and bad < 2
    assert guessed_numbers(["!", "?"], np.array([1.0, 3.0]), ["..."]).tolist() == [2.0]


def test_answers_are_compared_as_squad_does():
    texts, right = (
        ["the golden hair", "a golden crown", "anything", "", ""],
        [["Golden hair!"], ["golden hair"], [""], [""], ["hair"]],
    )
    exact, overlap = answer_scores(texts, right)
    assert exact.tolist() == [1, 0, 0, 1, 0] and overlap == pytest.approx([1.0, 0.5, 0.0, 1.0, 0.0])


def test_the_sentence_with_most_of_the_question():
    passage = "Ada lives in London. Bob lives in Paris, near the river."
    assert nearest_sentences([("Where is Bob?", passage), ("?", "!")]) == ["Bob lives in Paris, near the river.", "!"]
