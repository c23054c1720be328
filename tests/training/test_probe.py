"""The probe chooses by measured time, whatever the machine."""

import math

import pytest
import torch

from makar.recipe import OptimisationConfig
from makar.tensor_spec import Slot, TensorSpec
from makar.training.probe import (
    Candidate,
    candidates,
    fastest,
    probe,
    product_operations_per_second,
    promising_formats,
    random_batch,
)


def choose(times, *, processors=4):
    ways = candidates("cpu", processors=processors)
    found = fastest(ways, lambda way, best: times[way.precision, way.threads], limit_seconds=10)
    return min(found, key=found.get), found


def test_a_processor_without_fast_bfloat16_takes_float32():
    times = {("bfloat16", n): 9.0 / n for n in (1, 2, 4)} | {("float32", n): 3.0 / n for n in (1, 2, 4)}
    assert choose(times)[0] == Candidate("float32", 4)


def test_a_processor_with_fast_bfloat16_takes_it():
    times = {("bfloat16", n): 1.0 for n in (1, 2, 4)} | {("float32", n): 4.0 for n in (1, 2, 4)}
    assert choose(times)[0] == Candidate("bfloat16", 1)


def test_two_threads_that_are_slower_than_one_end_the_search():
    times = {("bfloat16", 1): 1.0, ("float32", 1): 2.0, ("bfloat16", 2): 10.0}
    best, found = choose(times)
    assert best == Candidate("bfloat16", 1) and Candidate("bfloat16", 4) not in found


def test_a_precision_that_was_asked_for_is_the_only_candidate():
    assert candidates("cpu", precision="float32", processors=2) == [Candidate("float32", 1), Candidate("float32", 2)]
    assert {way.precision for way in candidates("cuda")} == {"float32", "bfloat16"}


def test_the_limit_ends_the_search():
    ways = candidates("cpu", processors=8)
    assert len(fastest(ways, lambda way, best: 1.0, limit_seconds=-1.0)) == 1


def test_a_format_without_instructions_is_not_timed(monkeypatch):
    seconds = {"bfloat16": 4e-3, "float32": 5e-5}
    monkeypatch.setattr("makar.training.probe._product_seconds", lambda size, name, **_: seconds[name])
    assert promising_formats(["bfloat16", "float32"], device="cpu") == {"float32"}
    seconds["bfloat16"] = 1e-4
    assert promising_formats(["bfloat16", "float32"], device="cpu") == {"bfloat16", "float32"}


def test_a_format_that_was_asked_for_is_promising_however_slow():
    assert promising_formats(["bfloat16"], device="cpu") == {"bfloat16"}


@pytest.mark.parametrize("kind", ["language", "gan", "bandit"])
def test_probing_measures_a_family_and_leaves_the_threads_alone(workshop, kind):
    config = workshop(kind).family().config
    slot = (
        Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=16)
        if kind == "language"
        else Slot(kind="values", axes=("point",), sizes=(2,))
    )
    before = torch.get_num_threads()
    found = probe(
        config,
        optimisation=OptimisationConfig(batch_size=4),
        spec=TensorSpec({"target": slot}),
        device="cpu",
        limit_seconds=0.2,
        ways=[Candidate("float32", 1)],
    )
    assert 0 < found.step_seconds[found.best] < 1 and found.peak_operations_per_second > 1e8
    assert torch.get_num_threads() == before


def test_random_batches_have_the_shapes_and_range_of_the_slots(workshop):
    spec = TensorSpec(
        {
            "target": Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 8, 8)),
            "class": Slot(kind="tokens", axes=(), sizes=(), vocabulary=5),
        }
    )
    batch = random_batch(workshop("gan").family().config, spec, batch_size=6, device="cpu")
    assert batch["target"].shape == (6, 3, 8, 8) and batch["class"].shape == (6,)
    assert batch["target"].abs().max() <= 1 and batch["class"].max() < 5


def test_the_peak_is_a_plausible_number():
    assert math.isfinite(product_operations_per_second("float32", device="cpu"))
