"""Recipes for autoencoders of images, ``vae`` and ``vqvae``, and the rules that size them.

The rule is that of ``makar.recipes.image``: parameters and pixels seen grow alike with compute.
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.vae.config import VaeConfig
from makar.families.vqvae.config import VqvaeConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

IMAGES_PER_PARAMETER = 0.1
"""Images to train on for each parameter, counted with repetition."""

VALUES_PER_PARAMETER = 4.0
"""Different values that the data must hold for each parameter. Not measured."""

FEATURE_STEP = 8
LARGEST_FEATURES = 512
LEARNING_RATE = 1e-2
"""Peak for ``REFERENCE_FEATURES``; it falls with the root of the width."""

REFERENCE_FEATURES = 32
BATCH = 128
OUTLINE_CELLS = 4
"""On fashion_mnist, one class against nine, 4 and 7 cells a side tell strange images alike, and 4 cost a ninth of the covariance."""


def vae() -> Recipe:
    """Return the recipe for a variational autoencoder."""
    return _recipe(
        "vae",
        VaeConfig(outline_cells=OUTLINE_CELLS),
        summary="images by a variational autoencoder: samples, codes, denoising and a score of strangeness",
        expected="binarised fashion_mnist, 5 minutes of one Zen 4 core: bound of 234.4 nats an image (the example of PyTorch 238.1); "
        "anomalies, trained on one class of ten for 30 s: mean area under the ROC curve 0.947",
    )


def vqvae() -> Recipe:
    """Return the recipe for an autoencoder of tokens."""
    return _recipe(
        "vqvae",
        VqvaeConfig(),
        summary="images to tokens and back, for models that predict tokens; makes no new images by itself",
        expected="fashion_mnist, 12 s of one shared core: mean squared error 0.041 of a variance of 0.503, "
        "393 of 512 codes in even use",
    )


def size_vae(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a variational autoencoder.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, VaeConfig), "the registry's table pairs kind and rule"
    return _sized(family, stage.optimisation, operations=operations, items=items)


def size_vqvae(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an autoencoder of tokens; the arguments are those of ``size_vae``."""
    family = stage.family.bound_to(spec)
    assert isinstance(family, VqvaeConfig), "the registry's table pairs kind and rule"
    return _sized(family, stage.optimisation, operations=operations, items=items)


def _sized(
    family: VaeConfig | VqvaeConfig, optimisation: OptimisationConfig, *, operations: float, items: int
) -> tuple[FamilyConfig, OptimisationConfig]:
    values = items * family.height * family.width * family.channels
    best = best_size(
        (_with_features(family, features) for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)),
        operations=operations,
        needed=lambda trial: IMAGES_PER_PARAMETER * trial.parameter_count() * trial.training_operations(),
        is_fed=lambda trial: trial.parameter_count() * VALUES_PER_PARAMETER <= values,
    )
    rate = LEARNING_RATE * math.sqrt(REFERENCE_FEATURES / max(REFERENCE_FEATURES, best.features))
    return best, optimisation.changed(learning_rate=rate)


def _with_features(family: VaeConfig | VqvaeConfig, features: int) -> VaeConfig | VqvaeConfig:
    return family.with_features(features) if isinstance(family, VaeConfig) else family.changed(features=features)


def _recipe(name: str, family: VaeConfig | VqvaeConfig, *, summary: str, expected: str) -> Recipe:
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE,
        batch_size=BATCH,
        beta_2=0.99,
        warmup_steps=100,
        descent_share=0.6,
        average_share=0.05,
    )
    stage = Stage(name="image", codec=ImageCodecConfig(), family=family, optimisation=optimisation)
    return Recipe(name=name, medium="image", summary=summary, expected=expected, stages=(stage,))
