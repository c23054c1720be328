"""What a codec promises: a record becomes arrays, arrays become content again.

Every codec has a configuration (``CodecConfig``, no torch) and an implementation named by the configuration's ``target``. A codec
that learns from data (a vocabulary) is made with ``fit``; its learned part is ``files``, which an artifact carries along. A codec that
works through trained families (``components``) is made with them; they are handed in, because families are built above codecs.
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

from makar.config import Config
from makar.data.record import Record
from makar.errors import ConfigError
from makar.registry import resolve
from makar.tensor_spec import Slot, TensorSpec

if TYPE_CHECKING:
    # Recipes are listed without them: importing NumPy takes as long as everything else.
    import numpy as np
    from torch import Tensor


class CodecConfig(Config):
    """Settings of a codec. Subclasses are frozen dataclasses with a ``kind`` and a ``target``."""

    target: ClassVar[str]
    """Where the implementation is, as "module:Class"."""

    media: ClassVar[tuple[str, ...]]
    """Media that the codec can encode."""

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the stages whose trained families it works through; none by default."""
        return ()


@runtime_checkable
class Autoencoder(Protocol):
    """A trained family that codecs work through: a batch of images to latents or tokens, and back."""

    def encode(self, images: "Tensor") -> "Tensor":
        """Return float values or int64 tokens ``[batch, *latents]`` from images ``[batch, channels, height, width]`` in -1..1."""

    def decode(self, latents: "Tensor") -> "Tensor":
        """Return images ``[batch, channels, height, width]`` in -1..1 from latents or tokens."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Component:
    """A trained family as a codec sees it.

    Attributes:
        autoencoder: What encodes and decodes; in evaluation mode.
        latents: What ``encode`` makes of one example.
        accepts: What ``encode`` takes, as slots of one example.
        hash: sha256 of its configuration and weights; part of the name of every store that it fills.
    """

    autoencoder: Autoencoder
    latents: Slot
    accepts: TensorSpec
    hash: str


Components = Mapping[str, Component]


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
        """What ``encode`` makes, and what ``completed`` adds to it."""

    @abc.abstractmethod
    def encode(self, record: Record) -> "dict[str, np.ndarray]":
        """Return one array a slot, in the form the store keeps (for example uint8 pixels); empty when the record has no content."""

    @abc.abstractmethod
    def decode(self, slots: "dict[str, np.ndarray]") -> Any:
        """Return content (``str``, ``uint8 [height, width, channels]``) from one example of the model's output in the spec's range."""

    def encode_together(self, records: Sequence[Record]) -> "list[dict[str, np.ndarray]]":
        """Return what ``encode`` returns for each record; a codec that computes with a network does it in one batch."""
        return [self.encode(record) for record in records]

    def completed(self, stored: "dict[str, np.ndarray]") -> "dict[str, np.ndarray]":
        """Return a batch of stored slots with those that follow from others and are not kept; the default adds nothing.

        Args:
            stored: One array a slot, as ``encode`` makes them, with the examples along the first axis.
        """
        return stored

    def counted(self, records: Iterator[Record]) -> "Codec":
        """Return the codec with frequencies counted anew in other data, and what it encodes to unchanged; most codecs count nothing."""
        del records
        return self

    @property
    def plain(self) -> "Codec":
        """The codec of the content itself, below any learned one: what is compared and measured is content, not latents."""
        return self

    def to_model(self, slot: str, values: "np.ndarray") -> "np.ndarray":
        """Turn stored values of a slot into what the spec promises; the default changes nothing (images: uint8 to -1..1)."""
        del slot
        return values


class LearnedCodec(Codec):
    """A codec that works through trained families."""

    @classmethod
    def fit(cls, config: Any, records: Iterator[Record]) -> Self:
        """Refuse: it needs its components (``fit_with``)."""
        del records
        raise _without_components(config)

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> Self:
        """Refuse: it needs its components (``from_files_with``)."""
        del files
        raise _without_components(config)

    @classmethod
    @abc.abstractmethod
    def fit_with(cls, config: Any, records: Iterator[Record], components: Components) -> Self:
        """Learn from records what the codec needs beyond its components (mean and deviation of the latents)."""

    @classmethod
    @abc.abstractmethod
    def from_files_with(cls, config: Any, files: dict[str, bytes], components: Components) -> Self:
        """Rebuild a fitted codec from its configuration, the files of an artifact, and its components."""


def fit_codec(config: CodecConfig, records: Iterator[Record], components: Components | None = None) -> Codec:
    """Fit the codec that a configuration names.

    Args:
        config: The settings.
        records: The training data.
        components: The trained families that it may work through, by the name of their stage.

    Raises:
        ConfigError: A component that it works through is not there.
    """
    target: type[Codec] = resolve(config.target)
    if issubclass(target, LearnedCodec):
        return target.fit_with(config, records, _needed(config, components))
    return target.fit(config, records)


def load_codec(config: CodecConfig, files: dict[str, bytes], components: Components | None = None) -> Codec:
    """Rebuild the codec that a configuration names from an artifact's files.

    Args:
        config: The settings.
        files: The learned part, by name.
        components: The trained families that it may work through, by the name of their stage.

    Raises:
        ConfigError: A component that it works through is not there.
    """
    target: type[Codec] = resolve(config.target)
    if issubclass(target, LearnedCodec):
        return target.from_files_with(config, files, _needed(config, components))
    return target.from_files(config, files)


def _needed(config: CodecConfig, components: Components | None) -> Components:
    given = components or {}
    missing = [name for name in config.components if name not in given]
    if missing:
        raise ConfigError(
            f'codec "{config.kind}" works through "{missing[0]}", which is not there',
            expected=f"one of: {', '.join(given)}" if given else "an earlier stage of that name",
        )
    return {name: given[name] for name in config.components}


def _without_components(config: CodecConfig) -> ConfigError:
    return ConfigError(f'codec "{config.kind}" works through a trained family', expected=", ".join(config.components))
