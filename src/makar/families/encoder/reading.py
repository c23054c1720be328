"""What the heads of encoders share: rows no longer than they need to be, hidden tokens, decay, and weights of another encoder."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from makar.errors import TensorMismatchError
from makar.families.encoder.config import EncoderConfig
from makar.families.encoder.network import EncoderNetwork
from makar.families.family import Family, ParameterGroup, unfit_tensors


@runtime_checkable
class HasEncoder(Protocol):
    """A network with an encoder in it."""

    encoder: EncoderNetwork


@runtime_checkable
class HasNetwork(Protocol):
    """A family of one network."""

    network: nn.Module


def shortened(tokens: Int[Tensor, "batch length"], config: EncoderConfig) -> Int[Tensor, "batch shorter"]:
    """Return rows without the columns in which all of them are padding."""
    return tokens[:, : max(1, int((tokens != config.padding_token).sum(1).max()))]


def hidden_tokens(
    tokens: Int[Tensor, "batch length"], share: float, generator: torch.Generator | None, *, mask: int
) -> Bool[Tensor, "batch length"]:
    """Return which tokens are hidden: a share of them drawn anew, and those that were hidden before; without a generator only these."""
    before = tokens == mask
    if generator is None or share == 0.0:
        return before
    draws = torch.rand(tokens.shape, generator=generator).to(tokens.device)
    return (draws < share) | before


def encoder_groups(network: nn.Module, *, apart: nn.Module | None = None) -> list[ParameterGroup]:
    """Return the matrices, which decay as the recipe says, and vectors of tokens and all else, which do not.

    Args:
        network: The network.
        apart: A part of it that is in neither group.
    """
    left_out = set() if apart is None else {id(parameter) for parameter in apart.parameters()}
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if id(parameter) not in left_out:
            (matrices if parameter.ndim == 2 and not name.endswith("embeddings") else others).append(parameter)
    groups = [ParameterGroup(parameters=matrices), ParameterGroup(parameters=others, weight_decay=0.0)]
    return [group for group in groups if group.parameters]


def take_encoder(encoder: EncoderNetwork, parent: Family) -> None:
    """Copy the weights of the encoder in another family.

    Raises:
        TensorMismatchError: It has none, or one of other sizes.
    """
    network = parent.network if isinstance(parent, HasNetwork) else None
    if not isinstance(network, HasEncoder):
        raise TensorMismatchError(
            f"a model of family {parent.config.kind} has no encoder of text", expected='a model of the recipe "bert"'
        )
    own, given = encoder.state_dict(), network.encoder.state_dict()
    if problems := unfit_tensors(own, given):
        raise TensorMismatchError(
            "the encoder to begin from has other sizes:\n  " + "\n  ".join(problems), expected="the same sizes"
        )
    encoder.load_state_dict(given)
