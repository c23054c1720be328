"""The verbs ``doctor`` and ``version``: what this machine has, what is missing and what to install."""

from typing import Any

from makar.cli.output import Json, note, print_json, print_pairs


def doctor(json: Json = False) -> None:
    """Say what this machine has, what is missing and what to install."""
    from makar.cli.doctor import examine

    if not json:
        note("measuring for a few seconds ...")
    found = examine()
    print_json(found) if json else print_pairs("", found)


def version(json: Json = False) -> None:
    """Print the version of Makar and of Python."""
    import platform

    import makar

    values: dict[str, Any] = {"makar": makar.__version__, "python": platform.python_version()}
    print_json(values) if json else print(f"makar {values['makar']} (Python {values['python']})")
