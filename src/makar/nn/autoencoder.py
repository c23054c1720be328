"""A convolutional encoder and decoder of images in levels of halving resolution, channels last, for latent variables and codebooks.

Both are driven level by level from outside, so that a hierarchy of latent variables can be put between the levels of
the decoder. Decisions, as measured for the U-Net (``makar.nn.unet``): the image is folded by ``patch`` first; norms
are over the channels of one position, which is the fast norm in this layout; a block is norm, 3x3 convolution, SiLU,
3x3 convolution, added to its input, and starts as the identity (He et al. 2016, arXiv 1603.05027). A level with an
odd side is padded by one row or column before it is halved, and the decoder cuts that off again.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Convolution, Pointwise, fold, unfold


class ResidualBlock(nn.Module):
    """Norm, 3x3 convolution, SiLU, 1x1 convolution, added to the input.

    Args:
        width: Channels.
        hidden: Channels between the convolutions.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first = Convolution(width, hidden)
        self.second = Pointwise(hidden, width, scale=0.0)

    def forward(self, x: Float[Tensor, "batch height width channels"]) -> Float[Tensor, "batch height width channels"]:
        """Refine the image."""
        return x + self.second(F.silu(self.first(F.layer_norm(x, (x.shape[-1],)))))


class DenseBlock(nn.Module):
    """Norm, affine, SiLU, affine, added to the input: a block for one vector an image.

    Args:
        width: Length of the vector.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Pointwise(width, width)
        self.second = Pointwise(width, width, scale=0.0)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Refine the vector."""
        return x + self.second(F.silu(self.first(F.layer_norm(x, (x.shape[-1],)))))


class ImageEncoder(nn.Module):
    """From an image to features at every level, the finest first.

    Args:
        channels: Channels of the image.
        patch: Pixels folded into one position along each side.
        widths: Channels of every level; each level has half the resolution of the one before.
        blocks: Blocks a level.
    """

    def __init__(self, *, channels: int, patch: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.patch = patch
        self.enter = Convolution(channels * patch * patch, widths[0])
        self.levels = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.shrink = nn.ModuleList(Pointwise(4 * widths[n], widths[n + 1]) for n in range(len(widths) - 1))

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """Return ``[batch, rows, columns, channels]`` for every level, in the number format of the image.

        Args:
            image: Images of about unit variance, in the number format to compute in.
        """
        x = _folded(image.permute(0, 2, 3, 1), self.patch)
        x = self.enter(x)
        found = []
        for number, level in enumerate(self.levels):
            x = level(x)
            found.append(x)
            if number < len(self.shrink):
                x = self.shrink[number](_folded(x, 2))
        return found


class ImageDecoder(nn.Module):
    """From features of the deepest level to an image, one level at a time.

    Args:
        outputs: Channels of the image that it makes.
        patch: Pixels unfolded from one position along each side.
        widths: Channels of every level, the finest first.
        sizes: (rows, columns) of every level.
        blocks: Blocks a level.
    """

    def __init__(
        self, *, outputs: int, patch: int, widths: Sequence[int], sizes: Sequence[tuple[int, int]], blocks: int
    ) -> None:
        super().__init__()
        self.patch = patch
        self.sizes = tuple(sizes)
        self.levels = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.grow = nn.ModuleList(Pointwise(widths[n + 1], 4 * widths[n]) for n in range(len(widths) - 1))
        self.leave = Convolution(widths[0], outputs * patch * patch, scale=0.0)

    def refine(
        self, level: int, x: Float[Tensor, "batch rows columns channels"]
    ) -> Float[Tensor, "batch rows columns channels"]:
        """Run the blocks of a level."""
        refined: Tensor = self.levels[level](x)
        return refined

    def rise(
        self, level: int, x: Float[Tensor, "batch rows columns channels"]
    ) -> Float[Tensor, "batch more_rows more_columns fewer_channels"]:
        """Go from the level below to ``level``, at twice the resolution."""
        rows, columns = self.sizes[level]
        return unfold(self.grow[level](x), 2)[:, :rows, :columns]

    def finish(
        self, x: Float[Tensor, "batch rows columns channels"], *, height: int, width: int
    ) -> Float[Tensor, "batch outputs height width"]:
        """Return the image, float32, from the finest level."""
        x = self.leave(F.silu(F.layer_norm(x, (x.shape[-1],))))
        x = unfold(x, self.patch) if self.patch > 1 else x
        return x[:, :height, :width].permute(0, 3, 1, 2).float()


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width, width) for _ in range(count)))


def _folded(x: Tensor, factor: int) -> Tensor:
    rows, columns = x.shape[1:3]
    extra_rows, extra_columns = -rows % factor, -columns % factor
    if extra_rows or extra_columns:
        x = F.pad(x, (0, 0, 0, extra_columns, 0, extra_rows))
    return fold(x, factor) if factor > 1 else x.contiguous()
