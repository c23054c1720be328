"""From the folder of a checkpoint of sound to its configuration, and to what reads its samples, by transformers.

What a class is for says the table of transformers that it stands in. What prepares samples is taken from the class that transformers has
for the type, with the settings of ``preprocessor_config.json`` that it states; nothing of the folder is run.
"""

import inspect
import math
from pathlib import Path
from typing import Any

from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.checkpoint_config import SoundCheckpointConfig
from makar.families.pretrained.checkpoint_folder import CheckpointFolder, is_checkpoint, read_checkpoint, table_of
from makar.families.pretrained.checkpoint_settings import (
    OPENING_ERRORS,
    complete_settings,
    quiet_transformers,
    transformers,
)
from makar.families.pretrained.sound_config import (
    HEARING,
    LETTERS,
    MUSICGEN,
    SPEAKING,
    SPEECHT5,
    TASKS,
    VITS,
    WORDS,
    ListenerConfig,
    MusicConfig,
    SpeakerConfig,
)
from makar.families.pretrained.text_opening import weights_of
from makar.provenance.folder import is_safe_name
from makar.provenance.pipelines import content_hash, hashed_files

PREPROCESSOR = "preprocessor_config.json"
VOCODER, VOICES = "vocoder", "voices"
"""Folders beside the settings of a SpeechT5: the network that plays its pictures, and a vector a voice."""
MOST_VOICES = 10_000
LARGEST_SETTINGS = {"n_fft": 1 << 15, "feature_size": 1 << 10, "sampling_rate": 192_000, "chunk_length": 1 << 10}
"""Of what prepares samples: a filter of any size would be made at once."""
LIMITS = {"sampling_rate": (1000, 192_000), "num_speakers": (1, MOST_VOICES)} | {
    "audio_channels": (1, 2),
    "num_codebooks": (1, 64),
    "max_position_embeddings": (1, 1 << 20),
}
"""By setting: the least and the most that is believed."""
LETTER_SECONDS = 30.0
"""What is heard at once by a network that has no limit of its own: its attention costs the square of it."""


def sound_task(folder: CheckpointFolder) -> str:
    """Return what a checkpoint does with sounds; empty where it has nothing to do with them."""
    transformers()
    from transformers.models.auto import modeling_auto

    if folder.architecture in TASKS:
        return TASKS[folder.architecture]
    if folder.architecture in modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES.values():
        return LETTERS
    return ""


def describe_sound(folder: Path) -> SoundCheckpointConfig:
    """Return the configuration of a folder as it is.

    Raises:
        ArtifactError: It must not be opened, or its settings do not fit together; the message says why.
        UnsupportedError: It does nothing with sounds, or of a kind that is not known here.
    """
    looked = read_checkpoint(folder)
    task = sound_task(looked)
    if not task:
        raise UnsupportedError(f"{folder} is a {looked.architecture}", expected="a checkpoint of sound")
    base, weights = content_hash(hashed_files(folder, files_of(looked))), weights_of(looked)
    settings = complete_settings(looked)
    _check(looked, task, settings)
    if task in SPEAKING:
        return SpeakerConfig(
            base=base,
            architecture=looked.architecture,
            task=task,
            rate_hz=_whole(looked, settings, "sampling_rate") if task == VITS else _vocoder_rate(looked),
            weights=weights,
            voices=voices_of(looked),
        )
    if task == MUSICGEN:
        return _music(looked, settings, base=base, weights=weights)
    assert task in HEARING, "speaking, making music or hearing"
    prepares = extractor_of(looked)
    window = prepares.nb_max_frames * prepares.hop_length / prepares.sampling_rate if task == WORDS else LETTER_SECONDS
    return ListenerConfig(
        base=base,
        architecture=looked.architecture,
        task=task,
        rate_hz=prepares.sampling_rate,
        seconds=window,
        weights=weights,
    )


def _check(folder: CheckpointFolder, task: str, settings: dict[str, Any]) -> None:
    """Refuse what is of a known class and cannot be used all the same, before anything of it is opened."""
    path = folder.path / "tokenizer_config.json"
    if task == VITS and (table_of(path) if path.is_file() else {}).get("phonemize", True):
        raise UnsupportedError(
            f"{folder.path} speaks phones that the program espeak-ng writes",
            expected="a VITS that reads letters, such as those of MMS",
            do='to speak by phones, train with the recipe "vits" or "speech"',
        )
    strides, kernels = settings.get("conv_stride") or (), settings.get("conv_kernel") or ()
    if task == LETTERS and (not strides or len(strides) != len(kernels) or settings.get("add_adapter")):
        raise UnsupportedError(
            f"{folder.path} is a {folder.architecture}, whose steps are not counted in samples",
            expected="wav2vec 2.0, HuBERT, WavLM, UniSpeech, SEW or Data2Vec with a head of letters",
        )


def _music(folder: CheckpointFolder, settings: dict[str, Any], *, base: str, weights: int) -> MusicConfig:
    sound, decoder = settings["audio_encoder"], settings["decoder"]
    ratios = sound.get("upsampling_ratios")
    if not isinstance(ratios, list | tuple) or not all(type(one) is int and 0 < one < 1 << 10 for one in ratios):
        raise ArtifactError(
            f"{folder.path} does not say how long a moment of its sound is", expected="upsampling_ratios"
        )
    channels = _whole(folder, decoder, "audio_channels")
    return MusicConfig(
        base=base,
        architecture=folder.architecture,
        rate_hz=_whole(folder, sound, "sampling_rate"),
        channels=channels,
        weights=weights,
        streams=_whole(folder, decoder, "num_codebooks") // channels,
        hop=math.prod(ratios),
        moments=_whole(folder, decoder, "max_position_embeddings"),
    )


def files_of(folder: CheckpointFolder) -> tuple[str, ...]:
    """Return the names of the files that a checkpoint of text or sound is made of: of a SpeechT5 its vocoder and its voices too."""
    if TASKS.get(folder.architecture) != SPEECHT5:
        return folder.files
    vocoder = folder.path / VOCODER
    parts = read_checkpoint(vocoder).files if is_checkpoint(vocoder) else ()
    beside = [f"{VOCODER}/{name}" for name in parts]
    return tuple(sorted([*folder.files, *beside, *(f"{VOICES}/{path.name}" for path in _vectors(folder))]))


def voices_of(folder: CheckpointFolder) -> tuple[str, ...]:
    """Return the names of the voices of a checkpoint that speaks; none where there is one.

    Raises:
        ArtifactError: There are more than anybody can have meant.
    """
    if TASKS.get(folder.architecture) == SPEECHT5:
        return tuple(path.stem for path in _vectors(folder))
    count = _whole(folder, complete_settings(folder), "num_speakers")
    return tuple(str(number) for number in range(count)) if count > 1 else ()


def _vectors(folder: CheckpointFolder) -> list[Path]:
    found = sorted((folder.path / VOICES).glob("*.npy"))[: MOST_VOICES + 1]
    return [path for path in found if is_safe_name(path.name)]


def _vocoder_rate(folder: CheckpointFolder) -> int:
    vocoder = folder.path / VOCODER
    if not is_checkpoint(vocoder):
        raise ArtifactError(
            f"{folder.path} is a {folder.architecture}, which makes pictures of speech, and nothing plays them",
            expected=f"the folder {VOCODER} in it, with a SpeechT5HifiGan",
            do=f"put the checkpoint of its vocoder there: {vocoder}",
        )
    looked = read_checkpoint(vocoder)
    return _whole(looked, complete_settings(looked), "sampling_rate")


def _whole(folder: CheckpointFolder, settings: dict[str, Any], name: str) -> int:
    least, most = LIMITS[name]
    value = settings.get(name)
    if type(value) is not int or not least <= value <= most:
        raise ArtifactError(f"{folder.path} says {name} {value!r}", expected=f"{least} to {most}", do="get it again")
    return value


def extractor_of(folder: CheckpointFolder) -> Any:
    """Return what prepares samples for the network.

    Raises:
        ArtifactError: There is none, or its settings do not fit together.
    """
    transformers()
    from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING_NAMES

    path = folder.path / PREPROCESSOR
    name = FEATURE_EXTRACTOR_MAPPING_NAMES.get(folder.model_type)
    if not path.is_file() or name is None:
        raise ArtifactError(
            f"{folder.path} does not say how samples are prepared" if name else f"{folder.architecture} hears nothing",
            expected=PREPROCESSOR,
            do="get the whole folder again",
        )
    kind = getattr(transformers(), name)
    # transformers names the class in the file as well; the class of the type is taken, and of the settings those that it states.
    known = set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs"}
    kept = {key: value for key, value in table_of(path).items() if key in known}
    for key, most in LARGEST_SETTINGS.items():
        if key in kept and not (type(kept[key]) is int and 1 <= kept[key] <= most):
            raise ArtifactError(f"{PREPROCESSOR} says {key} {kept[key]!r}", expected=f"1 to {most}", do="get it again")
    try:
        with quiet_transformers():
            made = kind(**kept)
    except (*OPENING_ERRORS, MemoryError) as error:
        raise ArtifactError(
            f"{PREPROCESSOR} of {folder.path} does not fit a {name}: {error}", do="get it again"
        ) from error
    return made
