"""The controls of a model as plain values: name, type, default, range, choices and meaning, read from its own configuration class.

Forms are made of them, so a control that a family gets appears everywhere at once. No torch, no HTTP.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from makar.config import Config

NAMES = {str: "text", int: "integer", float: "number", bool: "switch"}
LIST = "list"


def controls_of(kind: type[Config], defaults: Mapping[str, Any] = MappingProxyType({})) -> list[dict[str, Any]]:
    """Return the controls of a class of options, in the order in which it has them; what a form cannot ask for is left out.

    Args:
        kind: The class.
        defaults: Values that hold here where nothing is said, instead of those of the class.

    >>> from makar.families.gan.options import StyleganOptions
    >>> [control["name"] for control in controls_of(StyleganOptions)][:2]
    ['label', 'towards_seed']
    """
    hints = typing.get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        named = _type_of(hints[field.name])
        if named is None or "meaning" not in field.metadata:
            continue
        default = defaults.get(field.name, None if field.default is dataclasses.MISSING else field.default)
        choices = field.metadata["choices"]
        found.append(
            {
                "name": field.name,
                "type": named,
                "default": list(default) if isinstance(default, tuple) else default,
                "meaning": field.metadata["meaning"],
                "unit": field.metadata["unit"],
                "minimum": field.metadata["minimum"],
                "maximum": field.metadata["maximum"],
                "choices": None if choices is None else list(choices),
            }
        )
    return found


def _type_of(hint: Any) -> str | None:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        return _type_of(parts[0]) if len(parts) == 1 else None
    if typing.get_origin(hint) is tuple:
        return LIST if typing.get_args(hint)[0] is str else None
    return NAMES.get(hint)
