"""The controls of drawing sound tokens, without torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting

LONGEST_SECONDS = 600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundTokenOptions(Config):
    """How the tokens of a sound are drawn. Guidance comes first, then the filters in the order of the fields."""

    kind: ClassVar[str] = ""

    seconds: float | None = setting(
        None,
        meaning="how long the sound is; none is as long as what was learned at once, a longer one is written piece by piece",
        unit="seconds",
        minimum=0.1,
        maximum=LONGEST_SECONDS,
    )
    guidance: float | None = setting(
        None,
        meaning="how strongly class and prompt are insisted on; 1 is the model itself, 0 ignores them; none takes 3 for prompts",
        minimum=0.0,
        maximum=20.0,
    )
    temperature: float = setting(1.0, meaning="divides the logits; 0 takes the likeliest token always", minimum=0.0)
    top_k: int = setting(0, meaning="keep only the k likeliest tokens; 0 is off", unit="tokens", minimum=0)
    top_p: float = setting(
        1.0,
        meaning="keep the fewest likeliest tokens with this probability together; 1 is off",
        minimum=0.0,
        maximum=1.0,
    )
    label: str | None = setting(
        None, meaning="name of the class to make; none draws classes as frequent as in the data"
    )
    negative_prompt: str | None = setting(
        None, meaning="what the sound must not be: guidance leads away from it instead of from sounds in general"
    )
