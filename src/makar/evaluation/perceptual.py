"""How different two images look: the distance of their features at every depth of a network, place by place.

    d(x, y) = sum over layers l of the mean over places of | f_l(x)/|f_l(x)| - f_l(y)/|f_l(y)| |^2

The features are brought to length 1 over the channels at every place, so that a layer with large numbers does not drown the others. Source:
Zhang et al. 2018 (arXiv:1801.03924, equation 1) with all weights 1, which they call the baseline, and with our own network in the place of
AlexNet or VGG: hence "LPIPS-type", named by the hash of the network. 0 for equal images. The network sees images at 32 pixels a side, so
finer detail is not judged.
"""

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from makar.evaluation.extractor import Extractor

CHUNK = 128


def perceptual_distance(
    extractor: Extractor,
    first: UInt8[np.ndarray, "batch channels height width"],
    second: UInt8[np.ndarray, "batch other_channels other_height other_width"],
) -> Float64[np.ndarray, "batch"]:
    """Return the distance of every image to the image at the same place.

    Args:
        extractor: The network; the figure is to be named after it.
        first: Images.
        second: As many others, of any size.
    """
    parts = []
    for start in range(0, len(first), CHUNK):
        pairs = zip(extractor.depths(first[start : start + CHUNK]), extractor.depths(second[start : start + CHUNK]))
        layers = [((_unit(one) - _unit(other)) ** 2).sum(1).mean((1, 2)) for one, other in pairs]
        parts.append(torch.stack(layers).sum(0).double().numpy())
    return np.concatenate(parts)


def distance_name(extractor: Extractor) -> str:
    """Return the name of a figure of this distance."""
    return f"LPIPS-type-{extractor.name}"


def _unit(values: Tensor) -> Tensor:
    return values / (values.square().sum(1, keepdim=True) + 1e-10).sqrt()
