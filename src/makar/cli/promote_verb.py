"""The verb ``promote``: a better model takes a name, and ``--rollback`` gives it back."""

from typing import Annotated

import typer

from makar.cli.completion import model_names
from makar.cli.generate_verb import ModelName
from makar.cli.model_verbs import check_row
from makar.cli.output import Json, note, print_json, print_table
from makar.errors import UsageError


def promote(
    model: ModelName,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="The name that it is to have, which another model has.", autocompletion=model_names
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Text: what both are measured on; without it the held-out part of what MODEL learned from.",
            show_default=False,
        ),
    ] = None,
    suites: Annotated[
        str | None,
        typer.Option(
            "--suites",
            metavar="FOLDER",
            help="Text: tables of bias and safety that both are asked.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Texts or images that each makes; 0 takes the usual number.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of these.")] = 0,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Give the name MODEL back to the model that had it before.")
    ] = False,
    json: Json = False,
) -> None:
    """Let MODEL take the name of another model, where it is better and surely worse at nothing.

    The other one stays, under another name. Exit code 1 is discard.
    """
    from makar.api.promoting import promote as promote_model
    from makar.api.promoting import roll_back
    from makar.cli.progress import Display

    if rollback:
        if name is not None or data is not None or suites is not None or samples or seed:
            raise UsageError("--rollback with something to promote", expected="makar promote NAME --rollback alone")
        after = roll_back(model)
        print_json({"name": model, "kept_as": after}) if json else print(
            f"{model} is the model before; the other is {after}"
        )
        return
    if name is None:
        raise UsageError("no name to take", expected="MODEL NAME", do="makar promote NEW OLD")
    with Display() as display:
        found = promote_model(model, name, data=data, suites=suites, samples=samples, seed=seed, on_event=display)
    if json:
        print_json(found.to_dictionary())
    else:
        print_table("", [check_row(check) for check in found.verdict.checks])
        if found.kept_as is None:
            print(f"discard {found.verdict.new}")
        else:
            print(f"{name} is {found.verdict.new} now; the model before is {found.kept_as}")
            note(f"makar promote {name} --rollback takes it back")
    if found.kept_as is None:
        raise typer.Exit(1)
