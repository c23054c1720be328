"""One training step: draw a batch, prepare it once, then for every due phase losses, gradients, one move of the optimiser.

When memory runs out, the batch is cut into twice as many parts and the same phase is tried again: nothing has moved yet, and the sum
of the parts' gradients is the whole batch's gradient.
"""

import functools
import gc
from collections.abc import Callable

import torch
from torch import Tensor

from makar.errors import OutOfMemoryError
from makar.families.family import Batch, Phase
from makar.recipe import OptimisationConfig
from makar.training.batches import BatchSource
from makar.training.distributed import Team
from makar.training.learner import Learner
from makar.training.randomness import seed_global_draws, torch_generator
from makar.training.workers import gradients_of

OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


class Stepper:
    """Takes steps.

    Args:
        learner: What learns.
        source: Where batches come from.
        optimisation: Sizes and clipping.
        seed: Seed of the run.
        team: The processes that share a batch.
        workers: Parts of a batch that are computed at the same time.
        on_smaller: Called with the new number of parts when memory ran out.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        source: BatchSource,
        optimisation: OptimisationConfig,
        seed: int,
        team: Team,
        workers: int,
        on_smaller: Callable[[int], None],
    ) -> None:
        self._learner = learner
        self._source = source
        self._optimisation = optimisation
        self._seed = seed
        self._team = team
        self._workers = workers
        self._on_smaller = on_smaller
        self._device = next(learner.family.parameters()).device
        self.metrics: dict[str, float] = {}
        """What the losses said of themselves when they were computed last, by name."""
        self.positions = optimisation.batch_size * optimisation.accumulate
        """Windows or items a step, over all processes."""

    def step(self, step: int, *, draw: int, multiplier: float, micro_batches: int) -> tuple[dict[str, Tensor], int]:
        """Take one step.

        Args:
            step: Steps taken so far; decides which phases are due.
            draw: Keys every draw.
            multiplier: Factor on the learning rate.
            micro_batches: Parts to cut the batch into.

        Returns:
            (mean loss of every phase that was due, detached; the number of parts that fitted into memory)

        Raises:
            OutOfMemoryError: Not even parts of one fit.
        """
        prepared: list[tuple[int, Batch]] | None = None
        losses: dict[str, Tensor] = {}
        for index, phase in enumerate(self._learner.phases):
            if step % phase.every:
                continue
            while phase.name not in losses:
                try:
                    if prepared is None:
                        prepared = self._prepare(draw, micro_batches)
                    losses[phase.name] = self._gradients(phase, prepared, draw=draw, index=index)
                except (MemoryError, RuntimeError) as error:
                    if not _is_out_of_memory(error):
                        raise
                    prepared = None
                    micro_batches = self._halve(micro_batches)
            optimiser = self._learner.optimisers[phase.optimiser]
            self._team.average_gradients(optimiser.parameters)
            optimiser.step(multiplier * phase.learning_rate_scale, gradient_clip=self._optimisation.gradient_clip)
            if phase.after_step is not None:
                with torch.no_grad():
                    phase.after_step()
        return losses, micro_batches

    def _prepare(self, draw: int, micro_batches: int) -> list[tuple[int, Batch]]:
        first, count = self._team.part(draw * self.positions, self.positions)
        prepared = []
        for part in range(micro_batches):
            start, end = count * part // micro_batches, count * (part + 1) // micro_batches
            batch = self._source.batch(first + start, end - start)
            with torch.no_grad():
                generator = torch_generator(self._seed, "prepare", draw, part, self._team.rank)
                prepared.append((end - start, self._learner.family.prepare(batch, generator)))
        return prepared

    def _gradients(self, phase: Phase, prepared: list[tuple[int, Batch]], *, draw: int, index: int) -> Tensor:
        optimiser = self._learner.optimisers[phase.optimiser]
        self._learner.focus(phase)
        optimiser.clear()
        tasks = [
            functools.partial(self._loss, phase, batch, count, (index, draw, part, self._team.rank))
            for part, (count, batch) in enumerate(prepared)
        ]
        return gradients_of(tasks, optimiser.parameters, workers=self._workers)

    def _loss(self, phase: Phase, batch: Batch, count: int, place: tuple[int, ...]) -> Tensor:
        """Return the loss of one part, weighted by its share of the batch."""
        if self._workers == 1:
            # The global generator is one for all threads; families that several may run at once do not use it.
            seed_global_draws(self._seed, "dropout", *place)
        if phase.batch is not None:
            with torch.no_grad():
                batch = phase.batch(batch, torch_generator(self._seed, "phase batch", *place))
        loss = phase.loss(batch, torch_generator(self._seed, "loss", *place))
        self.metrics.update(loss.metrics)
        weight = count * self._team.size / self.positions
        return loss.value if weight == 1 else loss.value * weight

    def _halve(self, micro_batches: int) -> int:
        self._learner.family.zero_grad(set_to_none=True)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if 2 * micro_batches > self.positions // self._team.size:
            raise OutOfMemoryError(
                "not even one window or item at a time fits into memory",
                do="choose a smaller model, for example --set stages.0.family.width=64, or a shorter context",
            )
        self._on_smaller(2 * micro_batches)
        return 2 * micro_batches


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in OUT_OF_MEMORY_WORDS)
