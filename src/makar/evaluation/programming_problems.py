"""Programming problems with tests, from files in the form of HumanEval and of MBPP.

A problem is a prompt that a model continues, where its continuation ends, and what is run to see whether it is right. Source: Chen et al.
2021, arXiv 2107.03374 (HumanEval: a signature and its documentation; ends at the next top-level statement); Austin et al. 2021,
arXiv 2108.07732 (MBPP: a sentence and three tests, test problems 11 to 510), with the prompt that Ben Allal et al. 2022 use for models that
were not taught to follow instructions: sentence and tests as a docstring.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from makar.data.compressed import open_compressed
from makar.errors import DataError, EmptyDataError, UsageError

HUMANEVAL, MBPP = "humaneval", "mbpp"
_COMPRESSED = ("gz", "bz2", "xz")
MBPP_TEST = range(11, 511)
_TOP_LEVEL = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\n@")
_AFTER_FUNCTION = ("\nassert ", "\nclass ", '\n"""', "\nprint(", "\nif ", "\n#")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem.

    Attributes:
        id: Its name.
        prompt: What the model continues.
        stop: Texts that end the continuation.
        keeps_prompt: Whether the prompt is part of the program.
        tests: What is run after the program.
    """

    id: str
    prompt: str
    stop: tuple[str, ...]
    keeps_prompt: bool
    tests: str

    def program(self, continuation: str) -> str:
        """Return the program that a continuation makes, with its tests."""
        return f"{self.prompt if self.keeps_prompt else ''}{continuation}\n\n{self.tests}\n"


def read_problems(suite: str, path: Path) -> list[Problem]:
    """Read the problems of a suite.

    Args:
        suite: ``"humaneval"`` or ``"mbpp"``.
        path: A file of JSON lines, compressed or not.

    Raises:
        UsageError: There is no such file.
        DataError: A line is not a problem of that form.
        EmptyDataError: There is none, or of MBPP none of the test part.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected="a file of problems, JSON lines")
    read = _humaneval if suite == HUMANEVAL else _mbpp
    found = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            problem = read(row)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"line {number} of {path.name} is no problem of {suite}: {error!r}", expected=_FIELDS[suite]
            ) from error
        if problem is not None:
            found.append(problem)
    if not found:
        raise EmptyDataError(f"{path.name} holds no problem of {suite}", expected=_FIELDS[suite])
    return found


_FIELDS = {
    HUMANEVAL: "lines with task_id, prompt, test and entry_point",
    MBPP: "lines with task_id (11 to 510 are the test part), text, test_list and test_setup_code",
}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    form = path.suffix.removeprefix(".")
    with open_compressed(path, form=form, name=path.name) if form in _COMPRESSED else path.open("rb") as file:
        for line in file:
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DataError(f"{path.name} is not JSON lines: {error}") from error


def _humaneval(row: dict[str, Any]) -> Problem:
    return Problem(
        id=str(row["task_id"]),
        prompt=str(row["prompt"]),
        stop=_TOP_LEVEL,
        keeps_prompt=True,
        tests=f"{row['test']}\n\ncheck({row['entry_point']})",
    )


def _mbpp(row: dict[str, Any]) -> Problem | None:
    if int(row["task_id"]) not in MBPP_TEST:
        return None
    tests = "\n".join(str(test) for test in row["test_list"])
    setup = str(row.get("test_setup_code", ""))
    return Problem(
        id=f"MBPP/{row['task_id']}",
        prompt=f'"""\n{row["text"]}\n{tests}\n"""\n',
        stop=_AFTER_FUNCTION,
        keeps_prompt=False,
        tests=f"{setup}\n{tests}",
    )
