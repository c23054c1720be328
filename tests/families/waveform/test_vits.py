"""VITS: the flow leads there and back, what is spoken follows text, voice and temperature, and it learns."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from makar.errors import ConfigError
from makar.families.waveform.vits_config import VitsConfig
from makar.families.waveform.vits_family import VitsFamily

TINY = VitsConfig(
    bands=16, frames=16, planes=6, hop=32, rate_hz=8000, latent_channels=8, channels=16, couplings=3, blocks=2, window=8,
    judge_channels=2, classes=2,
)  # fmt: skip


class Codec:
    """What the sampler needs of a codec of speech."""

    class_counts: ClassVar[dict[str, int]] = {"anna": 3, "bert": 5}

    def picture_of_samples(self, samples):
        return np.zeros((16, 1, 16), np.float32) + samples.mean()


def built():
    family = VitsFamily(TINY)
    family.initialise(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in family.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return family


def source(spoken=12):
    planes = torch.zeros(6, 1, 16)
    planes[1, 0, :6], planes[2, 0, 6:spoken] = 1.0, 1.0
    planes[-1, 0, :spoken] = 0.3
    return planes


def batch():
    generator = torch.Generator().manual_seed(2)
    times = torch.arange(TINY.samples) / 8000
    return {
        "target": torch.rand(2, 16, 1, 16, generator=generator) * 2 - 1,
        "source": source().expand(2, -1, -1, -1),
        "wave": torch.stack([0.3 * torch.sin(2 * torch.pi * pitch * times) for pitch in (500, 1000)]),
        "class": torch.tensor([0, 1]),
    }


def test_the_flow_leads_there_and_back():
    network = built().network
    latents = torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0))
    moved = network.to_prior(latents)
    assert not torch.allclose(moved, latents, atol=1e-2)
    assert torch.allclose(network.from_prior(moved), latents, atol=1e-5)


def spoken(family, *, seed=0, planes=None, **controls):
    prompt = {"source": source() if planes is None else planes}
    ((_, made, _),) = family.sampler(Codec()).sample(family.options(**{"label": "anna", **controls}), [prompt], [seed])
    return made["wave"]


def test_what_is_spoken_follows_text_voice_seed_and_temperature():
    family = built().eval()
    first = spoken(family)
    assert np.array_equal(first, spoken(family)) and first.shape == (512,)
    assert not first[12 * 32 :].any() and first[: 12 * 32].any()
    for other in (
        spoken(family, label="bert"),
        spoken(family, seed=1),
        spoken(family, temperature=0.1),
        spoken(family, planes=source(10)),
    ):
        assert not np.array_equal(first, other)
    assert np.array_equal(spoken(family, temperature=0.0), spoken(family, temperature=0.0, seed=1))


def test_it_learns_samples_by_way_of_latents():
    family = built()
    phases = family.phases()
    optimisers = [torch.optim.Adam(phase.groups[0].parameters, 3e-3) for phase in phases]
    generator = torch.Generator().manual_seed(0)
    first = float(family.validation_loss(batch(), generator).value)
    for _ in range(15):
        shared = family.prepare(batch(), generator)
        for phase, optimiser in zip(phases, optimisers, strict=True):
            family.zero_grad()
            phase.loss(shared, generator).value.backward()
            optimiser.step()
    assert float(family.validation_loss(batch(), generator).value) < 0.93 * first
    rebuilt = family.rebuild(batch()["target"][:, :, 0], torch.tensor([0, 1]))
    assert rebuilt.shape == (2, 512)


def test_a_divergence_of_a_prior_like_the_posterior_is_small():
    family = built()
    shared = family.prepare(batch(), torch.Generator().manual_seed(0))
    with torch.no_grad():
        latents, log_deviation = family._latents(shared)
        far = float(family._divergence(shared, latents + 3.0, log_deviation))
        near = float(family._divergence(shared, latents, log_deviation))
    assert far > near > -0.5


@pytest.mark.parametrize("changes", [{"latent_channels": 7}, {"hop": 30}])
def test_sizes_that_cannot_be_halved_are_refused(changes):
    with pytest.raises(ConfigError, match="even number"):
        TINY.changed(**changes)
