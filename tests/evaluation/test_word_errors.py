"""Word and letter error: known distances, and what counts as the same word."""

import pytest

from makar.evaluation.word_errors import differences, letter_error, word_error


@pytest.mark.parametrize(
    "wanted, found, wrong",
    [("", "", 0), ("kitten", "sitting", 3), ("abc", "", 3), ("", "abc", 3), ("intention", "execution", 5)],
)
def test_distances_are_the_known_ones(wanted, found, wrong):
    assert differences(wanted, found) == differences(found, wanted) == wrong


def test_errors_are_shares_of_what_should_be_there():
    assert word_error(["The red fox.", "A cat"], ["the red fox", "a dog"]).value == pytest.approx(1 / 5)
    assert word_error(["one"], ["one two three"]).value == 2.0
    assert letter_error(["abcd"], ["abxd"]).value == 0.25
