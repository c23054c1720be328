"""A recipe whose parts do not fit never exists."""

import dataclasses
from typing import Any, ClassVar

import pytest

from makar.codecs.codec import CodecConfig
from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.recipe import Recipe, Stage, check_fit
from makar.tensor_spec import Slot, TensorSpec

TEXT = TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=4)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class LetterCodec(CodecConfig):
    target: ClassVar[str] = "nowhere:Codec"
    media: ClassVar[tuple[str, ...]] = ("text",)

    through: tuple[str, ...] = setting((), meaning="stages that it works through")

    @property
    def components(self) -> tuple[str, ...]:
        return self.through


@dataclasses.dataclass(frozen=True, kw_only=True)
class LetterFamily(FamilyConfig):
    target: ClassVar[str] = "nowhere:Family"
    item_name: ClassVar[str] = "token"
    batching: ClassVar[Any] = "windows"

    def accepts(self) -> TensorSpec:
        return TEXT

    def bound_to(self, made: TensorSpec) -> "LetterFamily":
        return self

    def scaled_to(self, parameters: int) -> "LetterFamily":
        return self

    def parameter_count(self) -> int:
        return 1

    def training_operations(self) -> float:
        return 1.0

    def activation_bytes(self) -> float:
        return 1.0


def stage(share: float = 1.0, name: str = "main", through: tuple[str, ...] = ()) -> Stage:
    return Stage(name=name, codec=LetterCodec(through=through), family=LetterFamily(), share=share)


def recipe(*stages: Stage) -> Recipe:
    return Recipe(name="a", medium="text", summary="", stages=stages)


def test_shares_must_add_up_to_one() -> None:
    assert recipe(stage(0.25, "first"), stage(0.75, through=("first",)))
    with pytest.raises(ConfigError, match="share"):
        recipe(stage(0.5))


def test_a_stage_that_nothing_uses_is_refused() -> None:
    with pytest.raises(ConfigError, match='nothing uses stage "first"'):
        recipe(stage(0.5, "first"), stage(0.5))
    with pytest.raises(ConfigError, match='nothing uses stage "second"'):
        recipe(stage(0.2, "first"), stage(0.2, "second"), stage(0.6, through=("first",)))
    assert recipe(stage(0.2, "first"), stage(0.2, "second", through=("first",)), stage(0.6, through=("second",)))


def test_a_stage_works_through_earlier_ones_only() -> None:
    with pytest.raises(ConfigError, match="works through"):
        recipe(stage(0.5, "first", through=("main",)), stage(0.5))
    with pytest.raises(ConfigError, match="there is none"):
        recipe(stage(through=("main",)))


@pytest.mark.parametrize("names", [("same", "same"), ("../up", "main"), ("a/b", "main"), ("", "main"), (".", "main")])
def test_names_of_stages_are_different_and_names_of_folders(names: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="different names"):
        recipe(stage(0.5, names[0]), stage(0.5, names[1], through=(names[0],)))


def test_recipe_without_stages_is_refused() -> None:
    with pytest.raises(ConfigError, match="no stages"):
        Recipe(name="a", medium="text", summary="", stages=())


def test_codec_of_another_medium_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot encode image"):
        Recipe(name="a", medium="image", summary="", stages=(stage(),))


def test_slots_that_do_not_fit_are_listed() -> None:
    check_fit(stage(), TEXT)
    other = TensorSpec({"target": Slot(kind="values", axes=("length",), sizes=(None,))})
    with pytest.raises(ConfigError, match="values"):
        check_fit(stage(), other)
