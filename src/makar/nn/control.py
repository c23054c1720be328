"""A trainable copy of the way down of a frozen U-Net, which a map steers: ControlNet.

The copy sees the same noisy image, and the map through two convolutions of which the second starts at zero; what it makes of both on each
level is added to what the frozen network carries across and to its deepest level, again through products that start at zero. So the whole
starts as the network that it steers, and no step can spoil what that one knows. Decision: the vector of time and condition is that of the
frozen network, which knows it already.

Source: Zhang, Rao and Agrawala 2023, arXiv 2302.05543, section 3.1 and figure 3.
"""

import copy

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Convolution, Pointwise, fold
from makar.nn.text_encoder import TextStates
from makar.nn.unet import UNet, through


class ControlBranch(nn.Module):
    """The copy and what joins it to the network that it steers.

    Args:
        unet: The network to steer.
        planes: Channels of the map.
    """

    def __init__(self, unet: UNet, *, planes: int) -> None:
        super().__init__()
        widths = [shape.weight.shape[0] for shape in (unet.enter, *unet.shrink)]
        self.first = Convolution(planes * unet.patch**2, widths[0])
        self.second = Convolution(widths[0], widths[0], scale=0.0)
        self.enter, self.down, self.shrink = (
            copy.deepcopy(unet.enter),
            copy.deepcopy(unet.down),
            copy.deepcopy(unet.shrink),
        )
        self.joints = nn.ModuleList(Pointwise(width, width, scale=0.0) for width in widths)
        self.requires_grad_(True)

    def take(self, unet: UNet) -> None:
        """Become a copy of the weights of a network."""
        for own, other in ((self.enter, unet.enter), (self.down, unet.down), (self.shrink, unet.shrink)):
            own.load_state_dict(other.state_dict())

    def forward(
        self,
        x: Float[Tensor, "batch rows columns folded"],
        embedding: Float[Tensor, "batch embedding"],
        text: TextStates | None,
        source: Float[Tensor, "batch rows columns planes"],
    ) -> list[Tensor]:
        """Return what is added on each level, the finest first.

        Args:
            x: The noisy image as the network folds it.
            embedding: The vector of time and condition.
            text: Captions that were read.
            source: The map, folded alike.
        """
        x = self.enter(x) + self.second(F.silu(self.first(source)))
        added = []
        for number, level in enumerate(self.down):
            x = through(level, x, embedding, text)
            added.append(self.joints[number](x))
            if number < len(self.shrink):
                x = self.shrink[number](fold(x, 2))
        return added
