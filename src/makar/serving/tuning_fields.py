"""What POST /v1/fine_tuning/jobs reads, as words of ``makar train``; see ``fields``."""

import dataclasses
import re
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError, UnsupportedError

USUAL_STEPS = 200
MOST_STEPS = 1_000_000
MOST_MINUTES = 7 * 24 * 60
METHODS = {"supervised": None, "dpo": "dpo"}
"""Methods of OpenAI and the recipes that they are; ``None`` takes what the data are for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuningFields(Config):
    """Body of POST /v1/fine_tuning/jobs."""

    kind: ClassVar[str] = ""

    model: str = setting(meaning="the saved model to begin from")
    training_file: str = setting(meaning="id of an uploaded file; feedback: or feedback:NAME for what people said")
    suffix: str | None = setting(None, meaning="end of the name of the new model: letters, digits, - and _")
    seed: int | None = setting(None, meaning="of every draw", minimum=0)
    hyperparameters: dict | None = setting(None, meaning='{"steps": 200}, or {"minutes": 10}')
    method: dict | None = setting(
        None, meaning='{"type": "supervised"} or {"type": "dpo"}, with hyperparameters inside'
    )
    metadata: dict | None = setting(None, meaning="kept with the job")
    recipe: str | None = setting(None, meaning="a recipe by its name, instead of a method")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a job trains.

    Attributes:
        method: In OpenAI's words.
        recipe: Name of a recipe; ``None`` takes what the data are for.
        length: The words of the shell that say how long.
        hyperparameters: As they were given.
    """

    method: str
    recipe: str | None
    length: tuple[str, str]
    hyperparameters: dict[str, Any]


def tuning_of(fields: TuningFields) -> Tuning:
    """Return how a job is to train.

    Raises:
        ConfigError: A value does not fit.
        UnsupportedError: There is no such method.
    """
    method = fields.method or {"type": "supervised"}
    kind = method.get("type")
    if not isinstance(kind, str) or kind not in METHODS:
        raise UnsupportedError(f"the method {str(kind)[:40]!a}", expected=", ".join(METHODS))
    inner = method.get(str(kind), {})
    given = dict(fields.hyperparameters or {})
    given |= dict(inner.get("hyperparameters") or {}) if isinstance(inner, dict) else {}
    known = {name: value for name, value in given.items() if value not in (None, "auto")}
    foreign = sorted(set(known) - {"steps", "minutes"})
    if foreign:
        raise UnsupportedError(
            f"the hyperparameters {', '.join(foreign)[:100]!a}",
            expected="steps, or minutes; the plan chooses sizes of batches and rates",
        )
    steps, minutes = known.get("steps"), known.get("minutes")
    if steps is not None and minutes is not None:
        raise ConfigError("body.hyperparameters has steps and minutes", expected="one of them")
    if minutes is not None:
        length = ("--for", f"{_within(minutes, MOST_MINUTES, 'minutes'):g}m")
    else:
        length = ("--steps", str(int(_within(USUAL_STEPS if steps is None else steps, MOST_STEPS, "steps"))))
    return Tuning(method=str(kind), recipe=fields.recipe or METHODS[str(kind)], length=length, hyperparameters=given)


def _within(value: Any, most: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ConfigError(f"body.hyperparameters.{name} is {str(value)[:20]!a}", expected=f"above 0, at most {most}")
    return value


def checked_name(suffix: str | None, usual: str) -> str:
    """Return the end of the name of a new model.

    Raises:
        ConfigError: It could be something else than a name.
    """
    if suffix is None:
        return usual
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", suffix):
        raise ConfigError("body.suffix is no name", expected="at most 64 letters, digits, - and _")
    return suffix
