"""Lets every layer that knows how draw its own weights, in the order in which the network names them."""

from typing import Protocol, runtime_checkable

import torch
from torch import nn


@runtime_checkable
class Initialised(Protocol):
    """A layer that draws its own weights."""

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight that the layer itself holds."""


def initialise_modules(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of every part of a network that is ``Initialised``.

    Args:
        network: The network; it must not be ``Initialised`` itself.
        generator: Source of randomness, on the CPU.
    """
    for part in network.modules():
        if isinstance(part, Initialised):
            part.initialise(generator)
