"""Sounds as pictures of their loudness by pitch and time, one channel, with a class where labels are used and tokens where captions are.

What is kept and learned is the picture (``makar.data.spectrogram``) in 256 steps, so every family of images learns sounds and every measure
of images sees them; how a picture sounds is found again by ``makar.codecs.griffin_lim``. All channels are mixed to one. A sound that is
shorter than the picture is followed by silence, which is cut off again from what is made. A picture may instead be an outline of notes and
beginnings (``makar.data.chroma``), for stages that plan before another one sounds; and the melody may lie beside it, or what is sung.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.hearing import Player, drawn_picture, fitting, heard_frames, loudness, played_picture
from makar.codecs.image import ImageCodec
from makar.codecs.lyrics import Listener, Lyrics
from makar.codecs.pictured import PicturedCodec
from makar.codecs.sound_config import OUTLINE, SoundCodecConfig
from makar.data.chroma import SILENT, melody_of, outline_of
from makar.data.record import Record, is_sampled
from makar.data.sound import Sound
from makar.data.spectrogram import RANGE_DB
from makar.errors import ArtifactError, EmptyDataError, UnsupportedError
from makar.tensor_spec import LYRICS, SOURCE, TensorSpec

FILE = "sound_codec.json"


class SoundCodec(PicturedCodec):
    """Sounds of one length; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``loudest_db`` found.
        pictures: The codec of the pictures.
        lyrics: How words are sung; ``None`` where they are not learned.
    """

    config: SoundCodecConfig

    def __init__(self, config: SoundCodecConfig, *, pictures: ImageCodec, lyrics: Lyrics | None = None) -> None:
        super().__init__(config, pictures=pictures)
        self.lyrics = lyrics
        self.player: Player | None = None

    @classmethod
    def fit(cls, config: SoundCodecConfig, records: Iterator[Record]) -> Self:
        """Find how loud the data is, the names of the classes and the tokens of the captions.

        Raises:
            EmptyDataError: There is no record, or words are asked for and there are none.
            UsageError: Words come with times.
            ConfigError: Labels are asked for and there are none, or too many to be classes; or captions, and there are none.
        """
        loudest, count = -RANGE_DB, 0
        listener = Listener() if config.use_lyrics else None

        def looked_at() -> Iterator[Record]:
            nonlocal loudest, count
            for record in records:
                if listener is not None:
                    listener.hear(record)
                if is_sampled(count):
                    loudest = max(loudest, float(loudness(record.content, config).max()))
                count += 1
                yield dataclasses.replace(record, content=np.zeros((config.rows, config.frames, 1), np.uint8))

        pictures = ImageCodec.fit(config.picture(), looked_at())
        if not count:
            raise EmptyDataError("there are no sounds to learn from", expected="at least one")
        found = config.with_loudest(loudest)
        return cls(found, pictures=pictures, lyrics=None if listener is None else listener.learned())

    @classmethod
    def from_files(cls, config: SoundCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The files are damaged.
        """
        try:
            found = json.loads(files[FILE])
            loudest = float(found["loudest_db"])
            lyrics = Lyrics.from_dictionary(found["lyrics"]) if config.use_lyrics else None
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error
        pictures = ImageCodec.from_files(config.picture(), files)
        return cls(config.changed(loudest_db=loudest), pictures=pictures, lyrics=lyrics)

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: the loudness, how words are sung, the classes with their counts, the tokens of captions."""
        found: dict[str, Any] = {"loudest_db": self.config.loudest_db}
        if self.lyrics is not None:
            found["lyrics"] = self.lyrics.to_dictionary()
        return {**self.pictures.files(), FILE: json.dumps(found).encode()}

    def counted(self, records: Iterator[Record]) -> Self:
        """Return the codec with the examples of each class counted in other data; how words are sung stays."""
        found = super().counted(records)
        found.lyrics = self.lyrics
        return found

    @property
    def spec(self) -> TensorSpec:
        """A picture from -1 to 1, and where they are used a class, a row of tokens of the caption, the melody as source, and lyrics."""
        return self.config.with_guides(self.pictures.spec)

    def remarks(self) -> tuple[str, ...]:
        """Return how many songs cannot be learned from."""
        count = 0 if self.lyrics is None else self.lyrics.left_out
        return (f"{count} songs are too short for their words and were left out",) if count else ()

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[1, rows, frames]``; as they are used ``class``, ``caption``, ``source`` for a melody, ``lyrics``.

        A song that is too short for its words is left out.
        """
        if record.content is None:
            return {}
        slots = self.pictures.encode(dataclasses.replace(record, content=self.picture(record.content)))
        if slots and self.config.use_melody:
            slots[SOURCE] = self.melody(record.content).astype(np.uint8)
        if slots and self.lyrics is not None:
            sung = self.lyrics.heard(record, frames=self.config.frames, frame_seconds=self._frame_seconds)
            return {} if sung is None else {**slots, LYRICS: sung}
        return slots

    @property
    def _frame_seconds(self) -> float:
        return self.config.hop / self.config.rate_hz

    def encode_lyrics(self, text: str) -> np.ndarray:
        """Return what is sung in every frame of new words for as long as they last, int64 ``[frames]``.

        Args:
            text: The words.

        Raises:
            UnsupportedError: No words were learned, or they were learned as phones and flite is not here.
            UsageError: Nothing in them is sung, or they are too long.
        """
        if self.lyrics is None:
            raise UnsupportedError("words for a codec that learned none", expected="a model of songs with words")
        return self.lyrics.asked(text, frame_seconds=self._frame_seconds)

    def picture(self, sound: Sound) -> np.ndarray:
        """Return the picture of a sound, uint8 ``[rows, frames, 1]``."""
        config = self.config
        if config.shows != OUTLINE:
            return drawn_picture(sound, config)
        drawn = outline_of(fitting(sound, config), rate_hz=config.rate_hz, hop=config.hop)[:, : config.frames]
        return np.ascontiguousarray(np.pad(drawn, ((0, 0), (0, config.frames - drawn.shape[1])))[:, :, None])

    def melody(self, sound: Sound) -> np.ndarray:
        """Return the leading note of every frame, int64 ``[1, frames]``: 0 is C, 12 silence."""
        config = self.config
        notes = melody_of(fitting(sound, config), rate_hz=config.rate_hz, hop=config.hop)[: config.frames]
        return np.pad(notes, (0, config.frames - len(notes)), constant_values=SILENT)[None]

    @property
    def decodes(self) -> bool:
        """Whether a picture leads back to a sound; an outline does not."""
        return self.config.shows != OUTLINE

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1, notes and what is sung into int64; classes stay what they are."""
        return values.astype(np.int64) if slot in (SOURCE, LYRICS) else self.pictures.to_model(slot, values)

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target`` in -1..1, on the grid of 16 bits, without the silence that follows it.

        Raises:
            UnsupportedError: It is an outline.
        """
        if not self.decodes:
            raise UnsupportedError("the sound of an outline", expected="a later stage that makes sounds of it")
        drawn = self.pictures.decode(slots)[:, :, 0]
        return self.sound(drawn[:, : heard_frames(drawn)])

    def sound(self, drawn: np.ndarray, *, known: np.ndarray | None = None, is_new: np.ndarray | None = None) -> Sound:
        """Return how a picture sounds, as a vocoder finds where there is one and nothing is known; see ``played_picture``."""
        if self.player is not None and known is None:
            return self.player(drawn, self.config)
        return played_picture(drawn, self.config, known=known, is_new=is_new)
