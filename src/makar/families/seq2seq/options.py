"""The controls of an encoder-decoder, without torch: the likeliest text by beam search, or a drawn one."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError

USUAL_BEAMS = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seq2seqOptions(Config):
    """How a text is made from another. Where nothing is drawn, the search goes on with the likeliest beginnings."""

    kind: ClassVar[str] = "seq2seq_options"

    max_tokens: int = setting(256, meaning="longest result", unit="tokens", minimum=1)
    beams: int = setting(
        0, meaning="beginnings that are kept; 1 is greedy, 0 is 5, and 1 with a temperature", minimum=0, maximum=64
    )
    length_penalty: float = setting(
        1.0, meaning="beams are compared by log-probability over length to this power; larger is longer", minimum=0.0
    )
    no_repeat: int | None = setting(
        None,
        meaning="no run of so many tokens comes twice; 0 is off, none takes the shortest that hardly any text learned from has twice",
        unit="tokens",
        minimum=0,
    )
    repetition_penalty: float = setting(
        1.0,
        meaning="divides the positive logits of tokens already written, multiplies the negative; 1 is off",
        minimum=0.01,
    )
    temperature: float = setting(0.0, meaning="0 searches for the likeliest; above it tokens are drawn", minimum=0.0)
    top_k: int = setting(0, meaning="keep only the k likeliest tokens; 0 is off", unit="tokens", minimum=0)
    top_p: float = setting(
        1.0,
        meaning="keep the fewest likeliest tokens with this probability together; 1 is off",
        minimum=0.0,
        maximum=1.0,
    )
    min_p: float = setting(
        0.0, meaning="keep tokens at least this likely relative to the likeliest; 0 is off", minimum=0.0, maximum=1.0
    )

    def check(self) -> None:
        """Check the fields, and that what is drawn is not searched and the other way round."""
        super().check()
        if self.temperature > 0 and self.beams > 1:
            raise ConfigError(
                f"{self.beams} beams at temperature {self.temperature:g}",
                expected="one of them: beams search for the likeliest text, a temperature draws one",
            )
        if self.temperature == 0 and (self.top_k or self.top_p < 1 or self.min_p):
            raise ConfigError(
                "a filter of what is drawn (top_k, top_p, min_p) at temperature 0",
                expected="a temperature above 0",
                do="add --temperature 0.8",
            )

    @property
    def kept(self) -> int:
        """Beginnings that are kept, with the default filled in."""
        return self.beams or (1 if self.temperature > 0 else USUAL_BEAMS)
