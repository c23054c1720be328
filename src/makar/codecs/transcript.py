"""Recordings with what is said in them: the picture of a recording, and the letters of its words as a row of tokens.

Case, punctuation and compatibility forms do not count ("Don't, he said." is "don't he said"); digits are letters like others, so they are
written where the transcripts of the data write them. Which letters there are is learned, in any script. Token 0 fills a row up and is what
a model writes where nothing new is heard. A recording without words, too long, or too short for its words is left out and counted.
"""

import itertools
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.hearing import band_channels, channels_sound, drawn_picture, loudness
from makar.codecs.transcript_config import FRAMES_A_STEP, TranscriptCodecConfig
from makar.data.record import Record, is_sampled
from makar.data.sound import Sound
from makar.data.spectrogram import RANGE_DB
from makar.errors import ArtifactError, EmptyDataError
from makar.tensor_spec import CAPTION, PADDING_TOKEN, TARGET, TensorSpec

FILE = "transcript_codec.json"
MOST_LETTERS = 4000
"""Different letters at most, the commonest; a recording with another is left out."""

LONGEST_CHARACTERS = 10_000


class TranscriptCodec(Codec):
    """Recordings with transcripts; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``loudest_db`` found.
        alphabet: The letters that transcripts are made of, the space among them.
        left_out: Recordings that were seen in fitting and cannot be learned from.
    """

    def __init__(self, config: TranscriptCodecConfig, *, alphabet: str, left_out: int = 0) -> None:
        self.config: TranscriptCodecConfig = config
        self.alphabet = alphabet
        self._left_out = left_out
        self._numbers = {letter: number for number, letter in enumerate(alphabet, start=PADDING_TOKEN + 1)}

    @classmethod
    def fit(cls, config: TranscriptCodecConfig, records: Iterator[Record]) -> Self:
        """Learn which letters there are and how loud the data is.

        Raises:
            EmptyDataError: There is no recording with words that is short enough.
        """
        counts: Counter[str] = Counter()
        loudest, seen, left_out = -RANGE_DB, 0, 0
        for record in records:
            seen += 1
            words = plain_words(record.caption or "")
            if record.content is None or not _fits(record.content, words, config):
                left_out += 1
                continue
            counts.update(words)
            if is_sampled(seen - 1):
                loudest = max(loudest, float(loudness(record.content, config).max()))
        if not counts:
            raise EmptyDataError(
                f"none of {seen} sounds comes with words that are spoken in it and is at most {config.seconds:.1f} seconds long",
                expected="recordings of sentences with a .txt beside each, or a metadata table with their text",
            )
        alphabet = "".join(sorted(letter for letter, _ in counts.most_common(MOST_LETTERS)))
        found = config.with_loudest(loudest)
        return cls(found, alphabet=alphabet, left_out=left_out)

    @classmethod
    def from_files(cls, config: TranscriptCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The files are damaged.
        """
        try:
            found = json.loads(files[FILE])
            alphabet = _checked_alphabet(found["alphabet"])
            return cls(config.changed(loudest_db=float(found["loudest_db"])), alphabet=alphabet)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data."""
        found = {"loudest_db": self.config.loudest_db, "alphabet": self.alphabet}
        return {FILE: json.dumps(found, ensure_ascii=False).encode()}

    @property
    def spec(self) -> TensorSpec:
        """Bands as channels of one row of frames, and a row of letters."""
        return self.config.made(len(self.alphabet) + 1)

    def remarks(self) -> tuple[str, ...]:
        """Return how many recordings cannot be learned from."""
        what = "have no words, are too long, or are too short for their words"
        return (f"{self._left_out} recordings {what} and were left out",) if self._left_out else ()

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[1, mels, frames]`` and ``caption`` int64 ``[letters]``; nothing of a recording that is left out."""
        words = plain_words(record.caption or "")
        if record.content is None or not _fits(record.content, words, self.config) or set(words) - set(self._numbers):
            return {}
        row = np.full(self.config.letters, PADDING_TOKEN, np.int64)
        row[: len(words)] = [self._numbers[letter] for letter in words]
        picture = np.ascontiguousarray(self.picture(record.content).transpose(2, 0, 1))
        return {TARGET: picture, CAPTION: row}

    def spell(self, tokens: np.ndarray) -> str:
        """Return the letters of tokens; what fills a row up is none."""
        return "".join(self.alphabet[token - 1] for token in np.asarray(tokens, np.int64).tolist() if token)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn the rows of a picture into channels in -1..1; letters stay what they are."""
        return band_channels(values) if slot == TARGET else values

    def picture(self, sound: Sound) -> np.ndarray:
        """Return the picture of a sound, uint8 ``[mels, frames, 1]``."""
        return drawn_picture(sound, self.config)

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target`` ``[mels, 1, frames]`` in -1..1, without the silence that follows it."""
        return channels_sound(slots[TARGET], self.config)


def plain_words(text: str) -> str:
    """Return the words of a text as they are learned and compared: in lower case, without punctuation, one space between.

    >>> plain_words("\\u201cDon\\u2019t!\\u201d  said  N\\u00ba 5.")
    "don't said no 5"
    """
    simple = unicodedata.normalize("NFKC", text[:LONGEST_CHARACTERS]).casefold().replace("\u2019", "'")
    kept = "".join(
        letter if letter.isalnum() or letter == "'" or unicodedata.category(letter)[0] == "M" else " "
        for letter in simple
    )
    words = (word.strip("'") for word in kept.split())
    return " ".join(word for word in words if word)


def _checked_alphabet(found: Any) -> str:
    if not isinstance(found, str) or not found or len(set(found)) < len(found):
        raise ValueError("its letters are no text of different ones")
    return found


def _fits(sound: Sound, words: str, config: TranscriptCodecConfig) -> bool:
    """Return whether a recording can be learned from: letters need a step each, and one between two that are the same."""
    if not words or len(words) > config.letters or sound.seconds > config.seconds:
        return False
    twice = sum(letter == other for letter, other in itertools.pairwise(words))
    return len(words) + twice <= sound.seconds * config.rate_hz / config.hop / FRAMES_A_STEP
