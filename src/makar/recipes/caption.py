"""The recipe that describes images, and the rule that sizes it: as compute grows, weights and images seen grow alike.

Few images have few words: what limits the size is then the number of caption tokens, and dropout comes with the number of times that they
are seen, as for text (``makar.recipes.text``). The constants are not measured.
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.transformer.caption_config import WIDTHS, CaptionerConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

IMAGES_PER_WEIGHT = 0.2
"""Images to train on for each weight that takes part in a product, counted with repetition."""

TOKENS_A_CAPTION = 10.0
WEIGHTS_A_TOKEN = 20.0
"""Weights at most for each caption token of the data."""

LEARNING_RATE, REFERENCE_WIDTH = 6e-3, 64
BATCH = 32


def caption() -> Recipe:
    """Return the recipe that learns to describe images from images with captions."""
    images = ImageCodecConfig(use_captions=True)
    family = CaptionerConfig(caption_length=images.caption_length, caption_vocabulary=images.caption_vocabulary)
    sized, optimisation = captioner_for(family, operations=1e13, images=10_000)
    stage = Stage(name="caption", codec=images, family=sized, optimisation=optimisation)
    return Recipe(
        name="caption",
        medium="image",
        summary="describes images in words like those of your captions: makar predict",
        expected="emoji held out by code point, 10 minutes of one Zen 4 core: CIDEr-D 0.083 (0.057 to 0.114), another held-out caption "
        "0.040; the caption of the nearest training image 0.569: worse than looking that up",
        stages=(stage,),
    )


def size_captioner(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a network that describes images; see ``captioner_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, CaptionerConfig), "the registry's table pairs kind and rule"
    return captioner_for(family, operations=operations, images=items)


def captioner_for(
    family: CaptionerConfig, *, operations: float, images: int
) -> tuple[CaptionerConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of data.

    Args:
        family: What is learned: sizes of images and captions.
        operations: Floating-point operations of the whole training.
        images: Different training images.
    """

    def weights(sized: CaptionerConfig) -> int:
        # The vectors of the words take part in no product: they are looked up.
        return sized.parameter_count() - sized.caption_vocabulary * sized.stream_width

    best = best_size(
        (family.with_width(width) for width in WIDTHS),
        operations=operations,
        needed=lambda sized: IMAGES_PER_WEIGHT * weights(sized) * sized.training_operations(),
        is_fed=lambda sized: weights(sized) <= WEIGHTS_A_TOKEN * TOKENS_A_CAPTION * images,
    )
    epochs = operations / (best.training_operations() * max(1, images))
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE * math.sqrt(REFERENCE_WIDTH / best.stream_width),
        batch_size=BATCH,
        beta_2=0.98,
        weight_decay=0.0 if epochs < 4 else 0.1,
        warmup_steps=100,
        descent_share=0.6,
    )
    return best.changed(dropout=0.0 if epochs < 2 else 0.1 if epochs < 8 else 0.2), optimisation
