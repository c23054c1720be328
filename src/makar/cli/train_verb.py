"""The verb ``train``: from data to a saved model; the same command goes on where an interrupted one stopped."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makar.cli.data_verbs import (
    Adapter,
    Columns,
    Data,
    From,
    Medium,
    RecipeName,
    Seed,
    Settings,
    Steps,
    Time,
    check_adapter,
    check_from,
)
from makar.cli.output import Json, note, print_json
from makar.cli.values import seconds_of

if TYPE_CHECKING:
    from makar.api.model import Model


def train(
    data: Data,
    time: Time = None,
    steps: Steps = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="Name or folder of the model; by default named after the data."),
    ] = None,
    recipe: RecipeName = None,
    medium: Medium = None,
    columns: Columns = "",
    seed: Seed = 0,
    settings: Settings = None,
    from_model: From = None,
    adapter: Adapter = None,
    voice_of: Annotated[
        list[str] | None,
        typer.Option(
            "--voice-of", metavar="NAME", help="Speech: whose voice it is; they must have agreed. May be repeated."
        ),
    ] = None,
    consent: Annotated[
        list[Path] | None,
        typer.Option("--consent", metavar="FILE", help="Their record, by makar consent record. May be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Train a model on DATA.

    In the given time or number of steps. Ctrl-C saves; the same command goes on.
    """
    from makar.api.consent import agreed
    from makar.api.data import dataset_of, medium_for, seconds_of_budget
    from makar.api.training import train as train_model
    from makar.cli.progress import Display
    from makar.training.machine import process_number

    seconds = seconds_of(time)
    minutes = None if seconds is None else seconds / 60
    # Wrong use is said before an hour of reading.
    seconds_of_budget(minutes, steps)
    if from_model is None:
        agreed(recipe, voice_of or (), consent or ())
    check_from(from_model)
    check_adapter(adapter, from_model=from_model)
    if process_number():
        # torchrun started several: the first reads, says and prints, and this one computes along.
        train_model(data, minutes=minutes, steps=steps)
        return
    with Display() as display:
        run = train_model(
            dataset_of(data, medium=medium_for(data, medium, from_model), columns=columns, progress=display.reading),
            minutes=minutes,
            steps=steps,
            output=output,
            recipe=recipe,
            seed=seed,
            settings=settings or [],
            from_model=from_model,
            adapter=adapter,
            voice_of=voice_of or (),
            consent=consent or (),
            on_event=display,
        )
    if json:
        print_json(run.to_dictionary())
        return
    print(run.model.path)
    name = shlex.quote(run.model.short_name)
    note(f"Try it: makar {_first_try(run.model, name)} ; measure it: makar evaluate {name}")


def _first_try(model: "Model", name: str) -> str:
    """Return verb and arguments of what the model can do: not all make something from nothing."""
    from makar.generation.speaking import Speaks

    if model.rewrites or isinstance(model.artifact.codec(), Speaks):
        return f'generate {name} "TEXT"'
    if model.artifact.family().creates:
        return f"generate {name}"
    config = model.artifact.recipe.stages[-1].family
    given = "TEXT" if model.makes_text else {"sound": "RECORDINGS"}.get(model.medium, "IMAGES")
    changed = "SOUND" if model.medium == "sound" else "IMAGE"
    return f"predict {name} {given}" if config.predictions else f"edit {name} {changed}"
