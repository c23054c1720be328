"""The recipe ``image-bilevel``: diffusion on black-and-white pictures."""

from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar_bilevel.config import BilevelCodecConfig


def image_bilevel():
    """Return the recipe that draws in black and white."""
    stage = Stage(
        name="model",
        codec=BilevelCodecConfig(),
        family=DiffusionConfig(height=16, width=16, channels=1, features=32, head_width=16),
        optimisation=OptimisationConfig(average_share=0.05),
    )
    return Recipe(
        name="image-bilevel",
        medium="image",
        summary="draws pictures in pure black and white",
        expected="a demonstration: nothing was measured",
        stages=(stage,),
    )
