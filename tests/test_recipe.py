"""A recipe whose parts do not fit never exists."""

import dataclasses
from typing import Any, ClassVar

import pytest

from makar.codecs.codec import CodecConfig
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.recipe import Recipe, Stage, check_fit
from makar.tensor_spec import Slot, TensorSpec

TEXT = TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=4)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class LetterCodec(CodecConfig):
    target: ClassVar[str] = "nowhere:Codec"
    media: ClassVar[tuple[str, ...]] = ("text",)


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


def stage(share: float = 1.0) -> Stage:
    return Stage(name="main", codec=LetterCodec(), family=LetterFamily(), share=share)


def test_shares_must_add_up_to_one() -> None:
    assert Recipe(name="a", medium="text", summary="", stages=(stage(0.25), stage(0.75)))
    with pytest.raises(ConfigError, match="share"):
        Recipe(name="a", medium="text", summary="", stages=(stage(0.5),))


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
