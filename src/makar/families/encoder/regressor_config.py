"""Settings of the encoder that gives a text a number; no torch."""

import dataclasses
from typing import ClassVar, Self

from makar.codecs.graded_text_config import score_slot
from makar.errors import ConfigError
from makar.families.encoder.voting_config import VotingConfig
from makar.tensor_spec import SCORE, TARGET, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegressorConfig(VotingConfig):
    """An encoder of text with a number."""

    kind: ClassVar[str] = "regressor"
    target: ClassVar[str] = "makar.families.encoder.regressor:RegressorFamily"
    predictions: ClassVar[tuple[str, ...]] = ("score",)

    @property
    def outputs(self) -> int:
        """The number."""
        return 1

    def accepts(self) -> TensorSpec:
        """Return texts as rows of tokens, each with a number."""
        return TensorSpec({TARGET: self.text_slot(), SCORE: score_slot()})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with vocabulary and length of what a codec makes.

        Raises:
            ConfigError: It makes no texts with numbers.
        """
        if TARGET not in made or SCORE not in made or made[TARGET].kind != "tokens":
            raise ConfigError("the codec makes no texts with numbers", expected='codec "graded-text"')
        return self.changed(**self.sizes_of(made[TARGET]))
