"""Speech with its text and the true times of its phones, spoken on the spot by the program flite: 1,000 sentences of one voice.

``builtin:spoken:voices=rms+slt,sentences=3000,seed=1`` chooses otherwise. A third are commands of a closed grammar that a recogniser can be
held to, the others plain sentences (``makar.data.builtin.spoken_sentences``); several voices take turns, each sentence is spoken once. The
same options make the same samples with the same flite. A model that learns from them sounds like flite.
"""

import dataclasses
import functools
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from makar.config import Config, setting, with_settings
from makar.data.builtin.computed import LICENCE
from makar.data.builtin.flite import PROGRAM, SPEAKING_SECONDS, VOICES, Said, check_flite, said
from makar.data.builtin.spoken_sentences import MOST_SENTENCES, sentences
from makar.data.document import Document, Found, Skip, Source
from makar.data.listing import state_of
from makar.data.sound import Sound
from makar.data.spoken_times import SpokenTimes, Stretch
from makar.errors import ConfigError, UnknownNameError

VERSION = 1
RATE_HZ = 16_000
USUAL_SECONDS = 2.8
HELD = 4096
"""Recordings that are held in memory, about 100 kB each: every pass over the data would speak them again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpokenOptions(Config):
    """What is spoken by whom."""

    voices: str = setting("rms", meaning=f"voices of flite that take turns, with + between: {', '.join(VOICES)}")
    sentences: int = setting(1000, meaning="sentences, of all voices together", minimum=20, maximum=MOST_SENTENCES)
    seed: int = setting(0, meaning="seed of the draws of the sentences", minimum=0)

    def check(self) -> None:
        """Check the fields, and that the voices are there and differ."""
        super().check()
        for voice in self.names:
            if voice not in VOICES:
                raise UnknownNameError("voice of flite", voice, VOICES)
        if len(set(self.names)) < len(self.names):
            raise ConfigError(f"voices {self.voices}, one of them twice", expected="different voices")

    @property
    def names(self) -> tuple[str, ...]:
        """The voices."""
        return tuple(self.voices.split("+"))


class SpokenSource(Source):
    """One document a sentence.

    Args:
        options: ``voices=rms+slt,sentences=600,seed=1``, any of them.

    Raises:
        UnsupportedError: flite is not there.
        UsageError: There is no such option, or it cannot have this value.
    """

    name, medium = "spoken", "sound"

    def __init__(self, options: str = "") -> None:
        self.options: SpokenOptions = with_settings(SpokenOptions(), options.split(",") if options else [])
        check_flite("builtin:spoken is spoken", instead="train on recordings of your own with their text")
        count, voices = self.options.sentences, self.options.names
        by = f"the voice{'s' * (len(voices) > 1)} {', '.join(voices)} of flite"
        self.found = Found(
            files={self.medium: count},
            bytes={self.medium: round(2 * RATE_HZ * USUAL_SECONDS * count)},
            licences=[{"licence": LICENCE, "stated_in": "makar", "how": "built in"}],
            notes=[
                f"{count:,} sentences spoken by {by}, {RATE_HZ} samples a second, with the times of their phones as flite prints them"
            ],
        )

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield the sentences; several voices take turns and are the labels."""
        del skip
        voices = self.options.names
        for number, text in enumerate(sentences(self.options.sentences, seed=self.options.seed)):
            voice = voices[number % len(voices)]
            yield Document(
                name=f"{voice}/{number:05d}",
                read=functools.partial(_heard, text, voice),
                read_times=functools.partial(_times, text, voice),
                label=voice if len(voices) > 1 else None,
                caption=text,
                licence=LICENCE,
            )

    def listing(self) -> str | None:
        """Return a hash of the options and of the program, so that nothing is spoken only to be looked at again."""
        program = state_of(Path(str(shutil.which(PROGRAM))).resolve())
        if program is None:
            return None
        return hashlib.sha256("\n".join([*self.identity(), str(program)]).encode()).hexdigest()

    def identity(self) -> Iterator[str]:
        """Yield what the recordings follow from."""
        yield f"spoken\t{VERSION}\t{self.options.to_json()}\t{_version()}"


@functools.cache
def _version() -> str:
    """Return what the program says that it is."""
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=SPEAKING_SECONDS, check=False)
    return " ".join(done.stdout.split())


@functools.lru_cache(maxsize=HELD)
def _said(text: str, voice: str) -> Said:
    return said(text, voice=voice)


def _heard(text: str, voice: str) -> Iterator[Sound]:
    return iter([_said(text, voice).sound])


def _times(text: str, voice: str) -> SpokenTimes:
    phones = _said(text, voice).phones
    starts = [0.0, *(end for _, end in phones)]
    stretches = [
        Stretch(start, end, name, number) for number, (start, (name, end)) in enumerate(zip(starts, phones), 1)
    ]
    return SpokenTimes(source=f"{PROGRAM} -psdur", phones=tuple(stretches))
