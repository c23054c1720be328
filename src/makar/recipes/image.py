"""Recipes for images: flow matching with a small U-Net, without and with classes, and the rule that sizes it.

The rule is that of compute-optimal language models (Hoffmann et al. 2022, arXiv 2203.15556) with pixels in the place of tokens: as
compute grows, parameters and pixels seen grow alike, at ``PIXELS_PER_PARAMETER``. Measured on Fashion-MNIST with classes, one seed, one
shared Zen 4 core, bfloat16, Frechet distance of 2,000 or 2,500 images in 10 steps of ``adams`` (features of a classifier of the training
images, real images 0.2)::

    45 s of CPU time   32 features, 1 block, rate 4e-3, batch 32                  9.4
                       2 blocks instead                                          11.1
                       2 blocks, batch 16; and rate 8e-3                   11.2; 10.8
                       2 blocks, rate 2e-3                                       14.4
                       2 blocks, uniform times; mean and deviation a pixel 13.2; 12.1
                       48 features, 2 blocks, rate 4e-3; 2e-3              15.1; 15.5
                       48 features, 2 blocks, rate 2e-3, batch 16                13.0
    180 s              48 features, 1 block, rate 4e-3, batch 16                  3.5
                       2 blocks, rate 3.3e-3                                      4.5
                       64 features, 1 block, rate 3e-3                            4.8
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.diffusion.config import FEATURE_STEP, DiffusionConfig
from makar.families.diffusion.size import embedding_width
from makar.recipe import OptimisationConfig, Recipe, Stage

PIXELS_PER_PARAMETER = 100.0
"""Pixels to train on for each parameter, counted with repetition."""

VALUES_PER_PARAMETER = 4.0
"""Different values that the data must hold for each parameter; a larger network would learn a small collection by heart.
Not measured.
"""

LARGEST_FEATURES = 512
LEARNING_RATE = 4e-3
"""Peak for ``REFERENCE_FEATURES``; it falls with the root of the width."""

REFERENCE_FEATURES = 32
SMALLEST_BATCH = 16
REFERENCE_OPERATIONS = 5e13
"""The batch doubles for every eightfold of this compute: early on, many small steps teach more than few large ones.
Not measured above 2e13.
"""

LONG_SIDE = 40
"""From this many pixels on, a third level keeps attention at 8 to 16 positions a side."""


EXPECTED = (
    "Fashion-MNIST, 28 x 28, with classes, these sizes, 3 minutes of CPU time of one Zen 4 core: "
    "Frechet distance 3.0 in 10 steps (2,000 images, features of a classifier of the training images; real images against real ones 0.2)"
)


def image() -> Recipe:
    """Return the recipe for images without classes."""
    summary = "images like yours: flow matching with a small U-Net"
    expected = f"not measured without classes; with them: {EXPECTED}"
    return _recipe("image", summary=summary, expected=expected, use_labels=False, classes=0)


def image_class() -> Recipe:
    """Return the recipe for images with classes that can be asked for."""
    summary = "images of the class you ask for: flow matching with classes and guidance"
    return _recipe("image-class", summary=summary, expected=EXPECTED, use_labels=True, classes=1)


def image_family_for(
    operations: float, *, images: int, height: int, width: int, channels: int, classes: int
) -> tuple[DiffusionConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of data.

    Args:
        operations: Floating-point operations of the whole training.
        images: Different training images.
        height: Height of the images, in pixels.
        width: Width of the images, in pixels.
        channels: Channels of the images.
        classes: Number of classes; 0 for none.

    Returns:
        The family's settings and how its weights are moved.
    """
    multipliers = (1, 2) if max(height, width) < LONG_SIDE else (1, 2, 2)

    def with_features(features: int) -> DiffusionConfig:
        return DiffusionConfig(
            height=height,
            width=width,
            channels=channels,
            classes=classes,
            features=features,
            multipliers=multipliers,
            embedding_width=embedding_width(features),
        )

    values = images * height * width * channels
    best, distance = with_features(FEATURE_STEP), math.inf
    for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP):
        family = with_features(features)
        parameters = family.parameter_count()
        if features > FEATURE_STEP and parameters * VALUES_PER_PARAMETER > values:
            break
        needed = PIXELS_PER_PARAMETER * parameters / (height * width) * family.training_operations()
        if abs(math.log(needed / max(operations, 1.0))) < distance:
            best, distance = family, abs(math.log(needed / max(operations, 1.0)))
    doublings = max(0.0, math.log(max(operations, 1.0) / REFERENCE_OPERATIONS, 8))
    batch = SMALLEST_BATCH * 2 ** min(4, math.ceil(doublings))
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE * math.sqrt(REFERENCE_FEATURES / max(REFERENCE_FEATURES, best.features)),
        batch_size=batch,
        beta_2=0.99,
        warmup_steps=50,
        descent_share=0.6,
        average_share=0.05,
    )
    return best, optimisation


def _recipe(name: str, *, summary: str, expected: str, use_labels: bool, classes: int) -> Recipe:
    family, optimisation = image_family_for(1e14, images=10_000, height=32, width=32, channels=3, classes=classes)
    stage = Stage(name="image", codec=ImageCodecConfig(use_labels=use_labels), family=family, optimisation=optimisation)
    return Recipe(name=name, medium="image", summary=summary, expected=expected, stages=(stage,))
