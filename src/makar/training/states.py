"""The states of a training that are kept: the good one in memory that a rollback returns to, checkpoints, and the best weights.

Good states are taken at fixed steps, and periodic checkpoints write out the good state, not the present one: a resume therefore finds
exactly the state that a rollback would return to, and when a checkpoint is written changes nothing. A stop on request writes the
present state too and names its good one.
"""

import contextlib
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makar.errors import IntegrityError
from makar.training.checkpoint import SavedState, StateFolder
from makar.training.counters import Counters
from makar.training.learner import Learner

CHECKPOINT_SHARE = 0.02


class KeptStates:
    """What is kept of one stage.

    Args:
        folder: The run's folder.
        stage: Name of the stage.
        writes: Whether this process writes (rank 0).
    """

    def __init__(self, folder: Path, *, stage: str, writes: bool) -> None:
        self._checkpoints = StateFolder(folder / "checkpoints" / stage)
        self._best_states = StateFolder(folder / "best" / stage, prefix="best", keep=1)
        self._writes = writes
        self._last_save, self._save_seconds = time.monotonic(), 0.0
        self.saved_step = -1
        self.good_tensors: dict[str, Tensor] = {}
        self.good_body: dict[str, Any] = {}
        self.best: tuple[float, int] | None = None
        for step in self._best_states.steps():
            with contextlib.suppress(IntegrityError):
                loss = float(self._best_states.load(step).body["inner_loss"])
                self.best = min(self.best or (loss, step), (loss, step))

    def newest(self) -> tuple[SavedState | None, list[str]]:
        """Return the newest whole checkpoint, and why newer ones were passed over; takes up its good state."""
        saved, damaged = self._checkpoints.newest()
        if saved is not None:
            good = saved
            if saved.body["good_step"] != saved.step:
                with contextlib.suppress(IntegrityError):
                    good = self._checkpoints.load(saved.body["good_step"])
            self.good_tensors, self.good_body, self.saved_step = good.tensors, good.body, good.step
        return saved, damaged

    def keep_good(self, learner: Learner, counters: Counters) -> None:
        """Take the present state as the one to go back to."""
        counters.good_step = counters.step
        counters.rollbacks_in_row = 0
        with torch.no_grad():
            self.good_tensors = {name: tensor.clone() for name, tensor in learner.tensors().items()}
        self.good_body = counters.to_dictionary()

    def checkpoint_is_due(self, counters: Counters, *, shortest_seconds: float) -> bool:
        """Return whether there is something new to write and writing it costs at most a fiftieth of the time."""
        pause = max(shortest_seconds, self._save_seconds / CHECKPOINT_SHARE)
        return counters.good_step > self.saved_step and time.monotonic() - self._last_save > pause

    def save_good(self, spent: Counters) -> int:
        """Write the good state.

        Args:
            spent: Counters whose seconds and energy are up to date: what was spent is spent, also on steps that a resume repeats.

        Returns:
            Its step.
        """
        self.save(self.good_tensors, Counters.from_dictionary(self.good_body), spent=spent)
        self.saved_step = int(self.good_body["step"])
        return self.saved_step

    def save(self, tensors: dict[str, Tensor], counters: Counters, *, spent: Counters) -> None:
        """Write a checkpoint."""
        begin = time.monotonic()
        counters.consumed_seconds = spent.consumed_seconds
        counters.training_seconds = spent.training_seconds
        counters.consumption = spent.consumption
        if self._writes:
            self._checkpoints.save(counters.step, tensors, counters.to_dictionary(), needed_step=counters.good_step)
        self._last_save = time.monotonic()
        self._save_seconds = self._last_save - begin

    def save_best(self, learner: Learner, *, inner_loss: float, step: int) -> None:
        """Write the weights that the family holds now as the best so far."""
        self.best = (inner_loss, step)
        if self._writes:
            self._best_states.save(step, learner.result_tensors(), {"inner_loss": inner_loss})

    def load_best(self, learner: Learner, step: int) -> None:
        """Let the family hold the best weights."""
        learner.load(self._best_states.load(step).tensors, result_only=True)
