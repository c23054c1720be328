"""Controls of a model behind an endpoint, and how patiently it is asked; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteOptions(Config):
    """``None`` leaves a control to the endpoint."""

    kind: ClassVar[str] = "remote_options"

    max_tokens: int = setting(1024, meaning="longest answer", unit="tokens of the endpoint", minimum=1)
    temperature: float | None = setting(None, meaning="0 is greedy, 1 as learned", minimum=0.0, maximum=2.0)
    top_p: float | None = setting(None, meaning="smallest set with this probability", minimum=0.0, maximum=1.0)
    stop: tuple[str, ...] = setting((), meaning="texts that end the answer and are not part of it")
    sends_seed: bool = setting(
        True, meaning="whether the seed is sent; some endpoints refuse it, none promises anything"
    )
    timeout_seconds: float = setting(60.0, meaning="longest silence of the endpoint", unit="seconds", minimum=0.1)
    retries: int = setting(
        4, meaning="times to ask again when the endpoint is busy, limits the rate or breaks", minimum=0, maximum=20
    )
    requests_per_minute: float = setting(0.0, meaning="at most so many requests a minute; 0 is no limit", minimum=0.0)
    input_price: float | None = setting(
        None,
        meaning="price of a million tokens that are sent; with output_price the manifest says the cost",
        minimum=0.0,
    )
    output_price: float | None = setting(None, meaning="price of a million tokens of answers", minimum=0.0)
