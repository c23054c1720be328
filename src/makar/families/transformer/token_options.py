"""The controls of drawing the tokens of what is made of a class or a caption, without torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenOptions(Config):
    """How tokens are drawn. Guidance comes first, then the filters in the order of the fields."""

    kind: ClassVar[str] = ""

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
        None, meaning="what it must not be: guidance leads away from it instead of from what there is in general"
    )
