"""The control ``syntax``: a text that goes on with its prompt so that both together are source of a language."""

from collections.abc import Mapping
from typing import Any

from makar.config import Config
from makar.errors import UsageError

SYNTAX = "syntax"
LANGUAGES = ("python",)


def read_syntax(options: Mapping[str, Any] | Config | None) -> tuple[str | None, dict[str, Any] | Config]:
    """Take the language out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.

    Returns:
        The language, ``None`` where none is asked for, and the controls that are left.

    Raises:
        UsageError: It is none of ``LANGUAGES``.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    language = rest.pop(SYNTAX, None)
    if language is not None and language not in LANGUAGES:
        raise UsageError(f"the syntax {str(language)[:40]!r}", expected=f"one of {', '.join(LANGUAGES)}")
    return language, rest
