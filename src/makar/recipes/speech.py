"""Recipes for speech: flow matching over frames, each told which unit of the text is spoken in it (Matcha-TTS, arXiv 2309.03199)."""

from makar.codecs.speech_config import SpeechCodecConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import Recipe, Stage
from makar.recipes.image import image_family_for

EXPECTED = (
    "53 minutes of one flite voice, 15 minutes of one Zen 4 core: of the words of 50 new commands a recogniser (pocketsphinx, closed "
    "grammar) gets 3.3 % wrong, of the recordings none"
)


def speech() -> Recipe:
    """Return the recipe for one voice."""
    return _recipe(
        "speech", summary="speaks your texts in the voice of your recordings", codec=SpeechCodecConfig(), classes=0
    )


def speech_voices() -> Recipe:
    """Return the recipe for several voices, one of which is asked for."""
    codec = SpeechCodecConfig(use_labels=True)
    return _recipe("speech-voices", summary="speaks your texts in the voice that you ask for", codec=codec, classes=1)


def _recipe(name: str, *, summary: str, codec: SpeechCodecConfig, classes: int) -> Recipe:
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
        expected=EXPECTED if not classes else "not measured",
        stages=(stage,),
    )
