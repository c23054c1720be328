"""The one trainer: steps until the pace is over, watched, validated, checkpointed, and rolled back when the loss breaks.

What a run computes follows from the plan and the step alone: draws are keyed by (seed, step), the state that a rollback returns to is
taken at fixed steps, and checkpoints, which come by the clock, only write that state out. So with ``--steps`` a run that was killed
and resumed ends with the same bits as one that was left alone. With a time budget the same loop runs until the deadline.
"""

import dataclasses
import math
import time
from pathlib import Path
from typing import NoReturn

import torch

from makar.codecs.codec import Codec
from makar.data.record import Split
from makar.data.store import Store
from makar.errors import DivergedError, InterruptedRunError
from makar.families.family import Family, Health
from makar.recipe import Stage
from makar.training.averaging import WeightAverage
from makar.training.batches import BatchSource
from makar.training.budget import Budget, Pace
from makar.training.counters import Counters
from makar.training.distributed import Team
from makar.training.energy import EnergyMeter, energy_range
from makar.training.health import HINT, family_health, hurry_message, return_message, settle
from makar.training.learner import Learner
from makar.training.plan import TrainingPlan
from makar.training.progress import EventLog, Watch
from makar.training.randomness import torch_generator
from makar.training.result import StageResult, finished_result, write_result
from makar.training.schedule import learning_rate_multiplier
from makar.training.states import KeptStates
from makar.training.step import Stepper
from makar.training.throughput import RecentLosses, Throughput
from makar.training.validation import MOMENTS, validation_count, validation_loss

MOST_ROLLBACKS = 3
GOOD_STATE_OPERATIONS = 5e11
GOOD_STATE_STEPS = 200
CLOSING_MARGIN = 1.3
SAMPLE_SHARE = 0.005
LOSSES_READ_TOGETHER = {"cpu": 1, "cuda": 10}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a stage learns from: a store for each split, ``train`` and ``inner`` at least, and the codec that made them."""

    codec: Codec
    stores: dict[Split, Store]


def train_stage(
    plan: TrainingPlan,
    stage: Stage,
    *,
    family: Family,
    data: TrainingData,
    folder: Path,
    watch: Watch | None = None,
    budget: Budget | None = None,
) -> StageResult:
    """Train one stage of a plan, from nothing, from where a killed process left it, or not at all when it is finished.

    Args:
        plan: The frozen plan.
        stage: The stage to carry out, with all sizes.
        family: The family that ``stage.family`` describes; ends with the best weights.
        data: The codec and the stores.
        folder: The run's folder: gets ``metrics.jsonl``, ``checkpoints/``, ``best/`` and ``results/``.
        watch: What looks on.
        budget: The promise of time; by default one that begins now.

    Returns:
        What came out.

    Raises:
        InterruptedRunError: ``watch.stop`` asked to stop; everything is saved.
        DivergedError: The loss broke again and again.
        OutOfMemoryError: The smallest batch does not fit.
        OutOfSpaceError: The disk is full; the last checkpoint is intact.
    """
    budget = budget or Budget(plan.seconds if plan.seconds is not None else math.inf)
    result = finished_result(folder, stage.name)
    if result is not None:
        budget.restore(result.consumed_seconds)
        learner = Learner(family.to(plan.device).eval(), optimisation=stage.optimisation)
        KeptStates(folder, stage=stage.name, writes=False).load_best(learner, result.best_step)
        return result
    return _Trainer(plan, stage, family=family, data=data, folder=folder, watch=watch or Watch(), budget=budget).run()


class _Trainer:
    """One training while it runs."""

    def __init__(
        self,
        plan: TrainingPlan,
        stage: Stage,
        *,
        family: Family,
        data: TrainingData,
        folder: Path,
        watch: Watch,
        budget: Budget,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(plan.threads)
        self.plan, self.stage, self.watch, self.budget, self.folder = plan, stage, watch, budget, folder
        self.team = Team(plan.device)
        self.log = EventLog(
            folder / "metrics.jsonl" if self.team.leads else None,
            stage=stage.name,
            on_event=watch.on_event,
            consumed=budget.consumed,
        )
        self.states = KeptStates(folder, stage=stage.name, writes=self.team.leads)
        together = stage.optimisation.batch_size
        sources = {
            split: BatchSource(
                store, data.codec, family=stage.family, seed=plan.seed, device=plan.device, together=together
            )
            for split, store in data.stores.items()
            if split != "held_out" and len(store)
        }
        self.source = sources["train"]
        self.inner = sources.get("inner", self.source)
        if "inner" not in sources:
            self.log.emit("warning", message="there is no inner validation set; the training data judge the weights")
        workers = plan.workers if family.concurrent else 1  # the plan was measured on the last stage
        self.counters = Counters(micro_batches=stage.optimisation.accumulate * workers)
        family.know(data.codec)
        self._start(family)
        later = plan.recipe.stages[[other.name for other in plan.recipe.stages].index(stage.name) :]
        share = stage.share / sum(other.share for other in later)
        self.pace = Pace(plan.steps, budget=budget, start_seconds=self.counters.start_seconds, share=share)
        self.stepper = Stepper(
            self.learner,
            source=self.source,
            optimisation=stage.optimisation,
            seed=plan.seed,
            team=self.team,
            workers=workers,
            on_smaller=lambda parts: self.log.emit(
                "smaller_batches", message=f"memory ran out; a batch is now computed in {parts} parts", parts=parts
            ),
        )
        self.throughput = Throughput(
            self.stepper.positions * self.source.items_per_position,
            operations_an_item=stage.family.training_operations(),
            peak_operations_per_second=plan.predicted.get("peak_operations_per_second"),
        )
        operations = stage.family.training_operations() * self.throughput.items_a_step
        self.good_every = int(min(GOOD_STATE_STEPS, max(1, GOOD_STATE_OPERATIONS // max(1.0, operations))))
        self.check_every = LOSSES_READ_TOGETHER[torch.device(plan.device).type]
        self.losses = RecentLosses()
        self.watched = self.learner.phases[0].name
        self.sample_seconds, self.has_given_up = 0.0, False

    def _start(self, family: Family) -> None:
        """Take up the newest whole checkpoint, or draw the first weights."""
        saved, damaged = self.states.newest()
        for reason in damaged:
            self.log.emit("warning", message=f"{reason}; going on from the state before")
        if saved is None:
            family.begin(torch_generator(self.plan.seed, "initialise"), self.source.first_look())
        family.precision = self.plan.precision
        self.learner = Learner(family.to(self.plan.device).train(), optimisation=self.stage.optimisation)
        if saved is None:
            self.counters.start_seconds = self.budget.consumed()
            self.states.keep_good(self.learner, self.counters)
        else:
            self.counters = Counters.from_dictionary(saved.body)
            self.learner.load(saved.tensors)
            self.budget.restore(self.counters.consumed_seconds)
        self.meter = EnergyMeter(self.counters.consumption)
        self.process_start, self.earlier_seconds = time.monotonic(), self.counters.training_seconds
        parameters = sum(parameter.numel() for parameter in family.parameters())
        event = "started" if saved is None else "resumed"
        self.log.emit(event, step=self.counters.step, parameters=parameters, data=self.plan.data_fingerprint)

    def run(self) -> StageResult:
        """Train until the pace is over and return the result."""
        while True:
            step = self.counters.step
            over = self.has_given_up or (
                step > 0 and self.pace.is_over(step, step_seconds=self.throughput.step_seconds)
            )
            progress, ends, stop = self.team.agree([self.pace.progress(step), over, self.watch.stop()])
            if stop:
                self._interrupt()
            if ends:
                if self.has_given_up or self._losses_are_healthy():
                    break
                self._roll_back()
                continue
            self._step(progress)
            self._look_after()
        self._validate(1.0)
        if message := hurry_message(self.plan, self.stage.name, self.counters.step):
            self._note("hurried", message, broken_step=self.counters.step)
        return self._finish()

    def _step(self, progress: float) -> None:
        counters, optimisation = self.counters, self.stage.optimisation
        multiplier = counters.learning_rate_scale * learning_rate_multiplier(
            progress,
            step=counters.step,
            warmup_steps=optimisation.warmup_steps,
            descent_share=optimisation.descent_share,
        )
        begin = time.perf_counter()
        losses, counters.micro_batches = self.stepper.step(
            counters.step, draw=counters.draw, multiplier=multiplier, micro_batches=counters.micro_batches
        )
        counters.step += 1
        self.losses.add(losses)
        if counters.step % WeightAverage.EVERY_STEPS == 0:
            self._update_average()
        self.throughput.add(time.perf_counter() - begin)
        if self.log.progress_is_due():
            self._report_progress(multiplier * optimisation.learning_rate)

    def _look_after(self) -> None:
        """Do what is due between two steps: judge the losses, validate, keep a good state, write a checkpoint."""
        counters = self.counters
        is_good_moment = counters.step % self.good_every == 0
        if (is_good_moment or counters.step % self.check_every == 0) and not self._losses_are_healthy():
            self._roll_back()
            return
        (progress,) = self.team.agree([self.pace.progress(counters.step)])
        health = self._health(progress) if is_good_moment else Health()
        if health.alarm:
            self._roll_back(health.alarm)
            return
        if progress < 1.0 and progress >= MOMENTS[counters.moment]:
            self._validate(progress)
        is_calm = len(self.learner.phases) > 1 or counters.loss_watch.is_calm()
        if is_good_moment and health.is_good and is_calm and self.learner.is_finite():
            self.states.keep_good(self.learner, counters)
        if self.states.checkpoint_is_due(counters, shortest_seconds=self.watch.checkpoint_seconds):
            self.log.emit("checkpoint", step=self.states.save_good(self._spent()))

    def _losses_are_healthy(self) -> bool:
        found = self.losses.read(self.team.average)
        for loss in found.get(self.watched, ()):
            self.counters.loss_watch.add(loss)
        if not all(math.isfinite(loss) for losses in found.values() for loss in losses):
            return False
        # Losses of adversaries and policies swing by nature.
        return len(self.learner.phases) > 1 or not self.counters.loss_watch.is_spike()

    def _health(self, progress: float) -> Health:
        place = (self.plan.seed, self.counters.draw)
        return family_health(self.learner.family, team=self.team, place=place, progress=progress)

    def _roll_back(self, reason: str = "the loss broke") -> None:
        """Go back to the last good state; after too many returns in a row end with the best weights there are, or with an error."""
        broken = self.counters
        if broken.rollbacks_in_row >= MOST_ROLLBACKS:
            message = f"{reason} (step {broken.step}), again after {broken.rollbacks_in_row} returns to step {broken.good_step}"
            if self.states.best is None:
                raise DivergedError(message, do=HINT)
            self.has_given_up = True
            kept = f"the best weights so far, of step {self.states.best[1]}, are kept"
            self._note("gave_up", f"{message}; {kept}", broken_step=broken.step)
            return
        self.learner.load(self.states.good_tensors)
        self.counters = broken.rolled_back_to(self.states.good_body)
        message = return_message(reason, broken_step=broken.step, good_step=self.counters.step)
        self._note("rolled_back", message, broken_step=broken.step)

    def _note(self, event: str, message: str, *, broken_step: int) -> None:
        """Log what went wrong, and remember it for the report."""
        self.counters.incidents.append(message)
        self.log.emit(event, message=message, step=self.counters.step, broken_step=broken_step)

    def _spent(self) -> Counters:
        """Return the counters with seconds and energy up to date."""
        counters = self.counters
        counters.consumed_seconds = self.budget.consumed()
        counters.training_seconds = self.earlier_seconds + time.monotonic() - self.process_start
        counters.consumption = self.meter.consumption()
        return counters

    def _interrupt(self) -> NoReturn:
        if not self._losses_are_healthy():
            self._roll_back()
        if self.counters.good_step > self.states.saved_step:
            self.states.save_good(self._spent())
        if self.counters.step > self.counters.good_step:
            self.states.save(self.learner.tensors(), self.counters, spent=self._spent())
        self.log.emit("interrupted", step=self.counters.step)
        raise InterruptedRunError(
            f'stopped at step {self.counters.step} of stage "{self.stage.name}"; everything up to it is saved in {self.folder}',
            do="run the same command again: it goes on from there",
        )

    def _update_average(self) -> None:
        average, counters = self.learner.average, self.counters
        if average is not None and counters.step > counters.average_step:
            average.update(step=counters.step, previous_step=counters.average_step)
            counters.average_step = counters.step

    def _validate(self, progress: float) -> None:
        """Measure the averaged weights on the inner set, write them if they are the best so far, and make a sample."""
        counters, begin = self.counters, time.monotonic()
        self._update_average()
        if counters.validation_count == 0:
            expected = self.plan.steps or counters.step / max(progress, 1e-6)
            count = validation_count(
                self.inner.count,
                expected_positions=expected * self.stepper.positions,
                batch_size=self.stage.optimisation.batch_size,
            )
            counters.validation_count = int(self.team.agree([count])[0])
        with self.learner.averaged():
            settle(self.learner.family, seed=self.plan.seed)
            health = self._health(progress)
            loss = validation_loss(
                self.learner.family,
                source=self.inner,
                count=counters.validation_count,
                batch_size=max(1, self.stepper.positions // counters.micro_batches),
                seed=self.plan.seed,
            )
            is_better = self.states.best is None or loss < self.states.best[0]
            is_best = math.isfinite(loss) and is_better and not health.alarm
            if is_best:
                self.states.save_best(self.learner, inner_loss=loss, step=counters.step)
            self.pace.closing_seconds = CLOSING_MARGIN * (time.monotonic() - begin)
            counters.inner_loss = loss
            counters.moment = sum(moment <= progress for moment in MOMENTS)
            found = {"inner_loss": loss, "is_best": is_best, "examples": counters.validation_count, **health.metrics}
            self.log.emit("validation", step=counters.step, **found)
            if health.alarm:
                message = f"{health.alarm} (averaged weights, step {counters.step}); they are not kept"
                self._note("unhealthy", message, broken_step=counters.step)
            self._sample()

    def _sample(self) -> None:
        if self.watch.sample is None or not self.team.leads:
            return
        begin = time.monotonic()
        if self.sample_seconds > SAMPLE_SHARE * self.pace.length_seconds:
            return
        self.log.emit("sample", step=self.counters.step, sample=self.watch.sample(self.learner.family))
        self.sample_seconds = time.monotonic() - begin

    def _report_progress(self, learning_rate: float) -> None:
        counters, means = self.counters, self.losses.means()
        self.log.emit(
            "progress",
            step=counters.step,
            steps=self.plan.steps,
            progress=round(self.pace.progress(counters.step), 5),
            loss=means.get(self.watched),
            losses=means,
            metrics=self.stepper.metrics,
            inner_loss=counters.inner_loss if math.isfinite(counters.inner_loss) else None,
            items=counters.step * self.throughput.items_a_step,
            items_per_second=self.throughput.items_per_second,
            seconds_left=round(self.pace.seconds_left(counters.step, step_seconds=self.throughput.step_seconds), 2),
            peak_fraction=self.throughput.peak_fraction,
            learning_rate=learning_rate,
        )

    def _finish(self) -> StageResult:
        if self.states.best is None:
            raise DivergedError(
                "no validation gave weights worth keeping", expected="a finite loss and a healthy model", do=HINT
            )
        inner_loss, best_step = self.states.best
        self.team.agree([0.0])  # the leader has written the best weights before anybody reads them
        self.states.load_best(self.learner, best_step)
        self.learner.family.eval()
        self.learner.family.precision = "float32"
        spent = self._spent()
        result = StageResult(
            stage=self.stage.name,
            inner_loss=inner_loss,
            best_step=best_step,
            steps=self.counters.step,
            items=self.counters.step * self.throughput.items_a_step,
            seconds=spent.training_seconds,
            consumed_seconds=spent.consumed_seconds,
            items_per_second=self.throughput.items_per_second,
            peak_fraction=self.throughput.peak_fraction,
            rollbacks=self.counters.rollbacks,
            energy=energy_range(spent.consumption),
            curve=str(self.folder / "metrics.jsonl"),
            incidents=self.counters.incidents,
        )
        if self.team.leads:
            write_result(self.folder, result)
        self.log.emit("finished", step=self.counters.step, inner_loss=inner_loss, best_step=best_step)
        return result
