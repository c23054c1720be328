"""Changes to what the discriminator sees, so that it cannot learn a small collection by heart; gradients pass through them.

Each of three is done to an image with probability ``share``, at random strength: moved by up to an eighth of each side, with the edge
repeated; brightness, contrast and colourfulness changed; a rectangle of half of each side blanked. Real and made images are
changed alike, so the generator does not learn the changes themselves (Zhao et al. 2020, arXiv 2006.10738, equation 6) as long as each is
left out often enough (Karras et al. 2020, arXiv 2006.06676, section 2.2). A move is a product with two small matrices:
differentiable any number of times, and no gathering of pixels.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LARGEST_MOVE = 0.125
CUT_SHARE = 0.5
BRIGHTNESS = 0.25
CONTRAST = 0.25
COLOUR = 0.5


def augmented(
    images: Float[Tensor, "batch channels height width"], *, share: float, generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Return changed images.

    Args:
        images: Images, -1..1.
        share: Probability of each change, for each image by itself; 0 returns the images.
        generator: Source of the draws, on the CPU.
    """
    if share <= 0:
        return images
    count, _, height, width = images.shape
    device = images.device
    happens = (torch.rand(3, count, generator=generator) < share).float()
    moves = (2 * torch.rand(2, count, generator=generator) - 1) * LARGEST_MOVE * happens[0]
    strengths = (2 * torch.rand(3, count, generator=generator) - 1) * happens[1]
    corners = torch.rand(2, count, generator=generator)

    rows = _shifts(height, (moves[0] * height).round().long()).to(device)
    columns = _shifts(width, (moves[1] * width).round().long()).to(device)
    images = torch.matmul(torch.matmul(rows[:, None], images), columns[:, None].transpose(2, 3))

    light, contrast, colour = (value.to(device)[:, None, None, None] for value in strengths)
    images = images + BRIGHTNESS * light
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + COLOUR * colour)
    middle = images.mean((1, 2, 3), keepdim=True)
    images = middle + (images - middle) * (1 + CONTRAST * contrast)

    kept = 1 - _inside(height, corners[0])[:, :, None] * _inside(width, corners[1])[:, None, :]
    kept = torch.where(happens[2][:, None, None] > 0, kept, 1.0)
    return images * kept.to(device)[:, None]


def cut_by_lot(images: Mapping[str, Tensor], zoom: float, generator: torch.Generator) -> dict[str, Tensor]:
    """Return images enlarged and cut to their size at a place drawn by lot, those of one row at the same place.

    Args:
        images: ``[batch, channels, height, width]`` by name, -1..1, with as many rows each; sizes may differ.
        zoom: Share by which they are enlarged.
        generator: Source of the draws, on the CPU.
    """
    count = len(next(iter(images.values())))
    seen = 1 / (1 + zoom)
    places = (2 * torch.rand(count, 2, generator=generator) - 1) * (1 - seen)
    views = torch.cat([torch.eye(2).mul(seen).expand(count, 2, 2), places[:, :, None]], 2)
    cut = {}
    for name, image in images.items():
        grid = functional.affine_grid(views.to(image.device), list(image.shape), align_corners=False)
        cut[name] = functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return cut


def _shifts(size: int, moves: Tensor) -> Tensor:
    """Return for each move the matrix that takes row i from row i + move, the edge repeated: ``[batch, size, size]``."""
    sources = (torch.arange(size) + moves[:, None]).clamp(0, size - 1)
    return torch.nn.functional.one_hot(sources, size).float()


def _inside(size: int, corner: Tensor) -> Tensor:
    """Return 1 in the half of an axis that begins at a random place, which may hang over both ends."""
    length = int(CUT_SHARE * size)
    first = (corner * (size + 1)).long() - length // 2
    places = torch.arange(size)
    return ((places >= first[:, None]) & (places < first[:, None] + length)).float()
