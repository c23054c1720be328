"""Recipes for sounds: the picture of a sound is learned by flow matching, as an image is, without and with classes and captions."""

from makar.codecs.sound_config import SoundCodecConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import Recipe, Stage
from makar.recipes.image import CAPTION_TIME_MEAN, image_family_for


def sound() -> Recipe:
    """Return the recipe for sounds without classes."""
    return _recipe("sound", summary="sounds like yours", codec=SoundCodecConfig(), family=DiffusionConfig())


def sound_class() -> Recipe:
    """Return the recipe for sounds with classes that can be asked for."""
    return _recipe(
        "sound-class",
        summary="sounds of the class you ask for",
        codec=SoundCodecConfig(use_labels=True),
        family=DiffusionConfig(classes=1),
    )


def sound_text() -> Recipe:
    """Return the recipe for sounds with captions, which makes what a prompt describes."""
    codec = SoundCodecConfig(use_captions=True)
    family = DiffusionConfig(
        caption_length=codec.caption_length, caption_vocabulary=codec.caption_vocabulary, time_mean=CAPTION_TIME_MEAN
    )
    return _recipe("sound-text", summary="sounds of what you describe", codec=codec, family=family)


def _recipe(name: str, *, summary: str, codec: SoundCodecConfig, family: DiffusionConfig) -> Recipe:
    shaped = family.changed(height=codec.mels, width=codec.frames, channels=1)
    sized, optimisation = image_family_for(1e14, images=10_000, family=shaped)
    stage = Stage(name="sound", codec=codec, family=sized, optimisation=optimisation)
    return Recipe(
        name=name,
        medium="sound",
        summary=f"{summary}: flow matching over what is heard at which pitch, fills holes and goes on",
        expected="not measured",
        stages=(stage,),
    )
