"""Settings of the encoder that finds the answer to a question in a passage; no torch."""

import dataclasses
from typing import ClassVar, Self

from makar.codecs.question_text_config import spec_of
from makar.config import setting
from makar.errors import ConfigError
from makar.families.encoder.config import FURTHER_TOKENS, ReaderConfig, head_weights
from makar.tensor_spec import SPAN, TARGET, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpanFinderConfig(ReaderConfig):
    """An encoder that finds answers in passages."""

    kind: ClassVar[str] = "span-finder"
    target: ClassVar[str] = "makar.families.encoder.span_finder:SpanFinderFamily"
    predictions: ClassVar[tuple[str, ...]] = ("answer",)

    longest_answer: int = setting(30, meaning="tokens of an answer at most", unit="tokens", minimum=1, maximum=1 << 16)

    matches: bool = setting(
        True, meaning="whether tokens of the passage that stand in the question are marked before anything is read"
    )

    def accepts(self) -> TensorSpec:
        """Return questions with passages of any length as rows of tokens, each with the places of its answer."""
        made = spec_of(tokens=2, length=self.length).slots
        tokens = self.vocabulary + FURTHER_TOKENS if self.vocabulary else None
        row = dataclasses.replace(made[TARGET], vocabulary=tokens, sizes=(None,))
        return TensorSpec({**made, TARGET: row})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the vocabulary of a codec, that reads no more at once than there is.

        Raises:
            ConfigError: It makes no questions about passages.
        """
        if SPAN not in made or TARGET not in made:
            raise ConfigError("the codec makes no questions about passages", expected='codec "question-text"')
        sizes = self.sizes_of(made[TARGET])
        return self.changed(vocabulary=sizes["vocabulary"], length=min(self.length, sizes["length"]))

    def head_count(self) -> int:
        """Return the weights of the head, one number for a beginning and one for an end, and of the mark."""
        return head_weights(self, 2) + (self.width if self.matches else 0)

    def head_operations(self) -> float:
        """Return the multiplications of the head for one window."""
        return float(self.length * self.width * (self.width + 2))
