"""The velocity of an image: a U-Net behind its preconditioning, and the statistics of the data that this needs.

This is the module that is exported: ``forward(point, time, label)`` to a velocity, with every constant inside.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.preconditioning import preconditioned
from makar.nn.unet import UNet, UNetSizes


class VelocityNetwork(nn.Module):
    """The learned velocity field.

    Args:
        config: Sizes, with channels, height and width known.
    """

    data_mean: Tensor
    data_deviation: Tensor

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        sizes = UNetSizes(
            channels=config.channels,
            patch=config.patch,
            widths=config.level_widths,
            blocks=config.blocks,
            expansion=config.expansion,
            attention_levels=config.attention_levels,
            head_width=config.head_width,
            embedding_width=config.embedding_width,
            classes=config.classes,
        )
        self.unet = UNet(sizes)
        self.register_buffer("data_mean", torch.zeros(config.channels, 1, 1))
        self.register_buffer("data_deviation", torch.full((config.channels, 1, 1), 0.5))

    def forward(
        self,
        point: Float[Tensor, "batch channels height width"],
        time: Float[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the velocity at each point.

        Args:
            point: Points on paths from noise to data.
            time: 0 (noise) to 1 (data).
            label: Class of each example, the number of classes for none; ``None`` where the model has no classes.
        """
        return preconditioned(
            lambda scaled: self.unet(scaled, time, label),
            point,
            time=time,
            mean=self.data_mean,
            deviation=self.data_deviation,
        )
