"""Settings of learning from rewards, those that can be checked and those of a reward model: GRPO and PPO; no torch.

Source: Shao et al. 2024, arXiv 2402.03300 (GRPO); Schulman et al. 2017, arXiv 1707.06347 (PPO); Ziegler et al. 2019, arXiv 1909.08593 (the
penalty for leaving the model before).
"""

import dataclasses
import re
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.adapter_config import AdapterConfig
from makar.families.conversation.config import ChatConfig, SpeakingConfig
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import ANSWER, Slot, TensorSpec

GRPO, PPO = "grpo", "ppo"
EXACT, NUMBER, PATTERN, TESTS, MODEL = "exact", "number", "pattern", "tests", "model"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyConfig(SpeakingConfig):
    """A model that answers, tuned by rewards for its own answers."""

    kind: ClassVar[str] = "policy"
    target: ClassVar[str] = "makar.families.conversation.policy_family:PolicyFamily"

    method: str = setting(
        GRPO,
        meaning="how an answer's worth is judged: against others to the same prompt (grpo), or by a head that learns values (ppo)",
        choices=(GRPO, PPO),
    )
    reward: str = setting(
        EXACT,
        meaning="what earns a reward: the right answer word for word, its last number, a pattern, or code that passes the tests that "
        "stand in the place of the right answer, or what a reward model likes",
        choices=(EXACT, NUMBER, PATTERN, TESTS, MODEL),
    )
    judge: str = setting("", meaning="the reward model, for the reward model: its name or folder")
    pattern: str = setting(
        "",
        meaning="regular expression that an answer must hold, for the reward pattern; {answer} stands for the right answer",
    )
    group: int = setting(8, meaning="answers that are tried for every prompt", minimum=2, maximum=256)
    longest_answer: int = setting(
        32, meaning="tokens of an answer that is tried", unit="tokens", minimum=1, maximum=8192
    )
    temperature: float = setting(1.0, meaning="of the answers that are tried", minimum=0.05, maximum=5.0)
    updates: int = setting(2, meaning="steps that are taken with the same answers", minimum=2, maximum=16)
    clip: float = setting(
        0.2,
        meaning="largest change of an answer's probability within those steps that counts",
        minimum=0.01,
        maximum=1.0,
    )
    penalty: float = setting(
        0.02, meaning="price of a nat of divergence from the model that it began from", minimum=0.0, maximum=10.0
    )
    value_weight: float = setting(0.5, meaning="weight of the loss of the values (ppo)", minimum=0.0, maximum=10.0)
    trace: float = setting(
        0.95,
        meaning="share of a later surprise that is credited to the token before (ppo, lambda)",
        minimum=0.0,
        maximum=1.0,
    )
    largest_divergence: float = setting(
        2.0, meaning="nats a token from the model that it began from beyond which the training goes back", minimum=0.01
    )

    def with_adapter(self, adapter: AdapterConfig) -> Self:
        """Return a copy that learns an adapter; of a head of values it has no place for.

        Raises:
            UnsupportedError: There is such a head.
        """
        if self.method == PPO:
            return FamilyConfig.with_adapter(self, adapter)
        return super().with_adapter(adapter)

    def check(self) -> None:
        """Check the fields, and the pattern where it is needed."""
        super().check()
        if (self.reward == PATTERN) != bool(self.pattern):
            raise ConfigError(
                f'the reward is "{self.reward}" and the pattern "{self.pattern}"',
                expected="reward pattern with a pattern, or another without",
            )
        if (self.reward == MODEL) != bool(self.judge):
            raise ConfigError(
                f'the reward is "{self.reward}" and the judge "{self.judge}"',
                expected="reward model with a judge, or another without",
            )
        try:
            re.compile(self.pattern.replace("{answer}", "x"))
        except re.error as error:
            raise ConfigError(
                f'the pattern "{self.pattern}" is none: {error}', expected="a regular expression"
            ) from error

    @property
    def marks(self) -> tuple[str, ...]:
        """Nothing of a prompt is learned."""
        return ()

    def accepts(self) -> TensorSpec:
        """Return prompts, and the right answer of each as bytes."""
        right = Slot(kind="tokens", axes=("bytes",), sizes=(None,), vocabulary=256)
        return TensorSpec({**super().accepts().slots, ANSWER: right})

    def teacher(self) -> FamilyConfig | None:
        """Return the model that it begins from, which it must not leave too far; none where the network itself steps back."""
        return None if self.decoder.steps_back else ChatConfig(decoder=self.decoder, usual=self.usual)

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters: those of the network, and of PPO the head of values."""
        return self.decoder.parameter_count() + (self.decoder.width + 1 if self.method == PPO else 0)

    def training_operations(self) -> float:
        """Return operations for a token of a prompt: all answers are written, read by both models, and learned from."""
        share = (self.usual + self.longest_answer) / self.usual
        return self.group * share * (1.0 + self.updates) * super().training_operations()

    def activation_bytes(self) -> float:
        """Return the bytes that training keeps for one prompt with its answers."""
        return self.group * (self.usual + self.longest_answer) / self.usual * super().activation_bytes()
