"""What the routes of images read; see ``fields``. A form sends text, so its values are read by the types of the fields."""

import dataclasses
import typing
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError
from makar.serving.bodies import check_text, parse_value
from makar.serving.problems import Problem

MOST_IMAGES = 64
MOST_PREVIEWS = 3
EDIT_WORDS = (
    *("box", "background", "left", "top", "right", "bottom", "operation", "photo", "enlarge"),
    *("to_seed", "frames"),
)
"""Words of the verb ``edit`` that a form may have beside OpenAI's fields."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFields(Config):
    """Body of POST /v1/images/generations, and the form of POST /v1/images/edits."""

    kind: ClassVar[str] = ""

    model: str | None = setting(None, meaning="name of a model of images; the only one where there is one")
    prompt: str = setting(meaning="a description, or the name of a class; empty for a model that takes neither")
    n: int = setting(1, meaning="images", minimum=1, maximum=MOST_IMAGES)
    size: str | None = setting(None, meaning='"auto", or the size that the model makes')
    response_format: str | None = setting(None, meaning="how an image is sent", choices=("b64_json",))
    output_format: str | None = setting(None, meaning="PNG, which holds the manifest", choices=("png",))
    stream: bool = setting(False, meaning="send each image as soon as it is finished")
    partial_images: int | None = setting(
        None, meaning="with stream: previews of every image while it is made", minimum=0, maximum=MOST_PREVIEWS
    )
    seed: int | None = setting(None, meaning="the same seed gives the same image")
    steps: int | None = setting(None, meaning="steps of the solver", minimum=1, maximum=1000)
    guidance: float | None = setting(None, meaning="how strictly the prompt is followed", minimum=0.0, maximum=100.0)
    negative_prompt: str | None = setting(None, meaning="what it must not be")
    strength: float | None = setting(None, meaning="edits: how far the image may change", minimum=0.0, maximum=1.0)
    manifest: bool = setting(False, meaning="send the signed manifest beside every image too")
    controls: dict | None = setting(None, meaning="further controls of the model by their names")
    store: bool = setting(True, meaning="keep the image in the library of this machine, which the studio shows")


def image_controls(fields: ImageFields) -> dict[str, Any]:
    """Return what was said of how images are drawn, by the names of our controls."""
    given = {
        "steps": fields.steps,
        "guidance": fields.guidance,
        "negative_prompt": fields.negative_prompt,
        "strength": fields.strength,
    }
    return {**(fields.controls or {}), **{name: value for name, value in given.items() if value is not None}}


def form_values(kind: type[Config], texts: dict[str, str]) -> dict[str, Any]:
    """Return the values of a form by the types of some fields; what is no field stays text.

    Raises:
        ConfigError: A number is none.
    """
    hints = typing.get_type_hints(kind)
    found: dict[str, Any] = {}
    for name, text in texts.items():
        check_text(name)
        check_text(text)
        is_text = name not in hints or str in (hints[name], *typing.get_args(hints[name]))
        found[name] = text if is_text else plain_value(text, param=name)
    return found


def edit_words(texts: dict[str, str]) -> dict[str, Any]:
    """Return what a form asks to be done with an image, by the words of the verb ``edit``."""
    return {
        name: texts[name] if name == "operation" else plain_value(texts[name], param=name)
        for name in EDIT_WORDS
        if name in texts
    }


def plain_value(text: str, *, param: str) -> Any:
    """Return a number, a truth value or a list that a form says as text.

    Raises:
        ConfigError: It is none.
    """
    try:
        return parse_value(text)
    except Problem as error:
        raise ConfigError(
            f"body.{param} is {text[:40]!a}", expected="a number of 64 bits, true, false, or a list of whole texts"
        ) from error
