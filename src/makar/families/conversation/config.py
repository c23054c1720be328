"""What every model that talks has in its settings: a decoder, and how long a row usually is; no torch.

``SpeakingConfig`` is what chat models, models tuned by preferences and by rewards, and judges of answers share. Rows differ in length and
are drawn whole, like lengths together, so that nothing is attended to across conversations.
"""

import dataclasses
from typing import Any, ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.adapter_config import FROZEN_BYTES, AdapterConfig
from makar.families.decoder_config import DecoderConfig
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.text_config import CAUSAL, PretrainedTextConfig
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import LEARNED, TARGET, Slot, TensorSpec

USUAL = 128
"""Tokens of a row where the data has not been looked at."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeakingConfig(FamilyConfig):
    """A decoder that learns from rows of conversations."""

    item_name: ClassVar[str] = "token"
    batching: ClassVar[Literal["items", "windows", "ragged"]] = "ragged"
    passes: ClassVar[float] = 1.0
    """Times that the network computes a row, counted as a forward and backward pass."""

    writes: ClassVar[bool] = True
    """Whether it says something; a judge of answers does not."""

    decoder: DecoderConfig = setting(meaning="the network", factory=TransformerConfig)
    usual: int = setting(
        USUAL, meaning="usual length of a row, from which memory and speed are estimated", unit="tokens", minimum=1
    )

    @property
    def engines(self) -> tuple[str, ...]:
        """What runs the network, where it is one that writes."""
        return self.decoder.engines if self.writes else self.decoder.engines[:1]

    @property
    def rows(self) -> tuple[str, ...]:
        """Slots of an example with tokens."""
        return (TARGET,)

    @property
    def marks(self) -> tuple[str, ...]:
        """Slots that say which of those tokens are learned."""
        return (LEARNED,)

    @property
    def window_length(self) -> int:
        """Usual tokens of a row."""
        return self.usual

    def accepts(self) -> TensorSpec:
        """Return rows of tokens and, for each, which are learned."""
        tokens = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.decoder.vocabulary or None)
        mark = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=2)
        return TensorSpec({**dict.fromkeys(self.rows, tokens), **dict.fromkeys(self.marks, mark)})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codec's vocabulary and the length that its rows usually have.

        Raises:
            ConfigError: The codec makes no rows of this kind.
        """
        if missing := [name for name in (*self.rows, *self.marks) if name not in made]:
            raise ConfigError(f'the codec makes no "{missing[0]}"', expected="codec turns that makes rows of this kind")
        slot = made[TARGET]
        return self.changed(decoder=self.decoder.changed(vocabulary=slot.vocabulary), usual=slot.usual or self.usual)

    def with_decoder(self, decoder: DecoderConfig) -> Self:
        """Return a copy with another network."""
        return self.changed(decoder=decoder)

    def with_adapter(self, adapter: AdapterConfig) -> Self:
        """Return a copy whose network learns an adapter of another model's."""
        return self.with_decoder(self.decoder.with_adapter(adapter))

    @property
    def tensors_name(self) -> str:
        """That of the network: an adapter has another."""
        return self.decoder.tensors_name

    def frozen_bytes(self) -> float:
        """Return the memory of the model that an adapter changes, and of the one before, which stays beside in float32."""
        beside = 0.0 if self.teacher() is None else FROZEN_BYTES[16] * self.decoder.computed_weights()
        return self.decoder.frozen_bytes() + beside

    def memory_plan(self, device: str, free_bytes: int) -> dict[str, Any]:
        """Return how the network would compute on this machine, where that is chosen to fit."""
        return self.decoder.memory_plan(device, free_bytes)

    def computed_weights(self) -> int:
        """Return the weights of the whole model."""
        return self.parameter_count() - self.decoder.parameter_count() + self.decoder.computed_weights()

    def scaled_to(self, parameters: int) -> Self:
        """Return a copy whose network has about so many parameters."""
        return self.with_decoder(self.decoder.scaled_to(parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return self.decoder.parameter_count()

    def training_operations(self) -> float:
        """Return operations a token, forward and backward, of all rows of an example."""
        return self.passes * len(self.rows) * self.decoder.seen_at(self.usual).training_operations()

    def activation_bytes(self) -> float:
        """Return the bytes that training keeps for one example."""
        return len(self.rows) * self.decoder.seen_at(self.usual).activation_bytes()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatConfig(SpeakingConfig):
    """A model that answers: it learns the answers of conversations and reads the rest."""

    kind: ClassVar[str] = "chat"
    target: ClassVar[str] = "makar.families.conversation.chat_family:ChatFamily"


def decoder_of(family: FamilyConfig) -> DecoderConfig | None:
    """Return the network of a model of text or of conversations, ``None`` where it is another kind of model."""
    if isinstance(family, SpeakingConfig):
        return family.decoder
    if isinstance(family, PretrainedTextConfig):
        return family if family.task == CAUSAL else None
    return family if isinstance(family, TransformerConfig) else None


def writer_of(family: FamilyConfig) -> DecoderConfig | None:
    """Return the network of a model that writes text or answers, ``None`` where it is another kind of model, a judge of answers too."""
    return None if isinstance(family, SpeakingConfig) and not family.writes else decoder_of(family)
