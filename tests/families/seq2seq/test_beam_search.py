"""Beam search finds what a full search finds, and compares texts of different lengths as it is told."""

import itertools
import math

import pytest
import torch

from makar.families.seq2seq.beam_search import Search, candidates

END = 1


def searched(probabilities, *, kept, length_penalty=1.0, limit=4):
    """Return what a search finds where the next token depends on the last one only: a row a token, 0 begins."""
    logits = torch.tensor(probabilities).clamp(min=1e-30).log()
    search = Search(kept=kept, length_penalty=length_penalty, limit=limit)
    last = [0] * kept
    while not search.is_over:
        (found,) = candidates(logits[last], [search], None)
        search.take(*found)
        last = [beginning[-1] for beginning in search.beginnings]
    return search.best()


def best_of_all(probabilities, *, length_penalty=1.0, limit=4):
    """Return the best text by trying every one."""
    best, best_score = None, -math.inf
    for length in range(limit + 1):
        for text in itertools.product(range(2, len(probabilities)), repeat=length):
            path = [0, *text] + ([END] if length < limit else [])
            total = sum(math.log(max(probabilities[a][b], 1e-30)) for a, b in itertools.pairwise(path))
            score = total / (length + 1) ** length_penalty
            if score > best_score:
                best, best_score = list(text), score
    return best


# Greedy choice goes to token 2, after which nothing is certain; by way of 3 the text is far likelier.
GARDEN = [
    [0.0, 0.0, 0.55, 0.45],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.30, 0.35, 0.35],
    [0.0, 0.95, 0.025, 0.025],
]


def test_a_beam_finds_what_greed_misses():
    assert searched(GARDEN, kept=4) == [3] == best_of_all(GARDEN)


def test_the_length_penalty_decides_between_short_and_long():
    table = [[0.0, 0.3, 0.7, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.2, 0.8, 0.0], [0.0, 1.0, 0.0, 0.0]]
    short = searched(table, kept=3, length_penalty=0.0, limit=8)
    long = searched(table, kept=3, length_penalty=2.0, limit=8)
    assert len(short) < len(long)


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_as_wide_as_the_vocabulary_finds_the_best_text(seed):
    table = torch.rand(5, 5, generator=torch.Generator().manual_seed(seed)) ** 2
    table[:, 0] = 0
    table = (table / table.sum(1, keepdim=True)).tolist()
    assert searched(table, kept=60, length_penalty=1.0, limit=3) == best_of_all(table, limit=3)


def test_a_text_that_never_ends_is_cut_at_the_limit():
    table = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert searched(table, kept=2, limit=5) == [2] * 5
