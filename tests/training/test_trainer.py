"""The trainer keeps its promises on tiny families: it learns, resumes to the bit, rolls back, makes do with less memory."""

import dataclasses
import errno
import os

import pytest
import torch

from makar.errors import DivergedError, InterruptedRunError, OutOfMemoryError, OutOfSpaceError
from makar.training.progress import Watch, read_curve
from makar.training.trainer import train_stage


def train(shop, folder, *, steps=60, family=None, seed=0, **watch):
    """Run one tiny training and return (result, weights)."""
    plan = shop.plan(steps=steps, seed=seed)
    family = family or shop.family()
    result = train_stage(
        plan, plan.recipe.stages[0], family=family, data=shop.data, folder=folder, watch=Watch(**watch)
    )
    return result, {name: tensor.clone() for name, tensor in family.state_dict().items()}


def stop_after(count):
    """Return a stop function that asks to stop at its n-th call."""
    calls = iter(range(10**9))
    return lambda: next(calls) >= count


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["language", "gan", "bandit"])
def test_training_lowers_the_inner_loss(workshop, kind):
    shop = workshop(kind)
    result, _ = train(shop, shop.folder, steps=400)
    curve = [line["inner_loss"] for line in read_curve(shop.folder / "metrics.jsonl") if line["event"] == "validation"]
    assert len(curve) == 10
    assert result.inner_loss == min(curve) < 0.7 * curve[0] + 0.01


@pytest.mark.parametrize("kind", ["language", "gan", "bandit"])
@pytest.mark.parametrize("stops", [[1], [17], [23, 5, 12]])
def test_a_stopped_and_resumed_run_ends_with_the_same_bits(workshop, tmp_path, kind, stops):
    shop = workshop(kind)
    whole, expected = train(shop, tmp_path / "whole")
    for count in stops:
        with pytest.raises(InterruptedRunError, match="again"):
            train(shop, tmp_path / "parts", stop=stop_after(count))
    resumed, found = train(shop, tmp_path / "parts")
    assert same(expected, found)
    assert (whole.inner_loss, whole.best_step, whole.steps) == (resumed.inner_loss, resumed.best_step, resumed.steps)


def test_another_seed_gives_other_bits(workshop, tmp_path):
    shop = workshop()
    assert not same(train(shop, tmp_path / "a")[1], train(shop, tmp_path / "b", seed=1)[1])


def test_checkpoints_at_any_rhythm_give_the_same_bits(workshop, tmp_path):
    shop = workshop()
    _, seldom = train(shop, tmp_path / "seldom", steps=450)
    _, often = train(shop, tmp_path / "often", steps=450, checkpoint_seconds=0.0)
    assert same(seldom, often)


def test_a_finished_stage_is_not_trained_again(workshop, tmp_path):
    shop = workshop()
    first, weights = train(shop, tmp_path / "run")
    events = []
    second, again = train(shop, tmp_path / "run", on_event=events.append)
    assert events == [] and first == second and same(weights, again)


def test_phases_run_in_order_and_the_lazy_one_every_fourth_step(workshop, tmp_path):
    shop = workshop("gan")
    family = shop.family()
    train(shop, tmp_path / "run", steps=8, family=family)
    step = ["prepare", "discriminator", "generator"]
    lazy = ["prepare", "discriminator", "penalty", "generator"]
    assert family.log == lazy + 3 * step + lazy + 3 * step


def test_a_spike_rolls_back_and_the_run_goes_on(workshop, tmp_path):
    shop = workshop()
    family, events = shop.family(), []
    broken = {"left": 1}

    def break_some(loss, batch):
        if family.calls >= 230 and broken["left"]:
            broken["left"] -= 1
            return loss * 50
        return loss

    family.after_loss = break_some
    result, _ = train(shop, tmp_path / "run", steps=400, family=family, on_event=events.append)
    rolled = [event for event in events if event["event"] == "rolled_back"]
    assert [event["step"] for event in rolled] == [200]
    assert result.rollbacks == 1 and result.steps == 400


def test_a_rolled_back_run_that_is_stopped_ends_with_the_same_bits(workshop, tmp_path):
    shop = workshop()

    def breaking():
        family = shop.family()
        # Which batches break depends on the data alone, as it would in life.
        family.after_loss = lambda loss, batch: loss * float("nan") if batch["target"][0, :4].sum() < 12 else loss
        return family

    whole, expected = train(shop, tmp_path / "whole", steps=30, family=breaking())
    assert whole.rollbacks > 0
    for count in (3, 5, 9):
        with pytest.raises(InterruptedRunError):
            train(shop, tmp_path / "parts", steps=30, family=breaking(), stop=stop_after(count))
    resumed, found = train(shop, tmp_path / "parts", steps=30, family=breaking())
    assert same(expected, found) and resumed.rollbacks == whole.rollbacks


def test_a_loss_that_stays_broken_ends_with_an_explanation(workshop, tmp_path):
    shop = workshop()
    family = shop.family()
    family.after_loss = lambda loss, batch: loss * float("nan")
    with pytest.raises(DivergedError, match="learning rate"):
        train(shop, tmp_path / "run", family=family)


def test_less_memory_halves_the_batch_and_gives_nearly_the_same_weights(workshop, tmp_path):
    shop = workshop()
    roomy, tight, events = shop.family(), shop.family(), []

    def refuse_large(loss, batch):
        if len(batch["target"]) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return loss

    tight.after_loss = refuse_large
    train(shop, tmp_path / "tight", steps=5, family=tight, on_event=events.append)
    assert [event["parts"] for event in events if event["event"] == "smaller_batches"] == [2, 4]
    train(shop, tmp_path / "roomy", steps=5, family=roomy)
    # Dropout is drawn by parts, so only the size of the difference can be judged.
    assert (roomy.head.weight - tight.head.weight).abs().max() < 0.2


def test_no_memory_at_all_is_an_explained_error(workshop, tmp_path):
    shop = workshop()
    family = shop.family()

    def refuse(loss, batch):
        raise MemoryError

    family.after_loss = refuse
    with pytest.raises(OutOfMemoryError, match="smaller"):
        train(shop, tmp_path / "run", family=family)


def test_other_runtime_errors_are_not_taken_for_memory(workshop, tmp_path):
    shop = workshop()
    family = shop.family()

    def fail(loss, batch):
        raise RuntimeError("shapes do not match")

    family.after_loss = fail
    with pytest.raises(RuntimeError, match="shapes"):
        train(shop, tmp_path / "run", family=family)


def test_a_full_disk_keeps_the_old_checkpoint(workshop, tmp_path, monkeypatch):
    shop = workshop()
    _, expected = train(shop, tmp_path / "whole")
    with pytest.raises(InterruptedRunError):
        train(shop, tmp_path / "run", stop=stop_after(20))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutOfSpaceError, match="free some space"):
            train(shop, tmp_path / "run", stop=stop_after(20))
    assert same(expected, train(shop, tmp_path / "run")[1])


def test_gradient_accumulation_sees_the_same_examples(workshop, tmp_path):
    seen = []
    for settings in ({"batch_size": 8}, {"batch_size": 2, "accumulate": 4}):
        shop = workshop(**settings)
        family, batches = shop.family(), []
        family.after_loss = lambda loss, batch, batches=batches: batches.append(batch["target"]) or loss
        train(shop, tmp_path / f"{settings['batch_size']}", steps=3, family=family)
        seen.append(torch.cat(batches))
    assert torch.equal(*seen)


def test_samples_are_made_from_the_averaged_weights_and_change_nothing(workshop, tmp_path):
    shop, samples = workshop(), []

    def sample(family):
        samples.append(torch.rand(3).sum() + family.head.weight.sum())
        return "x"

    _, expected = train(shop, tmp_path / "plain")
    _, found = train(shop, tmp_path / "sampled", sample=sample)
    assert len(samples) >= 2 and same(expected, found)


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 0.01},
        {"beta_1": 0.5},
        {"beta_2": 0.9},
        {"weight_decay": 0.5},
        {"warmup_steps": 1},
        {"descent_share": 0.1},
        {"gradient_clip": 0.01},
        {"average_share": 0.0},
        {"batch_size": 4},
        {"accumulate": 2},
    ],
)
def test_every_setting_of_the_optimisation_changes_the_result(workshop, tmp_path, settings):
    shop = workshop()
    _, plain = train(shop, tmp_path / "plain", steps=20)
    shop.optimisation = dataclasses.replace(shop.optimisation, **settings)
    _, changed = train(shop, tmp_path / "changed", steps=20)
    assert not same(plain, changed)


def test_progress_shows_the_loss_of_every_phase_and_what_losses_say_of_themselves(workshop, tmp_path, monkeypatch):
    monkeypatch.setattr("makar.training.progress.PROGRESS_SECONDS", 0.0)
    events = []
    shop = workshop("gan")
    family = shop.family()
    plain = family.phases

    def talkative():
        phases = plain()
        first = phases[0]

        def loss(batch, generator):
            found = first.loss(batch, generator)
            return dataclasses.replace(found, metrics={"margin": 1.5})

        return [dataclasses.replace(first, loss=loss), *phases[1:]]

    family.phases = talkative
    train(shop, tmp_path / "run", steps=12, family=family, on_event=events.append)
    last = [event for event in events if event["event"] == "progress"][-1]
    assert last["losses"].keys() == {phase.name for phase in plain()}
    assert last["metrics"] == {"margin": 1.5}


def test_steps_at_which_no_phase_is_due_change_nothing_and_end_nothing(workshop, tmp_path):
    shop = workshop("language")
    family = shop.family()
    plain = family.phases
    moved = []
    family.phases = lambda: [
        dataclasses.replace(phase, every=3, after_step=lambda: moved.append(True)) for phase in plain()
    ]
    result, _ = train(shop, tmp_path / "run", steps=10, family=family)
    assert result.steps == 10 and len(moved) == 4
