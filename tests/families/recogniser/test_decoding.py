"""The search finds the transcript that brute force finds, and the times are those of the likeliest way."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from makar.families.recogniser.decoding import heard_letters, likeliest_letters


def chances(steps, vocabulary, seed):
    drawn = np.random.default_rng(seed).normal(0, 1.5, (steps, vocabulary))
    return drawn - np.logaddexp.reduce(drawn, axis=1, keepdims=True)


def collapsed(path):
    return tuple(token for token, _ in itertools.groupby(path) if token)


def by_force(heard):
    """Return every transcript with the logarithm of its chance."""
    found = {}
    for path in itertools.product(range(heard.shape[1]), repeat=len(heard)):
        score = sum(heard[step, token] for step, token in enumerate(path))
        found[collapsed(path)] = np.logaddexp(found.get(collapsed(path), -np.inf), score)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_search_finds_what_brute_force_finds(seed):
    heard = chances(5, 3, seed)
    every = by_force(heard)
    assert tuple(likeliest_letters(heard, beam=64)) == max(every, key=every.get)
    assert np.isclose(np.logaddexp.reduce(list(every.values())), 0)


def test_brute_force_agrees_with_the_loss_of_torch():
    heard = chances(5, 3, 7)
    loss = F.ctc_loss(
        torch.from_numpy(heard)[:, None],
        torch.tensor([[1, 2, 1]]),
        torch.tensor([5]),
        torch.tensor([3]),
        reduction="sum",
    )
    assert np.isclose(float(loss), -by_force(heard)[1, 2, 1])


def test_the_likeliest_path_is_not_always_the_likeliest_transcript():
    # At both steps nothing is likeliest, and together the ways to say 1 once are likelier.
    heard = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert likeliest_letters(heard, beam=1).tolist() == [] and likeliest_letters(heard, beam=4).tolist() == [1]


@pytest.mark.parametrize("beam", [1, 4])
def test_the_same_letter_twice_needs_something_between(beam):
    sure = np.full((5, 3), 0.01)
    for step, token in enumerate((1, 1, 0, 1, 2)):
        sure[step, token] = 0.98
    assert likeliest_letters(np.log(sure), beam=beam).tolist() == [1, 1, 2]


def test_times_are_those_of_the_likeliest_way():
    sure = np.full((8, 3), 0.01)
    for step, token in enumerate((0, 1, 1, 0, 0, 2, 2, 0)):
        sure[step, token] = 0.98
    found = heard_letters(np.log(sure), np.array([1, 2]))
    assert found.first.tolist() == [1, 5] and found.last.tolist() == [2, 6]
    assert np.allclose(found.chance, 0.98)
    heard = chances(6, 3, 1)
    ways = [path for path in itertools.product(range(3), repeat=6) if collapsed(path) == (2, 1)]
    best = max(ways, key=lambda path: sum(heard[step, token] for step, token in enumerate(path)))
    found = heard_letters(heard, np.array([2, 1]))
    assert found.first.tolist() == [best.index(2), best.index(1)]


def test_nothing_said_has_no_times():
    assert not len(heard_letters(chances(4, 3, 0), np.zeros(0, np.int64)).first)
    assert not len(likeliest_letters(np.zeros((0, 3)), beam=1)) and not len(likeliest_letters(np.zeros((0, 3)), beam=4))
