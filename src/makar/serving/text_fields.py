"""What the routes of vectors and of moderation read: texts that are judged or placed, not gone on with; see ``fields``."""

import dataclasses
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError, UnsupportedError

MOST_TEXTS = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModerationFields(Config):
    """Body of POST /v1/moderations."""

    kind: ClassVar[str] = ""

    input: Any = setting(meaning="a text, or a list of texts")
    model: str | None = setting(
        None, meaning="makar-small (none is it too), makar-patterns, or a saved classifier whose classes are categories"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingFields(Config):
    """Body of POST /v1/embeddings."""

    kind: ClassVar[str] = ""

    input: Any = setting(meaning="a text, or a list of texts")
    model: str = setting(meaning="a saved model of the recipe embed")
    encoding_format: str = setting("float", meaning="numbers, or base64 of float32", choices=("float", "base64"))
    dimensions: int | None = setting(None, meaning="the width of the model's vectors; they are not cut", minimum=1)


def listed_texts(given: Any) -> list[str]:
    """Return the texts of a request.

    Raises:
        ConfigError: They are none, or too many.
        UnsupportedError: One is a picture, or tokens.
    """
    items = given if isinstance(given, list) else [given]
    if not 0 < len(items) <= MOST_TEXTS:
        raise ConfigError(f"body.input has {len(items)} texts", expected=f"1 to {MOST_TEXTS}")
    texts = []
    for item in items:
        if isinstance(item, dict) and item.get("type") == "text":
            item = item.get("text")
        elif isinstance(item, dict):
            raise UnsupportedError("a picture", expected="texts: pictures are not looked at here")
        if isinstance(item, int | list):
            raise UnsupportedError("tokens", expected="texts: tokens of another vocabulary mean nothing here")
        if not isinstance(item, str):
            raise ConfigError("body.input is no text", expected="a text, or a list of texts")
        texts.append(item)
    return texts
