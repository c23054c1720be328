"""Tiny adversarial families of both layouts, and data for them, for the tests of this folder."""

from typing import Any

import torch

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.families.family import Batch, build_family
from makar.families.gan.config import GanConfig
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.family import GanFamily
from makar.families.gan.stylegan_config import StyleganConfig
from makar.recipes.gan import dcgan, stylegan

RECIPES = {"dcgan": dcgan, "stylegan": stylegan}
KINDS: dict[str, type[GanConfig]] = {"dcgan": DcganConfig, "stylegan": StyleganConfig}
COUNTS = {"ant": 1, "bee": 98, "cat": 1}


def config(kind: str, classes: int = 0, **values: Any) -> GanConfig:
    sizes = {"height": 16, "width": 20, "channels": 1, "features": 8, "latent_width": 16}
    return KINDS[kind](classes=classes, **{**sizes, **values})


def recipe_family(kind: str, **sizes: int) -> GanConfig:
    """Return the settings with which the recipe of this name trains, at other sizes; one channel."""
    family = RECIPES[kind]().stages[0].family
    assert isinstance(family, GanConfig)
    return family.changed(channels=1, **sizes)


def built(settings: GanConfig, seed: int = 0) -> GanFamily:
    family = build_family(settings)
    assert isinstance(family, GanFamily)
    family.initialise(generator(seed))
    return family


def shaken(family: GanFamily) -> GanFamily:
    """Move every weight a little: some begin at zero, which hides what is behind them."""
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(3)))
    return family


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64, *, height: int = 16, width: int = 20, channels: int = 1, seed: int = 9) -> torch.Tensor:
    """Return bright rectangles of random place, size and strength on a dark ground."""
    draw = torch.rand(4, count, 1, 1, 1, generator=generator(seed))
    rows = torch.linspace(0, 1, height)[None, None, :, None]
    columns = torch.linspace(0, 1, width)[None, None, None, :]
    inside = ((rows - draw[0]).abs() < 0.1 + 0.2 * draw[2]) & ((columns - draw[1]).abs() < 0.1 + 0.2 * draw[2])
    return (inside * (1 + draw[3]) - 1).expand(-1, channels, -1, -1).contiguous()


def batch(settings: GanConfig, count: int = 16, *, seed: int = 9) -> Batch:
    data = images(count, height=settings.height, width=settings.width, channels=settings.channels, seed=seed)
    found = {"target": data}
    return found | ({"class": torch.arange(count) % settings.classes} if settings.classes else {})


def codec(settings: GanConfig) -> ImageCodec:
    made = ImageCodecConfig(
        height=settings.height, width=settings.width, channels=settings.channels, use_labels=settings.classes > 0
    )
    return ImageCodec(made, class_counts=COUNTS if settings.classes else {})
