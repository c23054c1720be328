"""What goes to stdout: tables for people, JSON for programs. Notes go to stderr. NO_COLOR and TERM=dumb are honoured."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2

Json = Annotated[bool, typer.Option("--json", help="Print the result, or the error, as JSON on stdout.")]


def console() -> "Console":
    """Return a console on stderr, without colour where it is not wanted."""
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    # A pipe has no width: lines must not be cut to that of a terminal that is not there.
    width = None if sys.stderr.isatty() else 200
    return Console(file=sys.stderr, no_color=plain, highlight=False, width=width, soft_wrap=not sys.stderr.isatty())


def print_json(values: Any) -> None:
    """Print a result as JSON on stdout."""
    print(json.dumps(values, indent=2, ensure_ascii=False, default=str))


def print_table(title: str, rows: Sequence[Mapping[str, Any]], *, empty: str = "nothing") -> None:
    """Print rows with the same keys as a table on stdout.

    Args:
        title: A line above the table; empty prints none.
        rows: One mapping a row; the keys of the first are the headings.
        empty: What to print when there are no rows.
    """
    if not rows:
        print(empty)
        return
    # Rich could draw it, but importing Rich takes longer than the rest of a list.
    headings = [name.replace("_", " ") for name in rows[0]]
    cells = [[text_of(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells)]
    widest = max(range(len(widths)), key=widths.__getitem__)
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - sum(widths) - GAP * (len(widths) - 1)
        widths[widest] = max(20, widths[widest] + min(0, room))
    if title:
        print(title)
    for line in [headings, ["-" * width for width in widths], *cells]:
        wrapped = textwrap.wrap(line[widest], widths[widest]) or [""]
        for index, part in enumerate(wrapped):
            shown = [part if place == widest else (text if index == 0 else "") for place, text in enumerate(line)]
            print((" " * GAP).join(text.ljust(width) for text, width in zip(shown, widths)).rstrip())


def print_pairs(title: str, values: Mapping[str, Any]) -> None:
    """Print nested values as indented ``name: value`` lines on stdout, skipping what is empty."""
    if title:
        print(title)
    _print_level(values, "  " if title else "")


def note(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)


def remarks_of(manifest: Mapping[str, Any]) -> list[str]:
    """Return what a person is told of an asset: what of its prompt was not read, how an edit flickers, what had to fit.

    Of a repair it is what the sandbox did not hold while its tests ran. Of many pictures of a film the last is told with the first.
    """
    unread, edit = manifest.get("unread_tokens"), manifest.get("edit", {})
    beyond, held = [], []
    if unread:
        beyond = [f"the prompt is longer than the model looks back: its first {unread:,} tokens were not read"]
    told = edit.get("flicker")
    flicker = [f"flicker {told['made']:.4f}, of what was given {told['given']:.4f}"] if told else []
    if open_to := edit.get("sandbox_could_not_hold"):
        held = [f"the sandbox did not hold everything here: {'; '.join(open_to)}"]
    return beyond + flicker + held + ([] if edit.get("frame") else list(edit.get("remarks", [])))


def text_of(value: Any) -> str:
    """Return a value as a reader wants it: few digits, yes and no, lists with commas."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    return str(value)


def duration_text(seconds: float) -> str:
    """Return seconds as ``45 s``, ``12 min 5 s`` or ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _print_level(values: Mapping[str, Any], indent: str) -> None:
    for name, value in values.items():
        label = str(name).replace("_", " ")
        if value in (None, "", [], {}, ()):
            continue
        if isinstance(value, Mapping):
            print(f"{indent}{label}:")
            _print_level(value, indent + "  ")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            print(f"{indent}{label}:")
            for item in value:
                print(f"{indent}  -")
                _print_level(item, indent + "    ")
        else:
            print(f"{indent}{label}: {text_of(value)}")
