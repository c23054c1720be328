"""Previews of pretrained pipelines: the estimate follows from what the denoiser says, by every scheduler, and changes nothing."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from makar.artifacts.load import load_artifact
from makar.errors import UnsupportedError
from makar.families.pretrained.opening import quiet
from makar.families.pretrained.watching import expected
from makar.generation.edit import edit
from makar.generation.generate import generate
from makar.generation.previewing import Previews, shown
from tests.families.pretrained.tiny_pipelines import SIDE

SCHEDULERS = (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("said", ["epsilon", "v_prediction", "sample"])
def test_what_was_mixed_with_noise_is_found_again(kind, said):
    scheduler = kind(prediction_type=said)
    with quiet():
        scheduler.set_timesteps(8)
    data, noise = torch.randn(2, 2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    data, noise = data[:, 0], noise[:, 0]
    for at in scheduler.timesteps[[1, 4, 6]]:
        point = scheduler.add_noise(data, noise, at.reshape(1))
        length = scheduler.add_noise(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), at.reshape(1))
        amount = scheduler.add_noise(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), at.reshape(1))
        whole = (length**2 + amount**2).sqrt()
        velocity = (length * noise - amount * data) / whole
        predicted = {"epsilon": noise, "v_prediction": velocity, "sample": data}[said]
        assert torch.allclose(expected(scheduler, predicted, at, point), data, atol=1e-4)


def test_on_the_way_of_a_flow_the_data_is_found_again():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(8)
    data, noise = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    at = scheduler.timesteps[3]
    point = scheduler.scale_noise(data, at.reshape(1), noise)
    assert torch.allclose(expected(scheduler, noise - data, at, point), data, atol=1e-5)


@pytest.mark.parametrize("name", ["stable_diffusion", "stable_diffusion_3"])
def test_previews_come_nearer_and_the_image_is_the_same_with_and_without(name, pipelines):
    artifact = load_artifact(pipelines(name))
    asked = {"steps": 6, "width": SIDE, "height": SIDE}
    (plain,) = generate(artifact, prompts="a red fox", seed=3, options=asked)
    seen = []
    assets = generate(artifact, prompts="a red fox", seed=3, options=asked)
    (made,) = shown(assets, Previews(show=seen.append, most=3))
    assert made.hash == plain.hash and [one.manifest["estimate"]["step"] for one in seen] == [2, 4, 5]
    far = [np.abs(one.content.astype(int) - made.content).mean() for one in seen]
    assert far[0] > far[-1] > 0


def test_what_is_known_stays_in_previews_of_a_pipeline(pipelines, picture):
    artifact = load_artifact(pipelines("stable_diffusion"))
    seen = []
    how = {"image": picture, "box": (4, 4, 9, 9)}
    (made,) = shown(edit(artifact, how, prompts="a cat", options={"steps": 4}), Previews(show=seen.append, most=1))
    outside = np.ones(picture.shape[:2], bool)
    outside[4:9, 4:9] = False
    assert len(seen) == 1 and np.array_equal(seen[0].content[outside], picture[outside])
    assert not np.array_equal(seen[0].content, made.content)


def test_a_pipeline_with_other_latents_or_a_checker_shows_nothing_before_it_is_done(pipelines, monkeypatch):
    artifact = load_artifact(pipelines("flux"))
    assert not artifact.family().previews
    with pytest.raises(UnsupportedError, match="FluxPipeline"):
        next(shown(generate(artifact, prompts="a fox"), Previews(show=print, most=1)))
    artifact = load_artifact(pipelines("stable_diffusion"))
    family = artifact.family()
    assert family.previews
    monkeypatch.setattr("makar.families.pretrained.sampler.has_checker", lambda pipeline: True)
    with pytest.raises(UnsupportedError, match="safety checker"):
        next(shown(generate(artifact, prompts="a fox"), Previews(show=print, most=1)))
