"""A convolution whose input channels a style scales, and whose output is scaled back to unit size: modulation and demodulation.

Instead of one filter bank an example, which a processor computes one example at a time, the input is scaled before and the output after
one shared convolution: x * s, convolved with w, times d with d_o = 1 / sqrt(sum_ik (w_oik s_i)^2). Both are the same product,
factored (Karras et al. 2019, arXiv 1912.04958, equations 1 to 3 and appendix B).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Pointwise

EPSILON = 1e-8


class ModulatedConvolution(nn.Module):
    """A 3x3 convolution with zero padding under a style.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        style_width: Length of the style.
        demodulates: Whether the output is scaled back to unit size.
        gain: Factor on the output that makes up for what the activation takes away.
    """

    def __init__(
        self, inputs: int, outputs: int, *, style_width: int, demodulates: bool = True, gain: float = math.sqrt(2.0)
    ) -> None:
        super().__init__()
        self.demodulates = demodulates
        self.gain = gain
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
        # The scale of a channel is 1 plus this, so that no style means no change.
        self.style = Pointwise(style_width, inputs)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the filters with variance 1 / (9 x inputs)."""
        with torch.no_grad():
            drawn = torch.randn(self.weight.shape, generator=generator) / math.sqrt(self.weight[0].numel())
            self.weight.copy_(drawn.to(self.weight.device))

    def forward(
        self, x: Float[Tensor, "batch height width inputs"], style: Float[Tensor, "batch style"]
    ) -> Float[Tensor, "batch height width outputs"]:
        """Convolve under a style; height and width stay.

        Args:
            x: Images, channels last; the convolution computes in their number format.
            style: One style an image, float32.
        """
        scale = 1.0 + self.style(style)
        weight = self.weight.to(x.dtype)
        x = x * scale.to(x.dtype)[:, None, None]
        x = F.conv2d(x.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1)
        if not self.demodulates:
            return x * self.gain
        return x * self._demodulation(scale).to(x.dtype)[:, None, None]

    def _demodulation(self, scale: Tensor) -> Tensor:
        power = self.weight.square().sum((2, 3))
        return self.gain * torch.rsqrt(F.linear(scale.square(), power) + EPSILON)
