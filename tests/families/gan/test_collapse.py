"""The monitors: silent on a healthy pair, an alarm on every planted collapse, and a memory of what was good before."""

import pytest
import torch

from makar.families.gan.collapse import (
    MARGIN_LIMIT,
    NEAREST_GOOD,
    NEAREST_LIMIT,
    PATIENCE,
    SPREAD_GOOD,
    SPREAD_LIMIT,
    Monitors,
    alarm,
)
from makar.families.gan.family import LOOKED_AT, GanFamily
from tests.families.gan.models import KINDS, built, config, generator, images

HEALTHY = Monitors(spread=0.9, nearest=0.8, margin=0.4)


def looked_at(made: torch.Tensor, *, margin: float = 0.5, was_varied: bool = True) -> tuple[GanFamily, object]:
    """Return a family, and what it says of its health when its generator makes these images."""
    family = built(config("dcgan"))
    family.initialise_from_data([{"target": images(256)}])
    family.make = lambda count, label, generator: made[:count]  # type: ignore[method-assign]
    family.margin.fill_(margin)
    family.was_varied.fill_(int(was_varied))
    return family, family.health(generator(), progress=0.1)


def test_new_images_like_the_data_are_healthy() -> None:
    family, health = looked_at(images(LOOKED_AT, seed=1), was_varied=False)
    assert health.alarm == "" and health.is_good
    assert 0.8 < health.metrics["spread"] < 1.2 and 0.6 < health.metrics["nearest"] < 1.4
    assert bool(family.was_varied)


def test_one_image_again_and_again_is_a_collapse() -> None:
    one = images(1).repeat(LOOKED_AT, 1, 1, 1)
    noisy = one + 0.01 * torch.randn(one.shape, generator=generator())
    _, health = looked_at(noisy)
    assert "collapsed: its images differ" in health.alarm and not health.is_good


def test_few_images_again_and_again_are_a_collapse_though_they_differ() -> None:
    few = images(6, seed=1).repeat(11, 1, 1, 1)[:LOOKED_AT]
    _, health = looked_at(few + 0.003 * torch.randn(few.shape, generator=generator()))
    assert health.metrics["spread"] > SPREAD_LIMIT
    assert "few images" in health.alarm


def test_a_saturated_discriminator_is_an_alarm() -> None:
    _, health = looked_at(images(LOOKED_AT, seed=1), margin=MARGIN_LIMIT / 2)
    assert "saturated" in health.alarm


def test_the_beginning_is_no_collapse_but_staying_there_is() -> None:
    flat = Monitors(spread=0.01, nearest=0.01, margin=0.5)
    assert alarm(flat, was_varied=False, progress=PATIENCE / 2) == ""
    assert alarm(flat, was_varied=False, progress=PATIENCE * 1.1)
    assert alarm(flat, was_varied=True, progress=0.01)
    _, health = looked_at(torch.zeros(LOOKED_AT, 1, 16, 20), was_varied=False)
    assert health.alarm == "" and health.is_good


@pytest.mark.parametrize("field", ["spread", "nearest", "margin"])
def test_what_is_not_a_number_is_an_alarm(field: str) -> None:
    values = {"spread": 0.9, "nearest": 0.8, "margin": 0.4, field: float("nan")}
    assert alarm(Monitors(**values), was_varied=True, progress=0.5)
    assert alarm(HEALTHY, was_varied=True, progress=0.5) == ""


def test_between_alarm_and_good_a_state_is_neither_kept_nor_left() -> None:
    low = Monitors(spread=(SPREAD_LIMIT + SPREAD_GOOD) / 2, nearest=0.8, margin=0.5)
    near = Monitors(spread=0.9, nearest=(NEAREST_LIMIT + NEAREST_GOOD) / 2, margin=0.5)
    for monitors in (low, near):
        assert alarm(monitors, was_varied=True, progress=0.5) == "" and not monitors.is_good


def test_two_images_only_may_be_made_again_and_again() -> None:
    family = built(config("dcgan"))
    two = images(2)
    family.initialise_from_data([{"target": two}])
    family.make = lambda count, label, generator: two.repeat(count // 2, 1, 1, 1)  # type: ignore[method-assign]
    family.was_varied.fill_(1)
    assert family.health(generator(), progress=0.9).alarm == ""


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_is_all_the_same_leaves_finite_figures(kind: str) -> None:
    family = built(config(kind))
    for data in (images(1), images(1).repeat(5, 1, 1, 1)):
        family.initialise_from_data([{"target": data}])
        health = family.health(generator(), progress=0.0)
        assert all(value == value and value < float("inf") for value in health.metrics.values())
