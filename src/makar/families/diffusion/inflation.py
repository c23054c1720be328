"""The weights of a model of images as those of a model of clips: what looks at one frame is taken, what looks along time is new.

Nothing is known of a clip at first, and what the network is given of it weighs nothing: an inflated model makes every frame as the model of
images would, each for itself, and learns from there (Blattmann et al. 2023, arXiv 2304.08818, section 3).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from makar.families.diffusion.config import DiffusionConfig
from makar.nn.temporal import TemporalAttention, TemporalConvolution
from makar.nn.unet import UNet

ENTER = "unet.enter.weight"
STATISTICS = ("data_mean", "data_deviation")


def inflated(
    images: Mapping[str, Tensor], unet: UNet, *, own: Mapping[str, Tensor], config: DiffusionConfig
) -> dict[str, Tensor]:
    """Return the tensors of a model of clips.

    Args:
        images: Tensors of a model of images of the same sizes.
        unet: The network of the model of clips.
        own: Its tensors: what the model of images has not stays.
        config: Sizes of the model of clips.
    """
    places = {"unet." + new: "unet." + old for new, old in _places(unet).items()}
    tensors = dict(own)
    taken = set()
    for name in own:
        old = _renamed(name, places)
        if old not in images:
            continue
        taken.add(old)
        value = images[old]
        if name in STATISTICS:
            value = value.repeat(config.frames, 1, 1)
        elif name == ENTER:
            value = _entering(value, config)
        tensors[name] = value
    # What is left over is listed by the one who loads.
    return tensors | {name: value for name, value in images.items() if name not in taken}


def _places(unet: UNet) -> dict[str, str]:
    """Return the beginning of the names of the parts of every level, in the network of clips and in that of images."""
    found = {}
    for way in ("down", "up"):
        for level, parts in enumerate(getattr(unet, way)):
            of_images = 0
            for number, part in enumerate(parts):
                if isinstance(part, TemporalConvolution | TemporalAttention):
                    found[f"{way}.{level}.{number}."] = "along time."
                else:
                    found[f"{way}.{level}.{number}."] = f"{way}.{level}.{of_images}."
                    of_images += 1
    return found


def _renamed(name: str, places: Mapping[str, str]) -> str:
    for new, old in places.items():
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def _entering(weight: Tensor, config: DiffusionConfig) -> Tensor:
    """Return the weights of the first convolution, zero for what is given beside the noisy frame."""
    outputs, _, rows, columns = weight.shape
    folded = config.patch**2
    seen = torch.zeros(outputs, folded, config.seen_channels, rows, columns, dtype=weight.dtype)
    seen[:, :, : config.frame_channels] = weight.reshape(outputs, folded, -1, rows, columns)
    return seen.reshape(outputs, -1, rows, columns)
