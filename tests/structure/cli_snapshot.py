"""Writes ``cli_options.json``, every verb with its options: run ``make snapshot`` after a deliberate change."""

import json
from pathlib import Path

import typer

SNAPSHOT = Path(__file__).with_name("cli_options.json")


def commands(command=None, words=("makar",)):
    """Yield (words, command) for every verb of the command line."""
    from makar.cli.app import make_app

    command = command or typer.main.get_command(make_app())
    inner = getattr(command, "commands", {})
    if not inner:
        yield words, command
    for name, item in inner.items():
        yield from commands(item, (*words, name))


def current():
    """Return every verb with its arguments and options."""
    return {" ".join(words): sorted(_described(item) for item in command.params) for words, command in commands()}


def _described(parameter):
    if parameter.param_type_name == "argument":
        return f"<{parameter.name}>" + ("" if parameter.required else "?")
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
    print(SNAPSHOT)
