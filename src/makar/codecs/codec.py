"""What a codec promises: a record becomes arrays, arrays become content again.

Every codec has a configuration (``CodecConfig``, no torch) and an implementation named by the configuration's ``target``. A codec
that learns from data (a vocabulary) is made with ``fit``; its learned part is ``files``, which an artifact carries along.
"""

import abc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from makar.config import Config
from makar.data.record import Record
from makar.registry import resolve
from makar.tensor_spec import TensorSpec

if TYPE_CHECKING:
    # Recipes are listed without it: importing NumPy takes as long as everything else.
    import numpy as np


class CodecConfig(Config):
    """Settings of a codec. Subclasses are frozen dataclasses with a ``kind`` and a ``target``."""

    target: ClassVar[str]
    """Where the implementation is, as "module:Class"."""

    media: ClassVar[tuple[str, ...]]
    """Media that the codec can encode."""


class Codec(abc.ABC):
    """Turns records into arrays and arrays into content."""

    config: CodecConfig

    @classmethod
    @abc.abstractmethod
    def fit(cls, config: Any, records: Iterator[Record]) -> Self:
        """Learn from records what the codec needs (a vocabulary, a channel count, the names of the classes); reads as few as it needs."""

    @classmethod
    @abc.abstractmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec from its configuration and the files of an artifact."""

    @abc.abstractmethod
    def files(self) -> dict[str, bytes]:
        """Return the learned part as files by name; empty when the configuration says everything."""

    @property
    @abc.abstractmethod
    def spec(self) -> TensorSpec:
        """What ``encode`` makes."""

    @abc.abstractmethod
    def encode(self, record: Record) -> "dict[str, np.ndarray]":
        """Return one array a slot, in the form the store keeps (for example uint8 pixels); empty when the record has no content."""

    @abc.abstractmethod
    def decode(self, slots: "dict[str, np.ndarray]") -> Any:
        """Return content (``str``, ``uint8 [height, width, channels]``) from one example of the model's output in the spec's range."""

    def to_model(self, slot: str, values: "np.ndarray") -> "np.ndarray":
        """Turn stored values of a slot into what the spec promises; the default changes nothing (images: uint8 to -1..1)."""
        del slot
        return values


def fit_codec(config: CodecConfig, records: Iterator[Record]) -> Codec:
    """Fit the codec that a configuration names."""
    codec: Codec = resolve(config.target).fit(config, records)
    return codec


def load_codec(config: CodecConfig, files: dict[str, bytes]) -> Codec:
    """Rebuild the codec that a configuration names from an artifact's files."""
    codec: Codec = resolve(config.target).from_files(config, files)
    return codec
