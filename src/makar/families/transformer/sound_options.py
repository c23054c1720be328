"""The controls of drawing sound tokens, without torch."""

import dataclasses

from makar.config import setting
from makar.families.transformer.token_options import TokenOptions

LONGEST_SECONDS = 600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundTokenOptions(TokenOptions):
    """How the tokens of a sound are drawn. Guidance comes first, then the filters in the order of the fields."""

    seconds: float | None = setting(
        None,
        meaning="how long the sound is; none is as long as what was learned at once, a longer one is written piece by piece",
        unit="seconds",
        minimum=0.1,
        maximum=LONGEST_SECONDS,
    )
    lyrics: str | None = setting(
        None,
        meaning="words that are sung, by models that learned songs with their words; none leaves open what is sung",
    )
