"""Recipes for speech: frames that are told which unit of the text is spoken in them, found at once or one after the other.

At once by flow matching (Matcha-TTS, arXiv 2309.03199), one after the other by the decoder of Tacotron 2 (arXiv 1712.05884), or as
samples by way of latents (VITS, arXiv 2106.06103).
"""

from typing import Any

from makar.codecs.speech_config import SpeechCodecConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family_config import FamilyConfig
from makar.families.tacotron.config import CHANNEL_STEP, TacotronConfig
from makar.families.waveform.vits_config import VitsConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.image import image_family_for
from makar.recipes.size_search import best_size
from makar.tensor_spec import TensorSpec

EXPECTED = (
    "53 minutes of one flite voice, 15 minutes of one Zen 4 core: of the words of 50 new commands a recogniser (pocketsphinx, closed "
    "grammar) gets 3.3 % wrong, of the recordings none"
)


MOVED: dict[str, Any] = {"use_prosody": True, "pitch_shift": 4.0, "energy_shift": 6.0}
"""How voices learn to be moved."""


def speech() -> Recipe:
    """Return the recipe for one voice."""
    return _recipe(
        "speech",
        summary="speaks your texts in the voice of your recordings",
        codec=SpeechCodecConfig(**MOVED),
        classes=0,
        expected=EXPECTED,
    )


def speech_voices() -> Recipe:
    """Return the recipe for several voices, one of which is asked for."""
    codec = SpeechCodecConfig(use_labels=True, **MOVED)
    summary = "speaks your texts in the voice that you ask for"
    return _recipe("speech-voices", summary=summary, codec=codec, classes=1, expected="not measured")


def speech_clone() -> Recipe:
    """Return the recipe for a voice that was not learned: that of one recording, of somebody who agreed."""
    codec = SpeechCodecConfig(**MOVED, use_example=True)
    summary = "speaks your texts in the voice of one recording, learned from many speakers"
    return _recipe("speech-clone", summary=summary, codec=codec, classes=0, expected="not measured")


FRAMES_PER_PARAMETER = 1.0
"""Frames to train Tacotron on for each parameter, counted with repetition. Not measured."""

VALUES_PER_PARAMETER = 4.0
LARGEST_TACOTRON = 512
TACOTRON_RATE, TACOTRON_BATCH = 1.5e-3, 16
LARGEST_VITS = 384
VITS_RATE, VITS_BATCH = 1e-3, 16


TACOTRON_EXPECTED = (
    "53 minutes of one flite voice, 450 steps (three minutes of one Zen 4 core): of the 72 words of 12 new commands a recogniser "
    "(pocketsphinx, closed grammar) gets none wrong"
)


def tacotron() -> Recipe:
    """Return the recipe for one voice that says one frame after the other."""
    return _tacotron("tacotron", summary="speaks your texts", codec=SpeechCodecConfig(), classes=0)


def tacotron_voices() -> Recipe:
    """Return the recipe for several voices that do, one of which is asked for."""
    codec = SpeechCodecConfig(use_labels=True)
    return _tacotron(
        "tacotron-voices", summary="speaks your texts in the voice that you ask for", codec=codec, classes=1
    )


def vits() -> Recipe:
    """Return the recipe for one voice whose samples come out of one model."""
    return _vits("vits", summary="speaks your texts", codec=SpeechCodecConfig(use_samples=True), classes=0)


def vits_voices() -> Recipe:
    """Return the recipe for several, one of which is asked for."""
    codec = SpeechCodecConfig(use_samples=True, use_labels=True)
    return _vits("vits-voices", summary="speaks your texts in the voice that you ask for", codec=codec, classes=1)


def size_vits(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a VITS; the arguments are those of ``size_tacotron``."""
    family = stage.family.bound_to(spec)
    assert isinstance(family, VitsConfig), "the registry's table pairs kind and rule"
    best = best_size(
        (family.changed(channels=channels) for channels in range(CHANNEL_STEP, LARGEST_VITS + 1, CHANNEL_STEP)),
        operations=operations,
        needed=lambda trial: (
            FRAMES_PER_PARAMETER * trial.parameter_count() * trial.training_operations() / trial.frames
        ),
        is_fed=lambda trial: trial.parameter_count() * VALUES_PER_PARAMETER <= items * trial.frames * trial.bands,
    )
    return best, stage.optimisation


def _vits(name: str, *, summary: str, codec: SpeechCodecConfig, classes: int) -> Recipe:
    family = VitsConfig(bands=codec.mels, frames=codec.frames, planes=codec.source_planes, classes=classes)
    stage = Stage(
        name="speech",
        codec=codec,
        family=family,
        optimisation=_steady(learning_rate=VITS_RATE, batch_size=VITS_BATCH),
    )
    return Recipe(
        name=name,
        medium="sound",
        summary=f"{summary}: latents between text and samples, joined by a flow (VITS)",
        expected="not measured",
        stages=(stage,),
    )


def _steady(*, learning_rate: float, batch_size: int) -> OptimisationConfig:
    return OptimisationConfig(
        learning_rate=learning_rate,
        batch_size=batch_size,
        warmup_steps=50,
        gradient_clip=1.0,
        average_share=0.03,
        precision="float32",
    )


def _tacotron(name: str, *, summary: str, codec: SpeechCodecConfig, classes: int) -> Recipe:
    family = TacotronConfig(bands=codec.mels, frames=codec.frames, planes=codec.source_planes, classes=classes)
    optimisation = _steady(learning_rate=TACOTRON_RATE, batch_size=TACOTRON_BATCH)
    stage = Stage(name="speech", codec=codec, family=family, optimisation=optimisation)
    return Recipe(
        name=name,
        medium="sound",
        summary=f"{summary}, frame after frame: the decoder of Tacotron 2, told when each phone is spoken",
        expected=TACOTRON_EXPECTED if not classes else "not measured",
        stages=(stage,),
    )


def size_tacotron(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a Tacotron.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training recordings.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, TacotronConfig), "the registry's table pairs kind and rule"
    best = best_size(
        (family.with_channels(channels) for channels in range(CHANNEL_STEP, LARGEST_TACOTRON + 1, CHANNEL_STEP)),
        operations=operations,
        needed=lambda trial: (
            FRAMES_PER_PARAMETER * trial.parameter_count() * trial.training_operations() / trial.frames
        ),
        is_fed=lambda trial: trial.parameter_count() * VALUES_PER_PARAMETER <= items * trial.frames * trial.bands,
    )
    return best, stage.optimisation


def _recipe(name: str, *, summary: str, codec: SpeechCodecConfig, classes: int, expected: str) -> Recipe:
    shaped = DiffusionConfig(
        network="dit",
        height=1,
        width=codec.frames,
        channels=codec.mels,
        classes=classes,
        patch=1,
        source_height=1,
        source_width=codec.frames,
        source_channels=codec.source_planes,
    )
    sized, optimisation = image_family_for(1e14, images=2_000, family=shaped)
    stage = Stage(name="speech", codec=codec, family=sized, optimisation=optimisation)
    return Recipe(
        name=name,
        medium="sound",
        summary=f"{summary}: finds when each phone is spoken, learns its frames by flow matching",
        expected=expected,
        stages=(stage,),
    )
