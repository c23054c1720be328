"""Single pictures among clips teach what pictures look like and nothing of movement, as much as they are to count."""

import dataclasses

import pytest
import torch

from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.filling import single_pictures
from makar.families.family import build_family
from makar.nn.temporal import TemporalAttention, TemporalConvolution
from makar.tensor_spec import TARGET

FRAMES = 4
CONFIG = DiffusionConfig(
    height=8, width=8, features=16, head_width=8, embedding_width=32, frames=FRAMES, channels=3 * FRAMES
)


def family(config=CONFIG):
    generator = torch.Generator().manual_seed(0)
    found = build_family(config)
    found.begin(generator, [{TARGET: clips(4)}])
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return found


def clips(count, seed=1):
    return torch.rand(count, CONFIG.channels, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def pictures(count):
    return clips(count)[:, :3].repeat(1, FRAMES, 1, 1)


def loss(made, data):
    return made.phases()[0].loss({TARGET: data}, torch.Generator().manual_seed(3)).value


def test_what_never_changes_is_a_picture():
    assert single_pictures(torch.cat([clips(2), pictures(1)]), frames=FRAMES).tolist() == [False, False, True]


def test_frames_of_a_picture_know_nothing_of_each_other():
    made, points, time = family(), clips(2), torch.tensor([0.4, 0.6])
    other = points.clone()
    other[:, 3:6] += 1.0
    condition = made.condition(None, None)
    for alone in (torch.tensor([True, False]), None):
        said = dataclasses.replace(condition, alone=alone)
        with torch.no_grad():
            changed = (made.velocity(points, time, said) - made.velocity(other, time, said)).unflatten(1, (FRAMES, 3))
        changed = changed.abs().amax((2, 3, 4)) > 1e-6
        assert changed[1].all() and changed[0].tolist() == (
            [False, True, False, False] if alone is not None else [True] * 4
        )


@pytest.mark.parametrize("data, is_moved", [(clips(4), True), (pictures(4), False)])
def test_only_clips_teach_movement(data, is_moved):
    made = family()
    loss(made, data).backward()
    layers = [part for part in made.modules() if isinstance(part, TemporalConvolution | TemporalAttention)]
    along = [parameter.grad for part in layers for parameter in part.parameters()]
    assert layers and any(grad is not None and grad.abs().sum() > 0 for grad in along) == is_moved
    assert made.network.unet.enter.weight.grad.abs().sum() > 0


def test_pictures_count_as_much_as_is_said():
    def value(weight, data):
        return loss(family(CONFIG.changed(picture_weight=weight)), data).detach().item()

    both = torch.cat([clips(2), pictures(2)])
    none, half, full = (value(weight, both) for weight in (0.0, 0.5, 1.0))
    assert 0 < none < half < full and half == pytest.approx((none + full) / 2, rel=1e-4)
    assert value(0.0, pictures(3)) == 0 and value(0.0, clips(3)) == pytest.approx(value(1.0, clips(3)))


def test_the_loss_of_validation_knows_pictures_too():
    made = family().eval()
    alone = float(made.validation_loss({TARGET: pictures(3)}, torch.Generator().manual_seed(0)).value)
    for part in made.modules():
        if isinstance(part, TemporalConvolution):
            torch.nn.init.normal_(part.second.weight)
    assert alone == float(made.validation_loss({TARGET: pictures(3)}, torch.Generator().manual_seed(0)).value)
