"""The controls of text generation, without torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextOptions(Config):
    """How text is drawn from a decoder. The filters apply in the order of the fields below."""

    kind: ClassVar[str] = "text_options"

    max_tokens: int = setting(256, meaning="longest continuation", unit="tokens", minimum=1)
    repetition_penalty: float = setting(
        1.0,
        meaning="divides the positive logits of tokens already present, multiplies the negative; 1 is off",
        minimum=0.01,
    )
    temperature: float = setting(0.8, meaning="divides the logits; 0 takes the likeliest token always", minimum=0.0)
    top_k: int = setting(0, meaning="keep only the k likeliest tokens; 0 is off", unit="tokens", minimum=0)
    top_p: float = setting(
        0.95,
        meaning="keep the fewest likeliest tokens with this probability together; 1 is off",
        minimum=0.0,
        maximum=1.0,
    )
    min_p: float = setting(
        0.0, meaning="keep tokens at least this likely relative to the likeliest; 0 is off", minimum=0.0, maximum=1.0
    )
    stop: tuple[str, ...] = setting((), meaning="texts that end the continuation and are not part of it")
    stretch: float = setting(
        1.0,
        meaning="how many times longer than trained the context is taken, by slower rotations; longer texts keep their last half otherwise",
        minimum=1.0,
        maximum=32.0,
    )
    precision: str = setting(
        "float32",
        meaning="arithmetic of the weights; float32-batched is for many texts at once",
        choices=("float32", "float32-batched", "bfloat16", "int8"),
    )

    def check(self) -> None:
        """Check the fields, and that every stop text has a character."""
        super().check()
        if "" in self.stop:
            raise ConfigError("a stop text is empty", expected="at least one character", do="leave it out")
