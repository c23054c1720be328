"""The folder of a checkpoint of transformers as an artifact that the rest of the house cannot tell from one of ours.

As with pipelines of images (``pipelines``) nobody signed such a folder: the header is made from what it says of itself and the manifest
from the hashes of its files, and every asset says that what it was trained on is unknown.
"""

from pathlib import Path

from makar.artifacts.artifact import SCHEMA, Artifact
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.codecs.spoken_text_config import SpokenTextCodecConfig
from makar.codecs.worded_sound_config import WordedSoundCodecConfig
from makar.families.pretrained.checkpoint_folder import read_checkpoint
from makar.families.pretrained.sound_config import SpeakerConfig
from makar.families.pretrained.sound_opening import describe_sound, files_of, sound_task
from makar.families.pretrained.text_opening import describe_checkpoint, tokenizer_files
from makar.provenance.pipelines import UNKNOWN, hashed_files, pipeline_statement, remember_pipeline
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.version import VERSION

LEARNING_RATE = 1e-4
"""From which training on goes down to a third (``makar.recipe.gentle``): weights of others were learned with less still."""


def open_checkpoint_folder(folder: Path) -> Artifact:
    """Open the folder of a checkpoint; tokenizer and network are loaded when they are asked for.

    Args:
        folder: The folder.

    Raises:
        ArtifactError: It holds code or pickles, or lacks weights; the message says what to do.
        UnsupportedError: It is no network for text or sound; the message says what it is.
        MissingExtraError: transformers is absent.
    """
    looked = read_checkpoint(folder)
    medium = "sound" if sound_task(looked) else "text"
    stage, weights = _of_sound(folder) if medium == "sound" else _of_text(folder)
    recipe = Recipe(
        name=f"pretrained-{medium}",
        medium=medium,
        summary=f"a pretrained {looked.architecture}",
        stages=(stage,),
    )
    statement = pipeline_statement(
        hashed_files(folder, files_of(looked)), pipeline=looked.architecture, medium=medium, added={}
    )
    remember_pipeline(statement, folder)
    header = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": UNKNOWN,
        "medium": medium,
        "run": "",
        "recipe": recipe.to_dictionary(),
        "codec": stage.codec.to_dictionary(),
        "family": stage.family.to_dictionary(),
        "training": {"run": "", "parameters": weights},
        "data": {"fingerprint": UNKNOWN, "name": UNKNOWN},
        "components": {},
    }
    return Artifact(
        folder.absolute(),
        header,
        statement,
        codec_files=lambda: tokenizer_files(looked) if medium == "text" else {},
    )


def _of_text(folder: Path) -> tuple[Stage, int]:
    """Return codec and family of a checkpoint of text, and its weights."""
    config = describe_checkpoint(folder)
    codec = PretrainedTextCodecConfig(vocabulary=config.vocabulary)
    optimisation = OptimisationConfig(learning_rate=LEARNING_RATE)
    return Stage(name="text", codec=codec, family=config, optimisation=optimisation), config.weights


def _of_sound(folder: Path) -> tuple[Stage, int]:
    """Return codec and family of a checkpoint of sound, and its weights."""
    config = describe_sound(folder)
    if isinstance(config, SpeakerConfig):
        speech = SpokenTextCodecConfig(rate_hz=config.rate_hz, voices=config.voices)
        return Stage(name="sound", codec=speech, family=config), config.weights
    codec = WordedSoundCodecConfig(rate_hz=config.rate_hz, channels=config.channels)
    return Stage(name="sound", codec=codec, family=config), config.weights
