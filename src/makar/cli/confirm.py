"""Asks before something is deleted: a question on a terminal, the option --yes everywhere else."""

import sys
from typing import Annotated

import typer

from makar.errors import UsageError

Yes = Annotated[bool, typer.Option("--yes", help="Delete without asking.")]


def confirm(question: str, *, yes: bool) -> None:
    """Return when the deletion is wanted.

    Args:
        question: What is about to happen, as a question.
        yes: Whether ``--yes`` was given.

    Raises:
        UsageError: It is not wanted, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was deleted: there is no terminal to ask on", expected="--yes", do="add --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was deleted", expected="y")
