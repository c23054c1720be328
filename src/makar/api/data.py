"""What is there and what would be done with it: ``inspect`` and ``plan`` in Python."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from makar.data.dataset import DataSet, Inspection, open_dataset
from makar.data.feedback.source import FEEDBACK_PREFIX
from makar.data.fingerprint import BUILT_IN_PREFIX
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact
    from makar.training.plan import TrainingPlan

Source: TypeAlias = str | Path | np.ndarray | list[str] | DataSet
"""``builtin:NAME``, ``feedback:``, a file, a folder, an archive, images ``[items, height, width, channels]`` uint8, texts, a data set."""


def inspect(source: Source, *, medium: str | None = None, columns: str = "") -> Inspection:
    """Say what is in a source: what would be used, skipped and why, duplicates, languages, sizes, licences.

    Args:
        source: See ``Source``.
        medium: Take this medium where there are several; ``None`` takes the one with the most content.
        columns: Which columns of a table play the roles of a task, ``"source=en,target=de"``; by default by their names.

    Raises:
        EmptyDataError: Nothing usable was found.
    """
    return dataset_of(source, medium=medium, columns=columns).inspection


def plan(
    source: Source,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    recipe: str | None = None,
    medium: str | None = None,
    columns: str = "",
    seed: int = 0,
    settings: Sequence[str] = (),
    from_model: str | Path | None = None,
    adapter: str | None = None,
    probe: bool = True,
) -> "TrainingPlan":
    """Choose recipe and sizes for this data, this machine and this time, and say what to expect.

    Args:
        source: See ``Source``.
        minutes: Wall-clock time, from the finished store to the saved model. Either this or ``steps``.
        steps: A fixed number of steps; the sizes then come from the data alone.
        recipe: Name of a recipe; ``None`` chooses by medium and labels.
        medium: Take this medium where there are several; ``None`` takes the one with the most content.
        columns: Which columns of a table play the roles of a task.
        seed: Seed of every draw.
        settings: ``PATH=VALUE`` changes to the recipe, for example ``"stages.0.family.width=128"``.
        from_model: Name or folder of a saved model to begin from.
        adapter: Learn an adapter of that model: ``"lora"``, ``"rslora"``, ``"dora"`` or ``"qlora"``.
        probe: Whether to measure this machine for a few seconds; without it known figures are used.

    Raises:
        UsageError: Neither or both of ``minutes`` and ``steps`` were given.
    """
    from makar.planning import Request, plan_training

    parent = None
    if from_model is not None:
        # Opened before the data is read: a wrong name should not cost an hour.
        from makar.api.parent import open_parent

        parent = open_parent(from_model)
    medium = medium_for(source, medium, from_model)
    dataset = dataset_of(source, medium=medium, columns=columns)
    request = Request(
        recipe=recipe,
        seconds=seconds_of_budget(minutes, steps),
        steps=steps,
        seed=seed,
        settings=tuple(settings),
        probe=probe,
        origin=None if parent is None else parent.origin,
        adapter=adapter,
    )
    planned = plan_training(dataset, request)
    if parent is not None:
        parent.check(dataset, planned.recipe)
    return planned


def medium_for(source: Source, medium: str | None, from_model: str | Path | None) -> str | None:
    """Return the medium that data is read as: the one that was asked for; of feedback, that of the model that learns from it."""
    if medium is not None or from_model is None or not str(source).startswith(FEEDBACK_PREFIX):
        return medium
    from makar.artifacts.load import load_artifact

    made = load_artifact(from_model).medium
    return "text" if made == "code" else made


def dataset_of(
    source: Source,
    *,
    medium: str | None = None,
    columns: str = "",
    progress: Callable[[str, int, int | None], None] | None = None,
) -> DataSet:
    """Open a source, or pass on a data set that is open already.

    Raises:
        UsageError: An open data set is of another medium than the one asked for, or was read by other columns.
    """
    if isinstance(source, DataSet):
        if medium is not None and medium != source.medium:
            raise UsageError(f'the open data set is {source.medium}, not "{medium}"', do="open the source again")
        if columns and columns != source.columns:
            raise UsageError("other columns for a data set that is open", do="open the source again")
        return source
    return open_dataset(source, medium=medium, columns=columns, progress=progress)


def data_for(artifact: "Artifact", source: Source | None) -> DataSet | None:
    """Open what a model is to be measured on as the data that it learned from was read: medium, and columns named by hand.

    Raises:
        UnknownNameError: A table lacks one of those columns.
    """
    if source is None or isinstance(source, DataSet):
        return source if source is None else dataset_of(source, medium=artifact.medium)
    # Columns are of files only, and not of every source that a model may be measured on.
    is_of_files = isinstance(source, str | Path) and not str(source).startswith((BUILT_IN_PREFIX, FEEDBACK_PREFIX))
    columns = artifact.columns if is_of_files else ""
    return dataset_of(source, medium=artifact.medium, columns=columns)


def seconds_of_budget(minutes: float | None, steps: int | None) -> float | None:
    """Return the budget in seconds, or ``None`` for a fixed number of steps.

    Raises:
        UsageError: Neither or both were given, or the time is not positive.
    """
    if (minutes is None) == (steps is None):
        came = "neither a time nor a number of steps" if minutes is None else "both a time and a number of steps"
        raise UsageError(
            came, expected="one of them", do="--for 10m or --steps 1000 (in Python: minutes=10 or steps=1000)"
        )
    if minutes is not None and not minutes > 0:
        raise UsageError(f"{minutes} minutes", expected="more than 0")
    return None if minutes is None else minutes * 60.0
