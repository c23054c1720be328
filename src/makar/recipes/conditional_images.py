"""Recipes for images made from another image: enlarging and colouring, by flow matching that is given the source at every step.

The source is computed from each training image while batches are drawn, so any folder of images will do. Sizes follow the rule of
``makar.recipes.image``; what the source says linearly is taken out first (``makar.families.diffusion.source``).

Source: Saharia et al. 2021, SR3, arXiv 2104.07636; Saharia et al. 2021, Palette, arXiv 2111.05826.
"""

from makar.codecs.image_config import ImageCodecConfig, source_slot
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import Recipe, Stage
from makar.recipes.image import image_family_for

SOURCE_NOISE = 0.05
"""Of enlarging: files that people have are not clean, and the network can be told so."""


def super_resolution() -> Recipe:
    """Return the recipe that enlarges: twice, or four times with ``--set stages.0.codec.reduction=4``."""
    return _recipe(
        "super-resolution",
        summary="your kind of images enlarged twice or four times: the model finds the detail (SR3)",
        codec=ImageCodecConfig(source="reduced"),
        edit="enlarge",
        source_noise=SOURCE_NOISE,
    )


def colorize() -> Recipe:
    """Return the recipe that gives colours to grey images."""
    return _recipe(
        "colorize",
        summary="colours for grey images of your kind: the brightness stays, the model finds the colours (Palette)",
        codec=ImageCodecConfig(source="grey"),
        edit="colour",
    )


EXPECTED = {
    "super-resolution": "cifar10, 10 minutes of one Zen 4 core a model, 500 held-out images, Frechet and perceptual distance: twice "
    "0.04 and 0.57 (bicubic 11 and 1.07), four times 0.23 and 1.91 (36 and 2.98)",
    "colorize": "cifar10, 10 minutes of one Zen 4 core, 500 held-out images: Frechet distance 0.21 (grey 1.87), perceptual distance "
    "to the true colours 1.08 (grey 0.75: another plausible colour is further away than none)",
}


def _recipe(name: str, *, summary: str, codec: ImageCodecConfig, edit: str, source_noise: float = 0.0) -> Recipe:
    source = source_slot(codec, channels=3)
    assert source is not None
    channels, height, width = source.sizes
    family = DiffusionConfig(
        source_channels=channels or 0,
        source_height=height or 0,
        source_width=width or 0,
        source_edit=edit,
        source_noise=source_noise,
    )
    sized, optimisation = image_family_for(1e14, images=10_000, family=family)
    stage = Stage(name="image", codec=codec, family=sized, optimisation=optimisation)
    return Recipe(name=name, medium="image", summary=summary, expected=EXPECTED[name], stages=(stage,))
