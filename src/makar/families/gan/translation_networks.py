"""The two networks of a translation: one from image to image, one that judges patches.

Translator: a U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of the encoder and decoder that the autoencoders have, every level joined
to its equal through a 1x1 convolution. The last two convolutions are at full resolution and see the given image, so that lines stay sharp
where the image is folded. ``departs`` adds the given image to the result: untrained it changes little, and two of them form a cycle
that is nearly closed from the first step.

Judge: answers about patches instead of the whole (Isola et al. 2017, arXiv 1611.07004, section 3.2.2), with residual blocks and without
norm, so that the penalties are of one image each.
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.families.gan.style_networks import GAIN, SLOPE, ResidualBlock
from makar.families.gan.translation_config import TranslationConfig
from makar.nn.autoencoder import ImageDecoder, ImageEncoder
from makar.nn.convolution import Convolution, Pointwise, fold

LAST_SCALE = 0.1
"""Of the first weights of the last convolution: little is changed at first, and what is before it learns from the first step."""


class Translator(nn.Module):
    """From an image to an image of the same size.

    Args:
        config: Sizes.
        departs: Whether the result is the given image and a change.
    """

    def __init__(self, config: TranslationConfig, *, departs: bool) -> None:
        super().__init__()
        self.compute_type = torch.float32
        self.departs = departs
        widths, detail = config.level_widths, config.detail
        self.encoder = ImageEncoder(channels=config.channels, patch=config.patch, widths=widths, blocks=config.blocks)
        self.across = nn.ModuleList(Pointwise(width, width) for width in widths[:-1])
        self.decoder = ImageDecoder(
            outputs=detail, patch=config.patch, widths=widths, sizes=config.level_sizes, blocks=config.blocks
        )
        self.fine = Convolution(detail + config.channels, detail)
        self.leave = Convolution(detail, config.channels, scale=LAST_SCALE)

    def forward(
        self, image: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the translated images, float32, not clipped."""
        kind = self.compute_type
        given = image.to(kind)
        found = self.encoder(given)
        last = len(found) - 1
        x = self.decoder.refine(last, found[last])
        for level in reversed(range(last)):
            x = self.decoder.rise(level, x) + self.across[level](found[level])
            x = self.decoder.refine(level, x)
        height, width = image.shape[2:]
        detail = self.decoder.finish(x, height=height, width=width).to(kind)
        x = torch.cat([detail, given], 1).permute(0, 2, 3, 1).contiguous()
        x = self.leave(F.silu(self.fine(x))).permute(0, 3, 1, 2).float()
        return image + x if self.departs else x


class PatchJudge(nn.Module):
    """From an image, and what it was made from, to how real each patch of it looks.

    Args:
        config: Sizes.
    """

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__()
        self.compute_type = torch.float32
        self.patch = config.patch
        widths = config.judge_widths
        self.enter = Convolution(config.judged_channels * config.patch**2, widths[0], scale=GAIN)
        self.blocks = nn.ModuleList(ResidualBlock(fine, coarse) for fine, coarse in itertools.pairwise(widths))
        self.last = Convolution(widths[-1], widths[-1], scale=GAIN)
        self.answer = Pointwise(widths[-1], 1)

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch patches"]:
        """Return one number a patch, float32; larger is more real."""
        x = image.to(self.compute_type).permute(0, 2, 3, 1)
        x = F.pad(x, (0, 0, 0, -x.shape[2] % self.patch, 0, -x.shape[1] % self.patch))
        x = fold(x, self.patch) if self.patch > 1 else x.contiguous()
        x = F.leaky_relu(self.enter(x), SLOPE)
        for block in self.blocks:
            x = block(x)
        x = F.leaky_relu(self.last(x), SLOPE)
        # The answers themselves are in float32: differences between them are small beside them.
        answers: Tensor = self.answer(x.to(self.answer.weight.dtype))
        return answers.flatten(1)
