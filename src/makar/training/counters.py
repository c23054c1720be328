"""The plain numbers that a training carries from step to step, and that a checkpoint writes beside the tensors."""

import dataclasses
import math
from typing import Any, Self

from makar.training.energy import Consumption
from makar.training.stability import LossWatch


@dataclasses.dataclass
class Counters:
    """Where a training is.

    Attributes:
        step: Steps taken.
        skipped: Steps whose draws were passed over by rolling back; draws are keyed by ``step + skipped``.
        micro_batches: Parts that a step's batch is cut into; grows when memory runs out.
        learning_rate_scale: Factor left over from rolling back.
        rollbacks: How often the run rolled back.
        rollbacks_in_row: How often since the last good state.
        incidents: In words, what went wrong and what was done about it.
        good_step: Step of the state that a rollback returns to.
        average_step: Step of the last update of the weight average.
        moment: Number of validations done.
        validation_count: Windows or items a validation reads; 0 until known.
        inner_loss: The last validation loss.
        consumed_seconds: Of the budget, over all processes.
        start_seconds: Consumed seconds when the stage began.
        training_seconds: Spent in this stage, over all processes.
        loss_watch: Running means of the loss.
        consumption: Energy counters, over all processes.
    """

    step: int = 0
    skipped: int = 0
    micro_batches: int = 1
    learning_rate_scale: float = 1.0
    rollbacks: int = 0
    rollbacks_in_row: int = 0
    incidents: list[str] = dataclasses.field(default_factory=list)
    good_step: int = 0
    average_step: int = 0
    moment: int = 0
    validation_count: int = 0
    inner_loss: float = math.inf
    consumed_seconds: float = 0.0
    start_seconds: float = 0.0
    training_seconds: float = 0.0
    loss_watch: LossWatch = dataclasses.field(default_factory=LossWatch)
    consumption: Consumption = dataclasses.field(default_factory=Consumption)

    @property
    def draw(self) -> int:
        """Return the number that keys this step's draws."""
        return self.step + self.skipped

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values; floats survive JSON exactly."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dictionary(cls, values: dict[str, Any]) -> Self:
        """Rebuild from ``to_dictionary``."""
        parts = {
            "loss_watch": LossWatch(**values["loss_watch"]),
            "consumption": Consumption(**values["consumption"]),
        }
        return cls(**{**values, **parts})

    def rolled_back_to(self, good: dict[str, Any]) -> "Counters":
        """Return the counters after going back to a good state: other draws, half the learning rate, nothing else forgotten."""
        counters = Counters.from_dictionary(good)
        counters.skipped = self.skipped + self.step - counters.step
        counters.learning_rate_scale = 0.5 * self.learning_rate_scale
        counters.rollbacks = self.rollbacks + 1
        counters.rollbacks_in_row = self.rollbacks_in_row + 1
        counters.incidents = list(self.incidents)
        counters.micro_batches = self.micro_batches
        counters.training_seconds = self.training_seconds
        counters.validation_count = self.validation_count
        counters.consumption = self.consumption
        return counters
