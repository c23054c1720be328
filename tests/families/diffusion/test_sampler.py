"""Sampling images: seeds, classes, guidance, interpolation, and that every option changes the result or is refused."""

import numpy as np
import pytest
import torch

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.family import DiffusionFamily
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.diffusion.solvers import SOLVERS

COUNTS = {"ant": 1, "bee": 98, "cat": 1}


def sampler(classes: bool = True) -> ImageSampler:
    config = ImageCodecConfig(height=16, width=16, channels=1, use_labels=classes)
    codec = ImageCodec(config, class_counts=COUNTS if classes else {})
    family = DiffusionFamily(DiffusionConfig(features=16, blocks=1).bound_to(codec.spec))
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return family.sampler(codec)


def images(
    source: ImageSampler, *, seeds: list[int], prompts: list[dict[str, torch.Tensor]] | None = None, **options: object
) -> np.ndarray:
    made = list(source.sample(ImageOptions(**{"steps": 3, **options}), prompts or [], seeds))
    assert [index for index, _, _ in made] == list(range(len(seeds)))
    assert all(finished for _, _, finished in made)
    return np.stack([slots["target"] for _, slots, _ in made])


def test_images_have_the_shape_and_range_of_the_specification() -> None:
    made = images(sampler(), seeds=[0, 1])
    assert made.shape == (2, 1, 16, 16)
    assert made.dtype == np.float32
    assert -1 <= made.min() < made.max() <= 1


def test_same_seed_gives_same_image() -> None:
    assert np.array_equal(images(sampler(), seeds=[3, 4]), images(sampler(), seeds=[3, 4]))
    assert not np.array_equal(images(sampler(), seeds=[3]), images(sampler(), seeds=[4]))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_an_image_does_not_depend_on_the_others_in_its_batch(guidance: float) -> None:
    source, seeds = sampler(), list(range(70))
    together = images(source, seeds=seeds, guidance=guidance, steps=2)
    for index in (0, 5, 64, 69):
        alone = images(source, seeds=[index], guidance=guidance, steps=2)[0]
        assert np.abs(together[index] - alone).max() < 1e-4


@pytest.mark.parametrize(
    "options",
    [{"steps": 4}, {"shift": 1.0}, {"guidance": 4.0}, {"guidance": 0.0}, {"label": "cat"}],
    ids=str,
)
def test_every_option_changes_the_image(options: dict[str, object]) -> None:
    source = sampler()
    assert not np.allclose(images(source, seeds=[1]), images(source, seeds=[1], **options), atol=1e-4)


def test_every_solver_makes_another_image() -> None:
    source = sampler()
    made = [images(source, seeds=[1], steps=5, solver=name) for name in SOLVERS]
    for number, one in enumerate(made):
        assert all(not np.array_equal(one, other) for other in made[:number])


def test_a_label_and_its_number_are_the_same_request() -> None:
    source = sampler()
    by_name = images(source, seeds=[1], label="cat")
    assert np.array_equal(by_name, images(source, seeds=[1], prompts=[{"class": torch.tensor(2)}]))


def test_each_example_has_its_own_class() -> None:
    source = sampler()
    prompts = [{"class": torch.tensor(0)}, {"class": torch.tensor(2)}]
    made = images(source, seeds=[1, 1], prompts=prompts)
    assert not np.array_equal(made[0], made[1])


def test_without_a_label_classes_are_drawn_as_frequent_as_in_the_data() -> None:
    source = sampler()
    labels = [source._label(ImageOptions(), {}, source._draw(seed)[1]) for seed in range(200)]
    assert labels.count(1) > 180
    assert set(labels) <= {0, 1, 2}


def test_guidance_is_the_extrapolation_from_without_to_with_the_class() -> None:
    source = sampler()
    points, label = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2])
    with torch.no_grad():
        none, plain, strong = (source._guided(weight, label)(points, 0.4) for weight in (0.0, 1.0, 2.5))
    assert torch.allclose(strong, none + 2.5 * (plain - none), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "prompts", "part"),
    [
        ({"guidance": 2.0}, [], "without classes"),
        ({"label": "cat"}, [], "has none"),
        ({}, [{"class": torch.tensor(0)}], "has none"),
        ({}, [{"caption": torch.tensor(0)}], "caption"),
    ],
)
def test_what_an_unconditional_model_cannot_honour_is_refused(
    options: dict[str, object], prompts: list[dict[str, torch.Tensor]], part: str
) -> None:
    with pytest.raises(UnsupportedError, match=part):
        images(sampler(classes=False), seeds=[0], prompts=prompts, **options)


def test_unknown_and_double_classes_are_refused() -> None:
    with pytest.raises(UnknownNameError, match='did you mean "cat"'):
        images(sampler(), seeds=[0], label="cut")
    with pytest.raises(UnsupportedError, match="class 7"):
        images(sampler(), seeds=[0], prompts=[{"class": torch.tensor(7)}])
    with pytest.raises(UnsupportedError, match="both"):
        images(sampler(), seeds=[0], prompts=[{"class": torch.tensor(1)}], label="cat")


@pytest.mark.parametrize("values", [{"steps": 0}, {"guidance": -1.0}, {"shift": 0.0}])
def test_options_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ImageOptions(**values)


def test_interpolation_runs_from_the_first_to_the_last_seed() -> None:
    source, options = sampler(), ImageOptions(steps=3, label="bee")
    row = source.interpolate(options, first_seed=1, last_seed=2, count=5)
    ends = images(source, seeds=[1, 2], label="bee")
    assert row.shape == (5, 1, 16, 16)
    assert np.abs(row[0] - ends[0]).max() < 1e-4
    assert np.abs(row[-1] - ends[1]).max() < 1e-4
    steps = np.abs(np.diff(row, axis=0)).mean((1, 2, 3))
    assert steps.max() < 0.9 * np.abs(row[-1] - row[0]).mean()


def test_interpolation_between_a_seed_and_itself_stands_still() -> None:
    row = sampler().interpolate(ImageOptions(steps=3), first_seed=1, last_seed=1, count=3)
    assert np.abs(row - row[:1]).max() < 1e-4
    with pytest.raises(ConfigError):
        sampler().interpolate(ImageOptions(), first_seed=1, last_seed=2, count=1)
