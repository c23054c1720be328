"""Strategies keep the identities of their definitions and agree with the processors of transformers."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers.generation import logits_process as reference

from makar.errors import ConfigError, UnknownNameError
from makar.families.transformer.options import TextOptions
from makar.families.transformer.sampling import (
    Greedy,
    LogitsHook,
    MinP,
    RepetitionPenalty,
    Temperature,
    TopK,
    TopP,
    choose,
    draw,
    strategies,
)

HISTORY = torch.tensor([3, 5, 3, 90])
OFF = TextOptions(temperature=1.0, top_p=1.0)


def some_logits(seed: int, size: int = 100) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize(
    ("strategy", "processor"),
    [
        (Temperature(0.7), lambda: reference.TemperatureLogitsWarper(0.7)),
        (TopK(1), lambda: reference.TopKLogitsWarper(1)),
        (TopK(17), lambda: reference.TopKLogitsWarper(17)),
        (TopK(1000), lambda: reference.TopKLogitsWarper(1000)),
        (TopP(0.9), lambda: reference.TopPLogitsWarper(0.9)),
        (TopP(0.3), lambda: reference.TopPLogitsWarper(0.3)),
        (TopP(0.0), lambda: reference.TopPLogitsWarper(0.0)),
        (MinP(0.05), lambda: reference.MinPLogitsWarper(0.05)),
        (MinP(1.0), lambda: reference.MinPLogitsWarper(1.0)),
        (RepetitionPenalty(1.3), lambda: reference.RepetitionPenaltyLogitsProcessor(1.3)),
        (RepetitionPenalty(0.8), lambda: reference.RepetitionPenaltyLogitsProcessor(0.8)),
    ],
)
def test_strategy_agrees_with_transformers(strategy: LogitsHook, processor: Callable[[], Any]) -> None:
    for seed in range(20):
        logits = some_logits(seed)
        before = logits.clone()
        wanted = processor()(HISTORY[None], logits[None].clone())[0]
        torch.testing.assert_close(strategy(logits, HISTORY), wanted, rtol=0, atol=1e-6)
        assert torch.equal(logits, before)


def test_whole_chain_agrees_with_transformers() -> None:
    options = TextOptions(temperature=0.7, top_k=40, top_p=0.8, min_p=0.02, repetition_penalty=1.2)
    processors = [
        reference.RepetitionPenaltyLogitsProcessor(1.2),
        reference.TemperatureLogitsWarper(0.7),
        reference.TopKLogitsWarper(40),
        reference.TopPLogitsWarper(0.8),
        reference.MinPLogitsWarper(0.02),
    ]
    for seed in range(20):
        got, wanted = some_logits(seed), some_logits(seed)[None]
        for strategy in strategies(options):
            got = strategy(got, HISTORY)
        for processor in processors:
            wanted = processor(HISTORY[None], wanted)
        torch.testing.assert_close(got, wanted[0], rtol=0, atol=1e-6)


def test_greedy_keeps_the_first_of_the_likeliest() -> None:
    logits = torch.tensor([0.0, 2.0, 2.0])
    assert Greedy()(logits, HISTORY).tolist() == [float("-inf"), 2.0, float("-inf")]
    assert choose(logits, [0], chain=[Greedy()], generator=torch.Generator()) == 1


def test_draws_have_the_probabilities_of_the_logits() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    logits = torch.cat([logits, torch.tensor([float("-inf")])])
    generator = torch.Generator().manual_seed(0)
    counts = np.bincount([draw(logits, generator=generator) for _ in range(4000)], minlength=5)
    assert counts[4] == 0
    expected = 4000 * np.array([0.1, 0.2, 0.3, 0.4])
    # 16.27 is passed once in 1000 by chance with three degrees of freedom.
    assert ((counts[:4] - expected) ** 2 / expected).sum() < 16.27


def test_a_draw_takes_one_number_whatever_the_vocabulary() -> None:
    small, large = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    draw(some_logits(0, 10), generator=small)
    draw(some_logits(0, 1000), generator=large)
    assert torch.equal(small.get_state(), large.get_state())


def test_neutral_options_use_no_strategy() -> None:
    assert strategies(OFF) == ()


def test_hooks_come_after_the_filters_and_before_the_greedy_choice() -> None:
    def hook(logits: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        return logits + torch.nn.functional.one_hot(history[0], len(logits)) * 100

    assert strategies(OFF.changed(top_k=3), [hook]) == (TopK(3), hook)
    chain = strategies(OFF.changed(temperature=0.0), [hook])
    assert chain == (hook, Greedy())
    assert choose(some_logits(1), [42], chain=chain, generator=torch.Generator()) == 42


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.3),
        ("temperature", 0.0),
        ("top_k", 2),
        ("top_p", 0.2),
        ("min_p", 0.6),
        ("repetition_penalty", 3.0),
    ],
)
def test_every_filter_changes_the_choices(name: str, value: float) -> None:
    def choices(options: TextOptions) -> list[int]:
        generator = torch.Generator().manual_seed(0)
        chain = strategies(options)
        return [choose(some_logits(seed), [1, 2, 3], chain=chain, generator=generator) for seed in range(50)]

    assert choices(OFF) == choices(OFF)
    assert choices(OFF.changed(**{name: value})) != choices(OFF)


@pytest.mark.parametrize(
    "values", [{"temperature": -1.0}, {"top_p": 1.5}, {"min_p": float("nan")}, {"max_tokens": 0}, {"stop": ("a", "")}]
)
def test_values_out_of_range_are_refused(values: dict) -> None:
    with pytest.raises(ConfigError):
        TextOptions(**values)


def test_unknown_precision_is_refused_and_options_survive_a_dictionary() -> None:
    with pytest.raises(UnknownNameError):
        TextOptions(precision="float16")
    options = TextOptions(stop=("\n\n", "END"), top_k=4)
    assert TextOptions.from_dictionary(options.to_dictionary()) == options
    assert dataclasses.is_dataclass(options)
