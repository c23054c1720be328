"""Pictures as uint8 arrays of one size, channels first, with a class where labels are used.

The channels are the least that hold a sample of the data, so grey photographs saved as colour cost a third. Where only some
images have a label, the others form a class of their own named ``UNLABELLED``: nothing is dropped and nothing is guessed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Self

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.image_fit import channels_needed, fit_image, with_channels
from makar.data.record import Record, Records
from makar.errors import ArtifactError, ConfigError, EmptyDataError
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

SAMPLE = 512
"""Images decoded to find the number of channels; of the others only the labels are read."""

MOST_CLASSES = 1000
UNLABELLED = "unlabelled"
FILE = "image_codec.json"


class ImageCodec(Codec):
    """Images of one size; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``channels`` found.
        class_counts: Training images of each class by name, in the order of the class numbers; empty without labels.
    """

    def __init__(self, config: ImageCodecConfig, *, class_counts: dict[str, int]) -> None:
        self.config: ImageCodecConfig = config
        self.class_counts = class_counts
        self.class_names = tuple(class_counts)
        self._numbers = {name: number for number, name in enumerate(self.class_names)}

    @classmethod
    def fit(cls, config: ImageCodecConfig, records: Iterator[Record]) -> Self:
        """Find the number of channels and the names of the classes.

        Raises:
            EmptyDataError: There is no record.
            ConfigError: Labels are asked for and there are none, or too many to be classes.
        """
        records = iter(records)
        sample = list(islice(records, SAMPLE))
        rest = records.without_content() if isinstance(records, Records) else records
        if not sample:
            raise EmptyDataError("there are no images to learn from", expected="at least one")
        if not config.channels:
            config = config.changed(channels=max(channels_needed(record.content) for record in sample))
        counts: Counter[str] = Counter()
        if config.use_labels:
            counts.update(record.label or UNLABELLED for record in sample)
            counts.update(record.label or UNLABELLED for record in rest)
            if set(counts) == {UNLABELLED}:
                raise ConfigError(
                    "no image has a label", expected="class folders or a label column", do='use the recipe "image"'
                )
            if len(counts) > MOST_CLASSES:
                raise ConfigError(
                    f"there are {len(counts)} different labels",
                    expected=f"at most {MOST_CLASSES} classes",
                    do='use the recipe "image"',
                )
        return cls(config, class_counts={name: counts[name] for name in sorted(counts)})

    @classmethod
    def from_files(cls, config: ImageCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The file is missing or damaged.
        """
        try:
            found = json.loads(files[FILE])
            return cls(config.changed(channels=found["channels"]), class_counts=dict(found["classes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: the channels, and the classes with their counts."""
        found = {"channels": self.config.channels, "classes": self.class_counts}
        return {FILE: json.dumps(found, indent=1, ensure_ascii=False).encode()}

    @property
    def spec(self) -> TensorSpec:
        """Pixels from -1 to 1, and a class where labels are used."""
        config = self.config
        sizes = (config.channels, config.height, config.width)
        slots = {TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)}
        if config.use_labels:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(self.class_names))
        return TensorSpec(slots)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[channels, height, width]`` and, with labels, ``class`` as an int64 scalar.

        A record whose label was in no training image is left out: there is no number for it.
        """
        pixels = record.content
        if pixels is None or 0 in pixels.shape:
            return {}
        config = self.config
        slots: dict[str, np.ndarray] = {}
        if config.use_labels:
            number = self._numbers.get(record.label or UNLABELLED)
            if number is None:
                return {}
            slots[CLASS] = np.asarray(number, np.int64)
        fit: Any = config.fit
        fitted = fit_image(pixels, height=config.height, width=config.width, fit=fit)
        slots[TARGET] = np.ascontiguousarray(with_channels(fitted, config.channels).transpose(2, 0, 1))
        return slots

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1; classes stay what they are."""
        return values.astype(np.float32) * (2 / 255) - 1 if slot == TARGET else values

    def decode(self, slots: dict[str, np.ndarray]) -> np.ndarray:
        """Return uint8 ``[height, width, channels]`` from ``target`` in -1..1; values outside are clipped."""
        values = np.clip(slots[TARGET], -1, 1).transpose(1, 2, 0)
        return np.rint((values + 1) * 127.5).astype(np.uint8)
