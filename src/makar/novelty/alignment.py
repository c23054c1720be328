"""Compares images after undoing what people do to a copy: flip, crop, shift, brightness and a little noise.

Method: an image is reduced to at most 32 pixels a side and blurred a little, which lessens noise and the difference between kinds of
interpolation. Every *view* of a query undoes one hypothesis (flipped or not; enlarged from 100, 95 or 90 %; shifted by up to 5 %)
and puts the query back into the frame of the candidate. The distance is ``sqrt(1 - r)`` with ``r`` the largest correlation over all
views inside the region that the query covers (Lewis 1995, "Fast normalized cross-correlation"), so a gain or an offset of brightness
changes nothing. The best view of each candidate is then refined (``makar.novelty.refinement``).
"""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

WORK_SIZE = 32
BLUR_PIXELS = 1.0
EPSILON = 1e-6
MARGIN_SHARE = 0.07
FLAT_VARIANCE = 1e-5
"""Variance a pixel and channel below which an area counts as even; otherwise its quantisation noise would be compared."""

Views = tuple[tuple[float, tuple[float, ...]], ...]
"""Shares of the original that a query may show, each with offsets of its centre in shares of the width."""

FINE_VIEWS: Views = (
    (1.0, (-0.036, -0.018, 0.0, 0.018, 0.036)),
    (0.95, (-0.025, 0.0, 0.025)),
    (0.9, (-0.05, -0.025, 0.0, 0.025, 0.05)),
)


def work_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width at which images are compared: the aspect kept, the longer side at most 32 pixels."""
    scale = min(1.0, WORK_SIZE / max(height, width))
    return max(4, round(height * scale)), max(4, round(width * scale))


def work_images(images: np.ndarray, size: tuple[int, int]) -> Float[Tensor, "batch channels height width"]:
    """Reduce images to the size at which they are compared.

    Args:
        images: uint8 ``[batch, channels, height, width]`` with 1, 3 or 4 channels; alpha is laid over white.
        size: Height and width of the result in pixels.

    Returns:
        float32 in 0..1 with 1 or 3 channels.
    """
    values = torch.from_numpy(np.array(images, order="C")).float() / 255
    if values.shape[1] == 4:
        alpha = values[:, 3:]
        values = values[:, :3] * alpha + (1 - alpha)
    return resized(values, size)


def resized(images: Float[Tensor, "batch channels height width"], size: tuple[int, int]) -> Tensor:
    """Resize by averaging areas; unchanged when the size is right already."""
    if tuple(images.shape[2:]) == size:
        return images
    return functional.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)


def blurred(images: Float[Tensor, "batch channels height width"], pixels: float = BLUR_PIXELS) -> Tensor:
    """Blur with a Gaussian of this standard deviation in pixels, edges repeated."""
    # Products with small matrices are several times faster here than a convolution of each channel.
    return _blur_matrix(images.shape[2], pixels) @ images @ _blur_matrix(images.shape[3], pixels).T


@functools.cache
def _blur_matrix(size: int, pixels: float) -> Tensor:
    reach = torch.arange(-(size + math.ceil(4 * pixels)), size + math.ceil(4 * pixels) + 1)
    weights = torch.exp(-0.5 * (reach / pixels) ** 2)
    matrix = torch.zeros(size, size)
    for row in range(size):
        matrix[row].index_add_(0, (row + reach).clamp(0, size - 1), weights / weights.sum())
    return matrix


@functools.cache
def view_parameters(views: Views) -> Float[Tensor, "views 4"]:
    """Return one row a view: share of the original, offset to the right, offset down (shares of the width), 1 or -1 for flipped."""
    rows = [
        (share, right, down, flip)
        for share, offsets in views
        for down in offsets
        for right in offsets
        for flip in (1.0, -1.0)
    ]
    return torch.tensor(rows)


def grids_of(
    parameters: Float[Tensor, "views 4"], height: int, width: int
) -> tuple[Float[Tensor, "views height width 2"], Float[Tensor, "views height width"]]:
    """Return, for every view, where in the query each pixel of the candidate's frame lies, and whether it lies inside.

    Args:
        parameters: As made by ``view_parameters``.
        height: Pixels of the frame.
        width: Pixels of the frame.

    Returns:
        Grids for ``grid_sample`` (-1..1, x before y) and masks of 0 and 1.
    """
    share, right, down, flip = parameters[:, :, None, None].unbind(1)
    y = ((2 * torch.arange(height) + 1) / height - 1)[None, :, None]
    x = ((2 * torch.arange(width) + 1) / width - 1)[None, None, :]
    across = (flip * (x - 2 * right) / share).expand(-1, height, width)
    along = ((y - 2 * down) / share).expand(-1, height, width)
    # The blur mixes the outermost pixels of a query with a repetition of its edge, where the original goes on.
    inside = (across.abs() <= 1 - 2 * MARGIN_SHARE) & (along.abs() <= 1 - 2 * MARGIN_SHARE)
    return torch.stack([across, along], -1), inside.float()


@functools.cache
def view_grids(height: int, width: int, views: Views) -> tuple[Tensor, Tensor]:
    """Return ``grids_of`` the given views; kept, because every query uses the same."""
    return grids_of(view_parameters(views), height, width)


def sampled(
    images: Float[Tensor, "batch channels height width"], grid: Float[Tensor, "batch height width 2"]
) -> Tensor:
    """Sample images at the places of a grid, bilinear, edges repeated."""
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def best_views(
    image: Float[Tensor, "channels height width"], candidates: Float[Tensor, "batch channels height width"]
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch 4"]]:
    """Compare a query with every candidate under every view.

    Args:
        image: The query, reduced.
        candidates: Training images, reduced in the same way.

    Returns:
        The largest correlation (-1..1) with each candidate and the parameters of its view.
    """
    channels, height, width = image.shape
    grid, mask = view_grids(height, width, FINE_VIEWS)
    seen = sampled(image.expand(len(grid), *image.shape), grid).flatten(2)
    mask = mask.flatten(1)
    area = mask.sum(1)
    centred = (seen - ((seen * mask[:, None]).sum(2) / area[:, None])[:, :, None]) * mask[:, None]
    norm = (centred.square().sum((1, 2)) + area * channels * FLAT_VARIANCE).sqrt()
    flat = candidates.flatten(2)
    products = centred.flatten(1) @ flat.flatten(1).T
    # A view and its mirror cover the same pixels.
    half = mask[::2]
    variance = half @ flat.square().sum(1).T
    for channel in range(channels):
        variance = variance - (half @ flat[:, channel].T).square() / area[::2, None]
    variance = (variance.clamp_min(0) + area[::2, None] * channels * FLAT_VARIANCE).sqrt()
    correlation = products / norm[:, None] / variance.repeat_interleave(2, 0)
    best = correlation.max(0)
    return best.values, view_parameters(FINE_VIEWS)[best.indices]
