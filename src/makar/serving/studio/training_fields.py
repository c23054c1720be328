"""What the routes of trainings read, as words of the shell; see ``makar.serving.fields``."""

import dataclasses
import re
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError
from makar.serving.tuning_fields import MOST_MINUTES, MOST_STEPS

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InspectFields(Config):
    """Body of POST /makar/v1/inspect."""

    kind: ClassVar[str] = ""

    source: str = setting(
        meaning="a folder that was brought, builtin:NAME, or a path inside a folder that the server may read"
    )
    medium: str | None = setting(None, meaning="take this medium where there are several")
    columns: str | None = setting(None, meaning="tables: role=column,...")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanFields(InspectFields):
    """Body of POST /makar/v1/plan."""

    minutes: float | None = setting(None, meaning="wall-clock time to train", minimum=0.01, maximum=float(MOST_MINUTES))
    steps: int | None = setting(None, meaning="a fixed number of steps instead", minimum=1, maximum=MOST_STEPS)
    recipe: str | None = setting(None, meaning="a recipe by its name; none takes what the data are for")
    from_model: str | None = setting(None, meaning="a model of this server to begin from")
    adapter: str | None = setting(
        None, meaning="learn an adapter of that model", choices=("lora", "rslora", "dora", "qlora")
    )
    seed: int = setting(0, meaning="of every draw", minimum=0)
    settings: list | None = setting(None, meaning='changes of the recipe, "PATH=VALUE"')


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainFields(PlanFields):
    """Body of POST /makar/v1/runs."""

    name: str | None = setting(None, meaning="of the new model")


def inspect_words(fields: InspectFields, source: str) -> list[str]:
    """Return the words behind ``inspect``, ``plan`` or ``train`` that say what is read."""
    words = [source]
    if fields.medium:
        words += ["--medium", _word(fields.medium, "medium")]
    if fields.columns:
        words += [f"--columns={fields.columns}"]
    return words


def plan_words(fields: PlanFields, source: str, parent: str | None) -> list[str]:
    """Return the words behind ``plan`` or ``train``.

    Args:
        fields: What was asked.
        source: What is read.
        parent: Folder of the model to begin from.

    Raises:
        ConfigError: Neither or both of time and steps were given, or a word is none.
    """
    if (fields.minutes is None) == (fields.steps is None):
        raise ConfigError("body.minutes and body.steps", expected="one of them")
    words = inspect_words(fields, source)
    words += ["--steps", str(fields.steps)] if fields.minutes is None else ["--for", f"{60 * fields.minutes:g}s"]
    words += ["--recipe", _word(fields.recipe, "recipe")] if fields.recipe else []
    words += ["--from", parent] if parent else []
    words += ["--adapter", fields.adapter] if fields.adapter else []
    words += ["--seed", str(fields.seed)] if fields.seed else []
    for change in fields.settings or []:
        if not isinstance(change, str) or "=" not in change or change.startswith("-"):
            raise ConfigError(f"body.settings has {str(change)[:40]!a}", expected='"PATH=VALUE"')
        words += ["--set", change]
    return words


def model_name(name: str | None, usual: str) -> str:
    """Return the name of a new model.

    Raises:
        ConfigError: It could be something else than a name.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", usual).strip("-._")[:40] or "model"
    chosen = name or plain
    if not NAME.fullmatch(chosen):
        raise ConfigError("body.name is no name", expected="at most 64 letters, digits, dots, - and _")
    return chosen


def _word(value: Any, param: str) -> str:
    if not WORD.fullmatch(str(value)):
        raise ConfigError(f"body.{param} is {str(value)[:40]!a}", expected="a name")
    return str(value)
