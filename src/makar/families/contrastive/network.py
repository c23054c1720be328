"""The two encoders: an image and a caption, each to one vector of length 1 in the same space.

Images go through the residual encoder of ``makar.nn.autoencoder`` and one affine map over all places of its deepest level: at these sizes
where something is tells things apart, which a mean over places would forget. Captions go through ``makar.nn.text_encoder``.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.contrastive.config import ContrastiveConfig
from makar.nn.autoencoder import ImageEncoder
from makar.nn.convolution import Pointwise
from makar.nn.dropout import dropped
from makar.nn.text_encoder import TextEncoder
from makar.tensor_spec import PADDING_TOKEN

FIRST_SHARPNESS, LARGEST_SHARPNESS = 10.0, 100.0
"""Factor on similarities, learned as a logarithm; above 100 training is unstable (Radford et al. 2021, section 2.5)."""

FIRST_OFFSET = -5.0
"""Of the sigmoid: most pairs of a batch do not belong together, and the first steps must not be spent on learning that."""


class ContrastiveNetwork(nn.Module):
    """Image encoder, text encoder, and the sharpness of their similarities.

    Args:
        config: Sizes, with channels, height, width and captions known.
    """

    data_mean: Tensor
    data_deviation: Tensor

    def __init__(self, config: ContrastiveConfig) -> None:
        super().__init__()
        self.compute_type = torch.float32
        self.encoder = ImageEncoder(
            channels=config.channels, patch=config.patch, widths=config.shape.widths, blocks=config.blocks
        )
        self.image_head = Pointwise(config.image_values, config.vector_width)
        self.reader = TextEncoder(
            vocabulary=config.caption_vocabulary,
            length=config.caption_length,
            width=config.caption_width,
            layers=config.caption_layers,
            heads=config.heads,
            padding=PADDING_TOKEN,
        )
        self.caption_head = Pointwise(config.caption_width, config.vector_width)
        self.sharpness = nn.Parameter(torch.zeros(()))
        self.offset = nn.Parameter(torch.zeros(())) if config.objective == "sigmoid" else None
        self.register_buffer("data_mean", torch.zeros(config.channels, 1, 1))
        self.register_buffer("data_deviation", torch.full((config.channels, 1, 1), 0.5))

    def start(self) -> None:
        """Set sharpness and offset; the layers draw themselves."""
        with torch.no_grad():
            self.sharpness.fill_(math.log(FIRST_SHARPNESS))
            if self.offset is not None:
                self.offset.fill_(FIRST_OFFSET)

    def images(
        self,
        image: Float[Tensor, "batch channels height width"],
        *,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch vector"]:
        """Return the vectors of images, of length 1, float32.

        Args:
            image: -1 to 1.
            dropout: Share of the features to hide.
            generator: Source of what is hidden; ``None`` hides nothing.
        """
        centred = ((image - self.data_mean) / self.data_deviation).to(self.compute_type)
        deepest = self.encoder(centred)[-1]
        features = F.silu(F.layer_norm(deepest, (deepest.shape[-1],))).flatten(1)
        return F.normalize(self.image_head(dropped(features, dropout, generator)).float(), dim=1)

    def captions(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch vector"]:
        """Return the vectors of captions, of length 1, float32."""
        self.reader.compute_type = self.compute_type
        return F.normalize(self.caption_head(self.reader(tokens).whole.float()), dim=1)

    def scale(self) -> Float[Tensor, ""]:
        """Return the factor on similarities."""
        return self.sharpness.exp().clamp(max=LARGEST_SHARPNESS)

    def logits(
        self, images: Float[Tensor, "images vector"], captions: Float[Tensor, "captions vector"]
    ) -> Float[Tensor, "images captions"]:
        """Return how much each image and each caption belong together."""
        similar = self.scale() * (images @ captions.T)
        return similar if self.offset is None else similar + self.offset


class ImageVector(nn.Module):
    """For export: an image to its vector.

    Args:
        network: The network.
    """

    def __init__(self, network: ContrastiveNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch vector"]:
        return self.network.images(image)


class CaptionVector(nn.Module):
    """For export: a caption to its vector.

    Args:
        network: The network.
    """

    def __init__(self, network: ContrastiveNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, caption: Int[Tensor, "batch length"]) -> Float[Tensor, "batch vector"]:
        return self.network.captions(caption)
