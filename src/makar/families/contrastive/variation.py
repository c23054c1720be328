"""Images and captions as they vary in training, so that a small collection is not learned by heart.

Images are shifted (what comes in at the border repeats it), mirrored where that is allowed, and given noise of a different strength each;
captions lose some of their tokens, which move together. Every draw comes from the generator that is handed in, on the CPU.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from makar.tensor_spec import PADDING_TOKEN


def shifted(
    images: Float[Tensor, "batch channels height width"], most: int, generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Return images, each moved by up to ``most`` pixels along each side; the border is repeated."""
    if not most:
        return images
    height, width = images.shape[2:]
    moves = torch.randint(0, 2 * most + 1, (len(images), 2), generator=generator).to(images.device)
    padded = F.pad(images, (most, most, most, most), mode="replicate")
    rows = moves[:, :1] + torch.arange(height, device=images.device)
    columns = moves[:, 1:] + torch.arange(width, device=images.device)
    numbers = torch.arange(len(images), device=images.device)
    return padded.permute(0, 2, 3, 1)[numbers[:, None, None], rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def mirrored(
    images: Float[Tensor, "batch channels height width"], generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Return images of which half are mirrored."""
    chosen = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def noisy(
    images: Float[Tensor, "batch channels height width"], most: float, generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Return images with normal noise whose deviation is drawn for each, 0 to ``most``."""
    if not most:
        return images
    amount = most * torch.rand(len(images), 1, 1, 1, generator=generator)
    return images + (amount * torch.randn(images.shape, generator=generator)).to(images.device)


def shortened(
    captions: Int[Tensor, "batch length"], share: float, generator: torch.Generator
) -> Int[Tensor, "batch length"]:
    """Return captions without a share of their tokens, in the same order and padded at the end; each keeps one at least."""
    if not share:
        return captions
    exists = captions != PADDING_TOKEN
    draws = torch.rand(captions.shape, generator=generator).to(captions.device)
    # The token with the largest draw stays whatever happens.
    last = draws.masked_fill(~exists, -1.0).argmax(1, keepdim=True)
    kept = (exists & (draws >= share)).scatter(1, last, True)
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)
    return torch.where(kept, captions, PADDING_TOKEN).gather(1, order)
