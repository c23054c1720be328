"""Style as the colours and textures of a reference image, matched while an image is made: nothing is trained for it.

The style of an image is the mean and the covariance of features over all places, in a pyramid of halved sizes: its colours, and how
strongly each of a fixed set of small random filters answers. Random filters describe textures nearly as well as trained ones
(Ustyuzhaninov et al. 2016, arXiv 1606.00021), covariances of features are what style transfer matches (Gatys et al. 2016, CVPR). Where
things are does not enter, so what the reference shows is not copied.

While the path is followed, the image that the velocity points to is moved towards the style of the reference before the step is taken: the
model keeps it a likely image, and beginning from the source (as in ``editing``) keeps its content. The gradient passes through the
statistics only, not through the network (Yu et al. 2023, FreeDoM, arXiv 2303.09833, without its backward pass through the network); each
move is Polyak's step, loss over the squared gradient (Polyak 1969), so there is no rate to tune and a match is approached but not left.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]

FILTERS = 24
LEVELS = 3
MOVES = 3
"""Steps towards the style for each evaluation of the network."""

SMALLEST_SIDE = 4
"""Below this many pixels a side an image has no texture left."""


def filters(channels: int) -> Float[Tensor, "filters channels 3 3"]:
    """Return fixed random filters that sum to zero and have length one: they answer to texture and not to brightness."""
    drawn = torch.randn(FILTERS, channels, 3, 3, generator=torch.Generator().manual_seed(0))
    centred = drawn - drawn.mean((2, 3), keepdim=True)
    return centred / centred.flatten(1).norm(dim=1)[:, None, None, None]


def statistics(images: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch statistics"]]:
    """Return the style of each image, one row of statistics a level.

    Args:
        images: In the range of the model.
    """
    kernel = filters(images.shape[1]).to(images.device)
    found = []
    for _ in range(LEVELS):
        answers = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), kernel).abs()
        features = torch.cat([images, answers], 1).flatten(2)
        mean = features.mean(2)
        centred = features - mean[:, :, None]
        covariance = centred @ centred.transpose(1, 2) / features.shape[2]
        found.append(torch.cat([mean, covariance.flatten(1)], 1))
        if min(images.shape[2:]) < 2 * SMALLEST_SIDE:
            break
        images = F.avg_pool2d(images, 2)
    return found


def distance(
    found: list[Float[Tensor, "batch statistics"]], wanted: list[Float[Tensor, "batch statistics"]]
) -> Float[Tensor, " batch"]:
    """Return the squared distance of styles, each level as a share of the length of what is wanted."""
    levels = [
        (one - other).square().sum(1) / other.square().sum(1).clamp(min=1e-6)
        for one, other in zip(found, wanted, strict=True)
    ]
    return torch.stack(levels).mean(0)


def nearer(
    images: Float[Tensor, "batch channels height width"],
    wanted: list[Float[Tensor, "batch statistics"]],
    *,
    weight: float,
) -> Float[Tensor, "batch channels height width"]:
    """Return images moved towards styles.

    Args:
        images: In the range of the model.
        wanted: From ``statistics`` of the references.
        weight: Share of Polyak's step; 0 leaves the images as they are.
    """
    # Sampling runs where no gradient can be taken; what comes from there has to be copied to leave it.
    with torch.inference_mode(False), torch.enable_grad():
        aims = [level.clone() for level in wanted]
        moved = images.clone()
        for _ in range(MOVES):
            moved = moved.detach().requires_grad_()
            far = distance(statistics(moved), aims)
            (slope,) = torch.autograd.grad(far.sum(), moved)
            step = far.detach() / slope.flatten(1).square().sum(1).clamp(min=1e-12)
            moved = moved - weight * step[:, None, None, None] * slope
        return moved.detach()


def styled(velocity: Velocity, reference: Float[Tensor, "batch channels height width"], *, weight: float) -> Velocity:
    """Return a velocity that leads to images in the style of references.

    Args:
        velocity: From points and a time to the velocity there.
        reference: One image an example.
        weight: As in ``nearer``.
    """
    wanted = statistics(reference)

    def towards(points: Tensor, time: float) -> Tensor:
        data = points + (1 - time) * velocity(points, time)
        # At the end of the path the data is the point itself and no velocity leads elsewhere.
        return (nearer(data, wanted, weight=weight) - points) / max(1 - time, 1e-6)

    return towards
