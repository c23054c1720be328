"""AdamW for the phases of a family: one optimiser a name, its state there from the start and addressed by parameter names.

Decoupled weight decay (Loshchilov and Hutter 2017, arXiv 1711.05101), in the fused kernel, which is three times faster on a CPU too.
Phases that name the same optimiser share its state and must train the same parameters: a lazy penalty is such a phase.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from makar.errors import ConfigError
from makar.families.family import Phase
from makar.recipe import OptimisationConfig

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class PhaseOptimiser:
    """One optimiser and the parameters it moves.

    Args:
        name: Name that the phases give it.
        phase: The first phase that names it; its groups are the optimiser's.
        optimisation: Betas, decay and peak learning rate.
    """

    def __init__(self, name: str, phase: Phase, *, optimisation: OptimisationConfig) -> None:
        self.name = name
        self.parameters: list[nn.Parameter] = [
            parameter for group in phase.groups for parameter in group.parameters if parameter.requires_grad
        ]
        self._peak = optimisation.learning_rate
        self._scales = [group.learning_rate_scale for group in phase.groups]
        groups = [
            {
                "params": [parameter for parameter in group.parameters if parameter.requires_grad],
                "weight_decay": optimisation.weight_decay if group.weight_decay is None else group.weight_decay,
            }
            for group in phase.groups
        ]
        self._adamw = torch.optim.AdamW(
            groups, lr=self._peak, betas=(optimisation.beta_1, optimisation.beta_2), fused=True
        )
        # AdamW makes its state at the first step; making it here lets a checkpoint be loaded before any step.
        for parameter in self.parameters:
            self._adamw.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }

    def clear(self) -> None:
        """Forget gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, multiplier: float, *, gradient_clip: float) -> None:
        """Move the parameters.

        Args:
            multiplier: Factor on the peak learning rate.
            gradient_clip: Largest norm of the gradient; 0 does not clip.
        """
        if gradient_clip > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters, gradient_clip)
        for group, scale in zip(self._adamw.param_groups, self._scales):
            group["lr"] = self._peak * multiplier * scale
        self._adamw.step()

    def tensors(self, names: Mapping[nn.Parameter, str]) -> dict[str, Tensor]:
        """Return the state by parameter name and moment."""
        return {
            f"{names[parameter]}.{moment}": self._adamw.state[parameter][moment]
            for parameter in self.parameters
            for moment in MOMENTS
        }


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
