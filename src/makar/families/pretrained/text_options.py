"""The controls of a network that writes a text from a text: those of other text, but the likeliest token is the default."""

import dataclasses
from typing import ClassVar

from makar.config import setting
from makar.families.transformer.options import TextOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerOptions(TextOptions):
    """Controls of translations, summaries and answers, of which there is one best rather than many."""

    kind: ClassVar[str] = "answer_options"

    temperature: float = setting(0.0, meaning="divides the logits; 0 takes the likeliest token always", minimum=0.0)
