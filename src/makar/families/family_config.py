"""What a family's configuration promises, without torch: what it accepts, how large it is, what it costs, how examples are cut.

The implementation is named by ``target`` and described in ``makar.families.family``.
"""

import abc
from typing import Any, ClassVar, Literal, Self

from makar.config import Config
from makar.errors import UnsupportedError
from makar.families.adapter_config import AdapterConfig
from makar.tensor_spec import Slot, TensorSpec


class FamilyConfig(Config, abc.ABC):
    """Settings of a family. Subclasses are frozen dataclasses with a ``kind`` and a ``target``."""

    target: ClassVar[str]
    """Where the implementation is, as "module:Class"."""

    item_name: ClassVar[str]
    """What is counted: ``"token"``, ``"image"``."""

    batching: ClassVar[Literal["items", "windows", "ragged"]]
    """``items`` draws whole examples from a store; ``windows`` draws spans of ``window_length`` + 1 positions of one long stream;
    ``ragged`` draws whole examples that differ in length, like lengths together, filled up with ``PADDING_TOKEN``."""

    balanced_by: ClassVar[str | None] = None
    """Slot of a class: batches then hold as many of each, one after the other, however many the data have; ``None`` draws as they come."""

    fills_any_part: ClassVar[bool] = True
    """Where it can inpaint: whether any part of an image, or only one that goes on to its last row."""

    keeps_codec: ClassVar[bool] = False
    """Whether its codec of text is the one of the recipe and is not chosen by the size of the data."""

    engine: ClassVar[str] = "torch"
    """What runs it, of ``makar.serving.engines``: Makar's own code on torch, ``transformers``, ``diffusers``, or an ``endpoint``."""

    predictions: ClassVar[tuple[str, ...]] = ()
    """What the family's ``predict`` can say of existing content: ``"anomaly"`` ..."""

    @property
    def engines(self) -> tuple[str, ...]:
        """Every engine that runs it where that is installed, its own first."""
        return (self.engine,)

    @property
    def edits(self) -> tuple[str, ...]:
        """What the sampler can do to given content, of ``makar.families.edits``; prompts then carry the slots that are named there."""
        return ()

    @property
    def previews(self) -> bool:
        """Whether its sampler comes to an example in steps and can say on the way what it expects (``families.estimates``)."""
        return False

    @property
    def window_length(self) -> int:
        """Positions a window, without the one that only serves as the last target; of ``ragged`` the usual ones; 1 for ``items``."""
        return 1

    @property
    def tensors_name(self) -> str:
        """File of a saved model with the tensors of the family; empty where it has none of its own."""
        return "model.safetensors"

    def frozen_bytes(self) -> float:
        """Return the memory that training takes for what is not trained: the base of an adapter; none by default."""
        return 0.0

    def memory_plan(self, device: str, free_bytes: int) -> dict[str, Any]:
        """Return how it would compute on this machine, where that is chosen to fit; nothing by default."""
        del device, free_bytes
        return {}

    @abc.abstractmethod
    def accepts(self) -> TensorSpec:
        """Return the slots that the family can use, with ``optional`` where it works without."""

    def latents(self) -> Slot | None:
        """Return what the family's ``encode`` makes of one example, for stages that learn from it; ``None``: it encodes nothing.

        Values have axes like ``("channels", "height", "width")``; their range is set by the codec, which scales them. Tokens have
        axes like ``("rows", "columns")`` and a vocabulary. A family that returns a slot has ``encode(images)`` and, unless nothing
        leads back to images, ``decode(latents)`` (``makar.codecs.codec.Encoder`` and ``Autoencoder``).
        """
        return None

    def teacher(self) -> "FamilyConfig | None":
        """Return the family of the model that has to stand beside this one while it learns (``Family.attach``); none by default."""
        return None

    @abc.abstractmethod
    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy whose sizes (vocabulary, channels, classes) are taken from what a codec makes."""

    def completed(self, made: TensorSpec) -> Self:
        """Return a copy that begins from a saved model, with what only the new data say (the classes of a new head); itself by default."""
        del made
        return self

    def with_adapter(self, adapter: AdapterConfig) -> Self:
        """Return a copy that learns an adapter of the model that it begins from.

        Raises:
            UnsupportedError: No adapters are learned of this family.
        """
        raise UnsupportedError(
            f'an adapter ("{adapter.method}") of a model of family "{self.kind}"',
            expected="text, code, conversations or preferences of a decoder",
            do="without --adapter the whole model is trained on",
        )

    @abc.abstractmethod
    def scaled_to(self, parameters: int) -> Self:
        """Return a copy with about this many parameters, in the shape that works best at that size."""

    @abc.abstractmethod
    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""

    def computed_weights(self) -> int:
        """Return the weights that an example is made with: those that are trained, where nothing else takes part."""
        return self.parameter_count()

    @abc.abstractmethod
    def training_operations(self) -> float:
        """Return floating-point operations to train on one token or image, forward and backward."""

    @abc.abstractmethod
    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one window or item, beyond weights and optimiser."""
