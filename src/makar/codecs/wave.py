"""Sounds as their samples: in the 256 steps of the mu-law, as WaveNet has them, or as numbers of 16 bits; beside them their picture.

The mu-law (ITU-T G.711, here in its continuous form with mu 255, as in van den Oord et al. 2016, arXiv 1609.03499, section 2.2) gives
quiet samples finer steps. All channels are mixed to one. Behind the end of a sound that is shorter than an example stands a token of its
own, so that nobody learns silence that was not recorded.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Self

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.hearing import drawn_picture, loudness
from makar.codecs.image import MOST_CLASSES, UNLABELLED
from makar.codecs.wave_config import LEVELS, STEPS, WaveCodecConfig
from makar.data.record import Record, Records, is_sampled
from makar.data.sound import Sound, resampled
from makar.data.spectrogram import RANGE_DB
from makar.data.wave_file import numbers_of, on_grid, stored_numbers
from makar.errors import ArtifactError, ConfigError, EmptyDataError
from makar.tensor_spec import CLASS, SOURCE, TARGET, TensorSpec

FILE = "wave_codec.json"
MU = LEVELS - 1


def steps_of(samples: np.ndarray) -> np.ndarray:
    """Return samples in -1..1 as steps of the mu-law, int64 0..255.

    >>> steps_of(np.array([-1.0, 0.0, 1.0])).tolist()
    [0, 128, 255]
    """
    clipped = np.clip(samples, -1.0, 1.0)
    bent = np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    steps: np.ndarray = np.floor((bent + 1) / 2 * MU + 0.5).astype(np.int64)
    return steps


def samples_of(steps: np.ndarray) -> np.ndarray:
    """Return the samples that steps of the mu-law stand for, float32 in -1..1."""
    bent = 2 * steps.astype(np.float64) / MU - 1
    found: np.ndarray = (np.sign(bent) * np.expm1(np.abs(bent) * np.log1p(MU)) / MU).astype(np.float32)
    return found


class WaveCodec(Codec):
    """Sounds of one length as samples; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``loudest_db`` found.
        class_counts: Training sounds of each class by name; empty where they are not told apart.
    """

    def __init__(self, config: WaveCodecConfig, *, class_counts: dict[str, int]) -> None:
        self.config: WaveCodecConfig = config
        self.class_counts = class_counts
        self.class_names = tuple(class_counts)
        self._numbers = {name: number for number, name in enumerate(self.class_names)}

    @classmethod
    def fit(cls, config: WaveCodecConfig, records: Iterator[Record]) -> Self:
        """Find how loud the data is and the names of the classes.

        Raises:
            EmptyDataError: There is no record.
            ConfigError: Labels are asked for and there are none, or too many to be classes.
        """
        loudest, count = -RANGE_DB, 0
        counts: Counter[str] = Counter()
        for record in records:
            if is_sampled(count):
                loudest = max(loudest, float(loudness(record.content, config).max()))
            counts[record.label or UNLABELLED] += 1
            count += 1
        if not count:
            raise EmptyDataError("there are no sounds to learn from", expected="at least one")
        if config.use_labels and (set(counts) == {UNLABELLED} or len(counts) > MOST_CLASSES):
            raise ConfigError(
                f"{len(counts)} classes" if len(counts) > 1 else "no sound has a label",
                expected=f"one folder a class, at most {MOST_CLASSES}",
                do='use the recipe "wavenet"',
            )
        return cls(
            config.with_loudest(loudest),
            class_counts={name: counts[name] for name in sorted(counts)} if config.use_labels else {},
        )

    @classmethod
    def from_files(cls, config: WaveCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The files are damaged.
        """
        try:
            found = json.loads(files[FILE])
            counts = {str(name): int(count) for name, count in found["classes"].items()}
            return cls(config.changed(loudest_db=float(found["loudest_db"])), class_counts=counts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: the loudness, and the classes with their counts."""
        found = {"loudest_db": self.config.loudest_db, "classes": self.class_counts}
        return {FILE: json.dumps(found, ensure_ascii=False).encode()}

    @property
    def spec(self) -> TensorSpec:
        """Samples, and where they are used a picture and a class."""
        return self.config.made(len(self.class_names))

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` ``[samples]``, uint16 steps or int16 numbers, ``source`` uint8 ``[mels, frames]`` and ``class``."""
        if record.content is None:
            return {}
        config = self.config
        slots: dict[str, np.ndarray] = {}
        if self.class_names:
            number = self._numbers.get(record.label or UNLABELLED)
            if number is None:
                return {}
            slots[CLASS] = np.asarray(number, np.int64)
        fitting = resampled(record.content, config.rate_hz).mono()[: config.samples]
        if config.coding == STEPS:
            after = config.samples - len(fitting)
            slots[TARGET] = np.pad(steps_of(fitting), (0, after), constant_values=LEVELS).astype(np.uint16)
        else:
            slots[TARGET] = stored_numbers(fitting, length=config.samples)
        if config.use_pictures:
            slots[SOURCE] = self.picture(record.content)[:, :, 0]
        return slots

    def counted(self, records: Iterator[Record]) -> "WaveCodec":
        """Return the codec with the sounds of each class counted in other data."""
        if not self.class_names:
            return self
        every = records.without_content() if isinstance(records, Records) else records
        counts = Counter(record.label or UNLABELLED for record in every)
        return WaveCodec(self.config, class_counts={name: counts[name] for name in self.class_names})

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn pictures into -1..1 and numbers of 16 bits into -1..1; steps and classes stay what they are."""
        if slot == SOURCE:
            return (values / np.float32(127.5) - 1).astype(np.float32)
        if slot == TARGET and self.config.coding != STEPS:
            return numbers_of(values)
        return values

    def picture(self, sound: Sound) -> np.ndarray:
        """Return the picture of a sound, uint8 ``[mels, frames, 1]``."""
        return drawn_picture(sound, self.config)

    def compared(self, stored: np.ndarray) -> np.ndarray:
        """Return the pictures of stored targets, which is what is compared with other sounds.

        Args:
            stored: ``[batch, samples]`` as the store keeps them.

        Returns:
            uint8 ``[batch, 1, mels, frames]``.
        """
        return np.stack(
            [self.picture(self.decode({TARGET: self.to_model(TARGET, row)})).transpose(2, 0, 1) for row in stored]
        )

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target``, on the grid of 16 bits, up to the first token that stands behind the end."""
        target = slots[TARGET]
        if self.config.coding == STEPS:
            after = np.flatnonzero(target >= LEVELS)
            target = samples_of(target[: int(after[0])] if len(after) else target)
        made = target if len(target) else np.zeros(1, np.float32)
        return Sound(on_grid(np.clip(made, -1, 1).astype(np.float32))[:, None], self.config.rate_hz)
