"""Bodies of requests, read strictly: nothing that could surprise the code behind gets past here.

Refused with 4xx and never an error of the server: what is no UTF-8, NaN and Infinity (also as 1e999), numbers beyond 64 bits, half
surrogate pairs, the character NUL, nesting beyond 64 levels, anything that is no object, and a type other than JSON, which a page of
another site could send without being asked. Fields are those of a configuration class; those that it does not have are not read and
named in the header ``x-makar-ignored``.
"""

import dataclasses
import json
import math
import re
import types
import typing
from typing import Any, TypeVar

from fastapi import Request

from makar.config import Config
from makar.errors import ConfigError
from makar.serving.problems import Problem

DEEPEST = 64
MOST_VALUES = 1_000_000
IGNORED_HEADER = "x-makar-ignored"
_PLAIN = re.compile(r"[\w.\[\]-]+", re.ASCII)

Fields = TypeVar("Fields", bound=Config)


def invalid(came: str, *, expected: str = "", param: str | None = None) -> Problem:
    """Return the error of a body that cannot be read."""
    return Problem(came, status=400, code="invalid_body", expected=expected, param=param)


async def read_json(request: Request) -> dict[str, Any]:
    """Return the object of a body.

    Raises:
        Problem: The body is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(
            f'a body of type "{kind[:80]}"',
            status=415,
            code="unsupported_type",
            expected="content-type: application/json",
        )
    return parse_object(await request.body())


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the object that bytes of JSON say.

    Raises:
        Problem: They say none, or something that no part of the API needs.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid(
            f"the body is no UTF-8: {error.reason} at byte {error.start}", expected="JSON in UTF-8"
        ) from error
    value = parse_value(text)
    if not isinstance(value, dict):
        raise invalid(f"the body is a {type(value).__name__}", expected="an object in JSON")
    return value


def parse_value(text: str) -> Any:
    """Return the value that a text of JSON says.

    Raises:
        Problem: It says none, or something that no part of the API needs.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_small)
    except RecursionError as error:
        raise invalid("the body is nested too deeply", expected=f"at most {DEEPEST} levels") from error
    except ValueError as error:
        raise invalid(f"the body is no JSON: {error}", expected="an object in JSON") from error
    check_values(value)
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _small(text: str) -> int:
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
        raise ValueError(f"{text[:40]} is too large a number")
    return int(text)


def check_values(value: Any) -> None:
    """Refuse texts that are none and nesting that is too deep.

    Raises:
        Problem: There is such a thing.
    """
    open_ones, seen = [(value, 0)], 0
    while open_ones:
        item, depth = open_ones.pop()
        seen += 1
        if depth > DEEPEST or seen > MOST_VALUES:
            raise invalid("the body is nested too deeply or too large", expected=f"at most {DEEPEST} levels")
        if isinstance(item, str):
            check_text(item)
        elif isinstance(item, dict):
            for name in item:
                check_text(name)
            open_ones += [(part, depth + 1) for part in item.values()]
        elif isinstance(item, list):
            open_ones += [(part, depth + 1) for part in item]


def check_text(text: str) -> None:
    """Refuse a text with half a surrogate pair or the character NUL.

    Raises:
        Problem: It has one.
    """
    if "\0" in text:
        raise invalid("a text with the character NUL", expected="text without it")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise invalid("a text with half a surrogate pair", expected="whole characters") from error


def read_fields(kind: type[Fields], values: dict[str, Any]) -> tuple[Fields, list[str]]:
    """Return the fields of a request, and the names of those that are not read.

    Args:
        kind: The class of the fields; a field without default is required.
        values: What came; ``null`` is as if it were not there.

    Raises:
        ConfigError: A value has another type or is out of range, or a required field is absent.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    given = {name: value for name, value in values.items() if value is not None}
    ignored = sorted(set(given) - known)
    return kind.from_dictionary({name: value for name, value in given.items() if name in known}), ignored


def schema_of(kind: type[Config]) -> dict[str, Any]:
    """Return the JSON Schema of the fields of a request, for the description of the API."""
    hints = typing.get_type_hints(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        described = {"description": field.metadata["meaning"], **_type_schema(hints[field.name])}
        limits = {"minimum": field.metadata["minimum"], "maximum": field.metadata["maximum"]}
        described |= {name: value for name, value in limits.items() if value is not None}
        if field.metadata["choices"]:
            described["enum"] = list(field.metadata["choices"])
        properties[field.name] = described
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    return {"type": "object", "title": kind.__name__, "properties": properties, "required": required}


_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}


def _type_schema(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        parts = [_type_schema(part) for part in arguments if part is not type(None)]
        return parts[0] if len(parts) == 1 else {"anyOf": parts}
    if origin is tuple:
        return {"type": "array", "items": _type_schema(arguments[0])}
    name = _NAMES.get(origin or hint)
    return {"type": name} if name else {}


def required_text(value: Any, *, param: str) -> str:
    """Return a text.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(value, str):
        raise ConfigError(f"body.{param} is a {type(value).__name__}", expected="a text")
    return value


def ignored_header(names: list[str]) -> dict[str, str]:
    """Return the header that names fields that were not read; none where there are none."""
    shown = [_in_a_header(name) for name in names[:50]]
    return {IGNORED_HEADER: ", ".join(shown)} if shown else {}


def _in_a_header(name: str) -> str:
    said = ascii(name)[1:-1][:60]
    # A header begins and ends with no space, and commas are between names.
    return said if _PLAIN.fullmatch(said) else f'"{said}"'
