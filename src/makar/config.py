"""Frozen dataclasses of plain values: described fields, validation, and the way to JSON, TOML and ``--set a.b=c`` and back.

A configuration is a frozen, keyword-only dataclass in a file that imports no torch, so that listing, planning and forms cost
milliseconds. ``setting`` describes a field; ``check`` is called by ``Config.__post_init__``, so an invalid value never exists.
A field that holds another configuration writes its ``kind`` beside its values; the registry turns the kind back into a class.
"""

import dataclasses
import json
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, ClassVar, Self

from makar.errors import ConfigError, UnknownNameError


def setting(
    default: Any = dataclasses.MISSING,
    *,
    meaning: str,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[Any, ...] | None = None,
    factory: Any = dataclasses.MISSING,
) -> Any:
    """Describe one field of a configuration.

    Args:
        default: The value when none is given; a field without one is required.
        meaning: One line that says what the field does.
        unit: The unit of the value, for example ``"seconds"``.
        minimum: The smallest value allowed.
        maximum: The largest value allowed.
        choices: The only values allowed.
        factory: Makes the default when it is a configuration or another fresh object.
    """
    metadata = {"meaning": meaning, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What every configuration can do. Subclasses are frozen, keyword-only dataclasses with ``setting`` fields."""

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check types, ranges and choices of every field.

        Raises:
            ConfigError: A value is of another type, out of range or not a choice.
        """
        for name, hint, limits in _rules(type(self)):
            value = getattr(self, name)
            # Nearly every value is of just the type: this comparison keeps lists of recipes quick.
            if type(value) is not hint and not _is_of_type(value, hint):
                raise ConfigError(
                    f"{type(self).__name__}.{name} is {value!r}", expected=f"a value of type {_type_name(hint)}"
                )
            if limits is not None and value is not None:
                _check_range(f"{type(self).__name__}.{name}", value, limits)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values that JSON can hold, with ``kind`` first where the class has one."""
        values: dict[str, Any] = {"kind": self.kind} if self.kind else {}
        for field in dataclasses.fields(self):
            values[field.name] = _to_plain(getattr(self, field.name))
        return values

    def to_json(self) -> str:
        """Return the configuration as indented JSON."""
        return json.dumps(self.to_dictionary(), indent=2, ensure_ascii=False)

    def changed(self, **values: Any) -> Self:
        """Return a copy with some fields replaced, checked again."""
        known = {field.name for field in dataclasses.fields(self)}
        for name in values:
            if name not in known:
                raise UnknownNameError(f"setting of {type(self).__name__}", name, known)
        return dataclasses.replace(self, **values)

    def tried(self, **values: Any) -> Self:
        """Return a copy with some fields replaced and nothing checked, to ask many shapes for their sizes; ``changed`` checks."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        for name, value in values.items():
            copy.__dict__[name] = value
        return copy

    @classmethod
    def from_dictionary(cls, values: dict[str, Any]) -> Self:
        """Build a configuration from plain values.

        Raises:
            UnknownNameError: A key is not a field; the nearest name is proposed.
            ConfigError: A value does not fit or a required field is absent.
        """
        hints = _hints(cls)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        found: dict[str, Any] = {}
        for key, value in values.items():
            if key == "kind" and "kind" not in fields:
                continue
            if key not in fields:
                raise UnknownNameError(f"setting of {cls.__name__}", key, fields)
            found[key] = _from_plain(value, hints[key])
        missing = [
            name
            for name, field in fields.items()
            if name not in found
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise ConfigError(f"{cls.__name__} lacks {', '.join(missing)}", expected="every required setting")
        return cls(**found)


def load_values(path: Path) -> dict[str, Any]:
    """Read a JSON or TOML file of settings into a dictionary.

    Raises:
        ConfigError: The file is neither, or not readable as such.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read settings from {path}: {error}", expected="a .toml or .json file") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}", expected="a table of settings")
    return values


def with_settings(config: "Config", assignments: list[str]) -> Any:
    """Apply ``a.b=c`` assignments to a configuration and return the changed copy.

    Values are read as JSON where they parse, otherwise as text.

    Raises:
        ConfigError: An assignment has no ``=``.
        UnknownNameError: A part of the path is no field; the nearest name is proposed.
    """
    values = config.to_dictionary()
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f'"{assignment}" sets nothing', expected="PATH=VALUE, for example stages.0.family.width=128"
            )
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *parents, last = path.split(".")
        place: Any = values
        for depth, part in enumerate([*parents, last]):
            keys = place.keys() if isinstance(place, dict) else [str(index) for index in range(len(place))]
            if part not in keys:
                raise UnknownNameError("setting", path, [".".join([*parents[:depth], str(key)]) for key in keys])
            key = part if isinstance(place, dict) else int(part)
            if depth == len(parents):
                place[key] = value
            else:
                place = place[key]
                if not isinstance(place, dict | list):
                    raise ConfigError(f'"{path}" goes below a plain value', expected="a path of settings")
    return type(config).from_dictionary(values)


def _to_plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dictionary()
    if isinstance(value, tuple | list):
        return [_to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    return value


def _from_plain(value: Any, hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return _from_plain(value, options[0]) if len(options) == 1 else value
    if origin is tuple and isinstance(value, list | tuple):
        arguments = typing.get_args(hint)
        return tuple(
            _from_plain(item, arguments[0] if arguments[-1] is Ellipsis else arguments[i])
            for i, item in enumerate(value)
        )
    if isinstance(hint, type) and issubclass(hint, Config) and isinstance(value, dict):
        kind = value.get("kind")
        if kind and kind != hint.kind:
            from makar.registry import config_class

            hint = config_class(kind)
        return hint.from_dictionary(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


_HINTS: dict[type, dict[str, Any]] = {}
_RULES: dict[type, list[tuple[str, Any, Any]]] = {}


def _hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a class; rules of size try hundreds of configurations, and to find out costs most."""
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind)
    return _HINTS[kind]


def _is_of_type(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if hint is Any or origin is typing.ClassVar:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_is_of_type(value, option) for option in typing.get_args(hint))
    if origin is tuple:
        arguments = typing.get_args(hint)
        if not isinstance(value, tuple):
            return False
        if arguments[-1] is Ellipsis:
            return all(_is_of_type(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(_is_of_type(item, part) for item, part in zip(value, arguments))
    if origin is dict:
        return isinstance(value, dict)
    if hint is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _rules(kind: type) -> list[tuple[str, Any, Any]]:
    """Return name, type and metadata of every field; no metadata where nothing limits the value. Found out once a class."""
    if kind not in _RULES:
        hints, limits = _hints(kind), ("minimum", "maximum", "choices")
        _RULES[kind] = [
            (
                field.name,
                hints[field.name],
                field.metadata if any(field.metadata.get(limit) is not None for limit in limits) else None,
            )
            for field in dataclasses.fields(kind)
        ]
    return _RULES[kind]


def _check_range(name: str, value: Any, metadata: Any) -> None:
    minimum, maximum, choices = metadata.get("minimum"), metadata.get("maximum"), metadata.get("choices")
    if choices is not None and value not in choices:
        raise UnknownNameError(name, str(value), [str(choice) for choice in choices])
    if isinstance(value, int | float) and not isinstance(value, bool):
        # NaN fails every comparison, so the accepted side is asked for.
        if minimum is not None and not value >= minimum:
            raise ConfigError(f"{name} is {value}", expected=f"at least {minimum}")
        if maximum is not None and not value <= maximum:
            raise ConfigError(f"{name} is {value}", expected=f"at most {maximum}")
