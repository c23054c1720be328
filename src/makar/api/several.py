"""Training by several processes that ``torchrun`` started: the first one does everything, the others compute along when they are told.

The first process (``RANK`` 0) reads the data, owns the run, plans, saves and indexes. The others wait for its words, one JSON table each:
``stage`` with ``run`` and ``stores`` (take part in that stage), ``saved`` (the model is there), or ``failed``. They share Makar's folder
with the first, so on several machines ``MAKAR_HOME`` must be on a file system that all of them see.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from makar.api.interruption import stop_on_signal
from makar.api.parent import open_parent
from makar.api.stage_data import hand_judge
from makar.api.stores import open_stores
from makar.errors import DataError, RunError, UsageError
from makar.families.conversation.policy_family import PolicyFamily
from makar.families.family import build_family
from makar.recipe import PARENT
from makar.training.budget import Budget
from makar.training.distributed import Team
from makar.training.plan import TrainingPlan
from makar.training.progress import Watch
from makar.training.run_store import Run as StoredRun
from makar.training.run_store import open_run
from makar.training.trainer import train_stage


class Lead:
    """What the first process says to the others; one process alone speaks to nobody.

    Args:
        team: The processes.
    """

    def __init__(self, team: Team) -> None:
        self.team = team
        self._others_listen = True

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Tell the others when the block fails while they wait, so that they end too."""
        try:
            yield
        except BaseException as error:
            # In the middle of a stage they are in the same step and cannot listen; torchrun ends them.
            if self._others_listen:
                self.team.tell(json.dumps({"failed": str(error) or type(error).__name__}))
            raise

    @contextmanager
    def stage(self, run: StoredRun, name: str, *, stores: Path, parent: Path | None = None) -> Iterator[None]:
        """Let the others take part in a stage during the block.

        Args:
            run: The run, with its plan written.
            name: Name of the stage.
            stores: Folder of its codec and stores.
            parent: Folder of the model that it begins from.
        """
        words = {"stage": name, "run": run.id, "stores": str(stores), "parent": None if parent is None else str(parent)}
        self.team.tell(json.dumps(words))
        self._others_listen = False
        yield
        # The others have read the best weights before anything of the run is deleted.
        self.team.wait_for_all()
        self._others_listen = True

    def saved(self, run: StoredRun, place: Path) -> None:
        """Tell the others that the model is finished."""
        self.team.tell(json.dumps({"saved": str(place), "run": run.id}))

    def shared(self, plan: TrainingPlan) -> TrainingPlan:
        """Return a plan with the processor divided among the processes of this machine.

        Raises:
            UsageError: There are more processes than windows or items in a batch.
        """
        for index, stage in enumerate(plan.recipe.stages):
            if stage.optimisation.batch_size < self.team.size:
                raise UsageError(
                    f"{self.team.size} processes share batches of {stage.optimisation.batch_size}",
                    expected="at least one window or item a process",
                    do=f"fewer processes, or --set stages.{index}.optimisation.batch_size={self.team.size}",
                )
        if self.team.size == 1 or plan.device != "cpu":
            return plan
        here = self.team.local_size
        return plan.changed(threads=max(1, plan.threads // here), workers=max(1, plan.workers // here))


def follow(team: Team) -> tuple[StoredRun, Path]:
    """Do in another process than the first what it says, until the model is saved.

    Returns:
        (the run, the folder of the model)

    Raises:
        RunError: The first process failed.
        InterruptedRunError: Somebody asked to stop.
    """
    while True:
        words = json.loads(team.tell())
        if "failed" in words:
            raise RunError(f"the first process ended: {words['failed']}", do="see what it says")
        run = open_run(words["run"])
        if "saved" in words:
            return run, Path(words["saved"])
        _take_part(run, words["stage"], stores=Path(words["stores"]), parent=words["parent"])
        team.wait_for_all()


def _take_part(run: StoredRun, name: str, *, stores: Path, parent: str | None) -> None:
    plan, data = run.plan(), open_stores(stores)
    if plan is None or data is None:
        raise DataError(
            f"{run.folder} or {stores} cannot be seen by every process",
            expected="one folder for all",
            do="point MAKAR_HOME to a file system that all machines share",
        )
    (stage,) = (stage for stage in plan.recipe.stages if stage.name == name)
    family = build_family(stage.family)
    if parent is not None and stage.begins == PARENT:
        family.attach(open_parent(parent).family(stage, device=plan.device))
    if isinstance(family, PolicyFamily):
        hand_judge(family, data.codec)
    budget = Budget(math.inf if plan.seconds is None else plan.seconds)
    # The first process decides when to stop; a signal that came to all must not end this one before.
    with stop_on_signal() as asked:
        train_stage(
            plan,
            stage,
            family=family,
            data=data,
            folder=run.folder,
            watch=Watch(stop=asked),
            budget=budget,
        )
