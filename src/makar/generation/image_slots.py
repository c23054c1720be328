"""Pixels to the slots of a model and back: the size it works at, and a given image as its codec or its own source slot wants it."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from makar.codecs.alpha import model_values
from makar.codecs.codec import Codec
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.image_fit import fit_image, with_channels
from makar.data.record import Record
from makar.errors import UnsupportedError
from makar.families.family import Family
from makar.generation.prompts import NamesClasses
from makar.tensor_spec import SOURCE, TARGET


@runtime_checkable
class EncodesSources(Protocol):
    """A codec that makes something else of a given image than a smaller or grey one: its vector."""

    def encode_source(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 ``[channels, height, width]`` from uint8 ``[rows, columns, channels]``."""


def fit_of(codec: Codec) -> Any:
    """Return how the codec of a model makes images fit, ``"crop"`` or ``"pad"``."""
    config = codec.plain.config
    return config.fit if isinstance(config, ImageCodecConfig) else "crop"


def image_size(codec: Codec) -> tuple[int, int]:
    """Return rows and columns of the images that a model makes.

    Raises:
        UnsupportedError: It makes no images.
    """
    target = codec.plain.spec[TARGET]
    if target.axes != ("channels", "height", "width"):
        raise UnsupportedError("a model that makes no images", expected="a model of images")
    _, height, width = target.sizes
    return int(height or 1), int(width or 1)


def encoded(pixels: np.ndarray, codec: Codec) -> Tensor:
    """Return an image as the model sees what it makes: pixels in -1..1, latents, or tokens.

    Args:
        pixels: uint8 ``[rows, columns, channels]`` of any size.
        codec: The codec of the model.

    Returns:
        float32 ``[channels, height, width]``, or int64 ``[rows, columns]`` for tokens.
    """
    height, width = image_size(codec)
    # A codec with classes leaves out what has none; which one it is does not matter here.
    label = codec.class_names[0] if isinstance(codec, NamesClasses) and codec.class_names else None
    fitted = fit_image(pixels, height=height, width=width, fit=fit_of(codec))
    record = Record(
        id="given", medium="image", content=fitted, document="given", source="given", split="train", label=label
    )
    values = codec.to_model(TARGET, codec.encode(record)[TARGET])
    kind = np.int64 if codec.spec[TARGET].kind == "tokens" else np.float32
    return torch.from_numpy(np.ascontiguousarray(values, kind))


def source_of(pixels: np.ndarray, codec: Codec, family: Family) -> Tensor:
    """Return an image as the ``source`` of a family: in a slot of its own where it has one, else like what it makes.

    Args:
        pixels: uint8 ``[rows, columns, channels]`` of any size.
        codec: The codec of the model.
        family: The family of the model.

    Returns:
        float32 ``[channels, height, width]``, -1 to 1 for pixels and vectors.
    """
    accepted = family.config.accepts()
    if SOURCE not in accepted:
        return encoded(pixels, codec)
    if isinstance(codec, EncodesSources):
        return torch.from_numpy(codec.encode_source(pixels))
    channels, height, width = (int(size or 1) for size in accepted[SOURCE].sizes)
    fitted = with_channels(fit_image(pixels, height=height, width=width, fit=fit_of(codec)), channels)
    return torch.from_numpy(model_values(np.ascontiguousarray(fitted.transpose(2, 0, 1))))


def map_of(pixels: np.ndarray, codec: Codec) -> Tensor:
    """Return the source that a codec computes of an image, as of the images that the model learned from.

    Args:
        pixels: uint8 ``[rows, columns, channels]`` of any size.
        codec: The codec of the model.

    Returns:
        float32 ``[channels, height, width]``, -1 to 1.

    Raises:
        UnsupportedError: The codec computes none.
    """
    plain = codec.plain
    if SOURCE not in plain.spec:
        raise UnsupportedError("a photo for a model without a map", expected="a model of the recipe controlnet")
    height, width = image_size(codec)
    channels = int(plain.spec[TARGET].sizes[0] or 1)
    fitted = with_channels(fit_image(pixels, height=height, width=width, fit=fit_of(codec)), channels)
    stored = {TARGET: np.ascontiguousarray(fitted.transpose(2, 0, 1))[None]}
    values = plain.to_model(SOURCE, plain.completed(stored)[SOURCE][0])
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
