"""Makar's names of solvers for the schedulers of diffusers; one that a pipeline has no meaning for is refused.

Pipelines that learned to take noise away in steps (DDPM; Ho et al. 2020) can be solved by all of them. Pipelines of flow matching (Stable
Diffusion 3, Flux) hand their own times to the scheduler, which Euler's takes and, where they are not moved with the size of the image,
Heun's.
"""

from typing import Any

from makar.errors import UnsupportedError
from makar.families.pretrained.opening import diffusers, quiet
from makar.families.pretrained.options import PretrainedOptions

DENOISING = {
    "euler": "EulerDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm++2m": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "adams": "LMSDiscreteScheduler",
    "ancestral": "DDPMScheduler",
}
FLOW = {"euler": "FlowMatchEulerDiscreteScheduler", "heun": "FlowMatchHeunDiscreteScheduler"}


def is_flow(scheduler: Any) -> bool:
    """Return whether a scheduler is of flow matching."""
    return type(scheduler).__name__.startswith("FlowMatch")


def scheduler_for(options: PretrainedOptions, usual: Any) -> Any:
    """Return a fresh scheduler.

    Args:
        options: Name a solver and a shift, or leave them.
        usual: That of the folder.

    Raises:
        UnsupportedError: The pipeline cannot be solved that way; the message names what can.
    """
    changes: dict[str, Any] = {}
    if options.shift is not None:
        if not is_flow(usual) or usual.config.get("use_dynamic_shifting"):
            raise UnsupportedError(
                f"shift {options.shift:g} for times that this pipeline sets itself",
                expected="no shift, or a pipeline of flow matching with one shift for all sizes",
            )
        changes["shift"] = options.shift
    kind = type(usual)
    if options.solver is not None:
        table = FLOW if is_flow(usual) else DENOISING
        if is_flow(usual) and usual.config.get("use_dynamic_shifting"):
            table = {"euler": FLOW["euler"]}
        if options.solver not in table:
            raise UnsupportedError(
                f'solver "{options.solver}" for a pipeline of flow matching', expected=f"one of: {', '.join(table)}"
            )
        kind = getattr(diffusers(), table[options.solver])
    with quiet():
        return kind.from_config(usual.config, **changes)
