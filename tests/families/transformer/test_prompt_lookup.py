"""Guesses from repeats: what followed before is guessed, what comes true makes guesses longer, and what does not pay pauses."""

from makar.families.transformer.prompt_lookup import FIRST_GUESS, FIRST_PAUSE, WATCHED, PromptLookup


def test_what_followed_before_is_guessed() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 1, 2]).guess(3) == [3, 4, 5]


def test_the_longest_repeat_decides() -> None:
    tokens = [9, 1, 2, 3, 4, 7, 7, 8, 3, 4, 6, 6, 1, 2, 3, 4]
    assert PromptLookup(tokens).guess(2) == [7, 7]
    assert PromptLookup([*tokens[4:-4], 3, 4]).guess(2) == [6, 6]


def test_nothing_is_guessed_without_a_repeat_or_room() -> None:
    assert PromptLookup([1, 2, 3, 4]).guess(5) == []
    assert PromptLookup([1]).guess(5) == []
    assert PromptLookup([1, 2, 3, 1, 2]).guess(0) == []


def test_a_guess_grows_when_it_comes_true_and_shrinks_when_not() -> None:
    lookup = PromptLookup([*range(40), 0, 1])
    assert len(lookup.guess(50)) == FIRST_GUESS
    lookup.judge(FIRST_GUESS, FIRST_GUESS)
    assert len(lookup.guess(50)) == 2 * FIRST_GUESS
    lookup.judge(2 * FIRST_GUESS, 3)
    assert len(lookup.guess(50)) == 3


def test_guessing_pauses_when_it_does_not_pay_and_begins_again() -> None:
    lookup = PromptLookup([1, 2, 3, 1, 2])
    lookup.judge(WATCHED, 1)
    assert lookup.guess(3) == []
    for _ in range(FIRST_PAUSE // 2):
        lookup.add(1)
        lookup.add(2)
    assert lookup.guess(3) != []
    lookup.judge(WATCHED, 20)
    assert lookup.guess(3) != []
