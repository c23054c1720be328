"""Everything that a step changes, as one table of named tensors: weights, buffers, moments of the optimisers, averages.

A checkpoint writes the table, a rollback copies it back, and both see the same names; nothing a family registers is forgotten.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from makar.errors import TensorMismatchError
from makar.families.family import Family, Phase
from makar.recipe import OptimisationConfig
from makar.training.averaging import WeightAverage
from makar.training.optimiser import build_optimisers


class Learner:
    """A family with its phases, optimisers and weight average.

    Args:
        family: The family, on its device, weights in place.
        optimisation: How weights are moved.
    """

    def __init__(self, family: Family, *, optimisation: OptimisationConfig) -> None:
        self.family = family
        self.phases: list[Phase] = family.phases()
        self.optimisers = build_optimisers(self.phases, optimisation)
        self._names = {parameter: name for name, parameter in family.named_parameters()}
        averaged = {
            id(parameter)
            for phase in self.phases
            if phase.averaged
            for group in phase.groups
            for parameter in group.parameters
        }
        self.average: WeightAverage | None = None
        if optimisation.average_share > 0 and averaged:
            parameters = {name: value for name, value in family.named_parameters() if id(value) in averaged}
            self.average = WeightAverage(parameters, half_life_share=optimisation.average_share)

    def focus(self, phase: Phase) -> None:
        """Let only the phase's parameters collect gradients, so that a generator's loss leaves the discriminator alone."""
        if len(self.optimisers) == 1:
            return
        mine = {id(parameter) for parameter in self.optimisers[phase.optimiser].parameters}
        for optimiser in self.optimisers.values():
            for parameter in optimiser.parameters:
                parameter.requires_grad_(id(parameter) in mine)

    def result_tensors(self) -> dict[str, Tensor]:
        """Return weights and persistent buffers: what a finished model consists of."""
        kept = self.family.state_dict().keys()
        tensors = {f"weights.{name}": parameter.detach() for parameter, name in self._names.items()}
        return tensors | {f"buffers.{name}": buffer for name, buffer in self.family.named_buffers() if name in kept}

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that a step changes, by name; not copies."""
        tensors = self.result_tensors()
        for optimiser in self.optimisers.values():
            for name, tensor in optimiser.tensors(self._names).items():
                tensors[f"optimiser.{optimiser.name}.{name}"] = tensor
        if self.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.tensors.items()}
        return tensors

    def load(self, tensors: Mapping[str, Tensor], *, result_only: bool = False) -> None:
        """Copy a table of tensors back.

        Raises:
            TensorMismatchError: Names or shapes differ.
        """
        own = self.result_tensors() if result_only else self.tensors()
        wrong = sorted(own.keys() ^ tensors.keys()) or [name for name in own if own[name].shape != tensors[name].shape]
        if wrong:
            raise TensorMismatchError(
                f"the state does not belong to this model: {', '.join(wrong[:8])}",
                expected=f"{len(own)} tensors of the same names and shapes",
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])

    def is_finite(self) -> bool:
        """Return whether every weight is a number."""
        norms = torch._foreach_norm([parameter.detach() for parameter in self._names])
        return bool(torch.isfinite(torch.stack([norm.float() for norm in norms]).sum()))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the family hold its averaged weights, in evaluation mode, for a while."""
        was_training = self.family.training
        self.family.eval()
        with self.average.in_place() if self.average is not None else nullcontext():
            try:
                yield
            finally:
                self.family.train(was_training)
