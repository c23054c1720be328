"""An average of the weights over the last part of the run, whose memory grows with the run.

The average at step t weighs the weights of step s by s^gamma (power-function average; Karras et al. 2023, arXiv 2312.02696, equation
for beta_gamma). Its half-life is therefore always the same share of the steps so far, its first value is the first weights (nothing
to correct for bias), and nothing about the length of the run has to be known: the same rule serves a fixed number of steps and a
deadline. Updating every few steps with the matching factor costs a fraction and gives the same average of the visited weights.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """A running average of named parameters.

    Args:
        parameters: What is averaged, by name.
        half_life_share: Half of the average's weight lies in this last share of the steps.
    """

    EVERY_STEPS = 4

    def __init__(self, parameters: Mapping[str, nn.Parameter], *, half_life_share: float) -> None:
        self.parameters = dict(parameters)
        self.exponent = math.log(0.5) / math.log(1.0 - min(half_life_share, 0.999))
        self.tensors: dict[str, Tensor] = {
            name: parameter.detach().clone() for name, parameter in self.parameters.items()
        }

    def update(self, *, step: int, previous_step: int) -> None:
        """Take the present weights into the average.

        Args:
            step: Steps taken so far, at least 1.
            previous_step: Steps taken at the last update, 0 for none.
        """
        weight = 1.0 - (previous_step / step) ** self.exponent
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.tensors.values()), [parameter.detach() for parameter in self.parameters.values()], weight
            )

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the parameters be the average for a while; storages are exchanged, nothing is copied."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, parameter in self.parameters.items():
            parameter.data, self.tensors[name] = self.tensors[name], parameter.data
