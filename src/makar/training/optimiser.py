"""AdamW for the phases of a family: one optimiser a name, its moments there from the start and addressed by parameter names.

Decoupled weight decay (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2). The step is torch's own fused kernel, called
directly: ``torch.optim`` imports the compiler at the first optimiser, which costs seconds of a run of a minute, and its wrapper costs
a tenth of a millisecond a step. Phases that name the same optimiser share its state and must train the same parameters: a lazy
penalty is such a phase.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from makar.errors import ConfigError
from makar.families.family import ParameterGroup, Phase
from makar.recipe import OptimisationConfig

EPSILON = 1e-8


class _Group:
    """Parameters that share learning rate and decay, with their moments."""

    def __init__(self, group: ParameterGroup, *, optimisation: OptimisationConfig) -> None:
        self.parameters = [parameter for parameter in group.parameters if parameter.requires_grad]
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.scale = group.learning_rate_scale
        self.weight_decay = optimisation.weight_decay if group.weight_decay is None else group.weight_decay


class PhaseOptimiser:
    """One optimiser and the parameters it moves.

    Args:
        name: Name that the phases give it.
        phase: The first phase that names it; its groups are the optimiser's.
        optimisation: Betas, decay and peak learning rate.
    """

    def __init__(self, name: str, phase: Phase, *, optimisation: OptimisationConfig) -> None:
        self.name = name
        self._groups = [_Group(group, optimisation=optimisation) for group in phase.groups]
        self.parameters: list[nn.Parameter] = [parameter for group in self._groups for parameter in group.parameters]
        self._optimisation = optimisation
        # One count for all: the kernel reads it, and nothing but this class writes it.
        self._count = torch.zeros((), dtype=torch.float32, device=self.parameters[0].device)

    def clear(self) -> None:
        """Forget gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, multiplier: float, *, gradient_clip: float) -> None:
        """Move the parameters that have a gradient.

        Args:
            multiplier: Factor on the peak learning rate.
            gradient_clip: Largest norm of the gradient; 0 does not clip.
        """
        optimisation = self._optimisation
        if gradient_clip > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters, gradient_clip)
        self._count += 1
        for group in self._groups:
            moved: list[Tensor] = []
            gradients, means, squares = [], [], []
            for parameter, mean, square in zip(group.parameters, group.means, group.squares):
                if parameter.grad is not None:
                    moved.append(parameter)
                    gradients.append(parameter.grad)
                    means.append(mean)
                    squares.append(square)
            if not moved:
                continue
            torch._fused_adamw_(
                moved,
                gradients,
                means,
                squares,
                [],
                [self._count] * len(moved),
                lr=optimisation.learning_rate * multiplier * group.scale,
                beta1=optimisation.beta_1,
                beta2=optimisation.beta_2,
                weight_decay=group.weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def tensors(self, names: Mapping[nn.Parameter, str]) -> dict[str, Tensor]:
        """Return the state by parameter name and moment."""
        found = {"count": self._count}
        for group in self._groups:
            for parameter, mean, square in zip(group.parameters, group.means, group.squares):
                found[f"{names[parameter]}.mean"] = mean
                found[f"{names[parameter]}.square"] = square
        return found


def build_optimisers(phases: list[Phase], optimisation: OptimisationConfig) -> dict[str, PhaseOptimiser]:
    """Build every optimiser that the phases name.

    Raises:
        ConfigError: Two phases share an optimiser and train different parameters, or a phase trains nothing.
    """
    found: dict[str, PhaseOptimiser] = {}
    for phase in phases:
        parameters = [parameter for group in phase.groups for parameter in group.parameters if parameter.requires_grad]
        if not parameters:
            raise ConfigError(f'phase "{phase.name}" trains nothing', expected="at least one parameter")
        if phase.optimiser not in found:
            found[phase.optimiser] = PhaseOptimiser(phase.optimiser, phase, optimisation=optimisation)
        elif {id(parameter) for parameter in parameters} != {
            id(parameter) for parameter in found[phase.optimiser].parameters
        }:
            raise ConfigError(
                f'phase "{phase.name}" shares optimiser "{phase.optimiser}" but trains other parameters',
                expected="the same parameters, or an optimiser of its own",
            )
    return found
