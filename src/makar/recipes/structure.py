"""Recipes for protein structures: backbones by flow matching over their bonds, without and with classes, and the rule that sizes them.

The rule is that of ``makar.recipes.image`` with residues in the place of pixels.
"""

import math

from makar.codecs.backbone_config import BackboneCodecConfig
from makar.families.backbone.config import WIDTHS, BackboneConfig
from makar.families.family_config import FamilyConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

RESIDUES_PER_PARAMETER = 0.5
"""Residues to train on for each parameter, counted with repetition: 0.7 million parameters in forty seconds of one core. Others are not
measured."""

VALUES_PER_PARAMETER = 0.15
"""Different numbers that the data must hold for each parameter. What a torsion may be is learned of few backbones; not measured."""

LARGEST_WIDTH = 512
LEARNING_RATE, REFERENCE_WIDTH, BATCH = 2e-3, 96, 16
VALUES_A_RESIDUE = 12

EXPECTED = (
    "builtin:backbones with classes, 1,100 steps of 16 (a minute of a Zen 4 core): bonds 0.07 A and angles 2.3 degrees off ideal, allowed "
    "torsions 94 % (real 98 %, untrained 29 %), atoms collide in 20 % of the backbones (untrained 100 %), no copies"
)


def protein_structure() -> Recipe:
    """Return the recipe for backbones without classes."""
    return _recipe("protein-structure", summary="protein backbones like yours", use_labels=False)


def protein_structure_class() -> Recipe:
    """Return the recipe for backbones of a class that is asked for."""
    return _recipe("protein-structure-class", summary="protein backbones of the class you ask for", use_labels=True)


def size_backbone(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a model of backbones: parameters and residues seen grow alike with compute.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training backbones.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, BackboneConfig), "the registry's table pairs kind and rule"
    values = items * family.longest * VALUES_A_RESIDUE
    widths = (width for width in WIDTHS if width <= LARGEST_WIDTH and width % family.head_width == 0)
    best = best_size(
        (family.with_width(width) for width in widths),
        operations=operations,
        needed=lambda trial: (
            RESIDUES_PER_PARAMETER * trial.parameter_count() / trial.longest * trial.training_operations()
        ),
        is_fed=lambda trial: trial.parameter_count() * VALUES_PER_PARAMETER <= values,
    )
    rate = LEARNING_RATE * math.sqrt(REFERENCE_WIDTH / max(REFERENCE_WIDTH, best.width))
    return best, stage.optimisation.changed(learning_rate=rate)


def _recipe(name: str, *, summary: str, use_labels: bool) -> Recipe:
    codec = BackboneCodecConfig(use_labels=use_labels)
    family = BackboneConfig(longest=codec.longest, classes=1 if use_labels else 0)
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE,
        batch_size=BATCH,
        warmup_steps=50,
        gradient_clip=1.0,
        average_share=0.03,
        # Places are sums of many bonds, and bfloat16 would round them by half an angstrom.
        precision="float32",
    )
    stage = Stage(name="structure", codec=codec, family=family, optimisation=optimisation)
    return Recipe(
        name=name,
        medium="structure",
        summary=f"{summary}: flow matching over the bonds of N, CA, C and O",
        expected=EXPECTED,
        stages=(stage,),
    )
