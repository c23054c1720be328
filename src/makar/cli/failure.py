"""Turns every exception into lines that say what came, what was expected and what to do; a traceback only with MAKAR_DEBUG=1."""

import difflib
import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from makar.errors import InterruptedRunError, MakarError, UnknownNameError, UsageError


def report(error: BaseException, *, as_json: bool) -> int:
    """Print an error (on stderr, or as one JSON object on stdout) and return the exit code.

    Args:
        error: What was raised.
        as_json: Whether ``--json`` was asked for.
    """
    known = explain(error)
    if as_json:
        print(json.dumps(known.as_dictionary() | {"exit_code": known.exit_code}, ensure_ascii=False))
    else:
        lines = [("stopped" if known.exit_code == 130 else "error", known.came)]
        lines += [("expected", known.expected), ("do", known.do)]
        for word, text in lines:
            if text:
                print(f"{word}: {text}", file=sys.stderr)
    if os.environ.get("MAKAR_DEBUG") == "1" and error.__traceback__ is not None:
        traceback.print_exception(error, file=sys.stderr)
    return known.exit_code


def explain(error: BaseException) -> MakarError:
    """Return an error of the tree that says what another exception means for the reader."""
    if isinstance(error, MakarError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("interrupted", do="run the same command again; finished parts are kept")
    if isinstance(error, OSError):
        place = f" {error.filename}" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return MakarError(f"the disk is full{place}", do="free some space and run the same command again")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return MakarError(
                f"no permission for{place or ' a file'}",
                do="choose another folder, or set MAKAR_HOME to one you may write",
            )
        return MakarError(f"{error.strerror or error}{':' if place else ''}{place}", do="check the path")
    if isinstance(error, MemoryError):
        return MakarError("the memory is full", do="close other programs, or use less data or a smaller model")
    return MakarError(
        f"an error inside Makar: {type(error).__name__}: {error}",
        do="run it again with MAKAR_DEBUG=1 to see where, and report it",
    )


def usage_failure(error: typer.TyperException, root: Any, arguments: list[str]) -> MakarError:
    """Turn a parser's error into a usage error that names the nearest verb or option.

    Args:
        error: What the parser raised.
        root: The command that the parser was built from.
        arguments: The words of the command line.
    """
    message = error.format_message()
    command, path = _command_of(root, arguments)
    option = re.match(r"No such option: (\S+)", message)
    if option:
        known = [name for parameter in command.params for name in parameter.opts if name.startswith("-")]
        known += ["--help"]
        if "=" in option[1]:
            return _unknown("option", option[1].partition("=")[0], known, path)
        return _unknown("option", option[1], known, path)
    verb = re.match(r"No such command '([^']*)'", message)
    if verb:
        return _unknown("verb", verb[1], list(_verbs(command)), path)
    if message.startswith("Usage:"):
        return UsageError(
            f"{path} needs a verb", expected="one of: " + ", ".join(command.commands), do=f"{path} --help"
        )
    return UsageError(message.rstrip("."), do=f"{path} --help")


def _unknown(kind: str, name: str, known: list[str], path: str) -> MakarError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    do = f"did you mean {near[0]}?" if near else f"{path} --help"
    return UnknownNameError(kind, name, known, do=do)


def _verbs(command: Any) -> Mapping[str, Any]:
    """Return the verbs of a group, none for a single verb."""
    return command.commands if isinstance(command, TyperGroup) else {}


def _command_of(root: Any, arguments: list[str]) -> tuple[Any, str]:
    """Return the command that a line reaches, and its words."""
    command, path = root, "makar"
    for word in arguments:
        inner = _verbs(command).get(word)
        if inner is None:
            break
        command, path = inner, f"{path} {word}"
    return command, path
