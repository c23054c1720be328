"""What a codec promises: a record becomes arrays, arrays become content again.

Every codec has a configuration (``CodecConfig``, no torch) and an implementation named by the configuration's ``target``. A codec
that learns from data (a vocabulary) is made with ``fit``; its learned part is ``files``, which an artifact carries along. A codec that
works through trained families (``components``) is made with them; they are handed in, because families are built above codecs.
"""

import abc
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


PICTURED = ("image", "sound", "video")
"""Media whose codecs make pictures, which learned codecs work on."""


class CodecConfig(Config):
    """Settings of a codec. Subclasses are frozen dataclasses with a ``kind`` and a ``target``."""

    target: ClassVar[str]
    """Where the implementation is, as "module:Class"."""

    media: ClassVar[tuple[str, ...]]
    """Media that the codec can encode; of a learned one those of its usual base."""

    @property
    def content_media(self) -> tuple[str, ...]:
        """Media that it can encode as it is set."""
        return self.media

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the stages whose trained families it works through; none by default."""
        return ()

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec | None:
        """Return what the codec will make, as far as the inspection lets it be guessed, where an example is one row of a table.

        Args:
            labels: Rows by label.
        """
        del labels
        return None

    def for_task(self, task: str) -> Self:
        """Return the settings for records that are labelled for a task of language, empty for none; by default these.

        Args:
            task: Of ``makar.data.task_columns``.
        """
        del task
        return self

    @property
    def needed_task(self) -> str | None:
        """The task of language that records must be labelled for (``makar.data.task_columns``); ``None`` takes any record."""
        return None


class WorkedThrough(Protocol):
    """What a plan knows of a stage that a codec works through: its family's configuration, or the trained component."""

    def latents(self) -> Slot | None:
        """Return what ``encode`` makes of one example; ``None``: it encodes nothing."""

    def accepts(self) -> TensorSpec:
        """Return the slots that the family can use."""


class LearnedCodecConfig(CodecConfig):
    """Settings of a codec that works through an earlier stage, over a codec of the content itself."""

    component: str
    """Name of the stage."""

    base: CodecConfig
    """The codec of the content."""

    @property
    def content_media(self) -> tuple[str, ...]:
        """Those of its base."""
        return self.base.content_media

    @property
    def components(self) -> tuple[str, ...]:
        """The stage that it works through, and those that its base works through."""
        return (self.component, *self.base.components)

    def check(self) -> None:
        """Check the fields, that a component is named, and that the base makes content of these media."""
        super().check()
        if not self.component:
            raise ConfigError(f"a codec {self.kind} names no component", expected="the name of an earlier stage")
        if not set(PICTURED) & set(self.base.content_media):
            raise ConfigError(
                f'codec "{self.base.kind}" cannot encode {", ".join(PICTURED)}',
                expected="a codec of images, sounds or videos below the learned one",
            )

    @abc.abstractmethod
    def spec_over(self, below: TensorSpec, worked_through: WorkedThrough) -> TensorSpec:
        """Return what the codec makes, from what its base makes and what is known of the stage.

        Raises:
            ConfigError: The stage cannot be worked through, or not over this base.
        """


@runtime_checkable
class Encoder(Protocol):
    """A trained family that codecs work through: a batch of images to latents or tokens."""

    def encode(self, images: "Tensor") -> "Tensor":
        """Return float values or int64 tokens ``[batch, *latents]`` from images ``[batch, channels, height, width]`` in -1..1."""


@runtime_checkable
class Autoencoder(Encoder, Protocol):
    """One that also leads back."""

    def decode(self, latents: "Tensor") -> "Tensor":
        """Return images ``[batch, channels, height, width]`` in -1..1 from latents or tokens."""


class Maker(Protocol):
    """A trained family that makes examples of what they are asked to be."""

    def make(
        self, prompts: "Sequence[Mapping[str, Tensor]]", seeds: Sequence[int], options: Mapping[str, Any]
    ) -> "list[Tensor]":
        """Return one example a prompt, as its family makes them; one seed an example, and controls of the family by name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Component:
    """A trained family as a codec sees it.

    Attributes:
        encoder: What encodes, and perhaps decodes; in evaluation mode. ``None``: it encodes nothing.
        encoded: What ``encode`` makes of one example.
        accepted: What it takes, as slots of one example.
        hash: sha256 of its configuration and weights; part of the name of every store that it fills.
        codec: The codec that it was trained with, where it is known.
        maker: What makes its examples; ``None`` where it makes none.
    """

    encoder: Encoder | None
    encoded: Slot | None
    accepted: TensorSpec
    hash: str
    codec: "Codec | None" = None
    maker: Maker | None = None

    def latents(self) -> Slot | None:
        """Return what ``encode`` makes of one example."""
        return self.encoded

    def accepts(self) -> TensorSpec:
        """Return the slots that it can use."""
        return self.accepted


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

    def cut(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records of examples, several where a record holds more than one (a long video); by default each is one."""
        yield from records

    def counted(self, records: Iterator[Record]) -> "Codec":
        """Return the codec with frequencies counted anew in other data, and what it encodes to unchanged; most codecs count nothing."""
        del records
        return self

    def remarks(self) -> tuple[str, ...]:
        """Return what a person should know of how the data was encoded: what was cut off, what was seen too seldom; nothing by default."""
        return ()

    @property
    def decodes(self) -> bool:
        """Whether ``decode`` gives content back; where a stage only learns what another one uses, it need not."""
        return True

    @property
    def plain(self) -> "Codec":
        """The codec of the content itself, below any learned one: what is compared and measured is content, not latents."""
        return self

    def to_model(self, slot: str, values: "np.ndarray") -> "np.ndarray":
        """Turn stored values of a slot into what the spec promises; the default changes nothing (images: uint8 to -1..1)."""
        del slot
        return values


class UnlearnedCodec(Codec):
    """A codec that learns nothing of the data: its settings say everything.

    Args:
        config: The settings.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    def fit(cls, config: Any, records: Iterator[Record]) -> Self:
        """Learn nothing."""
        del records
        return cls(config)

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> Self:
        """Rebuild the codec from its settings."""
        del files
        return cls(config)

    def files(self) -> dict[str, bytes]:
        """Return nothing: nothing was learned."""
        return {}


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
