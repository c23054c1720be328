"""Recipes for prose and code, and the measured rule from arithmetic and data to the size and optimisation of a text model.

Every figure below was measured on tiny_shakespeare (1,003,854 characters to learn from, a quarter of the official validation part), one
thread of a Zen 4 core shared with other work, bfloat16 products, one seed; two seeds of the same run differ by about 0.01.
"""

from makar.codecs.text_config import END_TOKEN, INFILL_TOKENS, CharacterCodecConfig, code_codec
from makar.families.transformer.config import TransformerConfig
from makar.recipe import OptimisationConfig, Recipe, Stage

REFERENCE_OPERATIONS = 4e11
"""Arithmetic of ten seconds on one core; the anchor of the rule."""

INFILL_SHARE = 0.5
"""Windows of code that are rearranged to learn to fill holes (Bavarian et al. 2022 find no loss from left to right up to 0.9)."""


def text() -> Recipe:
    """Return the recipe that learns to write prose."""
    family, optimisation = text_family_for(4e12, tokens=1_000_000, vocabulary=256)
    stage = Stage(
        name="model", codec=CharacterCodecConfig(), family=family.changed(vocabulary=0), optimisation=optimisation
    )
    return Recipe(
        name="text",
        medium="text",
        summary="writes prose like the text it learned from",
        expected="tiny_shakespeare, validation part, two Zen 4 cores: 1.574 nats a character in a minute, 1.465 in ten",
        stages=(stage,),
    )


def code() -> Recipe:
    """Return the recipe that learns to write source code."""
    codec = code_codec(1024)
    family, optimisation = text_family_for(4e12, tokens=1_000_000, vocabulary=codec.vocabulary_size)
    family = family.changed(vocabulary=0, infill_share=INFILL_SHARE, infill_tokens=(*INFILL_TOKENS, END_TOKEN))
    stage = Stage(name="model", codec=codec, family=family, optimisation=optimisation)
    return Recipe(
        name="code",
        medium="code",
        summary="writes source code like the files it learned from, and fills holes in it",
        expected="158 modules of the Python library, one busy Zen 4 core: 1.78 bits a byte on 10 others in 50 s",
        stages=(stage,),
    )


def text_family_for(operations: float, tokens: int, vocabulary: int) -> tuple[TransformerConfig, OptimisationConfig]:
    """Return the shape and the optimisation for an amount of training.

    Args:
        operations: Floating-point operations that the training may take.
        tokens: Different training tokens.
        vocabulary: Number of tokens of the codec.
    """
    scale = max(1e-3, operations / REFERENCE_OPERATIONS)
    # At a minute 128 positions beat 64 and 256; in ten seconds 64 lose nothing and cost half.
    context = 64 if operations < 1e12 else 128 if operations < 1e13 else 256 if operations < 1e16 else 1024
    family = _shape_for(operations, tokens, TransformerConfig(vocabulary=vocabulary, context=context))
    epochs = operations / (family.training_operations() * max(1, tokens))
    # 768 to 1,024 tokens a step won at ten seconds (2,048: 0.02 worse), 1,500 to 2,048 at a minute.
    batch_tokens = min(2.0**19, 900 * scale**0.2)
    steps = operations / (family.training_operations() * batch_tokens)
    is_short = steps < 2000
    optimisation = OptimisationConfig(
        # Width 64: 0.008 1.867, 0.012 1.850, 0.018 1.853. Width 96: 0.005 1.628, 0.008 1.615.
        learning_rate=1e-2 * (64 / family.width) ** 0.5,
        batch_size=max(1, round(batch_tokens / context)),
        # Few steps want short memories: beta 1 of 0.9 1.891, 0.8 1.877; beta 2 of 0.99 1.877, 0.97 1.867.
        beta_1=0.8 if is_short else 0.9,
        beta_2=0.97 if is_short else 0.99,
        # As in nanoGPT, and only where data repeats.
        weight_decay=0.0 if epochs < 4 else 0.1,
        warmup_steps=round(min(200.0, max(10.0, 0.03 * steps))),
        # The last 60 %: 1.877; 90 %: 1.892; a cosine over the whole run: 1.896.
        descent_share=0.6,
        # With a descent to zero an average of the weights gains nothing: 1.4688 without, 1.4679 with.
        average_share=0.0,
    )
    # Up to four passes repeated data is as good as new (Muennighoff et al. 2023, arXiv 2305.16264); six passes with 0.1 reached 1.469.
    dropout = 0.0 if epochs < 4 else 0.1 if epochs < 12 else 0.2
    return family.changed(dropout=dropout), optimisation


def _shape_for(operations: float, tokens: int, config: TransformerConfig) -> TransformerConfig:
    """Return the shape that sees the right number of tokens for each weight that it multiplies them with."""
    # At ten seconds 5 to 6 tokens a weight won (2 x 64: 1.782; 3 x 64 worse by 0.01), at a minute 17 (3 x 64: 1.599) did as well as 4
    # (3 x 96: 1.618; 3 x 128 and 4 x 96 worse by 0.04 and 0.03), at nine minutes 5 gave 1.469 (4 x 160). Large runs want 10 to 20
    # (Hoffmann et al. 2022, arXiv 2203.15556; Karpathy 2025, nanochat).
    tokens_a_weight = min(20.0, 6.0 * max(1.0, operations / 1e14) ** 0.15)
    # Ten weights a token is what dropout still repays (nanoGPT: 10.6 M for 1 M characters).
    weights = min((operations / (6 * tokens_a_weight)) ** 0.5, 10.0 * tokens)
    # The embeddings multiply nothing and attention no weights: both depend on the shape, which a few rounds settle.
    for _ in range(4):
        attention = config.depth * config.width * config.context
        sized = config.scaled_to(max(20_000, int(weights - attention + config.vocabulary * config.width)))
        if sized == config:
            break
        config = sized
    return config
