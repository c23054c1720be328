"""``edit --fix``: a change of one line with which tests pass that failed before, found by trying, in a sandbox.

Which lines are tried: those that the failed tests name, then those that look wrong (``bugs``). What is put in their place: what the model
writes into the line (``infill``), and small changes (``line_edits``), in the order in which they make the line more likely to the model.
A change is kept only if the command ends well; the file itself is never touched.

Source: Le Goues et al. 2012, "GenProg" (generate and validate); Xia and Zhang 2022, arXiv 2207.08281 (filling in as repair).
"""

import dataclasses
import difflib
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.errors import MakarError, UsageError
from makar.families.transformer.config import TransformerConfig
from makar.generation.bugs import BUGS, PYTHON, TOGETHER, ranked_lines
from makar.generation.hole import Hole, find_hole, lines_of
from makar.generation.infill import fill, longest_hole
from makar.generation.line_edits import line_edits
from makar.generation.line_windows import line_windows
from makar.generation.request import Request
from makar.nn.threads import threads_for
from makar.sandbox.limits import Limits
from makar.sandbox.run import Outcome, run_command
from makar.tensor_spec import TARGET

LINES, WRITTEN, NEAR = 6, 4, 15
"""Lines that are changed, what the model writes into each, and lines around it whose names may be meant."""

LIMITS = Limits(wall_seconds=60.0, cpu_seconds=60, memory_bytes=1 << 30)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patch:
    """A change with which the tests pass.

    Attributes:
        hole: The line that was changed, taken out.
        line: What stands there now.
        number: Of the line, from 1.
        tries: How many changes were tried, this one among them.
        content: The whole new file.
        not_held: What the sandbox could not hold on this machine.
    """

    hole: Hole
    line: str
    number: int
    tries: int
    content: str
    not_held: tuple[str, ...]

    def diff(self, name: str) -> str:
        """Return the change as a unified diff of a file of some name."""
        old = lines_of(self.hole.before + self.hole.removed + self.hole.after)
        new = lines_of(self.content)
        lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


class Trial:
    """The tests of a file, run on changed copies of it.

    Args:
        path: The file.
        command: The tests, as one line of words; no shell takes part.

    Raises:
        UsageError: The command is empty or cannot be read.
    """

    def __init__(self, path: Path, command: str) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f'the tests "{command}" cannot be read: {error}', expected="a command") from error
        if not self.words:
            raise UsageError("no command for the tests", expected="for example python -m pytest tests")
        here = Path.cwd()
        place = path.resolve()
        self.folder = here if place.is_relative_to(here) else place.parent
        self.name = place.relative_to(self.folder).as_posix()

    def run(self, content: str) -> Outcome:
        """Run the tests with other content of the file, on a copy of its folder."""
        files = {self.name: content.encode("utf-8", "surrogatepass")}
        return run_command(self.words, folder=self.folder, files=files, limits=LIMITS)


def repaired(request: Request, path: Path, text: str, *, tests: str, tries: int, seed: int) -> Patch:
    """Find a change of one line with which the tests pass.

    Args:
        request: The model with its controls, ``max_tokens`` as ``longest_hole`` says.
        path: The file.
        text: What it holds.
        tests: The command.
        tries: Changes to try at most.
        seed: Of what the model writes.

    Raises:
        UsageError: The tests pass already, or cannot be started.
        MakarError: No change that was tried makes them pass.
    """
    trial = Trial(path, tests)
    before = trial.run(text)
    if before.is_success:
        raise UsageError(f"the tests pass already: {tests}", expected="tests that fail")
    lines = lines_of(text)
    named = _named_lines(before.output + before.errors, trial.name, len(lines))
    looks = [one.line for one in ranked_lines(request.artifact, text, is_python=path.suffix in PYTHON)]
    numbers = list(dict.fromkeys([*(n for n in named if lines[n - 1].strip()), *looks]))[:LINES]
    tried, ended = 0, {before.reason}
    for number, line in _proposals(request, text, numbers, seed)[:tries]:
        hole = find_hole(text, line=str(number))
        content = hole.filled(line)
        tried += 1
        outcome = trial.run(content)
        ended.add(outcome.reason)
        if outcome.is_success:
            return Patch(hole=hole, line=line, number=number, tries=tried, content=content, not_held=outcome.not_held)
    # A mistake may be an endless loop, so what is ended is a failure like any other; where nothing passes it may be the reason.
    cut = ", ".join(sorted(ended - {""}))
    raise MakarError(
        f"none of {tried} changes of lines {', '.join(map(str, numbers))} makes the tests pass"
        + (f"; some runs were ended by the limit of {cut}" if cut else ""),
        expected="one line that is wrong" + (f", and tests that need at most {_allowed()}" if cut else ""),
        do="look at makar predict --what bugs, raise --tries, or mend the line by hand and use --line",
    )


def _allowed() -> str:
    return f"{LIMITS.wall_seconds:g} s, {LIMITS.memory_bytes >> 20:,} MB and {LIMITS.processes} processes at a time"


def _named_lines(said: str, name: str, count: int) -> list[int]:
    """Return the lines of the file that a traceback or a report of tests names, the last first."""
    pattern = rf'{re.escape(Path(name).name)}(?:", line |:)(\d+)'
    found = [int(number) for number in re.findall(pattern, said)]
    return list(dict.fromkeys(number for number in reversed(found) if 1 <= number <= count))


def _proposals(request: Request, text: str, numbers: list[int], seed: int) -> list[tuple[int, str]]:
    """Return (number of the line, new line), those that gain most in the eyes of the model first."""
    lines = lines_of(text)
    proposed: list[tuple[int, str]] = []
    config = request.family.config
    assert isinstance(config, TransformerConfig), "only decoder transformers fill holes"
    holes = [find_hole(text, line=str(number)) for number in numbers for _ in range(WRITTEN)]
    seeds = [seed + count for _ in numbers for count in range(WRITTEN)]
    made = longest_hole(config, None)
    for position, written in fill(request, holes, seeds, made=made):
        number = numbers[position // WRITTEN]
        first = written.split("\n")[0]
        end = lines[number - 1][len(lines[number - 1].rstrip("\r\n")) :]
        proposed.append((number, first + end))
    for number in numbers:
        around = lines[max(0, number - NEAR) : number + NEAR]
        proposed += [(number, line) for line in line_edits(lines[number - 1], around)]
    different = [
        (number, line) for number, line in dict.fromkeys(proposed) if line.strip() and line != lines[number - 1]
    ]
    plain = _surprises(request.artifact, lines, [(number, lines[number - 1]) for number in numbers])
    usual = dict(zip(numbers, plain))
    found = _surprises(request.artifact, lines, different)
    order = sorted(range(len(different)), key=lambda index: found[index] - usual[different[index][0]])
    return [different[index] for index in order]


def _surprises(artifact: Artifact, lines: list[str], changes: list[tuple[int, str]]) -> list[float]:
    """Return the surprise in nats of each changed line, among the others as they are."""
    family, codec = artifact.family(), artifact.codec()
    config: Any = family.config
    device = next(family.parameters()).device
    found: list[float] = []
    for start in range(0, len(changes), TOGETHER):
        windows = [
            next(
                line_windows(
                    [*lines[: number - 1], line, *lines[number:]],
                    [number],
                    codec,
                    config,
                    end_token=config.infill_tokens[3],
                )
            )
            for number, line in changes[start : start + TOGETHER]
        ]
        batch = torch.from_numpy(np.stack([window.tokens for window in windows])).to(device)
        with threads_for(config.parameter_count()):
            surprise = family.predict({TARGET: batch}, BUGS, torch.Generator())["surprise"]
        found += [
            float(surprise[row, window.start - 1 : window.start - 1 + len(window.line)].sum())
            for row, window in enumerate(windows)
        ]
    return found


def changed_characters(patch: Patch) -> list[int]:
    """Return where in the new file the changed line begins and ends."""
    return [len(patch.hole.before), len(patch.content) - len(patch.hole.after)]
