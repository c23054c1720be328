"""A student with a judge: what is counted and saved, and that it comes to look like the data where its teacher does not."""

import pytest
import torch

from makar.errors import ConfigError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.size_judge import judge_of
from makar.tensor_spec import CLASS, TARGET
from tests.contract.samples import new_family

SMALL = DiffusionConfig(height=8, width=8, channels=1, features=16, head_width=8, embedding_width=16)
STUDENT = SMALL.changed(distilled=True)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bars(count, seed=0):
    """Return images of a bright upright bar at one of eight places."""
    images = torch.full((count, 1, 8, 8), -0.8)
    places = torch.randint(8, (count,), generator=generator(seed))
    images[torch.arange(count), 0, :, places] = 0.8
    return images


def test_the_judge_is_counted_and_saved_apart():
    judged = new_family(STUDENT.changed(judged=0.5, classes=3))
    plain = new_family(STUDENT.changed(classes=3))
    own = sum(part.numel() for part in judged.judge.parameters())
    assert own == judge_of(judged.config).judge_parameter_count()
    assert judged.config.parameter_count() == plain.config.parameter_count() + own
    assert judged.config.training_operations() > plain.config.training_operations()
    kept = {name for name in judged.tensors() if not name.startswith("judge.")}
    assert kept == plain.tensors().keys()
    assert [phase.name for phase in judged.phases()] == ["velocity", "judge", "slope"]
    assert [phase.averaged for phase in judged.phases()] == [True, False, False]


def test_each_phase_moves_its_own_network_only():
    family = new_family(STUDENT.changed(judged=0.5, classes=3))
    batch = {TARGET: bars(6), CLASS: torch.tensor([0, 1, 2, 0, 1, 2])}
    family.begin(generator(), [batch])
    making, judging, slope = family.phases()
    for phase in (making, judging, slope):
        family.zero_grad()
        mine = {id(part) for group in phase.groups for part in group.parameters}
        for part in family.parameters():
            part.requires_grad_(id(part) in mine)
        phase.loss(batch, generator(1)).value.backward()
        moved = {name.split(".")[0] for name, part in family.named_parameters() if part.grad is not None}
        assert moved == ({"network"} if phase is making else {"judge"})


def test_a_judge_shows_what_the_teacher_does_not_know():
    """A teacher that was taught nothing makes grey images of the mean; with the judge the student learns bars."""
    family = new_family(STUDENT.changed(judged=1.0))
    teacher = new_family(SMALL)
    teacher.initialise_from_data([{TARGET: bars(256)}])
    family.attach(teacher)
    family.begin(generator(), [{TARGET: bars(256)}])
    before = float(measured(family))
    phases = family.phases()
    optimisers = {
        phase.name: torch.optim.Adam(phase.groups[0].parameters, lr=2e-3, betas=(0.5, 0.99)) for phase in phases
    }
    for step in range(60):
        batch = {TARGET: bars(16, seed=step)}
        for phase in phases:
            if step % phase.every == 0:
                optimiser = optimisers["judge" if phase.name == "slope" else phase.name]
                optimiser.zero_grad()
                phase.loss(batch, generator(1000 + step)).value.backward()
                optimiser.step()
    assert float(measured(family)) < 0.6 * before


def measured(family):
    """Return the energy distance of a student's images to the data."""
    made, _ = family._arrivals({TARGET: bars(128, seed=5)}, generator(6))
    return family.judge.distance(bars(128, seed=7), made)


def test_one_image_can_be_validated():
    family = new_family(STUDENT.changed(judged=0.5))
    batch = {TARGET: bars(8)}
    family.begin(generator(), [batch])
    assert torch.isfinite(family.validation_loss({TARGET: bars(1)}, generator()).value)


@pytest.mark.parametrize("values", [{"height": 1, "width": 64}, {"height": 4}, {"channels": 65}])
def test_what_a_judge_cannot_see_is_refused(values):
    with pytest.raises(ConfigError, match="judge"):
        STUDENT.changed(judged=0.5, **values)


def test_only_a_student_has_a_judge():
    with pytest.raises(ConfigError, match="judged"):
        SMALL.changed(judged=0.5)
