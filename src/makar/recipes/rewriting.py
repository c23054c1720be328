"""Recipes that make one text from another (translations, summaries, answers), the one that learns a language first, and their sizes."""

import math

from makar.codecs.pair_config import PairCodecConfig
from makar.errors import UnsupportedError
from makar.families.family_config import FamilyConfig
from makar.families.seq2seq.config import HEAD_WIDTH, PAIRS, SPANS, Seq2seqConfig
from makar.recipe import OptimisationConfig, Origin, Recipe, Stage, continued
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

WIDTHS = (*range(HEAD_WIDTH, 512, HEAD_WIDTH), *range(512, 1537, 2 * HEAD_WIDTH))
TOKENS_A_WEIGHT = 8.0
"""Target tokens to train on for each weight that takes part in a product, counted with repetition."""

WEIGHTS_A_TOKEN = 10.0
"""Weights at most for each different target token of the data: what dropout still repays."""

LEARNING_RATE, REFERENCE_WIDTH = 6e-3, 128
"""Width 64, 40 s of a busy core, multi30k: 5.7e-3 5.30 and 4.91 nats a token (2,000 and 500 tokens a step), 1.1e-2 5.10 and 4.82."""

BATCH_TOKENS, REFERENCE_OPERATIONS = 500.0, 4e12
"""Target tokens of a step at so much arithmetic; they grow with its fourth root."""
PAIRS_A_STEP = 32
"""Pairs a step where a training begins from a model of spans, whose batches were windows."""

STAGE = "model"


MARKS, SPAN_CONTEXT = 32, 256


def rewrite(origin: Origin | None = None) -> Recipe:
    """Return the recipe that learns to make texts like the targets of pairs from texts like their sources.

    Args:
        origin: A model that reads and writes, to begin from; ``None`` begins from nothing.

    Raises:
        UnsupportedError: The model is of another family.
    """
    return _of_pairs(
        "rewrite",
        PairCodecConfig(),
        summary="makes one text from another, as pairs show it: translations, summaries, code from descriptions",
        expected="multi30k en-de, 60 minutes of one Zen 4 core: sacreBLEU 38.5; django, 60 minutes: 0.706 letter for letter; dialogsum, "
        "60 minutes of one Zen 3 core: ROUGE-1, 2, L 41.0, 17.5, 34.5 (first three sentences 30.6, 9.6, 24.0)",
        origin=origin,
    )


def answer(origin: Origin | None = None) -> Recipe:
    """Return the recipe that learns to answer questions about a passage in words of its own.

    Args:
        origin: A model that reads and writes, to begin from; ``None`` begins from nothing.

    Raises:
        UnsupportedError: The model is of another family.
    """
    return _of_pairs(
        "answer",
        PairCodecConfig(task="answer", longest_target=64),
        summary="answers a question from a passage that is given with it",
        expected="fairytaleqa, 18 minutes of one Zen 3 core: ROUGE-L 14.0 (the sentence nearest to the question 21.7)",
        origin=origin,
    )


def t5() -> Recipe:
    """Return the recipe that learns a language from any text, to be trained on with pairs."""
    family, optimisation = seq2seq_for(
        Seq2seqConfig(learns=SPANS, vocabulary=8192, marks=MARKS, context=SPAN_CONTEXT, smoothing=0.0),
        operations=1e14,
        tokens=10_000_000,
    )
    stage = Stage(
        name=STAGE,
        codec=PairCodecConfig(task=SPANS, marks=MARKS),
        family=family.changed(vocabulary=0),
        optimisation=optimisation,
    )
    return Recipe(
        name="t5",
        medium="text",
        summary="learns a language by filling in what was taken out of a text; train --from it with pairs of texts",
        expected="30 minutes of prose_books first, then 5 minutes, one Zen 3 core, ROUGE-L: fairytaleqa 7.9 (from nothing 0.0), dialogsum "
        "6.4 (9.6)",
        stages=(stage,),
    )


def _of_pairs(name: str, codec: PairCodecConfig, *, summary: str, expected: str, origin: Origin | None) -> Recipe:
    if origin is None:
        family, optimisation = seq2seq_for(Seq2seqConfig(vocabulary=8192), operations=1e14, tokens=500_000)
        stage = Stage(name=STAGE, codec=codec, family=family.changed(vocabulary=0), optimisation=optimisation)
        return Recipe(name=name, medium="text", summary=summary, expected=expected, stages=(stage,), grows=True)
    made, model = continued(origin), origin.model
    if not isinstance(model.family, Seq2seqConfig) or not isinstance(model.codec, PairCodecConfig):
        raise UnsupportedError(
            f'"{origin.parent.name}" is of family "{model.family.kind}", which does not read one text and write another',
            expected="a model of the recipe t5, rewrite or answer",
        )
    # Tokens are those of the model; what is learned, and how long it may be, is that of the new data.
    kept = {"vocabulary_size": model.codec.vocabulary_size, "marks": model.codec.marks}
    stage = made.stages[-1]
    rate = stage.optimisation
    if model.family.learns == SPANS:
        # What it has learned is no end in itself and may be forgotten: it is trained on at full speed, with pairs of usual number.
        rate = model.optimisation.changed(batch_size=PAIRS_A_STEP, weight_decay=0.1)
    # A model from before there was copying has none.
    copies = None if model.family.learns == SPANS else bool(model.family.copies)
    family = model.family.changed(learns=PAIRS, copies=copies, dropout=max(0.1, model.family.dropout), smoothing=0.1)
    stage = stage.changed(codec=codec.changed(**kept), family=family, optimisation=rate)
    return made.changed(name=name, summary=summary, stages=(stage,), grows=True)


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
    batch_tokens = min(16_000.0, BATCH_TOKENS * max(0.5, operations / REFERENCE_OPERATIONS) ** 0.25)
    batch = max(1, round(batch_tokens / best.window_length))
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
