"""A linear layer whose weights stay in float32 and are cast to the type of its input for the product.

The optimiser then works on exact master weights while products run in bfloat16, without autocast and its cost per operation
(Karpathy 2025, nanochat, does the same). The gain of the norm before it is multiplied into the weights, which are fewer than the
activations.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Linear(nn.Module):
    """``(x * gain) @ weight.T`` without a bias.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(
        self, x: Float[Tensor, "... inputs"], gain: Float[Tensor, " inputs"] | None = None
    ) -> Float[Tensor, "... outputs"]:
        """Return the product in the type of ``x``.

        Args:
            x: Activations.
            gain: Factors on the channels that come in.
        """
        weight = self.weight if gain is None else self.weight * gain
        return functional.linear(x, weight.to(x.dtype))
