"""Refines the alignment of a query with each candidate below a pixel: shift and scale by least squares, brightness for free.

Source: Lucas & Kanade 1981; Baker & Matthews 2004 ("Lucas-Kanade 20 years on"), forwards additive form. The candidate is explained by
the warped query, its change under a small shift, a small scale and a small sharpening, and one constant a channel; the coefficients of
shift and scale over the coefficient of the query are the correction of the view. The multiple correlation of this explanation is what
counts, so that half a pixel, or the softness that resampling leaves behind, does not make a copy look like another image.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from makar.novelty.alignment import EPSILON, FLAT_VARIANCE, blurred, grids_of, sampled

STEPS = 2
MOST_OFFSET = 0.09
LEAST_SHARE = 0.82
MOST_SHARE = 1.05
MOST_CHANGE = 0.04
RIDGE = 1e-6


def refined_correlations(
    image: Float[Tensor, "channels height width"],
    candidates: Float[Tensor, "batch channels height width"],
    parameters: Float[Tensor, "batch 4"],
) -> Float[Tensor, " batch"]:
    """Return the correlation of the query with every candidate after refining the view it starts from.

    Args:
        image: The query, reduced and blurred.
        candidates: Training images, reduced and blurred in the same way.
        parameters: A view for each, as ``best_views`` returns.
    """
    best = torch.full((len(candidates),), -1.0)
    current = parameters.clone()
    for step in range(STEPS + 1):
        correlation, change = _explained(image, candidates, current)
        better = correlation > best
        parameters = torch.where(better[:, None], current, parameters)
        best = torch.where(better, correlation, best)
        if step == STEPS:
            break
        share, right, down, flip = (current + change).unbind(1)
        share = share.clamp(LEAST_SHARE, MOST_SHARE)
        right, down = right.clamp(-MOST_OFFSET, MOST_OFFSET), down.clamp(-MOST_OFFSET, MOST_OFFSET)
        current = torch.stack([share, right, down, flip], 1)
    return best


def _explained(image: Tensor, candidates: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Return the correlation under the views and the change of (share, right, down, flip) that should raise it."""
    batch, channels, height, width = candidates.shape
    grid, mask = grids_of(parameters, height, width)
    seen = sampled(image.expand(batch, *image.shape), grid)
    mask = mask[:, None]
    area = mask.sum((2, 3), keepdim=True)

    def centred(values: Tensor) -> Tensor:
        return ((values - (values * mask).sum((2, 3), keepdim=True) / area) * mask).flatten(1)

    along, across = torch.gradient(seen, dim=(2, 3))
    y = ((2 * torch.arange(height) + 1) / height - 1)[None, None, :, None]
    x = ((2 * torch.arange(width) + 1) / width - 1)[None, None, None, :]
    right, down = parameters[:, 1, None, None, None], parameters[:, 2, None, None, None]
    share = parameters[:, 0, None, None, None]
    # Derivatives of the warped query: by the offsets in shares of the width and height, and by the share of the original.
    by_right, by_down = -across * width, -along * height
    by_share = (by_right * (x - 2 * right) + by_down * (y - 2 * down)) / (2 * share)
    target = centred(candidates)
    sharper = seen - blurred(seen)
    columns = torch.stack([centred(part) for part in (seen, by_share, by_right, by_down, sharper)], 2)
    # Columns of equal length: the changes are far larger numbers than the query itself.
    lengths = columns.norm(dim=1) + EPSILON
    columns = columns / lengths[:, None]
    products = columns.transpose(1, 2) @ columns + RIDGE * torch.eye(columns.shape[2])
    answer = columns.transpose(1, 2) @ target[:, :, None]
    scaled = torch.linalg.solve(products, answer)[:, :, 0]
    solution = scaled / lengths
    gain = solution[:, :1]
    gain = torch.where(gain.abs() < 1e-3, torch.full_like(gain, 1e-3), gain)
    change = (solution[:, 1:4] / gain).clamp(-MOST_CHANGE, MOST_CHANGE)
    floor = area.flatten() * channels * FLAT_VARIANCE
    explained = (scaled * answer[:, :, 0]).sum(1)
    return (explained / (target.square().sum(1) + floor)).clamp_min(0).sqrt(), torch.cat(
        [change, torch.zeros(batch, 1)], 1
    )
