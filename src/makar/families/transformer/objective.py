"""What a decoder transformer minimises, the mean surprise at the next token in nats, and which of its parameters decay.

Source: Bengio et al. 2003, "A neural probabilistic language model".
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.family import ParameterGroup
from makar.families.transformer.network import TransformerNetwork
from makar.nn.cross_entropy import linear_cross_entropy


def next_token_loss(
    network: TransformerNetwork,
    windows: Int[Tensor, "batch length_plus_one"],
    *,
    dtype: torch.dtype,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of every token of the windows but the first, in nats a token.

    Args:
        network: The network.
        windows: Spans of tokens; position t predicts position t + 1.
        dtype: Type of the matrix products.
        generator: Source of dropout's masks; ``None`` drops nothing.
    """
    stream = network.stream(windows[:, :-1], dtype=dtype, generator=generator)
    targets = windows[:, 1:].reshape(-1)
    return linear_cross_entropy(stream.flatten(0, 1), network.head, targets, cap=network.logit_cap)


def parameter_groups(network: TransformerNetwork) -> list[ParameterGroup]:
    """Return the matrices of the blocks, which decay as the recipe says, and everything else, which does not."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        (matrices if name.startswith("blocks") and parameter.ndim == 2 else others).append(parameter)
    return [ParameterGroup(parameters=matrices), ParameterGroup(parameters=others, weight_decay=0.0)]
