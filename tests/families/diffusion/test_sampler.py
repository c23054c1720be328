"""Sampling images: seeds, classes, guidance, interpolation, and that every option changes the result or is refused."""

import numpy as np
import pytest
import torch

from makar.codecs.caption_tokens import CaptionTokens
from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.family import DiffusionFamily
from makar.families.diffusion.options import SOLVER_NAMES, ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.diffusion.wanted import Wanted

COUNTS = {"ant": 1, "bee": 98, "cat": 1}


CAPTIONS = ["a red fox", "a blue whale", "the green frog of the old pond", "a red whale"]


def sampler(classes: bool = True, captions: bool = False, **values: object) -> ImageSampler:
    config = ImageCodecConfig(
        height=16, width=16, channels=1, use_labels=classes, use_captions=captions, caption_length=12
    )
    tokens = CaptionTokens.fit(iter(CAPTIONS), length=12, vocabulary=300) if captions else None
    codec = ImageCodec(config, class_counts=COUNTS if classes else {}, captions=tokens)
    family = DiffusionFamily(DiffusionConfig(**{"features": 16, "caption_width": 32, **values}).bound_to(codec.spec))
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return family.sampler(codec)


def prompt(text: str) -> dict[str, torch.Tensor]:
    tokens = CaptionTokens.fit(iter(CAPTIONS), length=12, vocabulary=300)
    return {"caption": torch.from_numpy(tokens.encode_prompt(text))}


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
    [{"steps": 4}, {"shift": 1.0}, {"guidance": 4.0}, {"guidance": 0.0}, {"label": "cat"}, {"solver": "ancestral"}],
    ids=str,
)
@pytest.mark.parametrize("objective", ["flow", "ddpm"])
def test_every_option_changes_the_image(options: dict[str, object], objective: str) -> None:
    source = sampler(objective=objective)
    if options == {"shift": 1.0} and objective == "ddpm":
        options = {"shift": 2.0}
    assert not np.allclose(images(source, seeds=[1]), images(source, seeds=[1], **options), atol=1e-4)


@pytest.mark.parametrize("objective", ["flow", "ddpm"])
def test_every_solver_makes_another_image(objective: str) -> None:
    source = sampler(objective=objective)
    made = [images(source, seeds=[1], steps=5, solver=name) for name in SOLVER_NAMES]
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
    labels = [source._asking.read(ImageOptions(), {}, source._draw(seed)[1]).label for seed in range(200)]
    assert labels.count(1) > 180
    assert set(labels) <= {0, 1, 2}


def test_guidance_is_the_extrapolation_from_without_to_with_the_class() -> None:
    source = sampler()
    points, asked = (
        torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1)),
        [Wanted(label=0), Wanted(label=2)],
    )
    with torch.no_grad():
        none, plain, strong = (source._guided(weight, asked, ImageOptions())(points, 0.4) for weight in (0.0, 1.0, 2.5))
    assert torch.allclose(strong, none + 2.5 * (plain - none), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "prompts", "part"),
    [
        ({"guidance": 2.0}, [], "without classes"),
        ({"label": "cat"}, [], "has none"),
        ({}, [{"class": torch.tensor(0)}], "has none"),
        ({}, [{"caption": torch.tensor(0)}], "caption"),
        ({"negative_prompt": "blue"}, [], "caption"),
        ({}, [{"smell": torch.tensor(0)}], "smell"),
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


def test_a_prompt_changes_the_image_and_its_case_does_not() -> None:
    source = sampler(classes=False, captions=True)
    fox, whale, loud = (
        images(source, seeds=[1], prompts=[prompt(text)]) for text in ("a red fox", "a blue whale", "A  RED Fox")
    )
    assert not np.allclose(fox, whale, atol=1e-3)
    assert np.array_equal(fox, loud)
    assert not np.allclose(fox, images(source, seeds=[1]), atol=1e-3)


def test_guidance_of_prompts_is_three_unless_said_otherwise() -> None:
    source, asked = sampler(classes=False, captions=True), [prompt("a red fox")]
    assert np.array_equal(
        images(source, seeds=[1], prompts=asked), images(source, seeds=[1], prompts=asked, guidance=3.0)
    )
    assert not np.allclose(
        images(source, seeds=[1], prompts=asked), images(source, seeds=[1], prompts=asked, guidance=1.0), atol=1e-3
    )


def test_a_negative_prompt_takes_the_place_of_images_in_general() -> None:
    source, asked = sampler(classes=False, captions=True), [prompt("a red fox")]
    plain = images(source, seeds=[1], prompts=asked)
    without = images(source, seeds=[1], prompts=asked, negative_prompt="whale")
    assert not np.allclose(plain, without, atol=1e-3)
    # Leading away from what is asked for, by any weight, leads nowhere.
    itself = images(source, seeds=[1], prompts=asked, negative_prompt="a red fox")
    assert np.allclose(itself, images(source, seeds=[1], prompts=asked, guidance=1.0), atol=1e-4)
    assert np.allclose(plain, images(source, seeds=[1], prompts=asked, negative_prompt=" "), atol=1e-6)
    points, whale = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1)), prompt("whale")["caption"]
    with torch.no_grad():
        fox = asked[0]["caption"]
        towards, away = (
            source._guided(1.0, [Wanted(caption=text)], ImageOptions())(points, 0.4) for text in (fox, whale)
        )
        negative = ImageOptions(negative_prompt="whale")
        guided = source._guided(2.5, [Wanted(caption=fox)], negative)(points, 0.4)
    assert torch.allclose(guided, away + 2.5 * (towards - away), atol=1e-4)


def test_prompts_of_any_length_share_a_batch() -> None:
    source = sampler(classes=False, captions=True)
    texts = ["a red fox", "the green frog of the old pond", "", "fox"]
    together = images(source, seeds=[1, 2, 3, 4], prompts=[prompt(text) for text in texts])
    for index, text in enumerate(texts):
        alone = images(source, seeds=[index + 1], prompts=[prompt(text)])[0]
        assert np.abs(together[index] - alone).max() < 1e-4


def test_class_and_prompt_can_be_asked_for_together() -> None:
    source = sampler(classes=True, captions=True)
    made = [
        images(source, seeds=[1], prompts=[{**prompt(text), "class": torch.tensor(number)}])
        for text, number in (("a red fox", 0), ("a red fox", 2), ("a blue whale", 0))
    ]
    assert not np.allclose(made[0], made[1], atol=1e-3) and not np.allclose(made[0], made[2], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"negative_prompt": "blue", "guidance": 1.0}, "away"),
        ({"negative_prompt": "blue", "guidance": 0.0}, "away"),
        ({"negative_prompt": "blue " * 200}, "fewer words"),
    ],
    ids=str,
)
def test_what_a_negative_prompt_cannot_do_is_refused(options: dict[str, object], part: str) -> None:
    with pytest.raises(UnsupportedError, match=part):
        images(sampler(classes=False, captions=True), seeds=[0], prompts=[prompt("a red fox")], **options)


def test_guidance_without_anything_to_be_guided_to_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="without a prompt"):
        images(sampler(classes=False, captions=True), seeds=[0], guidance=4.0)


def test_fresh_noise_of_ancestral_sampling_is_that_of_the_seed() -> None:
    source = sampler()
    together = images(source, seeds=[5, 6, 7], solver="ancestral")
    assert np.abs(together[2] - images(source, seeds=[7], solver="ancestral")[0]).max() < 1e-4
    with pytest.raises(UnsupportedError, match="new noise"):
        source.interpolate(ImageOptions(solver="ancestral"), first_seed=1, last_seed=2, count=3)


def test_interpolation_between_a_seed_and_itself_stands_still() -> None:
    row = sampler().interpolate(ImageOptions(steps=3), first_seed=1, last_seed=1, count=3)
    assert np.abs(row - row[:1]).max() < 1e-4
    with pytest.raises(ConfigError):
        sampler().interpolate(ImageOptions(), first_seed=1, last_seed=2, count=1)


@pytest.mark.parametrize("objective", ["flow", "ddpm"])
@pytest.mark.parametrize("solver", ["unipc", "ancestral"])
def test_an_image_can_be_varied_towards_a_prompt(objective: str, solver: str) -> None:
    source = sampler(classes=False, captions=True, objective=objective)
    picture = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1

    def varied(text: str, strength: float) -> np.ndarray:
        slots = {"source": picture, **prompt(text)}
        return images(source, seeds=[1], prompts=[slots], strength=strength, solver=solver)[0]

    fox, whale, whole = varied("a red fox", 0.5), varied("a blue whale", 0.5), varied("a red fox", 1.0)
    assert not np.allclose(fox, whale, atol=1e-3)
    assert np.array_equal(varied("a red fox", 0.0), picture.numpy())
    assert np.abs(fox - picture.numpy()).mean() < np.abs(whole - picture.numpy()).mean()


def test_a_masked_part_is_filled_towards_a_prompt_and_the_rest_stays() -> None:
    source = sampler(classes=False, captions=True, objective="ddpm")
    picture = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    mask = torch.zeros(1, 16, 16)
    mask[:, :, 8:] = 1
    made = [
        images(source, seeds=[1], prompts=[{"known": picture, "mask": mask, **prompt(text)}])[0]
        for text in ("a red fox", "a blue whale")
    ]
    assert all(np.array_equal(one[:, :, :8], picture[:, :, :8].numpy()) for one in made)
    assert not np.allclose(made[0], made[1], atol=1e-3)
