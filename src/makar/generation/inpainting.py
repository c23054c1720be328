"""Filling in a part of an image or a border around it: from mask, box, sides or transparency to the slots of a model, and back.

What is known comes out bit for bit, at the resolution it came in: the model only ever gives the pixels under the mask.
"""

from typing import Any

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.errors import UnsupportedError, UsageError
from makar.families.family import Batch
from makar.generation.change import Change
from makar.generation.edit_request import EditRequest, sides_of
from makar.generation.given_image import GivenImage, read_mask
from makar.generation.image_slots import encoded, fit_of, image_size
from makar.generation.placement import place_frame, pooled, put_back, see, see_mask
from makar.tensor_spec import KNOWN, MASK, TARGET


def inpainting(given: GivenImage, asked: EditRequest, codec: Codec) -> tuple[Batch, Change]:
    """Return the slots and the change of filling in a part of an image.

    Args:
        given: The image.
        asked: Names a mask, a box or sides; without, the transparent part is filled in.
        codec: The codec of the model.

    Raises:
        UsageError: The mask has another size, or covers nothing or everything.
        UnsupportedError: At the size of the model nothing that is known is left.
    """
    canvas, mask, stated = _canvas(given, asked)
    height, width = image_size(codec)
    fit = fit_of(codec)
    frame = place_frame(*mask.shape, height=height, width=width, fit=fit, cover=mask)
    is_new = see_mask(mask, frame, height=height, width=width, is_new_beyond=fit == "crop")
    slots_size = codec.spec[TARGET].sizes[-2:]
    is_new = pooled(is_new, height=int(slots_size[0] or 1), width=int(slots_size[1] or 1))
    if is_new.all():
        raise UnsupportedError(
            f"at the {width} x {height} pixels of this model nothing that is known is left",
            expected="a smaller part to be made anew",
            do="fill in several smaller parts one after the other",
        )
    known = encoded(see(canvas, frame, height=height, width=width, fit=fit), codec)
    slots = {KNOWN: known, MASK: torch.from_numpy(is_new[None].astype(np.float32))}

    def finish(made: np.ndarray) -> np.ndarray:
        whole = put_back(canvas, made, mask, frame=frame)
        return laid_over(_bordered(given.pixels, sides_of(asked)), whole) if asked.background else whole

    return slots, Change(finish=finish, stated=stated)


def laid_over(cutout: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return a cut-out on a background: opaque pixels as they are, bit for bit, the others mixed by their opacity.

    Args:
        cutout: uint8 ``[rows, columns, 4]``, colours straight.
        background: uint8 ``[rows, columns, 4]``.

    Returns:
        uint8 ``[rows, columns, 3]``, or 4 channels where the background lets something through.
    """
    over, under = cutout[:, :, 3:] / 255, background[:, :, 3:] / 255
    alpha = over + under * (1 - over)
    colour = cutout[:, :, :3] * over + background[:, :, :3] * under * (1 - over)
    mixed = np.concatenate([colour / np.maximum(alpha, 1 / 255), 255 * alpha], axis=2)
    whole = np.where(cutout[:, :, 3:] == 255, cutout, np.rint(mixed).clip(0, 255).astype(np.uint8))
    return whole[:, :, :3] if (whole[:, :, 3] == 255).all() else whole


def _canvas(given: GivenImage, asked: EditRequest) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return the image with its new borders, where it is to be made anew, and what a manifest says of the mask."""
    rows, columns = given.pixels.shape[:2]
    pixels = given.pixels
    stated: dict[str, Any] = {}
    if asked.mask is not None:
        mask, mask_stated = read_mask(asked.mask, rows=rows, columns=columns)
        stated["mask"] = mask_stated
    elif asked.box is not None:
        mask = _box(asked.box, rows, columns)
    elif asked.background:
        mask = _behind(given)
    else:
        mask = given.transparent
    if mask.any() and mask.all():
        raise UsageError(
            "the mask covers the whole image", expected="a part that stays", do="makar generate makes a new image"
        )
    left, top, right, bottom = sides_of(asked)
    if not mask.any() and not any(sides_of(asked)):
        raise UsageError(
            "the mask covers nothing",
            expected="white pixels, or a transparent part, where the image is to be made anew",
        )
    if pixels.shape[2] == 4 and (asked.background or given.transparent.any()):
        # What is made anew is opaque; what stays keeps its opacity.
        pixels = pixels.copy()
        pixels[mask, 3] = 255
    if any(sides_of(asked)):
        around = ((top, bottom), (left, right))
        pixels = np.pad(pixels, (*around, (0, 0)), mode="edge")
        if pixels.shape[2] == 4:
            mask_of_border = np.pad(np.zeros((rows, columns), bool), around, constant_values=True)
            pixels[mask_of_border, 3] = 255
        mask = np.pad(mask, around, constant_values=True)
    return pixels, mask, stated


def _behind(given: GivenImage) -> np.ndarray:
    """Return where a cut-out is not opaque."""
    if given.pixels.shape[2] != 4 or (given.pixels[:, :, 3] == 255).all():
        raise UsageError(
            "a background for an image without a transparent part",
            expected="a cut-out: a PNG or WebP whose background is transparent",
            do="cut it out first, or fill in a part with --mask",
        )
    if not (given.pixels[:, :, 3] == 255).any():
        raise UsageError("the cut-out has no opaque pixel", expected="something that stands before the background")
    return np.asarray(given.pixels[:, :, 3] < 255)


def _bordered(pixels: np.ndarray, sides: tuple[int, int, int, int]) -> np.ndarray:
    """Return an image with transparent borders of so many pixels left, top, right and bottom."""
    left, top, right, bottom = sides
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)))


def _box(box: tuple[int, int, int, int], rows: int, columns: int) -> np.ndarray:
    left, top, right, bottom = box
    if not (0 <= left < right <= columns and 0 <= top < bottom <= rows):
        raise UsageError(
            f"the box {left},{top},{right},{bottom} in an image of {columns} x {rows} pixels",
            expected="left,top,right,bottom inside the image, left below right and top below bottom",
        )
    mask = np.zeros((rows, columns), bool)
    mask[top:bottom, left:right] = True
    return mask
