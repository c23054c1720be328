"""What is to be done to an image: the words of the verb ``edit`` as one value, and the one operation that follows from them.

The operation is not named but follows: a mask, a box or a side means filling in; a strength means beginning from the image; two images or
two seeds mean frames between them. Words that ask for different operations are refused. No torch.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import UsageError
from makar.families.edits import EDITS

SIDES = ("left", "top", "right", "bottom")
NAMED = ("denoise", "reconstruct", "translate", "colour", "control")
"""Operations that take nothing but the image."""

FRAMES = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditRequest(Config):
    """What is to be done to an image."""

    kind: ClassVar[str] = ""

    image: Any = setting(None, meaning="what is changed: a file or array; none only for frames between two seeds")
    mask: Any = setting(None, meaning="fill in: a file or array of the size of the image, white where it is made anew")
    box: tuple[int, int, int, int] | None = setting(
        None, meaning="fill in: left, top, right, bottom of what is made anew", unit="pixels"
    )
    background: bool = setting(False, meaning="make a background for a cut-out: all that is not opaque, edges blended")
    left: int = setting(0, meaning="go on beyond the left side by so much", unit="pixels", minimum=0, maximum=4096)
    top: int = setting(0, meaning="go on beyond the top by so much", unit="pixels", minimum=0, maximum=4096)
    right: int = setting(0, meaning="go on beyond the right side by so much", unit="pixels", minimum=0, maximum=4096)
    bottom: int = setting(0, meaning="go on beyond the bottom by so much", unit="pixels", minimum=0, maximum=4096)
    operation: str | None = setting(
        None, meaning="what to do with the image as a whole; none follows from the rest", choices=NAMED
    )
    photo: bool = setting(False, meaning="with control: the image is a photo, of which the map is computed first")
    enlarge: int | None = setting(None, meaning="so many times the pixels along each side", minimum=2, maximum=16)
    reference: Any = setting(None, meaning="image whose style the result takes, its colours and textures")
    to: Any = setting(None, meaning="second image, to which frames lead")
    to_seed: int | None = setting(None, meaning="second seed, to which frames lead", minimum=0)
    frames: int | None = setting(
        None,
        meaning=f"images from the first to the second, both included; none makes {FRAMES}",
        minimum=2,
        maximum=1000,
    )

    def stated(self) -> dict[str, Any]:
        """Return what a manifest says of the request: plain values that were given; images are stated by their hashes."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        stated_apart = ("image", "mask", "reference", "to", "operation")
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if name not in stated_apart and value not in (None, 0)
        }


def read_request(how: EditRequest | Mapping[str, Any] | None) -> EditRequest:
    """Return a request from plain values.

    Raises:
        UnknownNameError: A word that no edit knows; the nearest is proposed.
        ConfigError: A value of the wrong type or out of range.
    """
    if isinstance(how, EditRequest):
        return how
    values = dict(how or {})
    # Configurations turn lists into tuples, but the images here are not plain values.
    images = {name: values.pop(name) for name in ("image", "mask", "reference", "to") if name in values}
    return dataclasses.replace(EditRequest.from_dictionary(values), **images)


def sides_of(asked: EditRequest) -> tuple[int, int, int, int]:
    """Return how far to go on beyond left, top, right and bottom, in pixels."""
    return asked.left, asked.top, asked.right, asked.bottom


def operation_of(asked: EditRequest, *, has_strength: bool, is_transparent: bool, able: tuple[str, ...]) -> str:
    """Return the one operation that a request asks for.

    Args:
        asked: What was asked for.
        has_strength: Whether a strength was given among the controls.
        is_transparent: Whether a part of the image is transparent.
        able: What the model can do; where nothing was said and it can do one thing with a whole image, that is done.

    Returns:
        A name of ``makar.families.edits``.

    Raises:
        UsageError: Nothing, or more than one thing, was asked for.
    """
    has_image = asked.image is not None
    words: dict[str, str] = {}
    for name, value in (("mask", asked.mask), ("box", asked.box)):
        if value is not None:
            words[name] = "inpaint"
    if asked.background:
        words["background"] = "inpaint"
    words |= {side: "inpaint" for side, pixels in zip(SIDES, sides_of(asked), strict=True) if pixels}
    if asked.reference is not None:
        words["a reference"] = "restyle"
    elif has_strength:
        words["strength"] = "image-to-image"
    if asked.operation is not None:
        words[asked.operation] = asked.operation
    if asked.enlarge is not None:
        words["enlarge"] = "enlarge"
    if asked.to is not None:
        words["a second image"] = "interpolate"
    if asked.to_seed is not None:
        words["a second seed"] = "interpolate-seeds"
    operations = set(words.values())
    if len(operations) > 1:
        raise UsageError(
            f"{' and '.join(words)} ask for different things",
            expected="one of: " + "; ".join(f"{name}: {EDITS[name].meaning}" for name in sorted(operations)),
        )
    if not operations:
        operations = {_unasked(has_image=has_image, is_transparent=is_transparent, able=able)}
    operation = operations.pop()
    if operation == "interpolate-seeds" and has_image:
        raise UsageError("an image and a second seed", expected="two images, or two seeds and no image")
    if operation != "interpolate-seeds" and not has_image:
        raise UsageError("there is no image to change", expected="a file, or two seeds to go between")
    if asked.frames is not None and not operation.startswith("interpolate"):
        raise UsageError(
            f"{asked.frames} frames of one image", expected="a second image or a second seed to which they lead"
        )
    if asked.photo and operation != "control":
        raise UsageError("a photo to compute a map of, and no control", expected="the operation control")
    places = [name for name in ("mask", "box", "background") if name in words]
    if len(places) > 1:
        raise UsageError(" and ".join(f"a {name}" for name in places), expected="one of them")
    return operation


def _unasked(*, has_image: bool, is_transparent: bool, able: tuple[str, ...]) -> str:
    if is_transparent:
        return "inpaint"
    whole = [name for name in able if EDITS[name].slots == ("source",) and name != "enlarge"]
    if has_image and len(whole) == 1:
        return whole[0]
    raise UsageError(
        "nothing says what to change" if has_image else "there is no image to change",
        expected="a mask, a box, a side, a strength, an operation, or a second image or seed",
        do=f"this model can: {', '.join(able) or 'change nothing'}",
    )
