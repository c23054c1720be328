"""Images from seeds, from images, and between two of them; every option changes the result or is refused."""

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, UnsupportedError
from makar.families.vae.config import VaeConfig
from makar.families.vae.family import VaeFamily
from makar.families.vae.options import VaeOptions
from makar.families.vae.sampler import VaeSampler

SETTINGS = {"height": 16, "width": 12, "channels": 1, "features": 8, "vector_latents": 6, "vector_width": 24}


def family(**values: object) -> VaeFamily:
    made = VaeFamily(VaeConfig(**{**SETTINGS, **values}))
    generator = torch.Generator().manual_seed(0)
    made.initialise(generator)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator))
    latents = made.network.description.latents
    values = 0.5 * torch.randn(40, len(made.network.description.mean), generator=generator) + 0.3
    made.network.description.update(values, torch.full((40, latents), 0.1))
    return made.eval()


def sampler(**values: object) -> VaeSampler:
    return family(**values).sampler(None)


def image(seed: int = 1) -> torch.Tensor:
    return (0.5 * torch.randn(1, 16, 12, generator=torch.Generator().manual_seed(seed))).clamp(-1, 1)


def images(
    source: VaeSampler, *, seeds: list[int], prompts: list[dict[str, torch.Tensor]] | None = None, **options: object
) -> np.ndarray:
    made = list(source.sample(VaeOptions(**options), prompts or [], seeds))
    assert [index for index, _, _ in made] == list(range(len(seeds)))
    return np.stack([slots["target"] for _, slots, _ in made])


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "logistic"])
def test_images_have_the_shape_and_range_of_the_specification(likelihood: str) -> None:
    made = images(sampler(likelihood=likelihood), seeds=[0, 1])
    assert made.shape == (2, 1, 16, 12)
    assert made.dtype == np.float32
    assert -1 <= made.min() < made.max() <= 1


def test_same_seed_gives_same_image_and_another_seed_another() -> None:
    assert np.array_equal(images(sampler(), seeds=[3, 4]), images(sampler(), seeds=[3, 4]))
    assert not np.array_equal(images(sampler(), seeds=[3]), images(sampler(), seeds=[4]))


def test_an_image_does_not_depend_on_the_others_in_its_batch() -> None:
    source, seeds = sampler(), list(range(70))
    prompts = [{"source": image(seed)} if seed % 3 else {} for seed in seeds]
    together = images(source, seeds=seeds, prompts=prompts, kept_levels=1, draw=True)
    for index in (0, 5, 64, 69):
        alone = images(
            source, seeds=[index], prompts=[prompts[index]], kept_levels=1 if prompts[index] else 0, draw=True
        )
        assert np.abs(together[index] - alone[0]).max() < 1e-4


@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"draw": True}, {"prior": "standard"}], ids=str)
def test_every_option_changes_the_image(options: dict[str, object]) -> None:
    assert not np.allclose(images(sampler(), seeds=[1]), images(sampler(), seeds=[1], **options), atol=1e-4)


def test_a_temperature_of_zero_makes_one_image_whatever_the_seed() -> None:
    assert np.array_equal(images(sampler(), seeds=[1], temperature=0.0), images(sampler(), seeds=[2], temperature=0.0))


def test_bernoulli_draws_are_black_and_white() -> None:
    assert set(np.unique(images(sampler(likelihood="bernoulli"), seeds=[1], draw=True))) == {-1.0, 1.0}


def test_a_given_image_is_encoded_and_decoded() -> None:
    model = family()
    found = images(model.sampler(None), seeds=[5], prompts=[{"source": image()}])
    with torch.no_grad():
        expected = model.decode_levels(model.encode_levels(image()[None]))
    assert np.allclose(found, expected.numpy(), atol=1e-5)
    other_seed = images(model.sampler(None), seeds=[6], prompts=[{"source": image()}])
    assert np.array_equal(found, other_seed)


def test_kept_levels_leave_the_rest_to_the_seed() -> None:
    source = sampler()
    prompts = [{"source": image()}] * 2
    first, second = images(source, seeds=[1, 2], prompts=prompts, kept_levels=1)
    assert not np.allclose(first, second, atol=1e-4)
    every = images(source, seeds=[1], prompts=prompts[:1], kept_levels=2)
    assert np.array_equal(every, images(source, seeds=[1], prompts=prompts[:1]))
    warm = images(source, seeds=[1], prompts=prompts[:1], kept_levels=1, temperature=0.3)
    assert not np.allclose(first, warm[0], atol=1e-4)


def test_interpolation_goes_from_one_seed_to_the_other() -> None:
    source = sampler()
    path = source.interpolate(VaeOptions(), first_seed=3, last_seed=8, count=5)
    assert path.shape == (5, 1, 16, 12)
    assert np.allclose(path[[0, -1]], images(source, seeds=[3, 8]), atol=1e-5)
    assert np.allclose(path, source.interpolate(VaeOptions(), first_seed=8, last_seed=3, count=5)[::-1], atol=1e-4)
    same = source.interpolate(VaeOptions(), first_seed=3, last_seed=3, count=3)
    assert np.allclose(same, path[:1], atol=1e-5)


def test_interpolation_between_images_begins_and_ends_with_their_reconstructions() -> None:
    source = sampler()
    path = source.interpolate_between(VaeOptions(), first=image(1), last=image(2), count=4)
    ends = images(source, seeds=[0, 0], prompts=[{"source": image(1)}, {"source": image(2)}])
    assert np.allclose(path[[0, -1]], ends, atol=1e-4)
    assert not np.allclose(path[1], path[0], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "prompt", "part"),
    [
        ({}, {"class": torch.tensor(0)}, "class"),
        ({}, {"source": torch.zeros(3, 16, 12)}, "shape"),
        ({"kept_levels": 1}, {}, "kept_levels without"),
        ({"kept_levels": 3}, {"source": torch.zeros(1, 16, 12)}, "at most 2"),
        ({"temperature": 0.5}, {"source": torch.zeros(1, 16, 12)}, "temperature"),
        ({"prior": "standard"}, {"source": torch.zeros(1, 16, 12)}, "prior"),
    ],
)
def test_what_it_cannot_honour_is_refused(
    options: dict[str, object], prompt: dict[str, torch.Tensor], part: str
) -> None:
    with pytest.raises(UnsupportedError, match=part):
        images(sampler(), seeds=[0], prompts=[prompt], **options)


def test_an_interpolation_of_one_image_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 images"):
        sampler().interpolate(VaeOptions(), first_seed=0, last_seed=1, count=1)
