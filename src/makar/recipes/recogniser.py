"""The recipe that writes down speech, and the rule that sizes it for an amount of arithmetic and of recordings."""

import math

from makar.codecs.transcript_config import TranscriptCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.recogniser.config import WIDTHS, RecogniserConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

RECORDINGS_A_PARAMETER = 0.02
"""Recordings to train on for each parameter, counted with repetition."""

PARAMETERS_A_RECORDING = 3000.0
LEARNING_RATE, REFERENCE_WIDTH = 4e-3, 128
BATCH = 16


def recogniser() -> Recipe:
    """Return the recipe that learns to write down speech from recordings with transcripts."""
    codec = TranscriptCodecConfig()
    sized, optimisation = recogniser_for(RecogniserConfig().bound_to(codec.made(40)), operations=1e13, recordings=2000)
    stage = Stage(name="recogniser", codec=codec, family=sized, optimisation=optimisation)
    return Recipe(
        name="recogniser",
        medium="sound",
        summary="writes down what is said in recordings like yours, word for word with times: makar predict",
        expected="1,330 recordings of one flite voice, 200 s of one Zen 4 core: 34 % (26 to 41) of the words of 70 held-out ones wrong; "
        "the nearest training recording 81 %",
        stages=(stage,),
    )


def size_recogniser(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a network that writes down speech; see ``recogniser_for``.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training recordings.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, RecogniserConfig), "the registry's table pairs kind and rule"
    return recogniser_for(family, operations=operations, recordings=items)


def recogniser_for(
    family: RecogniserConfig, *, operations: float, recordings: int
) -> tuple[RecogniserConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of data.

    Args:
        family: What is heard: bands, frames, letters.
        operations: Floating-point operations of the whole training.
        recordings: Different training recordings.
    """
    best = best_size(
        (family.with_width(width) for width in WIDTHS),
        operations=operations,
        needed=lambda sized: RECORDINGS_A_PARAMETER * sized.parameter_count() * sized.training_operations(),
        is_fed=lambda sized: sized.parameter_count() <= PARAMETERS_A_RECORDING * recordings,
    )
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE * math.sqrt(REFERENCE_WIDTH / best.width),
        batch_size=BATCH,
        beta_2=0.98,
        weight_decay=0.05,
        warmup_steps=100,
        descent_share=0.6,
        gradient_clip=1.0,
    )
    return best, optimisation
