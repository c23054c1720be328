"""What a plan expects of its training: steps, rate, time, loss, memory, disk and energy; no torch."""

from typing import TYPE_CHECKING, Any

from makar.recipe import NOTHING, OptimisationConfig, Stage
from makar.training.data_size import DataSize
from makar.training.energy import predicted_energy
from makar.training.machine import ASSUMED_OPERATIONS_PER_SECOND, ASSUMED_PEAK, free_memory_bytes
from makar.training.plan import TrainingPlan
from makar.training.prediction import FITTED, disk_bytes, expected_loss, memory_bytes

if TYPE_CHECKING:
    from makar.training.probe import Measurement

WORKING_SHARE = 0.93
"""What is left of a budget for steps, after probe, validation, checkpoints and saving."""


def items_a_step(stage: Stage) -> int:
    """Return the tokens or images that one step of a stage trains on."""
    optimisation: OptimisationConfig = stage.optimisation
    per_position = 1 if stage.family.batching == "items" else stage.family.window_length
    return optimisation.batch_size * optimisation.accumulate * per_position


def measured_rate(stage: Stage, found: "Measurement") -> float:
    """Return arithmetic a second; the probe takes one batch a step."""
    items = items_a_step(stage) / stage.optimisation.accumulate
    return items * stage.family.training_operations() / found.step_seconds[found.best]


def expectation(
    plan: TrainingPlan, size: DataSize, found: "Measurement | None", *, probe_seconds: float
) -> dict[str, Any]:
    """Return what to expect of the last stage, which is the one that is judged, and of the run as a whole."""
    stage = plan.recipe.stages[-1]
    key = (plan.device, plan.precision)
    operations = stage.family.training_operations()
    peak = found.peak_operations_per_second if found else ASSUMED_PEAK.get(key, 2e11)
    rate = measured_rate(stage, found) if found else ASSUMED_OPERATIONS_PER_SECOND.get(key, 1e11)
    items_a_second, step_items = rate / operations, items_a_step(stage)
    if plan.seconds is not None:
        steps = max(1, int(plan.seconds * WORKING_SHARE * stage.share * items_a_second / step_items))
        seconds = plan.seconds
    else:
        steps = plan.steps or 1
        seconds = steps * step_items / items_a_second
    items, parameters = steps * step_items, stage.family.parameter_count()
    memory = max(
        memory_bytes(
            one.family.parameter_count(),
            activation_bytes=one.family.activation_bytes(),
            batch_size=one.optimisation.batch_size,
            frozen_bytes=one.family.frozen_bytes(),
        )
        for one in plan.recipe.stages
    )
    content_an_item = size.content_bytes / max(1, size.items)
    return {
        "parameters": parameters,
        "steps": steps,
        "items": items,
        "item_name": stage.family.item_name,
        "epochs": round(items / max(1, size.items), 2),
        "items_per_second": round(items_a_second, 1),
        "seconds": round(seconds, 1),
        "peak_operations_per_second": peak,
        "peak_fraction": round(rate / peak, 3),
        "inner_loss": expected_loss(
            plan.recipe.medium,
            parameters=parameters,
            unique_items=size.content_bytes,
            seen_items=items * content_an_item,
        )
        if (plan.recipe.medium, stage.family.kind) in FITTED and stage.begins == NOTHING
        else None,
        "memory_bytes": int(memory),
        "memory_plan": stage.family.memory_plan(plan.device, free_memory_bytes(plan.device)),
        "disk_bytes": int(disk_bytes(parameters, store_bytes=size.store_bytes)),
        "energy": predicted_energy(seconds, threads=plan.threads * plan.workers, memory_bytes=memory),
        "measured": found is not None,
        "probe_seconds": round(probe_seconds, 3),
    }
