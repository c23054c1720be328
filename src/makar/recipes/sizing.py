"""How each kind of family is sized for an amount of arithmetic and of data; the registry's table ``sizings`` names these functions.

A plug-in adds its own under the family's kind (entry points ``makar.sizings``). A family without one is sized by the general rule.
"""

import math

from makar.codecs.text_config import BpeCodecConfig
from makar.errors import ConfigError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family_config import FamilyConfig
from makar.families.gan.config import GanConfig
from makar.families.transformer.config import TransformerConfig
from makar.recipe import OptimisationConfig, Stage
from makar.recipes.gan import gan_family_for
from makar.recipes.image import image_family_for
from makar.recipes.text import text_family_for
from makar.recipes.video import clip_family_for
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

    Raises:
        ConfigError: Holes are to be learned with a codec that has no tokens for them.
    """
    family, optimisation = text_family_for(operations, tokens=items, vocabulary=spec[TARGET].vocabulary or 2)
    asked = stage.family
    assert isinstance(asked, TransformerConfig), "the rule is registered for decoder transformers"
    if asked.infill_share and not (isinstance(stage.codec, BpeCodecConfig) and stage.codec.infill):
        raise ConfigError(
            f'holes are to be learned, and the codec "{stage.codec.kind}" has no tokens for them',
            expected="codec bpe with infill true, or infill_share 0",
            do="--set stages.0.family.infill_share=0",
        )
    return family.changed(infill_share=asked.infill_share, infill_tokens=asked.infill_tokens), optimisation


def size_diffusion(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a model of images or clips; see ``image_family_for`` and ``clip_family_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    assert isinstance(stage.family, DiffusionConfig)
    family = stage.family.bound_to(spec)
    if family.frames > 1:
        return clip_family_for(operations, clips=items, family=family)
    return image_family_for(operations, images=items, family=family)


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
