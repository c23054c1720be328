"""What is known of a checkpoint that hears or makes sounds without opening it; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import setting
from makar.families.pretrained.checkpoint_config import SoundCheckpointConfig
from makar.families.recogniser.config import TRANSCRIPT
from makar.tensor_spec import CLASS, SPEED, Slot, TensorSpec

WORDS, LETTERS = "words", "letters"
HEARING = {WORDS: "writes down speech word after word", LETTERS: "writes down speech letter by letter"}
"""By task of what hears: what such a checkpoint does, for messages."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListenerConfig(SoundCheckpointConfig):
    """A checkpoint that writes down what is said in recordings."""

    kind: ClassVar[str] = "pretrained-listener"
    target: ClassVar[str] = "makar.families.pretrained.sound_family:listener_of"
    predictions: ClassVar[tuple[str, ...]] = (TRANSCRIPT,)

    task: str = setting(WORDS, meaning="how it writes: word after word, or letters over time", choices=(WORDS, LETTERS))
    seconds: float = setting(30.0, meaning="what it hears at once", unit="seconds", minimum=0.1, maximum=3600.0)


VITS, SPEECHT5 = "vits", "speecht5"
SPEAKING = {VITS: "speaks a text", SPEECHT5: "speaks a text in the voice of a vector"}
"""By task of what speaks: what such a checkpoint does, for messages."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeakerConfig(SoundCheckpointConfig):
    """A checkpoint that speaks texts."""

    kind: ClassVar[str] = "pretrained-speaker"
    target: ClassVar[str] = "makar.families.pretrained.speaking:speaker_of"

    task: str = setting(VITS, meaning="how it speaks", choices=tuple(SPEAKING))
    voices: tuple[str, ...] = setting((), meaning="names of its voices; none where there is one")

    def accepts(self) -> TensorSpec:
        """Return samples, the bytes of what is spoken, how fast, and where there are voices which."""
        slots = dict(super().accepts().slots)
        slots[SPEED] = Slot(kind="values", axes=(), sizes=(), optional=True)
        if self.voices:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(self.voices), optional=True)
        return TensorSpec(slots)


MUSICGEN = "musicgen"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicConfig(SoundCheckpointConfig):
    """A checkpoint that makes music or sounds of what is described, token after token: MusicGen, AudioGen."""

    kind: ClassVar[str] = "pretrained-music"
    target: ClassVar[str] = "makar.families.pretrained.musicgen:MusicCheckpoint"

    streams: int = setting(4, meaning="tokens of a moment of one channel", minimum=1, maximum=64)
    hop: int = setting(640, meaning="samples of a moment", minimum=1, maximum=1 << 16)
    moments: int = setting(2048, meaning="moments that it was made for at most", minimum=1, maximum=1 << 20)

    @property
    def longest_seconds(self) -> float:
        """How long a sound may be."""
        return (self.moments - self.streams) * self.hop / self.rate_hz


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundPipelineConfig(SoundCheckpointConfig):
    """A pipeline of diffusers that makes sounds of what is described: AudioLDM, AudioLDM 2, MusicLDM, Stable Audio."""

    kind: ClassVar[str] = "pretrained-sound-pipeline"
    target: ClassVar[str] = "makar.families.pretrained.sound_pipeline:SoundPipeline"
    engine: ClassVar[str] = "diffusers"


TASKS = {
    "WhisperForConditionalGeneration": WORDS,
    "VitsModel": VITS,
    "SpeechT5ForTextToSpeech": SPEECHT5,
    "MusicgenForConditionalGeneration": MUSICGEN,
}
"""By class of transformers what it does with sounds; heads of letters have a table of their own there."""

LETTERS_END = "ForCTC"
PIPELINES = ("AudioLDMPipeline", "AudioLDM2Pipeline", "MusicLDMPipeline", "StableAudioPipeline")
"""Classes of diffusers."""


def is_of_sound(name: str) -> bool:
    """Return whether the class that a folder names is one of sound, as far as a name says.

    >>> is_of_sound("VitsModel"), is_of_sound("HubertForCTC"), is_of_sound("GPT2LMHeadModel")
    (True, True, False)
    """
    return name in TASKS or name in PIPELINES or name.endswith(LETTERS_END)


def of_sound_hears(name: str) -> bool:
    """Return whether the class that a folder names is one that writes down speech, as far as a name says.

    >>> of_sound_hears("WhisperForConditionalGeneration"), of_sound_hears("VitsModel")
    (True, False)
    """
    return TASKS.get(name) in HEARING or name.endswith(LETTERS_END)


def of_sound_speaks(name: str) -> bool:
    """Return whether it is one that speaks texts, as far as a name says.

    >>> of_sound_speaks("VitsModel"), of_sound_speaks("MusicgenForConditionalGeneration")
    (True, False)
    """
    return TASKS.get(name) in SPEAKING
