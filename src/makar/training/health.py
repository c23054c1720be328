"""Asks a family how its training goes beyond its losses, and says what is done when it goes wrong.

Losses of adversaries and policies swing by nature, so a spike of them says nothing; a collapse does not show in them at all. The
family is asked when a state would be kept to return to, with the weights as they are, and at every validation, with the averaged ones. An
alarm in the first case returns to the last good state with other data and half the learning rate; in the second the weights are
not kept as the best.
"""

import torch

from makar.families.family import Family, Health
from makar.training.distributed import Team
from makar.training.plan import TrainingPlan
from makar.training.randomness import torch_generator

FEWEST_STEPS = 10
HINT = "lower the learning rate, for example --set stages.0.optimisation.learning_rate=0.001"


def family_health(family: Family, *, team: Team, place: tuple[int, int], progress: float) -> Health:
    """Return how the training goes; every process comes to the answer of the first.

    Args:
        family: The family, in training mode to be asked for the weights as they are.
        team: The processes that train together.
        place: Seed of the run and number of the step's draws.
        progress: Share of the run that is over.
    """
    seed, draw = place
    with torch.no_grad():
        found = family.health(torch_generator(seed, "health", draw), progress=progress)
    is_broken, is_good = team.agree([float(bool(found.alarm)), float(found.is_good)])
    alarm = (found.alarm or "another process found the training broken") if is_broken else ""
    return Health(alarm=alarm, is_good=bool(is_good), metrics=found.metrics)


def settle(family: Family, *, seed: int) -> None:
    """Let a family renew what follows from its weights, with the same draws every time."""
    with torch.no_grad():
        family.settle(torch_generator(seed, "settle"))


def return_message(reason: str, *, broken_step: int, good_step: int) -> str:
    """Return what is written about a return to a good state."""
    return f"{reason} (step {broken_step}); back to step {good_step} with other data and half the learning rate"


def hurry_message(plan: TrainingPlan, stage: str, steps: int) -> str:
    """Return what is written about a stage for which a deadline left too little time to learn anything; empty where it did not."""
    if plan.steps is not None or steps >= FEWEST_STEPS:
        return ""
    return f'there was time for {steps} step{"" if steps == 1 else "s"} of stage "{stage}", which has learned next to nothing'
