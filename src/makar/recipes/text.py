"""Recipes for prose and code: a decoder transformer on characters, bytes or byte-level pairs."""

from makar.codecs.text_config import BpeCodecConfig, CharacterCodecConfig
from makar.families.transformer.config import TransformerConfig
from makar.recipe import OptimisationConfig, Recipe, Stage

CONTEXTS = ((1.5e12, 64), (2e13, 128), (float("inf"), 256))
"""Up to so many operations, so many positions: looking further back pays when there is time to learn it."""
LARGEST_COMPACT_VOCABULARY = 512
"""The compact layout is measurably better on characters and bytes; with a vocabulary of pairs more programs open the other."""
TOKENS_A_PARAMETER = 5.5
SMALLEST = 3e4
DROPOUTS = ((4.0, 0.0), (8.0, 0.05), (16.0, 0.1), (float("inf"), 0.2))
"""Up to so many times through the data, so much dropout."""
BATCH_TOKENS, BATCH_SEEN = 1024.0, 6e5
"""Tokens a step for a short run, and the tokens it sees; longer runs take larger batches (Karpathy 2025, nanochat: D^0.38)."""


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

    Measured on tiny_shakespeare by characters: the best of the shapes tried saw five to six tokens a parameter, at 0.1 million
    parameters and 4e11 operations as at 0.35 million and 3.5e12. That is fewer than the twenty of Hoffmann et al. 2022
    (arXiv 2203.15556), because a step of a small network costs more in its calls than in its arithmetic.

    Args:
        operations: Floating-point operations that the training may take.
        tokens: Distinct training tokens.
        vocabulary: Size of the vocabulary.
    """
    context = next(length for most, length in CONTEXTS if operations < most)
    layout = "compact" if vocabulary <= LARGEST_COMPACT_VOCABULARY else "mainstream"
    empty = TransformerConfig(layout=layout, context=context, vocabulary=vocabulary)
    parameters = (operations / (6 * TOKENS_A_PARAMETER)) ** 0.5
    family = empty.scaled_to(int(max(SMALLEST, parameters)))
    seen = operations / family.training_operations()
    epochs = seen / max(1, tokens)
    dropout = next(share for most, share in DROPOUTS if epochs < most)
    batch_tokens = BATCH_TOKENS * max(1.0, seen / BATCH_SEEN) ** 0.38
    optimisation = OptimisationConfig(
        learning_rate=min(8e-3, 8e-3 * (96 / family.width) ** 0.7),
        batch_size=max(4, round(batch_tokens / context)),
        beta_1=0.8,
        beta_2=0.99,
        warmup_steps=20,
        average_share=0.02,
    )
    return family.changed(dropout=dropout), optimisation
