"""The recipe that makes one text from another (translations, summaries, code from its description), and the rule that sizes it."""

import math

from makar.codecs.pair_config import PairCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.seq2seq.config import HEAD_WIDTH, Seq2seqConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

WIDTHS = (*range(HEAD_WIDTH, 512, HEAD_WIDTH), *range(512, 1537, 2 * HEAD_WIDTH))
TOKENS_A_WEIGHT = 8.0
"""Target tokens to train on for each weight that takes part in a product, counted with repetition."""

WEIGHTS_A_TOKEN = 10.0
"""Weights at most for each different target token of the data: what dropout still repays."""

LEARNING_RATE, REFERENCE_WIDTH = 4e-3, 128
BATCH_TOKENS = 2000.0


def rewrite() -> Recipe:
    """Return the recipe that learns to make texts like the targets of pairs from texts like their sources."""
    family, optimisation = seq2seq_for(Seq2seqConfig(vocabulary=8192), operations=1e14, tokens=500_000)
    stage = Stage(name="model", codec=PairCodecConfig(), family=family.changed(vocabulary=0), optimisation=optimisation)
    return Recipe(
        name="rewrite",
        medium="text",
        summary="makes one text from another, as pairs show it: translations, summaries, code from descriptions",
        expected="not measured",
        stages=(stage,),
    )


def size_seq2seq(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an encoder-decoder; see ``seq2seq_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different target tokens; of spans all tokens.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, Seq2seqConfig), "the registry's table pairs kind and rule"
    return seq2seq_for(family, operations=operations, tokens=items)


def seq2seq_for(family: Seq2seqConfig, *, operations: float, tokens: int) -> tuple[Seq2seqConfig, OptimisationConfig]:
    """Return the shape and the optimisation for an amount of training.

    Args:
        family: What is learned: vocabulary and usual lengths.
        operations: Floating-point operations that the training may take.
        tokens: Different target tokens.
    """

    def weights(sized: Seq2seqConfig) -> int:
        # The vectors of the tokens of the source take part in no product.
        return sized.parameter_count() - (0 if sized.tied else sized.vocabulary * sized.width)

    best = best_size(
        (family.with_width(width) for width in WIDTHS),
        operations=operations,
        needed=lambda sized: TOKENS_A_WEIGHT * weights(sized) * sized.training_operations(),
        is_fed=lambda sized: weights(sized) <= WEIGHTS_A_TOKEN * tokens,
    )
    seen = operations / best.training_operations()
    epochs = seen / max(1, tokens)
    batch = max(1, round(BATCH_TOKENS / best.window_length))
    steps = seen / (batch * best.window_length)
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE * math.sqrt(REFERENCE_WIDTH / best.width),
        batch_size=batch,
        beta_2=0.98,
        weight_decay=0.0 if epochs < 4 else 0.1,
        warmup_steps=round(min(1000.0, max(20.0, 0.06 * steps))),
        descent_share=0.7,
        gradient_clip=1.0,
        average_share=0.05,
    )
    dropout = 0.0 if epochs < 2 else 0.1 if epochs < 8 else 0.2 if epochs < 30 else 0.3
    return best.changed(dropout=dropout), optimisation
