"""What a complete plan is: codec, family and optimisation of one or more stages; and whether its parts fit.

A recipe is a value. Functions in ``makar.recipes`` and in plug-ins return one; planning fills in sizes for a machine and a time;
training carries it out. A recipe that is ``grown`` begins from a saved model: its function takes what is known of that model (``Origin``)
and returns a recipe whose stages say what they take from it; without one it returns an example for lists. One that ``grows`` can begin
from a model or from nothing. Any other recipe can be trained on with the model that it made (``continued``). No torch here.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import ClassVar

from makar.codecs.chat_config import ROWS_OF, TASKS_OF, ChatCodecConfig
from makar.codecs.codec import CodecConfig
from makar.config import Config, setting
from makar.data.task_columns import ROLES
from makar.errors import ConfigError, UnsupportedError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import TensorSpec, mismatches

NOTHING, PARENT, BASE, KEPT = "nothing", "parent", "base", "kept"
"""Where a stage begins."""

GENTLE_RATE = 0.3
"""Learning rate of a training that goes on with finished weights, as a share of the rate that made them.

Measured with a text model of 0.13 million parameters, 800 steps on documentation of Python and then 200 on tiny_shakespeare, one seed,
held-out nats a token of the new text and of the old (1.52 before): share 0.03 2.15 and 1.76, 0.1 1.94 and 1.95, 0.3 1.79 and 2.15, 1
1.70 and 2.46. The higher, the more is learned and the more forgotten (Ibrahim et al. 2024, arXiv 2403.08763).
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimisationConfig(Config):
    """How weights are moved: AdamW with a warm-up, a plateau and a linear descent to zero at the end."""

    kind: ClassVar[str] = ""

    learning_rate: float = setting(2e-3, meaning="peak learning rate", minimum=0.0, maximum=10.0)
    batch_size: int = setting(32, meaning="windows or items a step", minimum=1)
    beta_1: float = setting(0.9, meaning="decay of the mean of gradients", minimum=0.0, maximum=0.9999)
    beta_2: float = setting(0.99, meaning="decay of the mean of squared gradients", minimum=0.0, maximum=0.99999)
    weight_decay: float = setting(0.0, meaning="decoupled weight decay (AdamW)", minimum=0.0)
    warmup_steps: int = setting(50, meaning="steps of linear rise of the learning rate", minimum=0)
    descent_share: float = setting(
        0.6, meaning="share of the run over which the learning rate falls to zero", minimum=0.0, maximum=1.0
    )
    gradient_clip: float = setting(0.0, meaning="largest norm of the gradient; 0 does not clip", minimum=0.0)
    accumulate: int = setting(1, meaning="batches whose gradients are added before a step", minimum=1)
    average_share: float = setting(
        0.0,
        meaning="half-life of the weight average as a share of the run; 0 does not average",
        minimum=0.0,
        maximum=1.0,
    )
    precision: str = setting(
        "auto", meaning="number format of matrix products; auto measures", choices=("auto", "float32", "bfloat16")
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parent(Config):
    """The saved model that a training begins from."""

    kind: ClassVar[str] = ""

    name: str = setting(meaning="name that it had when it was used")
    hash: str = setting(meaning="hash of its signed manifest, which is its identity")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage(Config):
    """One training within a recipe, with its share of the budget."""

    name: str = setting(meaning="name in the log and folder of the component")
    codec: CodecConfig = setting(meaning="how records become arrays")
    family: FamilyConfig = setting(meaning="networks, objective and sampler")
    optimisation: OptimisationConfig = setting(meaning="how weights are moved", factory=OptimisationConfig)
    share: float = setting(1.0, meaning="share of the budget", minimum=0.0, maximum=1.0)
    begins: str = setting(
        NOTHING,
        meaning="nothing draws the weights and fits the codec; parent takes both from the stage of that name of the parent; base takes the "
        "codec and learns over the parent, which the family opens itself; kept leaves that stage as it is and trains nothing",
        choices=(NOTHING, PARENT, BASE, KEPT),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(Config):
    """A complete, named plan with the result to expect."""

    name: str = setting(meaning="name in makar list recipes")
    medium: str = setting(meaning="medium of the records it learns from")
    summary: str = setting(meaning="one sentence for a list")
    expected: str = setting("", meaning="a measured result, with data set, time and machine")
    stages: tuple[Stage, ...] = setting(meaning="trainings in order")
    grown: bool = setting(False, meaning="whether it begins from a saved model")
    grows: bool = setting(False, meaning="whether its function also makes a recipe that begins from a saved model")
    parent: Parent | None = setting(None, meaning="the saved model that it begins from; none while there is none")

    def check(self) -> None:
        """Check the fields, that the shares add up to one, that every codec fits its family's medium, and what stages begin from."""
        super().check()
        if not self.stages:
            raise ConfigError(f'recipe "{self.name}" has no stages', expected="at least one")
        total = sum(stage.share for stage in self.stages)
        if abs(total - 1.0) > 1e-6:
            raise ConfigError(f'the stages of recipe "{self.name}" share {total:g} of the budget', expected="1")
        self._check_components()
        for stage in self.stages:
            if stage.begins != NOTHING and not self.grown:
                raise ConfigError(
                    f'stage "{stage.name}" of recipe "{self.name}" begins from a model',
                    expected=f'begins = "{NOTHING}"',
                )
            if self.medium not in stage.codec.content_media:
                raise ConfigError(
                    f'codec "{stage.codec.kind}" cannot encode {self.medium}',
                    expected=f"one of {', '.join(stage.codec.content_media)}",
                )

    def _check_components(self) -> None:
        """Every stage has a name that a folder can bear; what a codec works through is trained before, and nothing in vain."""
        names = [stage.name for stage in self.stages]
        wrong = [name for name in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name)]
        if wrong or len(set(names)) < len(names):
            raise ConfigError(
                f'the stages of recipe "{self.name}" are named {", ".join(map(repr, names))}',
                expected="different names of letters, digits, - and _",
            )
        for position, stage in enumerate(self.stages):
            for name in stage.codec.components:
                if name not in names[:position]:
                    raise ConfigError(
                        f'the codec of stage "{stage.name}" works through "{name}"',
                        expected=f"an earlier stage: {', '.join(names[:position]) or 'there is none'}",
                    )
        used = {name for stage in self.stages for name in stage.codec.components}
        for name in names[:-1]:
            if name not in used:
                raise ConfigError(
                    f'nothing uses stage "{name}" of recipe "{self.name}"',
                    expected="a later stage whose codec names it as a component",
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """What planning knows of the model that a training begins from; no weights.

    Attributes:
        parent: Its name and hash.
        recipe: The recipe that made it, codecs and families as they were fitted and trained; the model is its last stage.
        plain_spec: From a stage that begins from it to what the codec of the content itself makes there.
    """

    parent: Parent
    recipe: Recipe
    plain_spec: Callable[[Stage], TensorSpec]

    @property
    def model(self) -> Stage:
        """The stage that is the model."""
        return self.recipe.stages[-1]


def gentle(made: Stage) -> OptimisationConfig:
    """Return how the weights of a stage that was trained already are moved on; a rate that is gentle already stays."""
    rate = made.optimisation.learning_rate
    return made.optimisation.changed(learning_rate=GENTLE_RATE * rate if made.begins == NOTHING else rate)


def continued(origin: Origin) -> Recipe:
    """Return the recipe that trains a model on: its last stage from its weights, what it works through as it is."""
    *earlier, last = origin.recipe.stages
    stages = [stage.changed(begins=KEPT, share=0.0) for stage in earlier]
    model = last.changed(begins=PARENT, share=1.0, optimisation=gentle(last))
    return origin.recipe.changed(
        stages=(*stages, model),
        grown=True,
        parent=origin.parent,
        summary=f"{origin.parent.name}, trained on with other data",
        expected="",
    )


def check_fit(stage: Stage, made: TensorSpec) -> None:
    """Compare what a fitted codec makes with what the stage's family accepts.

    Raises:
        ConfigError: They do not fit; every reason is listed.
    """
    reasons = mismatches(made, stage.family.accepts())
    if reasons:
        raise ConfigError(
            f'codec "{stage.codec.kind}" does not fit family "{stage.family.kind}": ' + "; ".join(reasons),
            expected="matching slots",
        )


def check_task(recipe: Recipe, found: str) -> None:
    """Refuse data that is not labelled for what a recipe learns.

    Args:
        recipe: The recipe.
        found: The task that the data is labelled for; empty for none.

    Raises:
        UnsupportedError: It is another.
    """
    for stage in recipe.stages:
        task = stage.codec.needed_task
        if task is not None and found != task:
            came = f"labelled for the task {found}" if found else "a table with no known roles, or no table"
            roles = ",".join(f"{role}=COLUMN" for role in ROLES[task])
            raise UnsupportedError(
                f'recipe "{recipe.name}" learns the task {task}, the data is {came}',
                expected=f"a table with columns for {', '.join(ROLES[task])}",
                do=f"name them: --columns {roles}; makar inspect DATA says how it is read",
            )


def check_rows(codec: CodecConfig, found: str, *, medium: str, recipe: str) -> None:
    """Refuse data whose rows cannot become what a codec of conversations makes of them.

    Args:
        codec: The codec.
        found: The task that the data is labelled for; empty for none.
        medium: The medium of the data.
        recipe: Name of the recipe.

    Raises:
        UnsupportedError: They cannot.
    """
    if not isinstance(codec, ChatCodecConfig) or found in TASKS_OF[codec.makes]:
        return
    came = f'labelled for the task "{found}"' if found else f"{medium} that is labelled for no task"
    raise UnsupportedError(
        f'recipe "{recipe}" learns from {ROWS_OF[codec.makes]}, the data is {came}',
        expected=f"a table labelled for the task {' or '.join(TASKS_OF[codec.makes])}",
        do="name the columns: --columns prompt=COLUMN,response=COLUMN, or leave --recipe out",
    )
