"""The folder of a pretrained pipeline as an artifact that the rest of the house cannot tell from one of ours.

Nobody signed such a folder, so the header is made from what it says of itself and the manifest from the hashes of its files; LoRA files and
a ControlNet that are put to it are named there too. What it was trained on is unknown, and every asset says so.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from makar.artifacts.artifact import SCHEMA, Artifact
from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.codecs.worded_sound_config import WordedSoundCodecConfig
from makar.codecs.worded_video_config import WordedVideoCodecConfig
from makar.errors import UnsupportedError, UsageError
from makar.families.pretrained.folder import PipelineFolder, read_folder
from makar.families.pretrained.lora_files import lora_entry
from makar.families.pretrained.opening import describe, network_folder
from makar.families.pretrained.sound_config import PIPELINES
from makar.families.pretrained.sound_pipeline import describe_sound_pipeline
from makar.families.pretrained.video_config import is_of_video
from makar.families.pretrained.video_pipeline import describe_video_pipeline
from makar.provenance.ledger import remember_place
from makar.provenance.pipelines import UNKNOWN, hashed_files, pipeline_statement, remember_pipeline
from makar.recipe import Recipe, Stage
from makar.version import VERSION

SINGLE_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


def open_pipeline_folder(folder: Path, *, loras: Sequence[str] = (), controlnet: Path | str | None = None) -> Artifact:
    """Open the folder of a pipeline; nothing of it is loaded before it is asked for.

    Args:
        folder: The folder.
        loras: Files to add to its weights, each FILE or FILE:SCALE.
        controlnet: Folder of a ControlNet to put to it.

    Raises:
        ArtifactError: It holds code or pickles, or lacks a component; the message says what to do.
        UnsupportedError: It is no pipeline of images, sounds or video.
        MissingExtraError: diffusers is absent.
    """
    looked = read_folder(folder)
    if looked.pipeline in PIPELINES or is_of_video(looked.pipeline):
        if loras or controlnet is not None:
            raise UnsupportedError(
                f"{'LoRA files' if loras else 'a ControlNet'} for a {looked.pipeline}", expected="a pipeline of images"
            )
        made = _of_sound(folder) if looked.pipeline in PIPELINES else _of_video(looked)
        return _opened(folder, looked, made, added={})
    network = ""
    if controlnet is not None:
        place = Path(controlnet)
        if not place.is_dir():
            raise UsageError(f"there is no folder {place}", expected="the folder of a ControlNet")
        network, _ = network_folder(place)
        remember_place("artifact", network, str(place.absolute()))
    config = describe(folder, loras=tuple(lora_entry(text) for text in loras), controlnet=network)
    codec = PromptedImageCodecConfig(height=config.height, width=config.width)
    stage = Stage(name="image", codec=codec, family=config)
    return _opened(folder, looked, stage, added={"loras": list(config.loras), "controlnet": network})


def _of_sound(folder: Path) -> Stage:
    config = describe_sound_pipeline(folder)
    codec = WordedSoundCodecConfig(rate_hz=config.rate_hz, channels=config.channels)
    return Stage(name="sound", codec=codec, family=config)


def _of_video(looked: PipelineFolder) -> Stage:
    config = describe_video_pipeline(looked)
    return Stage(name="video", codec=WordedVideoCodecConfig(rate_hz=config.rate_hz), family=config)


def _opened(folder: Path, looked: PipelineFolder, stage: Stage, *, added: dict[str, Any]) -> Artifact:
    """Return the artifact of a folder, whose only stage is named after its medium."""
    recipe = Recipe(name="pretrained", medium=stage.name, summary=f"a pretrained {looked.pipeline}", stages=(stage,))
    statement = pipeline_statement(
        hashed_files(folder, looked.files), pipeline=looked.pipeline, medium=stage.name, added=added
    )
    remember_pipeline(statement, folder)
    header = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": UNKNOWN,
        "medium": stage.name,
        "run": "",
        "recipe": recipe.to_dictionary(),
        "codec": stage.codec.to_dictionary(),
        "family": stage.family.to_dictionary(),
        "training": {"run": "", "parameters": sum(looked.weights().values())},
        "data": {"fingerprint": UNKNOWN, "name": UNKNOWN},
        "components": {},
    }
    return Artifact(folder.absolute(), header, statement)


def refuse_single_file(path: Path) -> None:
    """Refuse a checkpoint that is one file, with what to do.

    Raises:
        UnsupportedError: It is one.
    """
    if path.is_file() and path.suffix in SINGLE_FILES:
        raise UnsupportedError(
            f"{path} is a single file",
            expected="the folder of a pipeline, with model_index.json",
            do="in Python: diffusers.StableDiffusionPipeline.from_single_file(FILE).save_pretrained(FOLDER), or that of its class; "
            "a LoRA is given with --lora",
        )
