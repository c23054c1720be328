"""Configurations: what is accepted, what is refused, and that nothing is lost on the way to JSON and back."""

import dataclasses
import json
from typing import ClassVar

import pytest

from makar.config import Config, load_values, setting, with_settings
from makar.errors import ConfigError, UnknownNameError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner(Config):
    kind: ClassVar[str] = "inner-of-the-test"
    width: int = setting(8, meaning="channels", minimum=1, maximum=64)
    shape: str = setting("round", meaning="outline", choices=("round", "square"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer(Config):
    name: str = setting(meaning="required name")
    rate: float = setting(0.5, meaning="a rate", minimum=0.0)
    limit: int | None = setting(None, meaning="optional limit")
    inner: Inner = setting(meaning="a nested configuration", factory=Inner)
    sizes: tuple[int, ...] = setting((1, 2), meaning="some sizes")


def test_json_round_trip_gives_an_equal_configuration() -> None:
    config = Outer(name="a", rate=0.25, limit=3, inner=Inner(width=5, shape="square"), sizes=(4,))
    assert Outer.from_dictionary(json.loads(config.to_json())) == config


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match='did you mean "rate"'):
        Outer.from_dictionary({"name": "a", "rat": 1.0})


def test_missing_required_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="lacks name"):
        Outer.from_dictionary({})


@pytest.mark.parametrize(
    "values", [{"rate": -1.0}, {"rate": float("nan")}, {"rate": "much"}, {"limit": 1.5}, {"sizes": [1, "2"]}]
)
def test_wrong_values_are_refused(values: dict) -> None:
    with pytest.raises(ConfigError):
        Outer.from_dictionary({"name": "a", **values})


def test_true_is_not_an_integer() -> None:
    with pytest.raises(ConfigError):
        Inner(width=True)


def test_choice_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="round"):
        Inner(shape="rond")


def test_assignments_change_nested_values_and_only_those() -> None:
    before = Outer(name="a")
    after = with_settings(before, ["inner.width=12", "rate=2", "sizes.1=9"])
    assert (after.inner.width, after.rate, after.sizes) == (12, 2.0, (1, 9))
    assert after.changed(inner=before.inner, rate=before.rate, sizes=before.sizes) == before


@pytest.mark.parametrize("assignment", ["inner.wdth=1", "iner.width=1", "nothing"])
def test_assignment_to_nowhere_is_refused(assignment: str) -> None:
    with pytest.raises((UnknownNameError, ConfigError)):
        with_settings(Outer(name="a"), [assignment])


def test_settings_file_is_read_as_toml_or_json_and_refused_otherwise(tmp_path) -> None:
    toml, broken = tmp_path / "a.toml", tmp_path / "b.json"
    toml.write_text('name = "x"\nrate = 2.0\n')
    broken.write_text("{")
    assert Outer.from_dictionary(load_values(toml)).rate == 2.0
    with pytest.raises(ConfigError, match=r"b\.json"):
        load_values(broken)
