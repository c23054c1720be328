"""Finds the training images that could be the origin of an image, by short whitened vectors of blurred, band-passed pixels.

A vector is the image with broad differences of brightness removed, reduced to 12 pixels a side, faded out towards the edges (a crop
changes those), and whitened by the covariance of the training images, which raises what tells images apart above what they share
(Jegou & Chum 2012, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening"). A query is looked
up under 26 views: flipped or not, shifted by half a pixel, or cropped to about 90 % at nine places. No network has to be trained, and
the result does not depend on how long one was.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from makar.novelty.alignment import EPSILON, Views, blurred, resized, sampled, view_grids

SIZE = 12
COLOUR_SIZE = 6
BROAD_SHARE = 0.11
FADE_SHARE = 0.3
WHITENING_POWER = 0.25
SEARCH_VIEWS: Views = ((1.0, (-0.015, 0.015)), (0.91, (-0.04, 0.0, 0.04)))
COVARIANCE_IMAGES = 20_000
CHUNK = 16384


def search_features(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
    """Return the features of reduced images before whitening; of colour only the broad part is kept."""
    light = images.mean(1, keepdim=True)
    parts = [_faded(resized(light, (SIZE, SIZE)))]
    if images.shape[1] > 1:
        parts.append(_faded(resized((images - light)[:, (0, 2)], (COLOUR_SIZE, COLOUR_SIZE))))
    return torch.cat(parts, 1)


def search_views(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "views batch features"]:
    """Return the features of reduced images under every search view, in the frame of the candidates."""
    grid, _ = view_grids(images.shape[2], images.shape[3], SEARCH_VIEWS)
    return torch.stack([search_features(sampled(images, one.expand(len(images), *one.shape))) for one in grid])


def whitening(
    features: Float[Tensor, "batch features"],
) -> tuple[Float[Tensor, " features"], Float[Tensor, "features kept"]]:
    """Return mean and matrix that whiten features by half (each variance to its square root)."""
    mean = features.mean(0)
    covariance = (features - mean).T @ (features - mean) / max(len(features) - 1, 1)
    variances, directions = torch.linalg.eigh(covariance)
    scale = (variances.clamp_min(0) + variances.max() * 1e-3 + EPSILON) ** -WHITENING_POWER
    return mean, directions * scale


def whitened(features: Tensor, mean: Tensor, matrix: Tensor) -> Tensor:
    """Return whitened features with length 1."""
    return torch.nn.functional.normalize((features - mean) @ matrix, dim=-1)


def nearest_candidates(
    views: Float[Tensor, "views batch features"], vectors: Tensor, count: int
) -> tuple[Float[Tensor, "batch count"], Tensor]:
    """Return the most similar vectors for every query over all its views.

    Args:
        views: Whitened views of the queries.
        vectors: Whitened vectors of the training images, ``[images, features]``, float16 or float32.
        count: Number of candidates.

    Returns:
        Their similarity and number, best first.
    """
    best = []
    for start in range(0, len(vectors), CHUNK):
        part = vectors[start : start + CHUNK].float().T
        similarity = views[0] @ part
        for view in views[1:]:
            torch.maximum(similarity, view @ part, out=similarity)
        top = similarity.topk(min(count, similarity.shape[1]), dim=1)
        best.append((top.values, top.indices + start))
    values, indices = torch.cat([part[0] for part in best], 1), torch.cat([part[1] for part in best], 1)
    top = values.topk(min(count, values.shape[1]), dim=1)
    return top.values, indices.gather(1, top.indices)


def _faded(images: Tensor) -> Tensor:
    size = images.shape[2]
    line = (1 - ((2 * torch.arange(size) + 1) / size - 1).abs()).div(FADE_SHARE).clamp(max=1)
    weight = line[:, None] * line[None]
    detail = images - blurred(images, BROAD_SHARE * size)
    mean = (detail * weight).sum((2, 3), keepdim=True) / weight.sum()
    return ((detail - mean) * weight).flatten(1)
