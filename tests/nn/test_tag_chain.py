"""A chain of tags against all its sequences, counted out."""

import itertools

import pytest
import torch

from makar.nn.tag_chain import Chain, best_tags, chances, log_total, score_of

TAGS, WORDS = 3, 4


def chain(*, there=WORDS):
    draw = torch.Generator().manual_seed(there)
    return Chain(
        at=torch.randn(1, WORDS, TAGS, generator=draw),
        after=torch.randn(TAGS, TAGS, generator=draw),
        first=torch.randn(TAGS, generator=draw),
        exists=torch.arange(WORDS)[None] < there,
    )


def by_hand(one, tags):
    total = one.first[tags[0]] + one.at[0, 0, tags[0]]
    for place in range(1, len(tags)):
        total = total + one.after[tags[place - 1], tags[place]] + one.at[0, place, tags[place]]
    return total


@pytest.mark.parametrize("there", [1, 3, WORDS])
def test_sum_score_best_and_chances_are_those_of_all_sequences(there):
    one = chain(there=there)
    every = list(itertools.product(range(TAGS), repeat=there))
    scores = torch.stack([by_hand(one, tags) for tags in every])
    assert torch.allclose(log_total(one)[0], scores.logsumexp(0), atol=1e-5)
    filled = [list(tags) + [0] * (WORDS - there) for tags in every]
    assert torch.allclose(torch.cat([score_of(one, torch.tensor([tags])) for tags in filled]), scores, atol=1e-5)
    assert best_tags(one)[0].tolist() == filled[int(scores.argmax())]
    shares = scores.softmax(0)
    for place in range(there):
        for tag in range(TAGS):
            expected = sum(share for share, tags in zip(shares, every, strict=True) if tags[place] == tag)
            assert chances(one)[0, place, tag].item() == pytest.approx(float(expected), abs=1e-5)


def test_a_mixed_chain_lies_between():
    first, second = chain(there=3), chain(there=4)
    assert torch.allclose(first.mixed(second, 0.25).at, 0.75 * first.at + 0.25 * second.at)
