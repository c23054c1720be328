"""The optimiser is AdamW, and phases share it only when they train the same parameters."""

import subprocess
import sys

import pytest
import torch

from makar.errors import ConfigError
from makar.families.family import ParameterGroup, Phase
from makar.recipe import OptimisationConfig
from makar.training.optimiser import build_optimisers


def phase(parameters, *, name="phase", optimiser="main", scales=(1.0,)):
    parts = [parameters[index :: len(scales)] for index in range(len(scales))]
    groups = [ParameterGroup(parameters=part, learning_rate_scale=scale) for part, scale in zip(parts, scales)]
    return Phase(name=name, groups=groups, loss=lambda batch, generator: None, optimiser=optimiser)


def weights():
    generator = torch.Generator().manual_seed(3)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 7), (11,), (2, 3, 4), (1,))]


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_steps_equal_those_of_torch(clip):
    optimisation = OptimisationConfig(learning_rate=0.03, beta_1=0.8, beta_2=0.95, weight_decay=0.1)
    ours, theirs = weights(), weights()
    own = build_optimisers([phase(ours, scales=(1.0, 0.5))], optimisation)["main"]
    groups = [{"params": theirs[0::2], "lr": 0.03}, {"params": theirs[1::2], "lr": 0.015}]
    reference = torch.optim.AdamW(groups, betas=(0.8, 0.95), weight_decay=0.1)
    for _ in range(20):
        for parameters in (ours, theirs):
            for parameter in parameters:
                parameter.grad = None
            sum((parameter.sin() ** 2).sum() for parameter in parameters).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(theirs, clip)
        own.step(1.0, gradient_clip=clip)
        reference.step()
    for mine, other in zip(ours, theirs):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_parameters_without_a_gradient_stay():
    parameters = weights()
    before = [parameter.detach().clone() for parameter in parameters]
    own = build_optimisers([phase(parameters)], OptimisationConfig())["main"]
    parameters[0].grad = torch.ones_like(parameters[0])
    own.step(1.0, gradient_clip=0.0)
    assert not torch.equal(before[0], parameters[0])
    assert all(torch.equal(old, new) for old, new in zip(before[1:], parameters[1:]))


def test_phases_that_share_an_optimiser_train_the_same_parameters():
    parameters = weights()
    assert len(build_optimisers([phase(parameters), phase(parameters, name="lazy")], OptimisationConfig())) == 1
    with pytest.raises(ConfigError, match="other parameters"):
        build_optimisers([phase(parameters), phase(parameters[:2], name="lazy")], OptimisationConfig())
    with pytest.raises(ConfigError, match="nothing"):
        build_optimisers([phase([])], OptimisationConfig())


def test_the_trainer_does_not_load_the_compiler():
    program = "import sys, makar.training.trainer; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
