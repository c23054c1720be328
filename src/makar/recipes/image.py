"""Recipes for images: flow matching with a small U-Net, without and with classes, and the rule that sizes it."""

from makar.codecs.image_config import ImageCodecConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import OptimisationConfig, Recipe, Stage


def image() -> Recipe:
    """Return the recipe for images without classes."""
    return _recipe(
        "image",
        summary="images like yours: flow matching with a small U-Net",
        use_labels=False,
        classes=0,
    )


def image_class() -> Recipe:
    """Return the recipe for images with classes that can be asked for."""
    return _recipe(
        "image-class",
        summary="images of the class you ask for: flow matching with classes and guidance",
        use_labels=True,
        classes=1,
    )


def _recipe(name: str, *, summary: str, use_labels: bool, classes: int) -> Recipe:
    family, optimisation = image_family_for(1e14, images=10_000, height=32, width=32, channels=3, classes=classes)
    codec = ImageCodecConfig(use_labels=use_labels)
    stage = Stage(name="image", codec=codec, family=family, optimisation=optimisation)
    return Recipe(name=name, medium="image", summary=summary, stages=(stage,))


def image_family_for(
    operations: float, *, images: int, height: int, width: int, channels: int, classes: int
) -> tuple[DiffusionConfig, OptimisationConfig]:
    """Return the sizes and the optimisation for an amount of compute and of data."""
    raise NotImplementedError
