"""A real pair as its recipe trains it, under the real trainer: a planted collapse is found, told, undone; without one nothing is told."""

import dataclasses

import numpy as np
import pytest
import torch

from makar.data.record import Record
from makar.data.store import build_store
from makar.families.gan.dcgan_family import DcganFamily
from makar.families.gan.family import GanFamily
from makar.recipe import Recipe, Stage
from makar.recipes.gan import optimisation_of
from makar.training.plan import TrainingPlan
from makar.training.progress import Watch
from makar.training.trainer import TrainingData, train_stage
from tests.families.gan.models import KINDS, built, codec, images, recipe_family

both = pytest.mark.parametrize("kind", ["dcgan", pytest.param("stylegan", marks=pytest.mark.slow)])

STEPS = 450
PLANTED_STEP = 399
"""One step before the look at step 400."""


def trained(kind, folder, *, plant, seed=0):
    """Train a tiny pair for a while, by the objective and the rates of its recipe, and return (result, events, family)."""
    settings = recipe_family(kind, height=16, width=16, features=8)
    made = codec(settings)
    stores = {}
    for split, count in (("train", 128), ("inner", 24)):
        pixels = ((images(count, height=16, width=16, seed=len(split)) + 1) * 127.5).round().to(torch.uint8)
        records = [
            Record(
                id=f"{index:016x}", medium="image", content=content, document="d", source="s", split="train", label=None
            )
            for index, content in enumerate(pixels.permute(0, 2, 3, 1).numpy().astype(np.uint8))
        ]
        stores[split] = build_store(folder / split, records, made.encode, key=split)
    optimisation = optimisation_of(settings).changed(batch_size=16, average_share=0.1)
    stage = Stage(name="image", codec=made.config, family=settings, optimisation=optimisation)
    plan = TrainingPlan(
        recipe=Recipe(name="toy", medium="image", summary="a toy", stages=(stage,)), steps=STEPS, seed=seed
    )
    family, events = built(settings), []
    if plant:
        collapse_at(family, PLANTED_STEP)
    result = train_stage(
        plan,
        stage,
        family=family,
        data=TrainingData(codec=made, stores=stores),
        folder=folder / "run",
        watch=Watch(on_event=events.append),
    )
    return result, events, family


def collapse_at(family: GanFamily, step: int) -> None:
    """Make every random vector give the same image after a step, once."""
    phases, seen = family.phases, [0]

    def collapse() -> None:
        seen[0] += 1
        if seen[0] == step:
            for parameter in (
                family.generator.parameters() if isinstance(family, DcganFamily) else [family.mapping.layers[-1].weight]
            ):
                parameter.zero_()
            if not isinstance(family, DcganFamily):
                for layer in family.synthesis.layers:
                    layer.noise_strength.zero_()

    family.phases = lambda: [  # type: ignore[method-assign]
        dataclasses.replace(phase, after_step=collapse) if phase.name == "generator" else phase for phase in phases()
    ]


@both
def test_a_planted_collapse_is_found_told_and_undone(kind, tmp_path):
    result, events, family = trained(kind, tmp_path, plant=True)
    (event,) = [event for event in events if event["event"] == "rolled_back"]
    assert "collapsed" in event["message"] and (event["step"], event["broken_step"]) == (200, 400)
    assert result.incidents == [event["message"]] and result.steps == STEPS
    assert family.health(torch.Generator().manual_seed(1), progress=1.0).alarm == ""


@pytest.mark.parametrize(
    "kind, seed",
    [(kind, seed) for kind in KINDS for seed in range(4)],
)
@pytest.mark.slow
def test_a_healthy_pair_is_left_alone_and_comes_nearer_to_the_data(kind, seed, tmp_path):
    result, events, _ = trained(kind, tmp_path, plant=False, seed=seed)
    assert result.rollbacks == 0 and result.incidents == []
    losses = [event["inner_loss"] for event in events if event["event"] == "validation"]
    assert len(losses) == 10 and result.inner_loss == min(losses) < 0.7 * losses[0]
    spreads = [event["spread"] for event in events if event["event"] == "validation"]
    assert spreads[-1] > 0.5
