"""Time is kept by a clock that the test owns."""

import time

import pytest

from makar.training.averaging import WeightAverage
from makar.training.budget import Budget, Pace
from makar.training.progress import Watch
from makar.training.schedule import learning_rate_multiplier
from makar.training.trainer import train_stage


class Clock:
    """Seconds that pass only when told to, or a little at every look."""

    def __init__(self, tick=0.0):
        self.now, self.tick = 100.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now


def test_consumed_seconds_survive_a_resume_and_count_once():
    clock = Clock()
    budget = Budget(60.0, clock=clock)
    clock.now += 10
    assert budget.consumed() == 10 and budget.remaining() == 50
    budget.restore(25.0)
    budget.restore(25.0)
    assert budget.consumed() == 35


def test_progress_reaches_one_at_the_end_minus_reserve_and_closing():
    clock = Clock()
    pace = Pace(None, budget=Budget(100.0, reserve_seconds=5.0, clock=clock))
    pace.closing_seconds = 3.0
    clock.now += 46
    assert pace.progress(7) == 0.5
    clock.now += 46
    assert pace.progress(7) == 1.0 and pace.is_over(7, step_seconds=0.0)


def test_a_step_that_would_end_late_is_not_taken():
    clock = Clock()
    pace = Pace(None, budget=Budget(100.0, reserve_seconds=0.0, clock=clock))
    clock.now += 97
    assert pace.is_over(1, step_seconds=4.0) and not pace.is_over(1, step_seconds=2.0)


def test_stages_share_what_is_left():
    clock = Clock()
    budget = Budget(110.0, reserve_seconds=10.0, clock=clock)
    clock.now += 20
    first = Pace(None, budget=budget, start_seconds=20.0, share=0.25)
    assert first.end_seconds == 40
    assert Pace(None, budget=budget, start_seconds=40.0, share=1.0).end_seconds == 100


def test_a_number_of_steps_ignores_the_clock():
    clock = Clock()
    pace = Pace(10, budget=Budget(1.0, clock=clock))
    clock.now += 1000
    assert pace.progress(5) == 0.5 and not pace.is_over(9, step_seconds=9.0) and pace.is_over(10, step_seconds=0.0)


def test_the_learning_rate_rises_stays_and_falls_to_zero():
    def at(progress, step):
        return learning_rate_multiplier(progress, step=step, warmup_steps=10, descent_share=0.5)

    assert at(0.0, 0) == 0.1 and at(0.01, 4) == 0.5
    assert at(0.2, 100) == at(0.5, 250) == 1.0
    assert at(0.75, 375) == 0.5 and at(1.0, 500) == 0.0


def test_a_warmup_takes_at_most_a_tenth_of_a_short_run():
    assert learning_rate_multiplier(0.1, step=2, warmup_steps=1000, descent_share=0.5) == 1.0


@pytest.mark.parametrize("kind", ["language", "gan"])
def test_training_by_the_clock_ends_a_little_early_with_the_rate_at_zero(workshop, tmp_path, kind):
    shop = workshop(kind)
    plan, events = shop.plan(seconds=60.0), []
    clock = Clock(tick=0.01)
    budget = Budget(60.0, clock=clock)
    clock.now += 2  # a probe, say
    train_stage(
        plan,
        plan.recipe.stages[0],
        family=shop.family(),
        data=shop.data,
        folder=tmp_path / "run",
        watch=Watch(on_event=events.append),
        budget=budget,
    )
    assert 0.95 * 60 <= budget.consumed() <= 60.0
    rates = [event["learning_rate"] for event in events if event["event"] == "progress"]
    assert rates[-1] < 0.03 * max(rates)
    moments = [event["seconds"] for event in events if event["event"] == "validation"]
    assert len(moments) == 10 and moments == sorted(moments)


def test_a_real_clock_is_kept(workshop, tmp_path):
    shop = workshop()
    plan = shop.plan(seconds=2.0)
    taken = []
    # A machine that stands still for half a second in two seconds says nothing about the budget; one that does so five times would.
    for attempt in range(5):
        start = time.monotonic()
        train_stage(
            plan,
            plan.recipe.stages[0],
            family=shop.family(),
            data=shop.data,
            folder=tmp_path / f"run-{attempt}",
            budget=Budget(2.0, reserve_seconds=0.1),
        )
        taken.append(time.monotonic() - start)
        if taken[-1] < 2.2:
            break
    assert 1.5 < taken[-1] < 2.2, taken


def test_half_of_the_average_lies_in_the_last_share_of_the_steps():
    import torch

    weight = torch.nn.Parameter(torch.zeros(1))
    average = WeightAverage({"weight": weight}, half_life_share=0.25)
    for step in range(1, 1001):
        # After step 750 the weight is 1: what the average then holds is the share of its mass in the last quarter.
        weight.data.fill_(float(step > 750))
        average.update(step=step, previous_step=step - 1)
    assert abs(float(average.tensors["weight"]) - 0.5) < 0.01


def test_updating_every_fourth_step_gives_the_same_average_of_what_was_seen():
    import torch

    weight = torch.nn.Parameter(torch.zeros(1))
    every, fourth = (WeightAverage({"weight": weight}, half_life_share=0.1) for _ in range(2))
    for step in range(1, 401):
        weight.data.fill_((step - 1) // 4)
        every.update(step=step, previous_step=step - 1)
        if step % 4 == 0:
            fourth.update(step=step, previous_step=step - 4)
    assert torch.allclose(every.tensors["weight"], fourth.tensors["weight"], atol=1e-3)


def test_the_first_average_is_the_first_weight():
    import torch

    weight = torch.nn.Parameter(torch.full((1,), 7.0))
    average = WeightAverage({"weight": weight}, half_life_share=0.05)
    average.tensors["weight"].zero_()
    average.update(step=3, previous_step=0)
    assert float(average.tensors["weight"]) == 7.0
