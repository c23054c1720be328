"""The recipe that puts images and captions into one space, and the rule that sizes it.

The rule is that of ``makar.recipes.image`` with images in the place of pixels: parameters and images seen grow alike with compute. The
vectors of the words are not counted: they take part in no product.
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.contrastive.config import FEATURE_STEP, ContrastiveConfig
from makar.families.family_config import FamilyConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

IMAGES_PER_PARAMETER = 0.3
"""Images to train on for each parameter, counted with repetition. Not measured."""

VALUES_PER_PARAMETER = 4.0
"""Different values that the data must hold for each parameter. Not measured."""

LARGEST_FEATURES = 256
LEARNING_RATE = 3e-3
"""Peak for ``REFERENCE_FEATURES``; it falls with the root of the width."""

REFERENCE_FEATURES = 32
BATCH = 128
"""Of so many captions an image has to find its own: the batch is the question, not only its weight."""

OPTIMISATION = OptimisationConfig(
    learning_rate=LEARNING_RATE,
    batch_size=BATCH,
    beta_2=0.98,
    weight_decay=0.1,
    warmup_steps=100,
    descent_share=0.8,
    average_share=0.05,
)


def clip() -> Recipe:
    """Return the recipe for images and captions in one space."""
    stage = Stage(
        name="pairs",
        codec=ImageCodecConfig(use_captions=True),
        family=ContrastiveConfig(),
        optimisation=OPTIMISATION,
    )
    return Recipe(
        name="clip",
        medium="image",
        summary="images and captions in one space: labels without training for them, search by text; makes no images",
        expected="not measured",
        stages=(stage,),
    )


def size_contrastive(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a pair of encoders.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, ContrastiveConfig), "the registry's table pairs kind and rule"
    values = items * family.height * family.width * family.channels

    def parameters(trial: ContrastiveConfig) -> int:
        return trial.parameter_count() - trial.caption_vocabulary * trial.caption_width

    best = best_size(
        (family.with_features(features) for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)),
        operations=operations,
        needed=lambda trial: IMAGES_PER_PARAMETER * parameters(trial) * trial.training_operations(),
        is_fed=lambda trial: parameters(trial) * VALUES_PER_PARAMETER <= values,
    )
    rate = LEARNING_RATE * math.sqrt(REFERENCE_FEATURES / max(REFERENCE_FEATURES, best.features))
    return best, stage.optimisation.changed(learning_rate=rate)
