"""A source beside the noise: what it says linearly is known before training, the rest is learned from it, and nothing is made without."""

import dataclasses

import numpy as np
import pytest
import torch

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.errors import ConfigError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.source import linear_guess, placed, with_noise
from makar.families.diffusion.source_sampler import SourceSampler
from makar.families.family import build_family
from makar.tensor_spec import Slot, TensorSpec, mismatches

SOURCE = {"source_channels": 3, "source_height": 8, "source_width": 10, "source_edit": "enlarge"}


def small(**values):
    sizes = {"height": 16, "width": 20, "channels": 3, "features": 16, "blocks": 1}
    return DiffusionConfig(**{**sizes, **SOURCE, **values})


def built(config, seed=0):
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(seed))
    return family


def drawn(config, count=4):
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(count, config.channels, config.height, config.width, generator=generator) * 2 - 1
    shape = (config.source_channels, config.source_height, config.source_width)
    return {"target": target, "source": torch.rand(count, *shape, generator=generator) * 2 - 1}


def moved(family):
    """Give every weight a value, so that nothing is hidden behind a zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return family.eval()


CASES = [
    {},
    {"source_noise": 0.1},
    {"source_channels": 1, "source_height": 16, "source_width": 20},
    {"source_height": 32, "source_width": 40},
    {"network": "dit", "features": 32, "source_noise": 0.1},
    {"objective": "ddpm", "classes": 3},
]


@pytest.mark.parametrize("values", CASES)
def test_parameters_are_counted_and_every_one_gets_a_gradient(values):
    config = small(**values)
    family = built(config)
    assert config.parameter_count() == sum(parameter.numel() for parameter in family.parameters())
    batch = drawn(config)
    if config.classes:
        batch["class"] = torch.arange(4) % config.classes
    moved(family)
    family.phases()[0].loss(batch, torch.Generator().manual_seed(0)).value.backward()
    assert all(parameter.grad is not None for parameter in family.parameters())


@pytest.mark.parametrize("values", CASES)
def test_the_loss_depends_on_the_source(values):
    config = small(**values)
    family = moved(built(config))
    batch = drawn(config)
    if config.classes:
        batch["class"] = torch.arange(4) % config.classes
    other = batch | {"source": batch["source"].roll(1, 0)}
    losses = [family.validation_loss(each, torch.Generator().manual_seed(0)).value.item() for each in (batch, other)]
    assert losses[0] != losses[1]


def test_what_a_source_says_linearly_is_known_before_training():
    config = small(source_channels=1, source_height=16, source_width=20, source_edit="colour")
    batch = drawn(config, 64)
    weight, constant = torch.tensor([0.9, -0.5, 0.2]), torch.tensor([0.1, 0.0, -0.2])
    rest = 0.1 * torch.randn(batch["target"].shape, generator=torch.Generator().manual_seed(5))
    batch["target"] = weight[:, None, None] * batch["source"] + constant[:, None, None] + rest
    family = built(config).eval()
    family.initialise_from_data([batch])
    assert torch.allclose(family.network.source_weight[:, 0], weight, atol=0.01)
    assert torch.allclose(family.network.data_mean[:, 0, 0], constant, atol=0.01)
    assert torch.allclose(family.network.data_deviation[:, 0, 0], torch.tensor(0.1), atol=0.01)
    # Untrained, its images are the guess with the right amount of chance around it.
    codec = ImageCodec(ImageCodecConfig(height=16, width=20, channels=3, source="grey"), class_counts={})
    prompts = [{"source": source} for source in batch["source"]]
    made = [slots["target"] for _, slots, _ in family.sampler(codec).sample(ImageOptions(), prompts, list(range(64)))]
    expected = (weight[:, None, None] * batch["source"] + constant[:, None, None]).clamp(-1, 1)
    error = np.stack(made) - expected.numpy()
    inside = np.abs(expected.numpy()) < 0.7
    assert abs(error[inside].mean()) < 0.01 and error[inside].std() == pytest.approx(0.1, rel=0.1)


def test_without_a_source_the_guess_is_the_mean():
    data = 0.3 + 0.2 * torch.randn(32, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    weight, mean, deviation = linear_guess([(data, data[:, :0])])
    assert weight.shape == (2, 0)
    assert torch.allclose(mean, data.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(deviation, data.std((0, 2, 3)), atol=1e-3)
    assert linear_guess([]) is None


def test_channels_that_say_the_same_are_no_trouble():
    data = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    weight, _, deviation = linear_guess([(data, torch.cat([data, data], 1))])
    assert torch.allclose(weight.sum(), torch.tensor(1.0), atol=1e-3) and float(deviation) == pytest.approx(0.05)


def test_a_smaller_source_is_enlarged_and_a_larger_one_folded():
    flat = torch.full((2, 3, 8, 10), 0.25)
    assert torch.allclose(placed(flat, small()), torch.full((2, 3, 16, 20), 0.25), atol=1e-6)
    fine = torch.arange(2 * 3 * 32 * 40, dtype=torch.float32).reshape(2, 3, 32, 40)
    config = small(source_height=32, source_width=40)
    folded = placed(fine, config)
    assert folded.shape == (2, 12, 16, 20) and config.source_planes == 12
    assert folded[0, :4, 0, 0].tolist() == [0.0, 1.0, 40.0, 41.0]


def test_the_network_is_told_how_noisy_its_source_is():
    config = small(source_noise=0.2)
    source = torch.zeros(2000, 3, 8, 10)
    noisy, amount = with_noise(source, most=0.2, generator=torch.Generator().manual_seed(0))
    assert float(amount.min()) >= 0 and float(amount.max()) <= 0.2
    assert torch.allclose(noisy.flatten(1).std(1), 2 * amount, atol=0.02 + 0.1 * 0.4)
    planes = built(config).condition(None, None, noisy[:2], amount[:2]).source
    assert planes.shape == (2, 4, 16, 20)
    assert torch.allclose(planes[:, 3, 0, 0], amount[:2] / 0.2)
    family, codec = moved(built(config)), ImageCodec(ImageCodecConfig(height=16, width=20, channels=3), class_counts={})
    images = [
        next(family.sampler(codec).sample(ImageOptions(steps=2, source_noise=level), [{"source": source[0]}], [1]))[1]
        for level in (None, 0.0, 0.8)
    ]
    assert np.array_equal(images[0]["target"], images[1]["target"])
    assert not np.array_equal(images[0]["target"], images[2]["target"])


def test_mirroring_mirrors_both():
    config = small(flip=True, source_height=16, source_width=20)
    batch = drawn(config, 16)
    mirrored = built(config).prepare(batch, torch.Generator().manual_seed(0))
    turned = [bool(torch.equal(one, other.flip(-1))) for one, other in zip(mirrored["target"], batch["target"])]
    assert 0 < sum(turned) < 16
    assert turned == [torch.equal(one, other.flip(-1)) for one, other in zip(mirrored["source"], batch["source"])]


def test_the_specification_has_the_source():
    config = small()
    sizes = {"target": (3, 16, 20), "source": (3, 8, 10)}
    spec = TensorSpec(
        {name: Slot(kind="values", axes=("channels", "height", "width"), sizes=size) for name, size in sizes.items()}
    )
    assert not mismatches(spec, config.accepts()) and DiffusionConfig().bound_to(spec).source_height == 8
    assert config.edits == ("enlarge",) and DiffusionConfig().edits[0] == "image-to-image"
    assert DiffusionConfig().bound_to(spec).edits == ("control",)


@pytest.mark.parametrize(
    ("options", "prompt", "part"),
    [
        ({}, {}, "nothing from nothing"),
        ({"strength": 0.5}, {"source": (3, 8, 10)}, "strength"),
        ({"source_noise": 0.1}, {"source": (3, 8, 10)}, "noise 0.1"),
        ({"guidance": 2.0}, {"source": (3, 8, 10)}, "guidance"),
        ({}, {"source": (3, 16, 20)}, "shape"),
        ({}, {"source": (3, 8, 10), "known": (3, 16, 20), "mask": (1, 16, 20)}, "known"),
    ],
)
def test_what_a_model_with_a_source_cannot_honour_is_refused(options, prompt, part):
    codec = ImageCodec(ImageCodecConfig(height=16, width=20, channels=3), class_counts={})
    sampler = built(small()).sampler(codec)
    assert isinstance(sampler, SourceSampler)
    slots = {name: torch.zeros(shape) for name, shape in prompt.items()}
    with pytest.raises(UnsupportedError, match=part):
        list(sampler.sample(ImageOptions(**options), [slots], [0]))


def test_a_model_without_a_source_has_no_noise_of_one():
    codec = ImageCodec(ImageCodecConfig(height=16, width=20, channels=3), class_counts={})
    config = dataclasses.replace(DiffusionConfig(height=16, width=20, features=16))
    with pytest.raises(UnsupportedError, match="no source"):
        list(built(config).sampler(codec).sample(ImageOptions(source_noise=0.1), [{}], [0]))


def test_impossible_sources_are_refused():
    for values, part in (
        ({"source_width": 0}, "all above 0"),
        ({"source_height": 24, "source_width": 30}, "whole number"),
        ({"source_height": 32, "source_width": 20}, "whole number"),
        ({"source_channels": 0, "source_height": 0, "source_width": 0}, "no source"),
    ):
        with pytest.raises(ConfigError, match=part):
            small(**values)
    with pytest.raises(ConfigError, match="source_noise"):
        DiffusionConfig(source_noise=0.1)
