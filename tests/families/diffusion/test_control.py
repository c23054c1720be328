"""A steered model begins as the model that it steers, leaves it as it is, and follows its map when it has learned to."""

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, TensorMismatchError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.options import ImageOptions
from makar.families.family import build_family
from makar.tensor_spec import SOURCE, TARGET
from tests.contract.samples import new_family

PLAIN = DiffusionConfig(height=8, width=8, channels=1, features=16, head_width=8, embedding_width=16)
STEERED = PLAIN.changed(control=True, source_channels=1, source_height=8, source_width=8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def parent(config=PLAIN):
    family = new_family(config)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(5)))
    return family.eval()


def steered(config=STEERED, of=None):
    family = build_family(config)
    family.attach(of or parent())
    family.begin(generator(), [])
    return family


def batch(count=4):
    images = torch.rand(count, 1, 8, 8, generator=generator(1)) * 2 - 1
    return {TARGET: images, SOURCE: images.sign()}


def test_it_begins_as_the_model_that_it_steers_whatever_the_map_says():
    family, plain = steered(), parent()
    x, time = torch.randn(4, 1, 8, 8, generator=generator()), torch.rand(4, generator=generator())
    made = family.velocity(x, time, family.condition(None, None, batch()[SOURCE]))
    assert torch.equal(made, plain.velocity(x, time, plain.condition(None, None)))


def test_the_model_stays_as_it_is_and_the_copy_learns():
    family, plain = steered(), parent()
    before = {name: tensor.clone() for name, tensor in family.tensors().items()}
    trained = [part for phase in family.phases() for group in phase.groups for part in group.parameters]
    assert sum(part.numel() for part in trained) == STEERED.parameter_count()
    optimiser = torch.optim.Adam(trained, lr=1e-2)
    first = float(family.validation_loss(batch(), generator(2)).value)
    for step in range(30):
        optimiser.zero_grad()
        family.phases()[0].loss(batch(), generator(step)).value.backward()
        optimiser.step()
    after = family.tensors()
    own = plain.tensors()
    assert all(torch.equal(after[name], own[name]) for name in own)
    moved = [name for name in after if name.startswith("control.") and not torch.equal(after[name], before[name])]
    assert any("down" in name for name in moved) and any("joints" in name for name in moved)
    assert float(family.validation_loss(batch(), generator(2)).value) < 0.9 * first


def test_the_map_changes_the_image_once_the_joints_are_not_zero():
    family = steered().eval()
    with torch.no_grad():
        for parameter in family.network.control.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(3)))

    def made(source):
        sampler = family.sampler(None)
        return next(slots[TARGET] for _, slots, _ in sampler.sample(ImageOptions(steps=2), [{SOURCE: source}], [1]))

    white, black = torch.ones(1, 8, 8), -torch.ones(1, 8, 8)
    assert not np.array_equal(made(white), made(black)) and np.array_equal(made(white), made(white))
    with pytest.raises(UnsupportedError, match="shape"):
        made(torch.ones(1, 4, 4))
    with pytest.raises(UnsupportedError, match="nothing from nothing"):
        list(family.sampler(None).sample(ImageOptions(), [{}], [1]))


def test_a_map_larger_than_latents_is_folded():
    config = STEERED.changed(source_height=32, source_width=32)
    family = steered(config)
    x, time = torch.randn(2, 1, 8, 8, generator=generator()), torch.rand(2, generator=generator())
    maps = torch.rand(2, 1, 32, 32, generator=generator())
    assert family.velocity(x, time, family.condition(None, None, maps)).shape == x.shape


def test_one_that_is_steered_already_is_taken_whole():
    first = steered()
    with torch.no_grad():
        first.network.control.joints[0].weight.fill_(0.5)
    second = steered(of=first)
    assert all(torch.equal(second.tensors()[name], tensor) for name, tensor in first.tensors().items())


def test_a_model_of_other_sizes_is_refused():
    with pytest.raises(TensorMismatchError):
        steered(of=parent(PLAIN.changed(features=32)))


@pytest.mark.parametrize("wrong", [{"network": "dit"}, {"distilled": True}])
def test_what_cannot_be_steered_is_refused(wrong):
    with pytest.raises(ConfigError, match="control of a DiT"):
        STEERED.changed(**wrong)
    with pytest.raises(ConfigError, match="control"):
        PLAIN.changed(control=True)
