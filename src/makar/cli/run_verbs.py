"""The verbs ``runs list``, ``show``, ``compare``, ``resume``, ``stop``, ``remove`` and ``clean``."""

from typing import Annotated, Any

import typer

from makar.cli.completion import run_names
from makar.cli.confirm import Yes, confirm
from makar.cli.output import Json, note, print_json, print_pairs, print_table

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run by its id.", autocompletion=run_names, show_default=False)
]


def list_(json: Json = False) -> None:
    """List the trainings of this machine, newest first."""
    from makar.api.runs import all_runs

    rows = all_runs()
    print_json(rows) if json else print_table("", rows, empty="no runs yet; makar train DATA --for 10m makes one")


def show(run: RunName, json: Json = False) -> None:
    """Show the plan, the state and the curve of one training."""
    from makar.api.runs import run_details

    values = run_details(run)
    if json:
        print_json(values)
        return
    curve = values.pop("curve")
    print_pairs("", values)
    print_table("curve", curve[-12:], empty="no steps yet")


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", autocompletion=run_names)], json: Json = False
) -> None:
    """Compare trainings: what differs in their plans, and what came out."""
    from makar.api.runs import compare_runs

    rows = compare_runs(runs)
    print_json(rows) if json else print_table("", rows)


def resume(run: RunName, json: Json = False) -> None:
    """Go on with a training that was stopped or killed."""
    from makar.api.training import resume as resume_run
    from makar.cli.progress import Display
    from makar.training.machine import process_number

    if process_number():
        resume_run(run)
        return
    with Display() as display:
        done = resume_run(run, on_event=display)
    print_json(done.to_dictionary()) if json else print(done.model.path)


def stop(run: RunName, json: Json = False) -> None:
    """Ask a training to save and stop; another process may be running it."""
    from makar.api.runs import stop_run

    values: dict[str, Any] = {"run": run, "stopped": stop_run(run)}
    if json:
        print_json(values)
    elif values["stopped"]:
        note(f"asked {run} to save and stop; makar runs resume {run} goes on")
    else:
        note(f"{run} is not running")


def remove(run: RunName, yes: Yes = False, json: Json = False) -> None:
    """Delete a training; the model that it made stays.

    Says what is lost and asks before. A training that is running is refused.
    """
    from makar.api.cleaning import losses, remove_run

    values = losses(run)
    if not json:
        note(f"{values['run']}, {values['megabytes']:.1f} MB. Lost would be:")
        for sentence in values["loses"]:
            note(f"  {sentence}")
        if values["keeps"]:
            note(f"The model stays: {values['keeps']}")
    confirm(f"delete {values['run']}?", yes=yes)
    remove_run(values["run"])
    print_json(values) if json else print(values["folder"])


def clean(yes: Yes = False, json: Json = False) -> None:
    """Delete encoded data that no training uses any more.

    Lists it and asks before. It is encoded again when the same data is trained on once more.
    """
    from makar.api.cleaning import remove_unused_stores, unused_stores

    rows = unused_stores()
    if rows:
        if not json:
            print_table("", rows)
        total = sum(row["megabytes"] for row in rows)
        confirm(f"delete {len(rows)} unused stores, {total:.1f} MB?", yes=yes)
        rows = remove_unused_stores()
    if json:
        print_json(rows)
    else:
        note(f"deleted {len(rows)}, {sum(row['megabytes'] for row in rows):.1f} MB" if rows else "nothing is unused")
