"""The control ``syntax``: a text that goes on with its prompt so that both together are source of a language."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import UnsupportedError
from makar.generation.form import Form

ANY = "any"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SyntaxOptions(Config):
    """What is asked for."""

    kind: ClassVar[str] = ""

    syntax: str = setting(
        ANY, meaning="python rules out what no Python source can go on with, so that it parses", choices=(ANY, "python")
    )


SYNTAX = "syntax"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Syntax:
    """What a text, together with its prompt, is to be source of."""

    language: str


def read_syntax(
    options: Mapping[str, Any] | Config | None, form: Form | None
) -> tuple[Form | Syntax | None, dict[str, Any] | Config]:
    """Take the language out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.
        form: The form that was asked for.

    Returns:
        The form or the syntax, ``None`` where neither is asked for, and the controls that are left.

    Raises:
        UnknownNameError: It is none that is known.
        UnsupportedError: A form is asked for as well.
    """
    if isinstance(options, Config):
        return form, options
    rest = dict(options or {})
    asked = SyntaxOptions.from_dictionary({SYNTAX: rest.pop(SYNTAX)} if SYNTAX in rest else {})
    if asked.syntax == ANY:
        return form, rest
    if form is not None:
        raise UnsupportedError(f"the syntax of {asked.syntax} and a {form.kind} at once", expected="one of them")
    return Syntax(language=asked.syntax), rest
