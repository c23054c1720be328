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


def text_family_for(operations: float, tokens: int, vocabulary: int) -> tuple[TransformerConfig, OptimisationConfig]:
    """Return the shape and the optimisation for an amount of training.

    Args:
        operations: Floating-point operations that the training may take.
        tokens: Distinct training tokens.
        vocabulary: Size of the vocabulary.
    """
    context = 64 if operations < 1.5e13 else 128 if operations < 1e14 else 256
    empty = TransformerConfig(layout="compact", context=context, vocabulary=vocabulary)
    # Compute-optimal: C = 6 N D with D = 20 N (Hoffmann et al. 2022); more parameters than data repay only with repeats below four.
    parameters = min((operations / 120) ** 0.5, 4.0 * tokens)
    family = empty.scaled_to(int(max(3e4, parameters)))
    epochs = operations / (family.training_operations() * max(1, tokens))
    dropout = 0.0 if epochs < 4 else 0.1 if epochs < 15 else 0.2
    rate = 6e-3 * (128 / family.width) ** 0.5
    optimisation = OptimisationConfig(
        learning_rate=rate, batch_size=max(4, 768 // context), average_share=0.0, warmup_steps=30
    )
    return family.changed(dropout=dropout), optimisation
