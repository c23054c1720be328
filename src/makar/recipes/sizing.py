"""How each kind of family is sized for an amount of arithmetic and of data; the registry's table ``sizings`` names these functions.

A plug-in adds its own under the family's kind (entry points ``makar.sizings``). A family without one is sized by the general rule.
"""

import math

from makar.families.diffusion.config import DiffusionConfig
from makar.families.family_config import FamilyConfig
from makar.families.gan.config import GanConfig
from makar.recipe import OptimisationConfig, Stage
from makar.recipes.gan import gan_family_for
from makar.recipes.image import image_family_for
from makar.recipes.text import text_family_for
from makar.tensor_spec import TARGET, TensorSpec

ITEMS_A_PARAMETER = 20.0


def size_transformer(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a decoder transformer; see ``text_family_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training tokens.
        spec: What the codec makes.
    """
    del stage
    return text_family_for(operations, tokens=items, vocabulary=spec[TARGET].vocabulary or 2)


def size_diffusion(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an image model; see ``image_family_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    assert isinstance(stage.family, DiffusionConfig)
    return image_family_for(operations, images=items, family=stage.family.bound_to(spec))


def size_gan(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an adversarial image model; see ``gan_family_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, GanConfig), "the rule is registered for adversarial models"
    return gan_family_for(family, operations=operations, images=items)


def size_any(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size any other family by N = sqrt(C / (6 r)), with r items a parameter.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training, C.
        items: Different training items.
        spec: What the codec makes.

    Source: Hoffmann et al. 2022, arXiv 2203.15556.
    """
    del items
    family = stage.family.bound_to(spec).scaled_to(int(math.sqrt(operations / (6 * ITEMS_A_PARAMETER))))
    return family, stage.optimisation
