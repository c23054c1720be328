"""What the routes of vectors and of moderation read; see ``fields``."""

import dataclasses
from typing import Any, ClassVar

from makar.config import Config, setting

MOST_TEXTS = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModerationFields(Config):
    """Body of POST /v1/moderations."""

    kind: ClassVar[str] = ""

    input: Any = setting(meaning="a text, or a list of texts")
    model: str | None = setting(None, meaning="a saved classifier whose classes are categories; none takes patterns")
