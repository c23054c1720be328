"""Settings of what learns from feedback: models tuned by preferences directly, and judges that give an answer a score; no torch.

Source: Rafailov et al. 2023, arXiv 2305.18290 (DPO); Ouyang et al. 2022, arXiv 2203.02155, equation 1 (reward models).
"""

import dataclasses
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.adapter_config import AdapterConfig
from makar.families.conversation.config import ChatConfig, SpeakingConfig
from makar.families.decoder_config import DecoderConfig
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET, Slot, TensorSpec

PAIRS, SCORES = "pairs", "scores"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DpoConfig(SpeakingConfig):
    """A model that answers, tuned by pairs of answers of which one is preferred."""

    kind: ClassVar[str] = "dpo"
    target: ClassVar[str] = "makar.families.conversation.dpo_family:DpoFamily"

    beta: float = setting(
        0.1, meaning="how dear it is to leave the model that it began from", minimum=1e-4, maximum=10.0
    )
    smoothing: float = setting(
        0.0, meaning="share of the preferences that are taken to be the wrong way round", minimum=0.0, maximum=0.49
    )

    @property
    def rows(self) -> tuple[str, ...]:
        """The row with the preferred answer, and the one with the other."""
        return (TARGET, REJECTED)

    @property
    def marks(self) -> tuple[str, ...]:
        """Where the answers are."""
        return (LEARNED, REJECTED_LEARNED)

    def teacher(self) -> FamilyConfig | None:
        """Return the model that it begins from, which it is compared with; none where the network itself steps back."""
        return None if self.decoder.steps_back else ChatConfig(decoder=self.decoder, usual=self.usual)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardConfig(SpeakingConfig):
    """A judge that gives an answer a score, learned from pairs or from scores."""

    kind: ClassVar[str] = "reward"
    target: ClassVar[str] = "makar.families.conversation.reward_family:RewardFamily"
    predictions: ClassVar[tuple[str, ...]] = ("score",)
    writes: ClassVar[bool] = False

    decoder: DecoderConfig = setting(meaning="the network", factory=lambda: TransformerConfig(tied=True))
    objective: str = setting(PAIRS, meaning="what it learns from", choices=(PAIRS, SCORES))
    grams: int = setting(
        0,
        meaning="tokens of the longest run of an answer that votes beside the network; 0 is none",
        minimum=0,
        maximum=8,
    )
    gram_rows: int = setting(1 << 16, meaning="rows of the table of runs", minimum=2, maximum=1 << 26)
    gram_dropout: float = setting(0.5, meaning="share of the runs left out while training", minimum=0.0, maximum=0.9)
    gram_rate: float = setting(
        0.6, meaning="learning rate of the runs, in that of the network", minimum=0.0, maximum=100.0
    )

    @property
    def rows(self) -> tuple[str, ...]:
        """The row with the preferred answer, and the one with the other; one row with a score."""
        return (TARGET, REJECTED) if self.objective == PAIRS else (TARGET,)

    @property
    def marks(self) -> tuple[str, ...]:
        """Where the answers are."""
        return (LEARNED, REJECTED_LEARNED) if self.objective == PAIRS else (LEARNED,)

    def with_adapter(self, adapter: AdapterConfig) -> Self:
        """Return a copy that learns an adapter of a checkpoint, in which PEFT has a place for the score; none for runs.

        Raises:
            UnsupportedError: It judges with a network of ours, or with runs beside.
        """
        if self.grams or not isinstance(self.decoder, PretrainedTextConfig):
            return FamilyConfig.with_adapter(self, adapter)
        return super().with_adapter(adapter)

    def check(self) -> None:
        """Check the fields, and that the network has no output layer of its own: a judge writes nothing."""
        super().check()
        if self.decoder != self.decoder.judging():
            raise ConfigError("the network of a judge has an output layer", expected="decoder.tied true")

    def accepts(self) -> TensorSpec:
        """Return rows of tokens, which of them are answers, and a score where that is learned from."""
        slots = dict(super().accepts().slots)
        if self.objective == SCORES:
            slots[SCORE] = Slot(kind="values", axes=(), sizes=(), minimum=0.0, maximum=1.0)
        return TensorSpec(slots)

    def shares_runs(self, other: Self) -> bool:
        """Return whether the table of another judge has the same rows for the same runs."""
        mine, theirs = ((config.grams, config.gram_rows, config.decoder.vocabulary) for config in (self, other))
        return mine == theirs

    def with_decoder(self, decoder: DecoderConfig) -> Self:
        """Return a copy with another network, without its output layer."""
        return self.changed(decoder=decoder.judging())

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters: those of the network, the weights of the score, and the table of runs."""
        return self.decoder.parameter_count() + self.decoder.width + (self.gram_rows if self.grams else 0)
