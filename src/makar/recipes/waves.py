"""Recipes for sounds as samples: WaveNet without and with classes, what finds how a picture sounds (WaveNet, Vocos), and their sizes.

The rule is that of ``makar.recipes.image`` with samples or frames in the place of pixels. Sources: van den Oord et al. 2016,
arXiv 1609.03499; Siuzdak 2023, arXiv 2306.00814.
"""

import math

from makar.codecs.wave_config import NUMBERS, WaveCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.waveform.vocoder_config import CHANNEL_STEP as VOCODER_STEP
from makar.families.waveform.vocoder_config import VocoderConfig
from makar.families.waveform.wavenet_config import CHANNEL_STEP, WavenetConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

SAMPLES_PER_PARAMETER = 70.0
"""Samples to train on for each parameter, counted with repetition: 320,000 parameters in ten minutes of one core. Not measured."""

DIFFERENT_SAMPLES_PER_PARAMETER = 1.0
LARGEST_CHANNELS = 256
LEARNING_RATE = 3e-3
"""Peak for ``REFERENCE_CHANNELS``; it falls with the root of the width."""

REFERENCE_CHANNELS = 32
BATCH = 6

FRAMES_PER_PARAMETER = 1.0
"""Frames to train a vocoder on for each parameter, counted with repetition. Not measured."""

VOCODER_EXPECTED = (
    "53 minutes of one flite voice, 250 steps (a minute of one Zen 4 core), 12 new commands: log-spectral distance 5.17 dB and difference "
    "of loudness 0.81 dB (Griffin-Lim 5.23 and 0.91); a recogniser understands all words of both"
)

VALUES_PER_PARAMETER = 4.0
LARGEST_VOCODER = 512
VOCODER_RATE, VOCODER_BATCH = 1e-3, 16


def wavenet() -> Recipe:
    """Return the recipe for sounds from nothing."""
    return _recipe("wavenet", summary="sounds like yours", codec=WaveCodecConfig(), family=WavenetConfig())


def wavenet_class() -> Recipe:
    """Return the recipe for sounds of a class that is asked for."""
    return _recipe(
        "wavenet-class",
        summary="sounds of the class you ask for",
        codec=WaveCodecConfig(use_labels=True),
        family=WavenetConfig(classes=1),
    )


def wavenet_vocoder() -> Recipe:
    """Return the recipe for what a picture sounds like."""
    codec = WaveCodecConfig(use_pictures=True)
    return _recipe(
        "wavenet-vocoder",
        summary="how the pictures of your sounds sound, for models of speech and sound",
        codec=codec,
        family=WavenetConfig(samples=codec.samples, bands=codec.mels, frames=codec.frames),
    )


def vocoder() -> Recipe:
    """Return the recipe for what a picture sounds like, in one go."""
    codec = WaveCodecConfig(coding=NUMBERS, use_pictures=True)
    optimisation = OptimisationConfig(
        learning_rate=VOCODER_RATE,
        batch_size=VOCODER_BATCH,
        warmup_steps=50,
        gradient_clip=1.0,
        average_share=0.03,
        precision="float32",
    )
    stage = Stage(name="sound", codec=codec, family=VocoderConfig(), optimisation=optimisation)
    return Recipe(
        name="vocoder",
        medium="sound",
        summary="how the pictures of your sounds sound, at once, for models of speech and sound (Vocos)",
        expected=VOCODER_EXPECTED,
        stages=(stage,),
    )


def size_vocoder(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a vocoder; the arguments are those of ``size_wavenet``."""
    family = stage.family.bound_to(spec)
    assert isinstance(family, VocoderConfig), "the registry's table pairs kind and rule"
    best = best_size(
        (family.changed(channels=channels) for channels in range(VOCODER_STEP, LARGEST_VOCODER + 1, VOCODER_STEP)),
        operations=operations,
        needed=lambda trial: (
            FRAMES_PER_PARAMETER * trial.parameter_count() * trial.training_operations() / trial.window
        ),
        is_fed=lambda trial: trial.parameter_count() * VALUES_PER_PARAMETER <= items * trial.frames * trial.bands,
    )
    return best, stage.optimisation


def size_wavenet(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a WaveNet.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training sounds.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, WavenetConfig), "the registry's table pairs kind and rule"
    best = best_size(
        (family.with_channels(channels) for channels in range(CHANNEL_STEP, LARGEST_CHANNELS + 1, CHANNEL_STEP)),
        operations=operations,
        needed=lambda trial: SAMPLES_PER_PARAMETER * trial.parameter_count() * 3 * trial.operations_a_sample(),
        is_fed=lambda trial: trial.parameter_count() * DIFFERENT_SAMPLES_PER_PARAMETER <= items * trial.samples,
    )
    rate = LEARNING_RATE * math.sqrt(REFERENCE_CHANNELS / max(REFERENCE_CHANNELS, best.channels))
    return best, stage.optimisation.changed(learning_rate=rate)


EXPECTED = {
    "wavenet-vocoder": "53 minutes of one flite voice, 220 steps (three minutes of one Zen 4 core): 4.36 bits a sample of new "
    "commands, a table of two samples 5.42; not understood yet",
}


def _recipe(name: str, *, summary: str, codec: WaveCodecConfig, family: WavenetConfig) -> Recipe:
    optimisation = OptimisationConfig(
        learning_rate=LEARNING_RATE,
        batch_size=BATCH,
        warmup_steps=50,
        gradient_clip=1.0,
        average_share=0.03,
        precision="float32",
    )
    stage = Stage(name="sound", codec=codec, family=family, optimisation=optimisation)
    return Recipe(
        name=name,
        medium="sound",
        summary=f"{summary}: one sample after the other (WaveNet)",
        expected=EXPECTED.get(name, "not measured"),
        stages=(stage,),
    )
