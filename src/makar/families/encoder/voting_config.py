"""Settings that readers of a whole text share: encoders that vote, and a table of short runs of tokens beside them; no torch."""

import abc
import dataclasses

from makar.config import setting
from makar.families.encoder.config import ReaderConfig, head_weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class VotingConfig(ReaderConfig, abc.ABC):
    """Encoders and a table that say the same numbers of a text, and vote."""

    readers: int = setting(
        1, meaning="encoders that learn side by side, each from weights of its own, and vote", minimum=1, maximum=64
    )
    grams: int = setting(
        3, meaning="tokens of the longest run that votes beside the network; 0 is none", minimum=0, maximum=8
    )
    gram_rows: int = setting(1 << 17, meaning="rows of the table of runs", minimum=2, maximum=1 << 26)
    gram_dropout: float = setting(0.0, meaning="share of the runs left out while training", minimum=0.0, maximum=0.9)
    gram_rate: float = setting(
        5.0, meaning="learning rate of the runs, in that of the network", minimum=0.0, maximum=100.0
    )

    @property
    @abc.abstractmethod
    def outputs(self) -> int:
        """Numbers that each says of a text."""

    def head_count(self) -> int:
        """Return the weights of the head, of the further readers, and of the table of runs."""
        further = (self.readers - 1) * (self.encoder_count() + head_weights(self, self.outputs))
        return head_weights(self, self.outputs) + further + (self.gram_rows * self.outputs if self.grams else 0)

    def training_operations(self) -> float:
        """Return operations to train every reader on one text of full length."""
        return self.readers * self.text_operations()

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one text."""
        return self.readers * super().activation_bytes()

    def head_operations(self) -> float:
        """Return the multiplications of the head for one text."""
        return float(self.width * (self.width + self.outputs) + self.grams * self.length * self.outputs)
