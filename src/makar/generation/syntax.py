"""The control ``syntax``: a text that goes on with its prompt so that both together are source of a language."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.config import Config, setting

ANY = "any"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SyntaxOptions(Config):
    """What is asked for."""

    kind: ClassVar[str] = ""

    syntax: str = setting(
        ANY, meaning="python rules out what no Python source can go on with, so that it parses", choices=(ANY, "python")
    )


SYNTAX = "syntax"


def read_syntax(options: Mapping[str, Any] | Config | None) -> tuple[str | None, dict[str, Any] | Config]:
    """Take the language out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.

    Returns:
        The language, ``None`` where none is asked for, and the controls that are left.

    Raises:
        ConfigError: It is none that is known.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    asked = SyntaxOptions.from_dictionary({SYNTAX: rest.pop(SYNTAX)} if SYNTAX in rest else {})
    return (None if asked.syntax == ANY else asked.syntax), rest
