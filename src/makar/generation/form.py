"""The form that a text must have: JSON of a schema, a regular expression, one of some choices, or calls of tools.

A form is asked for like a control (``json_schema``, ``regex``, ``choice``, ``tools``) and works for every model that draws tokens, because
it is a constraint on the logits (``form_constraint``). What has a form is the new text alone, and that is what the asset holds: an answer,
not a continuation of the prompt. The manifest states the form.

The grammar is that of llguidance, which builds an automaton over bytes and says which tokens may come next. Keywords of JSON Schema that
it does not know are refused, because a text that only seems to have the form is worse than an error.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from makar.config import Config
from makar.errors import DataError, UnsupportedError, UsageError
from makar.generation.tool_calls import check_tools, tool_calls_of, tool_schema
from makar.optional import library

FORMS = ("json_schema", "regex", "choice", "tools")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """A form that was asked for.

    Attributes:
        kind: One of ``FORMS``.
        value: A schema, a pattern, the choices, or the tools.
        grammar: What llguidance reads.
    """

    kind: str
    value: Any
    grammar: str

    @property
    def stated(self) -> dict[str, Any]:
        """What the manifest says."""
        written = json.dumps(self.value, sort_keys=True, ensure_ascii=False)
        return {"kind": self.kind, "sha256": hashlib.sha256(written.encode()).hexdigest()}

    def finish(self, text: str) -> str:
        """Return what the user gets of a text of this form: calls of tools in the shape of OpenAI's API, everything else as it is."""
        if self.kind != "tools":
            return text
        return json.dumps(tool_calls_of(text), ensure_ascii=False)


def read_form(options: Mapping[str, Any] | Config | None) -> tuple[Form | None, dict[str, Any] | Config]:
    """Take the form out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.

    Returns:
        The form, ``None`` where none is asked for, and the controls that are left.

    Raises:
        UsageError: Two forms are asked for, or one cannot be read.
        MissingExtraError: llguidance is not installed.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    asked = {name: rest.pop(name) for name in FORMS if name in rest}
    if not asked:
        return None, rest
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} at once", expected="one form")
    (kind, value) = next(iter(asked.items()))
    return make_form(kind, value), rest


def make_form(kind: str, value: Any) -> Form:
    """Check what is asked for and return the form.

    Args:
        kind: One of ``FORMS``.
        value: A schema or tools as values, as JSON text or as the path of a file; a pattern; choices as a list, or as text with commas.

    Raises:
        UsageError: It is no such form, or one that cannot be kept.
        MissingExtraError: llguidance is not installed.
    """
    matcher = guidance().LLMatcher
    if kind == "json_schema":
        value = _json_of(value, "a JSON Schema")
        grammar = matcher.grammar_from_json_schema(value, overrides={"whitespace_flexible": False})
    elif kind == "tools":
        value = check_tools(_json_of(value, "a list of tools"))
        grammar = matcher.grammar_from_json_schema(tool_schema(value), overrides={"whitespace_flexible": False})
    elif kind == "choice":
        value = [part.strip() for part in value.split(",")] if isinstance(value, str) else [str(one) for one in value]
        if not value or "" in value:
            raise UsageError("an empty choice", expected="texts to choose from", do="--choice yes,no")
        grammar = matcher.grammar_from_regex("|".join(_literal(one) for one in value))
    else:
        if not isinstance(value, str) or not value:
            raise UsageError(f"the regular expression {value!r}", expected="a pattern")
        grammar = matcher.grammar_from_regex(value)
    is_wrong, said = matcher.validate_grammar_with_warnings(grammar)
    if said:
        what = " ".join(str(part) for part in said).split("\n")[0]
        raise UsageError(
            f"this {kind.replace('_', ' ')} cannot be kept: {what}",
            expected="one that llguidance can follow to the letter",
            do="" if is_wrong else "leave out what it does not know, or say it in other words",
        )
    return Form(kind=kind, value=value, grammar=grammar)


def guidance() -> Any:
    """Return the package llguidance.

    Raises:
        MissingExtraError: It is not installed.
    """
    return library("llguidance", extra="structured")


def refuse_stops(form: Form, options: Config) -> None:
    """Refuse stop texts, which could cut a text of a form.

    Raises:
        UnsupportedError: There are some.
    """
    if options.to_dictionary().get("stop"):
        raise UnsupportedError(f"stop texts with a {form.kind}", expected="one of them", do="the form ends the text")


def _literal(text: str) -> str:
    # In Rust's expressions \< and \> are edges of words.
    return re.sub(r"([^\w\s<>])", r"\\\1", text, flags=re.ASCII) if text.isascii() else re.escape(text)


def _json_of(value: Any, what: str) -> Any:
    if isinstance(value, Path):
        try:
            value = value.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{value} cannot be read: {error}", expected=what) from error
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError as error:
            raise UsageError(f"what was given is no JSON: {error}", expected=what) from error
    return value
