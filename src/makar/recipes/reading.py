"""The recipes of encoders that read text, and the rule that sizes them: as wide as the data feed, and seen so often as time allows.

Small labelled data are what limits these models, so the width follows the number of tokens and not the time: more weights than
``WEIGHTS_A_TOKEN`` of them learn the texts by heart. What time is left makes several readers, which vote.
"""

import math

from makar.codecs.graded_text_config import GradedTextCodecConfig
from makar.codecs.labelled_text_config import LabelledTextCodecConfig
from makar.codecs.question_text_config import QuestionTextCodecConfig
from makar.codecs.similar_text_config import PAIRS, SimilarTextCodecConfig
from makar.codecs.tagged_text_config import TaggedTextCodecConfig
from makar.codecs.text_config import BpeCodecConfig
from makar.codecs.text_rows_config import TextRowsConfig
from makar.errors import UnsupportedError
from makar.families.encoder.bert_config import BertConfig
from makar.families.encoder.classifier_config import ClassifierConfig
from makar.families.encoder.config import WIDTHS, EncoderConfig
from makar.families.encoder.embedder_config import EmbedderConfig
from makar.families.encoder.regressor_config import RegressorConfig
from makar.families.encoder.span_finder_config import SpanFinderConfig
from makar.families.encoder.tagger_config import TaggerConfig
from makar.families.encoder.voting_config import VotingConfig
from makar.families.family_config import FamilyConfig
from makar.recipe import PARENT, OptimisationConfig, Origin, Recipe, Stage, continued
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

WEIGHTS_A_TOKEN = 0.3
"""Weights of the blocks at most for each token of the training texts, filled-up places counted."""

WANTED_PASSES = 12.0
"""Passes over the data that a size should be trained with where time is short."""

TOKENS_A_WEIGHT = 20.0
"""Tokens that a weight of the blocks should see where words are hidden: three in ten teach."""

LARGEST_WIDTH = 1024
MOST_READERS = 8
"""Encoders that vote at most; time that is left after that goes into more passes."""

PAIRS_TOGETHER = 64
"""Pairs of a step: each text has to be told from so many others."""

NARROWEST_VECTOR = 128
WEIGHTS_A_TOKEN_OF_VECTORS = 3.0
"""Weights of the blocks at most for each token of what vectors are learned from: parts are drawn anew every time."""

LEARNING_RATE, REFERENCE_WIDTH = 2e-3, 128
FINE_RATE = 0.5
"""Learning rate of an encoder that was trained before, in that of one from nothing."""

OPTIMISATION = OptimisationConfig(
    learning_rate=LEARNING_RATE,
    batch_size=32,
    beta_2=0.98,
    weight_decay=0.1,
    warmup_steps=50,
    descent_share=1.0,
    average_share=0.01,
)


def bert() -> Recipe:
    """Return the recipe that learns to read from texts alone, for others to begin from."""
    stage = Stage(
        name="model",
        codec=BpeCodecConfig(vocabulary_size=4096),
        family=BertConfig(),
        optimisation=OPTIMISATION.changed(batch_size=32, average_share=0.0, descent_share=0.6),
    )
    return Recipe(
        name="bert",
        medium="text",
        summary="learns to read from texts without labels, by finding hidden words; the recipes that read begin --from it",
        expected="20 minutes of prose_books first, one Zen 3 core: then 1 minute with 1,000 labels, emotion 0.416 (from nothing 0.348), "
        "wikiann 0.443 (0.236), sst2 0.522 (0.670); 5 minutes with all, fairytaleqa 0.251 (0.113), emotion and sst2 no better",
        stages=(stage,),
    )


def size_masked(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an encoder that finds hidden words: as parameters and tokens seen grow alike with compute.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training tokens.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, BertConfig), "the registry's table pairs kind and rule"
    best = best_size(
        (family.with_width(width) for width in WIDTHS if width <= LARGEST_WIDTH),
        operations=operations,
        needed=lambda sized: TOKENS_A_WEIGHT * sized.depth * sized.block_count() * sized.training_operations(),
        is_fed=lambda sized: sized.depth * sized.block_count() <= 10.0 * items,
    )
    passes = operations / (best.training_operations() * max(1, items))
    return (
        best.changed(dropout=0.0 if passes < 8 else 0.1),
        stage.optimisation.changed(learning_rate=rate_of(best)),
    )


def classify(origin: Origin | None = None) -> Recipe:
    """Return the recipe that tells the class of a text, or its labels; see ``_reading`` for what it begins from."""
    return _reading(
        "classify",
        LabelledTextCodecConfig(),
        ClassifierConfig(length=64),
        summary="tells the class of a text, or which labels it bears: makar predict",
        expected="5 minutes of one Zen 4 core, accuracy: sst2 0.826 (TF-IDF with logistic regression 0.814), emotion 0.907 (0.859), "
        "sms_spam 0.992 (0.984)",
        origin=origin,
    )


def tag(origin: Origin | None = None) -> Recipe:
    """Return the recipe that gives every word of a text a tag: named entities, or parts of speech."""
    return _reading(
        "tag",
        TaggedTextCodecConfig(),
        TaggerConfig(length=64),
        summary="marks named entities in a text, or gives each word a tag: makar predict",
        expected="wikiann en, two passes (1,250 steps of 32), one busy Zen 4 core, 82 processor seconds: entity F1 0.726",
        origin=origin,
    )


def grade(origin: Origin | None = None) -> Recipe:
    """Return the recipe that gives a text a number: stars, a score."""
    return _reading(
        "grade",
        GradedTextCodecConfig(),
        RegressorConfig(length=64),
        summary="gives a text a number, as texts with numbers show it: makar predict",
        origin=origin,
    )


def find_answer(origin: Origin | None = None) -> Recipe:
    """Return the recipe that marks the answer to a question in a passage."""
    return _reading(
        "find-answer",
        QuestionTextCodecConfig(),
        SpanFinderConfig(length=256),
        summary="marks the answer to a question in a passage that is given with it: makar predict --query",
        expected="20 minutes of prose_books first (bert), then 5 minutes, one Zen 3 core, fairytaleqa with the section: F1 0.251 "
        "(from nothing 0.113, the sentence most like the question 0.214)",
        origin=origin,
    )


def embed(origin: Origin | None = None) -> Recipe:
    """Return the recipe that makes vectors of texts, so that those that mean the like are near each other."""
    return _reading(
        "embed",
        SimilarTextCodecConfig(),
        EmbedderConfig(length=128),
        summary="makes vectors of texts, near where texts are alike: makar predict, and what is found by meaning",
        origin=origin,
        optimisation=OPTIMISATION.changed(batch_size=PAIRS_TOGETHER),
    )


def _reading(
    name: str,
    codec: TextRowsConfig,
    family: EncoderConfig,
    *,
    summary: str,
    origin: Origin | None,
    expected: str = "not measured",
    optimisation: OptimisationConfig = OPTIMISATION,
) -> Recipe:
    """Return a recipe of one reader.

    Args:
        name: Name of the recipe.
        codec: How its rows become arrays.
        family: The reader.
        summary: One sentence for a list.
        origin: A model to begin from: one of the recipe ``bert`` or any other reader, or of this one, which is trained on.
        expected: What was measured.
        optimisation: How weights are moved.
    """
    if origin is not None and type(origin.model.family) is type(family):
        return continued(origin)
    stage = Stage(name="model", codec=codec, family=family, optimisation=optimisation)
    recipe = Recipe(name=name, medium="text", grows=True, summary=summary, expected=expected, stages=(stage,))
    return recipe if origin is None else grown(recipe, origin)


def grown(recipe: Recipe, origin: Origin) -> Recipe:
    """Return a recipe of one reader that begins with the encoder of a saved model.

    Raises:
        UnsupportedError: That model has no encoder of text.
    """
    family, (stage,) = origin.model.family, recipe.stages
    if not isinstance(family, EncoderConfig):
        raise UnsupportedError(
            f'"{origin.parent.name}" is of family "{family.kind}", which has no encoder of text',
            expected=f'a model of the recipe "bert", to begin the recipe "{recipe.name}" from',
            do="makar train TEXTS --recipe bert",
        )
    shared = {
        name: getattr(family, name)
        for name in ("vocabulary", "length", "depth", "width", "heads", "hidden", "rotary_base", "norm_epsilon")
    }
    assert isinstance(stage.codec, TextRowsConfig), "readers learn from rows"
    begun = stage.changed(
        begins=PARENT,
        codec=stage.codec.begun(vocabulary=family.vocabulary, length=family.length),
        family=stage.family.changed(**shared),
        optimisation=stage.optimisation.changed(learning_rate=FINE_RATE * rate_of(family)),
    )
    return recipe.changed(stages=(begun,), grown=True, parent=origin.parent)


def size_reader(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an encoder that learns from texts with answers.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training texts.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, EncoderConfig), "the registry's table pairs kind and rule"
    best = best_size(
        (family.with_width(width) for width in WIDTHS if width <= LARGEST_WIDTH),
        operations=operations,
        needed=lambda sized: WANTED_PASSES * items * sized.training_operations(),
        is_fed=lambda sized: sized.depth * sized.block_count() <= WEIGHTS_A_TOKEN * items * family.length,
    )
    passes = operations / (best.training_operations() * max(1, items))
    if isinstance(best, VotingConfig):
        readers = max(1, min(MOST_READERS, int(passes / WANTED_PASSES)))
        best, passes = best.changed(readers=readers), passes / readers
    return best.changed(dropout=0.1 if passes < 4 else 0.3), stage.optimisation.changed(learning_rate=rate_of(best))


def size_embedder(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an encoder that makes vectors.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different pairs, or training tokens where there are none.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, EmbedderConfig), "the registry's table pairs kind and rule"
    tokens = items * (2 * family.length if family.learns == PAIRS else 1)
    best = best_size(
        (family.with_width(width) for width in WIDTHS if NARROWEST_VECTOR <= width <= LARGEST_WIDTH),
        operations=operations,
        needed=lambda sized: WANTED_PASSES * items * sized.training_operations(),
        is_fed=lambda sized: sized.depth * sized.block_count() <= WEIGHTS_A_TOKEN_OF_VECTORS * tokens,
    )
    return best.changed(dropout=0.1), stage.optimisation.changed(learning_rate=rate_of(best))


def rate_of(family: EncoderConfig) -> float:
    """Return the peak of the learning rate for an encoder from nothing: it falls with the root of the width."""
    return LEARNING_RATE * math.sqrt(REFERENCE_WIDTH / family.width)
