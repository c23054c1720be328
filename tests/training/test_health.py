"""What the trainer does with a family's health: goes back, tells, keeps no broken weights, and ends with the best when nothing helps."""

import pytest
import torch

from makar.errors import DivergedError, InterruptedRunError
from makar.families.family import Health
from makar.training.budget import Budget
from makar.training.progress import Watch
from makar.training.trainer import train_stage


def train(shop, folder, *, family, steps=650, **watch):
    """Run one tiny training and return (result, weights, events)."""
    plan, events = shop.plan(steps=steps), []
    family.events = events
    result = train_stage(
        plan,
        plan.recipe.stages[0],
        family=family,
        data=shop.data,
        folder=folder,
        watch=Watch(on_event=events.append, **watch),
    )
    return result, {name: tensor.clone() for name, tensor in family.state_dict().items()}, events


def adversaries(shop, *, training=lambda progress: Health(), averaged=lambda progress: Health()):
    """Return a toy family whose health is what two functions of the progress say, of its weights and of the averaged ones."""
    family = shop.family()
    family.health = lambda generator, *, progress: (training if family.training else averaged)(progress)
    return family


def of_kind(events, kind):
    return [event for event in events if event["event"] == kind]


def test_a_collapse_goes_back_to_the_last_good_state_and_is_told(workshop, tmp_path):
    shop, left = workshop("gan"), [1]

    def collapses_once(progress):
        if progress > 0.5 and left:
            left.pop()
            return Health(alarm="the generator collapsed", is_good=False)
        return Health()

    result, _, events = train(shop, tmp_path / "run", family=adversaries(shop, training=collapses_once))
    (event,) = of_kind(events, "rolled_back")
    assert (event["step"], event["broken_step"]) == (200, 400)
    assert "the generator collapsed (step 400)" in event["message"] and "half the learning rate" in event["message"]
    assert result.incidents == [event["message"]] and result.rollbacks == 1 and result.steps == 650


def test_a_deadline_that_leaves_no_time_to_learn_is_told(workshop, tmp_path):
    shop = workshop()
    plan, events = shop.plan(seconds=1.0), []
    spent = Budget(1.0, consumed_seconds=0.9)
    result = train_stage(
        plan,
        plan.recipe.stages[0],
        family=shop.family(),
        data=shop.data,
        folder=tmp_path,
        watch=Watch(on_event=events.append),
        budget=spent,
    )
    (event,) = of_kind(events, "hurried")
    assert result.steps == 1 and result.incidents == [event["message"]]
    assert "there was time for 1 step of stage" in event["message"]


def test_a_healthy_run_tells_nothing(workshop, tmp_path):
    shop = workshop("gan")
    result, _, events = train(shop, tmp_path / "run", family=adversaries(shop))
    assert result.incidents == [] and result.rollbacks == 0
    assert not of_kind(events, "rolled_back") and not of_kind(events, "unhealthy")


def test_a_state_that_is_not_good_is_not_gone_back_to(workshop, tmp_path):
    shop, left = workshop("gan"), [1]

    def sickens(progress):
        if progress > 0.9 and left:
            left.pop()
            return Health(alarm="collapsed", is_good=False)
        return Health(is_good=not 0.5 < progress < 0.7)

    _, _, events = train(shop, tmp_path / "run", family=adversaries(shop, training=sickens))
    assert [event["step"] for event in of_kind(events, "rolled_back")] == [200]


def test_broken_averaged_weights_are_not_kept_as_the_best(workshop, tmp_path):
    shop = workshop("gan")

    def late(progress):
        return Health(alarm="collapsed" if progress > 0.45 else "", metrics={"spread": progress})

    result, _, events = train(shop, tmp_path / "run", family=adversaries(shop, averaged=late))
    validations = of_kind(events, "validation")
    assert all(not event["is_best"] for event in validations if event["spread"] > 0.45)
    assert result.best_step < 0.5 * 650
    assert len(of_kind(events, "unhealthy")) == len(result.incidents) == 6
    assert "not kept" in result.incidents[0]


def test_a_run_without_any_healthy_weights_is_an_explained_error(workshop, tmp_path):
    shop = workshop("gan")
    family = adversaries(shop, averaged=lambda progress: Health(alarm="collapsed"))
    with pytest.raises(DivergedError, match="worth keeping"):
        train(shop, tmp_path / "run", family=family)


def test_when_returning_does_not_help_the_best_so_far_is_handed_over_and_said_so(workshop, tmp_path):
    shop = workshop("gan")
    family = adversaries(shop, training=lambda progress: Health(alarm="collapsed" if progress > 0.5 else ""))
    result, _, events = train(shop, tmp_path / "run", family=family)
    (event,) = of_kind(events, "gave_up")
    assert len(of_kind(events, "rolled_back")) == 3
    assert "again after 3 returns" in event["message"] and result.incidents[-1] == event["message"]
    assert result.best_step <= 400 and result.steps < 650


def test_without_a_best_the_same_is_an_error(workshop, tmp_path):
    shop = workshop("gan", batch_size=64)
    broken = Health(alarm="collapsed")
    with pytest.raises(DivergedError, match="again after 3 returns"):
        train(shop, tmp_path / "run", family=adversaries(shop, training=lambda _: broken, averaged=lambda _: broken))


def test_a_stopped_and_resumed_run_with_returns_ends_with_the_same_bits(workshop, tmp_path):
    shop = workshop("gan")

    def fragile():
        family = shop.family()
        # What is broken follows from the weights alone, as it would in life.
        family.health = lambda generator, *, progress: Health(
            alarm="collapsed" if family.training and 0.55 < progress < 0.65 and family.first_time() else ""
        )
        family.first_time = lambda: int(family.history.abs().sum() * 1e6) % 2 == PARITY
        return family

    whole, expected, _ = train(shop, tmp_path / "whole", family=fragile())
    for count in (150, 130, 90):
        calls = iter(range(10**9))
        with pytest.raises(InterruptedRunError):
            train(
                shop, tmp_path / "parts", family=fragile(), stop=lambda calls=calls, count=count: next(calls) >= count
            )
    resumed, found, _ = train(shop, tmp_path / "parts", family=fragile())
    assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)
    assert (resumed.rollbacks, resumed.incidents) == (whole.rollbacks, whole.incidents)


PARITY = 0


def test_what_follows_from_the_weights_is_renewed_for_the_averaged_ones(workshop, tmp_path):
    shop = workshop("gan")
    family = shop.family()
    family.register_buffer("total", torch.zeros(()))

    def settle(generator):
        assert not family.training
        family.total.copy_(sum(parameter.sum() for parameter in family.generator.parameters()))

    family.settle = settle
    _, weights, _ = train(shop, tmp_path / "run", family=family)
    kept = sum(tensor.sum() for name, tensor in weights.items() if name.startswith("generator."))
    assert torch.equal(weights["total"], kept) and float(kept) != 0
