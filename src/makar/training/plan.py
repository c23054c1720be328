"""A resolved plan: everything a training needs to know, frozen before the first step, so that a resume never probes again."""

import dataclasses
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError
from makar.recipe import Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingPlan(Config):
    """What will be done on this machine, in this time, with this data. Either ``seconds`` or ``steps`` is set."""

    kind: ClassVar[str] = ""

    recipe: Recipe = setting(meaning="the complete recipe, sizes filled in")
    seconds: float | None = setting(
        None, meaning="wall-clock budget from the finished store to the saved artifact", unit="seconds", minimum=1.0
    )
    steps: int | None = setting(
        None, meaning="fixed number of steps a stage; the run is then bit-reproducible", minimum=1
    )
    seed: int = setting(0, meaning="seed of every draw", minimum=0)
    device: str = setting("cpu", meaning="torch device", choices=("cpu", "cuda"))
    threads: int = setting(1, meaning="CPU threads inside an operation", minimum=1)
    workers: int = setting(
        1, meaning="parts of a batch computed at the same time, each with its own threads", minimum=1
    )
    precision: str = setting("float32", meaning="number format of matrix products", choices=("float32", "bfloat16"))
    data_fingerprint: str = setting("", meaning="hash of the data set")
    predicted: dict[str, Any] = setting(
        factory=dict, meaning="what planning expects: steps, items a second, loss, memory, disk, energy"
    )

    def check(self) -> None:
        """Check the fields and that exactly one kind of budget is given."""
        super().check()
        if (self.seconds is None) == (self.steps is None):
            raise ConfigError("a plan needs seconds or steps, and not both", expected="--for 10m or --steps 1000")

    @property
    def computing(self) -> str:
        """How the machine is used, in words: ``"2 workers, bfloat16"``."""
        parts = [(self.workers, "worker"), (self.threads, "thread")]
        shown = [f"{count} {name}{'s' if count > 1 else ''}" for count, name in parts if count > 1]
        return ", ".join([" of ".join(shown) or "1 thread", self.precision])

    @property
    def summary(self) -> str:
        """What is going to be done, in a sentence."""
        expected = self.predicted
        return (
            f"recipe {self.recipe.name}: {expected['parameters']:,} parameters, about {expected['steps']:,} steps, "
            f"{expected['epochs']:g} times through the data; {self.device}, {self.computing}"
        )
