"""The verbs ``inspect`` and ``plan``: what is there, and what would be done with it."""

import shlex
from typing import Annotated

import typer

from makar.cli.completion import medium_names, model_names, recipe_names
from makar.cli.output import Json, note, print_json
from makar.cli.tables import print_inspection, print_plan
from makar.cli.values import seconds_of
from makar.errors import UnknownNameError, UsageError
from makar.families.adapter_config import ADAPTERS

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A file, a folder, an archive, or builtin:NAME.", show_default=False)
]
Medium = Annotated[
    str | None,
    typer.Option("--medium", help="Take this medium where there are several.", autocompletion=medium_names),
]
Columns = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="ROLE=COLUMN,...",
        help="Tables: which column plays which role, for example source=en,target=de or text=review,label=stars.",
    ),
]
Time = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="Wall-clock time to train, for example 90s, 10m or 2h.")
]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="A fixed number of steps instead; bit-reproducible.")]
RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", help="Recipe by name; see makar list recipes.", autocompletion=recipe_names),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every draw.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Change one setting of the recipe; may be repeated."),
]

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Begin from this saved model; without --recipe it is trained on.",
        autocompletion=model_names,
    ),
]

Adapter = Annotated[
    str | None,
    typer.Option(
        "--adapter", metavar="KIND", help="With --from: learn an adapter of that model; lora, rslora, dora or qlora."
    ),
]


def check_adapter(adapter: str | None, *, from_model: str | None) -> None:
    """Refuse an adapter of nothing or of an unknown kind, before the data is read.

    Raises:
        UsageError: It is one.
    """
    if adapter is None:
        return
    if adapter not in ADAPTERS:
        raise UnknownNameError("adapter", adapter, ADAPTERS)
    if from_model is None:
        raise UsageError(f"--adapter {adapter} of nothing", expected="a model that it adapts", do="--from MODEL")


def check_from(model: str | None) -> None:
    """Refuse a model that is not there, before the data is read.

    Raises:
        UnknownNameError: There is none of that name; the nearest is proposed.
    """
    if model is not None:
        from makar.artifacts.load import find_model

        find_model(model)


def inspect(data: Data, medium: Medium = None, columns: Columns = "", json: Json = False) -> None:
    """Say what is in DATA.

    What would be used, what is skipped and why; duplicates, languages, sizes, licences.
    """
    from makar.api.data import dataset_of
    from makar.cli.progress import Display

    with Display() as display:
        dataset = dataset_of(data, medium=medium, columns=columns, progress=display.reading)
    values = dataset.inspection.to_dictionary()
    if json:
        print_json(values)
        return
    print_inspection(values)


def plan(
    data: Data,
    time: Time = None,
    steps: Steps = None,
    recipe: RecipeName = None,
    medium: Medium = None,
    columns: Columns = "",
    seed: Seed = 0,
    settings: Settings = None,
    from_model: From = None,
    adapter: Adapter = None,
    probe: Annotated[bool, typer.Option(help="With --for: measure this machine for a few seconds.")] = True,
    json: Json = False,
) -> None:
    """Plan a training without doing it.

    Says which recipe and size fit DATA, this machine and this time, and what to expect.
    """
    from makar.api.data import dataset_of, medium_for, seconds_of_budget
    from makar.api.data import plan as plan_training
    from makar.cli.progress import Display

    seconds = seconds_of(time)
    minutes = None if seconds is None else seconds / 60
    seconds_of_budget(minutes, steps)
    check_from(from_model)
    check_adapter(adapter, from_model=from_model)
    with Display() as display:
        dataset = dataset_of(
            data, medium=medium_for(data, medium, from_model), columns=columns, progress=display.reading
        )
        if probe and seconds is not None:
            display.say("measuring this machine")
        planned = plan_training(
            dataset,
            minutes=minutes,
            steps=steps,
            recipe=recipe,
            seed=seed,
            settings=settings or [],
            from_model=from_model,
            adapter=adapter,
            probe=probe,
        )
    if json:
        print_json(planned.to_dictionary())
        return
    print_plan(dataset.name, planned.to_dictionary())
    given = {
        "--for": time,
        "--steps": steps,
        "--recipe": recipe,
        "--medium": medium,
        "--columns": columns or None,
        "--seed": seed or None,
        "--from": from_model,
        "--adapter": adapter,
    }
    words = ["makar", "train", data]
    words += [str(word) for option, value in given.items() if value is not None for word in (option, value)]
    words += [word for setting in settings or [] for word in ("--set", setting)]
    note(f"Nothing was trained. To do it: {shlex.join(words)}")
