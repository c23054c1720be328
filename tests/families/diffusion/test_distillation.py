"""A student learns how its teacher's paths go on: closed forms, where it learns, and what its sampler honours and refuses."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.distillation import STOPS, path_error, path_of, student_times, usual_times
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.solvers import euler
from makar.tensor_spec import CLASS, TARGET
from tests.contract.samples import new_family

SMALL = DiffusionConfig(height=8, width=8, channels=1, features=16, head_width=8, embedding_width=16)
SHAPE = (3, 1, 8, 8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(seed=0):
    return torch.randn(SHAPE, generator=generator(seed))


def straight(target):
    """Return the velocity field whose paths are straight lines to one image."""
    return lambda x, time: (target - x) / (1 - time)


@pytest.mark.parametrize("steps", STOPS)
@pytest.mark.parametrize("objective", ["flow", "ddpm"])
def test_points_lie_on_the_path_and_its_end_is_the_image(objective, steps):
    config, target = SMALL.changed(objective=objective, distilled=True, student_steps=steps), torch.full(SHAPE, 0.3)
    points = path_of(straight(target), noise(), config)
    first = usual_times(config, 10)[0]
    assert len(points) == steps + 1
    for point, time in zip(points, student_times(config), strict=True):
        share = (time - first) / (1 - first)
        assert torch.allclose(point, (1 - share) * noise() + share * target, atol=2e-3)


def test_the_right_velocity_has_no_error_and_any_other_has():
    right = noise(1)
    assert float(path_error(right, right)) == pytest.approx(0.0, abs=1e-6)
    off = float(path_error(right + 0.5, right))
    assert off == pytest.approx((0.25 + 0.03**2) ** 0.5 - 0.03, rel=1e-4)


@pytest.mark.parametrize("steps", STOPS)
def test_a_student_without_error_arrives_where_the_path_ends(steps):
    config = SMALL.changed(distilled=True, student_steps=steps)
    # A field with bent paths, which one step of its own velocity does not follow.
    points = path_of(lambda x, time: (0.3 - x) / (1.2 - time) + time, noise(), config)
    times = student_times(config)
    spans = dict(zip(times, range(steps)))

    def learned(x, time):
        number = spans[time]
        return (points[number + 1] - points[number]) / (times[number + 1] - time)

    assert torch.allclose(euler(learned, noise(), times), points[-1], atol=1e-5)


def student(**values):
    family = new_family(SMALL.changed(distilled=True, **values))
    family.parent.load_tensors(
        new_family(
            SMALL.changed(**{k: v for k, v in values.items() if k not in ("guided", "student_steps")}), seed=3
        ).tensors()
    )
    return family


def test_a_student_begins_as_its_teacher():
    family = student()
    family.begin(generator(), [])
    own, teachers = family.tensors(), family.parent.tensors()
    assert own.keys() == teachers.keys() and all(torch.equal(own[name], teachers[name]) for name in own)


def test_a_student_approaches_the_ends_of_the_paths():
    family = student()
    with torch.no_grad():
        for parameter in family.parent.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(5)))
    family.begin(generator(), [])
    batch = {TARGET: noise(2).clamp(-1, 1)}
    before = float(family.validation_loss(batch, generator(1)).value)
    optimiser = torch.optim.Adam(family.parameters(), lr=3e-3)
    for step in range(40):
        optimiser.zero_grad()
        family.phases()[0].loss(batch, generator(100 + step)).value.backward()
        optimiser.step()
    assert float(family.validation_loss(batch, generator(1)).value) < 0.9 * before


def test_guidance_changes_what_is_learned():
    batch = {TARGET: noise(2).clamp(-1, 1), CLASS: torch.tensor([0, 1, 2])}
    losses = []
    for weight in (1.0, 4.0):
        family = student(classes=3, guided=weight)
        with torch.no_grad():
            for parameter in (*family.parameters(), *family.parent.parameters()):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(5)))
        losses.append(float(family.validation_loss(batch, generator(1)).value))
    assert losses[0] != losses[1]


class Codec:
    class_counts: ClassVar = {"a": 1, "b": 2, "c": 3}


def made(options, seeds=(1, 2), **values):
    family = student(classes=3, guided=2.0, **values).eval()
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(5)))
    sampler = family.sampler(Codec())
    return np.stack([slots[TARGET] for _, slots, _ in sampler.sample(options, [{} for _ in seeds], list(seeds))])


def test_a_student_for_one_to_four_steps_takes_as_many():
    images = [made(ImageOptions(), student_steps=steps) for steps in STOPS]
    assert len({image.tobytes() for image in images}) == len(STOPS)
    assert np.array_equal(made(ImageOptions(steps=2)), images[1])


@pytest.mark.parametrize(
    "control",
    [
        {"steps": 3},
        {"solver": "euler"},
        {"shift": 3.0},
        {"guidance": 3.0},
        {"negative_prompt": "dull"},
        {"strength": 0.5},
    ],
)
def test_what_was_fixed_cannot_be_asked_for(control):
    with pytest.raises(UnsupportedError):
        made(ImageOptions(**control))


def test_the_guidance_that_was_learned_may_be_named():
    assert np.array_equal(made(ImageOptions(guidance=2.0)), made(ImageOptions()))


def test_without_a_teacher_nothing_is_learned():
    family = student()
    object.__setattr__(family, "parent", None)
    with pytest.raises(ConfigError, match="teacher"):
        family.validation_loss({TARGET: noise()}, generator())


def test_the_weight_of_guidance_belongs_to_distilled_models():
    with pytest.raises(ConfigError, match="guided"):
        SMALL.changed(guided=2.0)
    with pytest.raises(ConfigError, match="student_steps"):
        SMALL.changed(student_steps=3)
