"""Recipes for prose and code: a decoder transformer on characters, bytes or byte-level pairs."""

from makar.codecs.text_config import BpeCodecConfig, CharacterCodecConfig
from makar.families.transformer.config import TransformerConfig
from makar.recipe import OptimisationConfig, Recipe, Stage


def text() -> Recipe:
    """Return the recipe that learns to write prose."""
    family = TransformerConfig(layout="compact", context=128, depth=4, width=128, heads=4)
    stage = Stage(name="model", codec=CharacterCodecConfig(), family=family, optimisation=OptimisationConfig())
    return Recipe(name="text", medium="text", summary="writes prose like the text it learned from", stages=(stage,))


def code() -> Recipe:
    """Return the recipe that learns to write source code."""
    family = TransformerConfig(layout="compact", context=256, depth=4, width=128, heads=4)
    codec = BpeCodecConfig(vocabulary_size=1024)
    stage = Stage(name="model", codec=codec, family=family, optimisation=OptimisationConfig())
    return Recipe(
        name="code", medium="code", summary="writes source code like the files it learned from", stages=(stage,)
    )
