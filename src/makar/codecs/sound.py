"""Sounds as pictures of their loudness by pitch and time, one channel, with a class where labels are used and tokens where captions are.

What is kept and learned is the picture (``makar.data.spectrogram``) in 256 steps, so every family of images learns sounds and every measure
of images sees them; how a picture sounds is found again by ``makar.codecs.griffin_lim``. All channels are mixed to one. A sound that is
shorter than the picture is followed by silence, which is cut off again from what is made.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Self

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.hearing import Player, drawn_picture, heard_frames, loudness, played_picture
from makar.codecs.image import ImageCodec
from makar.codecs.sound_config import SoundCodecConfig
from makar.data.record import Record, Records, is_sampled
from makar.data.sound import Sound
from makar.data.spectrogram import RANGE_DB
from makar.errors import ArtifactError, EmptyDataError
from makar.tensor_spec import TensorSpec

FILE = "sound_codec.json"


class SoundCodec(Codec):
    """Sounds of one length; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``loudest_db`` found.
        pictures: The codec of the pictures.
    """

    def __init__(self, config: SoundCodecConfig, *, pictures: ImageCodec) -> None:
        self.config: SoundCodecConfig = config
        self.pictures = pictures
        self.player: Player | None = None

    @classmethod
    def fit(cls, config: SoundCodecConfig, records: Iterator[Record]) -> Self:
        """Find how loud the data is, the names of the classes and the tokens of the captions.

        Raises:
            EmptyDataError: There is no record.
            ConfigError: Labels are asked for and there are none, or too many to be classes; or captions, and there are none.
        """
        loudest, count = -RANGE_DB, 0

        def looked_at() -> Iterator[Record]:
            nonlocal loudest, count
            for record in records:
                if is_sampled(count):
                    loudest = max(loudest, float(loudness(record.content, config).max()))
                count += 1
                yield dataclasses.replace(record, content=np.zeros((config.mels, config.frames, 1), np.uint8))

        pictures = ImageCodec.fit(config.picture(), looked_at())
        if not count:
            raise EmptyDataError("there are no sounds to learn from", expected="at least one")
        found = config if config.loudest_db else config.changed(loudest_db=min(40.0, round(loudest, 1) or -0.1))
        return cls(found, pictures=pictures)

    @classmethod
    def from_files(cls, config: SoundCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The files are damaged.
        """
        try:
            loudest = float(json.loads(files[FILE])["loudest_db"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error
        return cls(config.changed(loudest_db=loudest), pictures=ImageCodec.from_files(config.picture(), files))

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: the loudness, the classes with their counts, the tokens of the captions."""
        return {**self.pictures.files(), FILE: json.dumps({"loudest_db": self.config.loudest_db}).encode()}

    @property
    def spec(self) -> TensorSpec:
        """A picture from -1 to 1, and where they are used a class and a row of tokens of the caption."""
        return self.pictures.spec

    @property
    def class_counts(self) -> dict[str, int]:
        """Training sounds of each class by name."""
        return self.pictures.class_counts

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of their numbers."""
        return self.pictures.class_names

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[1, mels, frames]``, with labels ``class``, with captions ``caption``."""
        if record.content is None:
            return {}
        return self.pictures.encode(dataclasses.replace(record, content=self.picture(record.content)))

    def picture(self, sound: Sound) -> np.ndarray:
        """Return the picture of a sound, uint8 ``[mels, frames, 1]``."""
        return drawn_picture(sound, self.config)

    def counted(self, records: Iterator[Record]) -> "SoundCodec":
        """Return the codec with the sounds of each class counted in other data."""
        if not self.class_names:
            return self
        every = records.without_content() if isinstance(records, Records) else records
        return SoundCodec(self.config, pictures=self.pictures.counted(every))

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the tokens of a prompt, int64 ``[caption_length]``."""
        return self.pictures.encode_caption(prompt)

    def decode_caption(self, tokens: np.ndarray) -> str:
        """Return the words of a row of caption tokens."""
        return self.pictures.decode_caption(tokens)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1; classes stay what they are."""
        return self.pictures.to_model(slot, values)

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target`` in -1..1, on the grid of 16 bits, without the silence that follows it."""
        drawn = self.pictures.decode(slots)[:, :, 0]
        return self.sound(drawn[:, : heard_frames(drawn)])

    def sound(self, drawn: np.ndarray, *, known: np.ndarray | None = None, is_new: np.ndarray | None = None) -> Sound:
        """Return how a picture sounds, as a vocoder finds where there is one and nothing is known; see ``played_picture``."""
        if self.player is not None and known is None:
            return self.player(drawn, self.config)
        return played_picture(drawn, self.config, known=known, is_new=is_new)
