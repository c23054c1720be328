"""Figures of tasks of language against published examples and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from makar.codecs.tag_scheme import entities_of, normal_tags
from makar.evaluation.text_classes import calibration_error, macro_f1
from makar.evaluation.text_guesses import guessed_labels
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
