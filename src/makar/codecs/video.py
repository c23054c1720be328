"""Clips of one length, size and rate, with a class where labels are used and tokens where captions are.

A clip is kept as one picture with the channels of all its frames, frame after frame, so that all that is written once for images (stores,
solvers, guidance, holes, measures) holds for clips; only the network takes the frames apart (``makar.nn.temporal``). What belongs to a
picture (fit, channels, classes, captions) is left to the codec of images.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.alpha import pixels_of
from makar.codecs.image import ImageCodec
from makar.codecs.image_fit import fit_image, with_channels
from makar.codecs.pictured import PicturedCodec
from makar.codecs.video_config import VideoCodecConfig, slots_of_clips
from makar.data.clip import Clip, sheet_of
from makar.data.record import Record, is_sampled
from makar.tensor_spec import TARGET, TensorSpec

REST_SHARE = 0.5
"""What is left behind the last whole clip of a longer one counts, its last picture held, from this share of a clip on."""


class VideoCodec(PicturedCodec):
    """Clips of one length; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``channels`` found.
        pictures: The codec of the frames.
    """

    config: VideoCodecConfig

    def __init__(self, config: VideoCodecConfig, *, pictures: ImageCodec) -> None:
        super().__init__(config.changed(channels=pictures.config.channels), pictures=pictures)

    @classmethod
    def fit(cls, config: VideoCodecConfig, records: Iterator[Record]) -> Self:
        """Find the number of channels, the names of the classes and the tokens of the captions.

        Raises:
            EmptyDataError: There is no record.
            ConfigError: Labels are asked for and there are none, or too many to be classes; or captions, and there are none.
        """

        def looked_at() -> Iterator[Record]:
            grey = np.zeros((1, 1, 1), np.uint8)
            for number, record in enumerate(records):
                frames = record.content.frames
                # One frame tells whether a clip has colours.
                shown = frames[len(frames) // 2] if is_sampled(number) else grey
                yield dataclasses.replace(record, content=with_channels(shown, min(3, shown.shape[2])))

        return cls(config, pictures=ImageCodec.fit(config.picture(), looked_at()))

    @classmethod
    def from_files(cls, config: VideoCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec; the files of a codec of images serve as well, for a clip is made of pictures.

        Raises:
            ArtifactError: A file is missing or damaged.
        """
        return cls(config, pictures=ImageCodec.from_files(config.picture(), files))

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: the channels, the classes with their counts, the tokens of the captions."""
        return self.pictures.files()

    @property
    def spec(self) -> TensorSpec:
        """Pixels from -1 to 1 of all frames, and where they are used a class and a row of tokens of the caption."""
        return slots_of_clips(self.pictures.spec, self.config.frames)

    def cut(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield clips of the right rate and length: several of a longer one."""
        for record in records:
            for clip in self.cuts(record.content):
                yield dataclasses.replace(record, content=clip)

    def cuts(self, clip: Clip) -> Iterator[Clip]:
        """Yield what a clip comes to: whole clips, and a rest that is not too short, its last picture held; of a picture one."""
        frames = self.config.frames
        if len(clip.frames) == 1:
            yield Clip(clip.held_to(frames).frames, self.config.played_hz)
            return
        even = clip.at_rate(self.config.played_hz)
        for start in range(0, len(even.frames), frames):
            part = even.between(start, start + frames)
            if start == 0 or len(part.frames) >= REST_SHARE * frames:
                yield part.held_to(frames)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[frames * channels, height, width]`` of a clip, with labels ``class``, with captions ``caption``."""
        if record.content is None:
            return {}
        clip = next(self.cuts(record.content))
        slots = self.pictures.encode(dataclasses.replace(record, content=clip.frames[0]))
        return {**slots, TARGET: self.planes(clip.frames)} if slots else {}

    def planes(self, frames: np.ndarray) -> np.ndarray:
        """Return frames as they are kept.

        Args:
            frames: uint8 ``[frames, rows, columns, channels]`` of any size.

        Returns:
            uint8 ``[frames * channels, height, width]``.
        """
        config = self.config
        fit: Any = config.fit
        fitted = (
            with_channels(fit_image(frame, height=config.height, width=config.width, fit=fit), config.channels)
            for frame in frames
        )
        return np.ascontiguousarray(np.concatenate([frame.transpose(2, 0, 1) for frame in fitted]))

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1; classes stay what they are."""
        return values.astype(np.float32) * np.float32(2 / 255) - 1 if slot == TARGET else values

    def decode(self, slots: dict[str, np.ndarray]) -> Clip:
        """Return the clip of ``target`` in -1..1; values outside are clipped."""
        planes = slots[TARGET]
        frames = planes.reshape(self.config.frames, self.config.channels, *planes.shape[1:])
        return Clip(np.stack([pixels_of(frame) for frame in frames]), self.config.played_hz)

    def sheet(self, clip: Clip) -> np.ndarray:
        """Return what of a clip is compared with others, uint8 ``[2 height, 2 width, channels]``."""
        return sheet_of(clip.frames)

    def compared(self, stored: np.ndarray) -> np.ndarray:
        """Return what of kept clips is compared.

        Args:
            stored: uint8 ``[clips, frames * channels, height, width]``.

        Returns:
            uint8 ``[clips, channels, 2 height, 2 width]``.
        """
        frames = frames_of(stored, self.config.frames)
        return np.stack([sheet_of(clip).transpose(2, 0, 1) for clip in frames])


def are_pictures(stored: np.ndarray, frames: int) -> np.ndarray:
    """Return which kept clips are single pictures, held throughout, bool ``[clips]``.

    Args:
        stored: ``[clips, frames * channels, height, width]``.
        frames: Frames of every clip.
    """
    apart = stored.reshape(len(stored), frames, -1)
    found: np.ndarray = (apart == apart[:, :1]).all((1, 2))
    return found


def frames_of(stored: np.ndarray, frames: int) -> np.ndarray:
    """Return kept clips as frames.

    Args:
        stored: ``[clips, frames * channels, height, width]``.
        frames: Frames of every clip.

    Returns:
        ``[clips, frames, height, width, channels]``.
    """
    count, channels = len(stored), stored.shape[1] // frames
    return stored.reshape(count, frames, channels, *stored.shape[2:]).transpose(0, 1, 3, 4, 2)
