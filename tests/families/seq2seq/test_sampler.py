"""Texts from other texts: alike alone and among others, searched for, drawn, streamed, and refused where something is wrong."""

from collections import Counter

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, DataError, UnsupportedError
from makar.families.seq2seq import sampler as module
from makar.families.seq2seq.sampler import without_repeats
from makar.generation.steering import Likelihoods, Steered, Steering
from tests.families.seq2seq import models


def drawn(family, prompts, seeds=None, hook=None, **options):
    """Return the tokens of each example."""
    found = {}
    sampler = family.sampler(models.codec(), hook=hook)
    for number, slots, _ in sampler.sample(
        family.options(**{"max_tokens": 20, "no_repeat": 0, **options}), prompts, seeds or [0] * len(prompts)
    ):
        found.setdefault(number, []).extend(slots["target"].tolist())
    return [found[number] for number in range(len(prompts))]


def prompts():
    return [{"source": row} for row in models.sources()]


@pytest.mark.parametrize("options", [{}, {"beams": 1}, {"temperature": 1.0}, {"beams": 3, "no_repeat": 2}])
def test_a_text_is_the_same_alone_and_among_others(options, monkeypatch):
    family = models.family()
    alone = [drawn(family, [prompt], [5], **options)[0] for prompt in prompts()]
    assert drawn(family, prompts(), [5, 5, 5], **options) == alone
    monkeypatch.setitem(module.TOGETHER, "cpu", 3)
    assert drawn(family, prompts(), [5, 5, 5], **options) == alone


def test_one_beginning_is_the_likeliest_token_after_the_likeliest_token():
    family, (source, *_) = models.family(), models.sources()
    tokens = [0]
    while len(tokens) <= 20 and tokens[-1] != 1:
        tokens.append(int(family.network(source[None], torch.tensor([tokens]))[0, -1].argmax()))
    assert drawn(family, prompts()[:1], beams=1)[0] == [token for token in tokens[1:] if token != 1]


def test_penalties_steer_a_search_and_are_no_form():
    family = models.family()
    (free, *_) = drawn(family, prompts()[:1], no_repeat=None)
    often = Counter(free).most_common(1)[0][0]
    steered = Steered(Steering(logit_bias=((often, -50.0),)), within=None, likelihoods=None)
    assert not steered.says_all and not steered.follows
    (kept, *_) = drawn(family, prompts()[:1], hook=steered, no_repeat=None)
    assert often in free and often not in kept
    recorded = Steered(Steering(), within=None, likelihoods=Likelihoods(1))
    with pytest.raises(UnsupportedError, match="several beginnings"):
        drawn(family, prompts()[:1], hook=recorded)


def test_a_search_finds_a_likelier_text_than_greed():
    family, (source, *_) = models.family(seed=3), models.sources()

    def surprise(text):
        begun, right = torch.tensor([[0, *text]]), torch.tensor([*text, 1])
        logits = family.network(source[None], begun)[0].log_softmax(-1)
        used = len(text) + (len(text) < 20)
        return -logits.gather(1, right[:, None])[:used].mean().item()

    greedy, wide = (drawn(family, prompts()[:1], beams=beams)[0] for beams in (1, 12))
    assert surprise(wide) <= surprise(greedy) + 1e-6


def test_a_run_that_no_text_of_the_data_has_twice_comes_once_unless_that_is_said(monkeypatch):
    family = models.family()
    free = drawn(family, prompts(), beams=1)
    monkeypatch.setattr(models.codec(), "rare_run", 2)
    assert drawn(family, prompts(), beams=1, no_repeat=None) == drawn(family, prompts(), beams=1, no_repeat=2) != free
    assert drawn(family, prompts(), beams=1) == free


def test_no_run_comes_twice_where_that_is_asked_for():
    for text in drawn(models.family(), prompts(), beams=2, no_repeat=1):
        assert len(set(text)) == len(text)
    logits = without_repeats(torch.zeros(9), [4, 5, 6, 4, 5], 3)
    assert torch.isinf(logits).nonzero().flatten().tolist() == [6]


def test_a_hook_rules_out_tokens_in_every_way_of_choosing():
    def only_the_ninth(logits, history):
        del history
        return logits.masked_fill(torch.arange(len(logits)) != 9, float("-inf"))

    for options in ({}, {"beams": 1}, {"temperature": 1.0}):
        assert drawn(models.family(), prompts()[:1], hook=only_the_ninth, **options) == [[9] * 20]


def test_an_empty_prompt_is_an_empty_source():
    family = models.family()
    assert drawn(family, [{}]) == drawn(family, [{"source": torch.tensor([1])}])


def test_wrong_sources_and_contradicting_controls_are_refused():
    family = models.family()
    with pytest.raises(UnsupportedError, match="target"):
        drawn(family, [{"target": torch.tensor([3])}])
    for wrong in (torch.tensor([0, 3]), torch.tensor([100_000]), torch.tensor([0.5]), torch.tensor([[3]])):
        with pytest.raises(DataError):
            drawn(family, [{"source": wrong}])
    with pytest.raises(DataError, match="seed"):
        list(family.sampler(models.codec()).sample(family.options(), [{}], []))
    with pytest.raises(ConfigError, match="beams"):
        family.options(beams=4, temperature=0.5)
    with pytest.raises(ConfigError, match="temperature"):
        family.options(top_k=4)


def test_pieces_of_a_stream_join_to_the_whole(monkeypatch):
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.0)
    family = models.family()
    options = family.options(temperature=1.0, max_tokens=20)
    pieces = list(family.sampler(models.codec()).sample(options, prompts()[:1], [0]))
    assert len(pieces) > 1 and [is_last for _, _, is_last in pieces].index(True) == len(pieces) - 1
    text = b"".join(slots["text"].tobytes() for _, slots, _ in pieces).decode()
    tokens = np.concatenate([slots["target"] for _, slots, _ in pieces])
    assert text == models.codec().decode_tokens(tokens)
