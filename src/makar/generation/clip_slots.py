"""Clips to the slots of a model and back: pixels, or the latents of an autoencoder that sees each frame for itself."""

import numpy as np
import torch
from torch import Tensor

from makar.codecs.codec import Codec
from makar.codecs.latent import LatentCodec
from makar.codecs.video import VideoCodec
from makar.tensor_spec import TARGET


def clips_of(codec: Codec) -> VideoCodec:
    """Return the codec of the clips themselves, which a model of latents has below its own."""
    plain = codec.plain
    assert isinstance(plain, VideoCodec), "clips have one codec"
    return plain


def as_model(planes: np.ndarray, codec: Codec) -> Tensor:
    """Return a clip as the model sees one, float32.

    Args:
        planes: uint8 ``[frames * channels, height, width]``, as the codec of clips keeps them.
        codec: The codec of the model.
    """
    pixels = np.ascontiguousarray(clips_of(codec).to_model(TARGET, planes), np.float32)
    return torch.from_numpy(codec.latents_of(pixels) if isinstance(codec, LatentCodec) else pixels)


def hole_as_model(is_new: np.ndarray, codec: Codec) -> Tensor:
    """Return what of a clip is to be made, float32 ``[frames, rows, columns]`` with 1 there.

    Args:
        is_new: bool ``[frames, height, width]``.
        codec: The codec of the model. A latent in which anything is new is made anew as a whole.
    """
    rows, columns = (int(size or 1) for size in codec.spec[TARGET].sizes[1:])
    places = torch.from_numpy(np.array(is_new, np.float32))
    if places.shape[1:] == (rows, columns):
        return places
    return torch.nn.functional.adaptive_max_pool2d(places[None], (rows, columns))[0]
