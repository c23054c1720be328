"""The verbs ``runs list``, ``show``, ``compare``, ``resume`` and ``stop``."""

from typing import Annotated, Any

import typer

from makar.cli.completion import run_names
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
