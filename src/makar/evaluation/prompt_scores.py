"""How often a prompt brings a model to the right answer, on the rows of a labelled file, with intervals, and prompts against each other.

Where the answers are a few labels the model is asked which of them is likeliest (``zero_shot``, calibrated). Otherwise, and where a model
does not say how likely a text is (one behind an endpoint, one that makes a text from another), it writes, greedily unless the prompt says
otherwise, and what the prompt calls the answer is compared after case, space and final punctuation are taken away.
Two prompts are compared on the same rows: the interval is that of the difference row by row.
"""

import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.data.file_rows import cell_of, column_of
from makar.errors import DataError, UnsupportedError, UsageError
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.generation.generate import generate
from makar.generation.prompt_file import PromptFile
from makar.generation.text_likelihood import TextLikelihood
from makar.generation.zero_shot import Guidance, Labeller

MOST_LABELS = 20
LEAST_COMPARED = 8
"""Rows below which the spread of a difference says nothing."""

TEXTS = ("text", "question", "sentence", "input", "prompt", "message", "content", "document")
ANSWERS = ("label", "answer", "expected", "target", "output", "label_name")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A row: what to put into the places, and what has to come out."""

    values: Mapping[str, str]
    expected: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptScore:
    """How a prompt did.

    Attributes:
        prompt: The prompt.
        right: By row, whether the answer was right; rows beyond the time are not there.
        seconds: Time that it took.
    """

    prompt: PromptFile
    right: tuple[bool, ...]
    seconds: float

    @property
    def share(self) -> Interval:
        """Share of right answers."""
        return share_interval(sum(self.right), len(self.right))

    def gain_over(self, other: "PromptScore") -> Interval:
        """Return the difference of the shares on the rows that both answered; of too few rows it may be anything."""
        rows = min(len(self.right), len(other.right))
        if not rows:
            raise DataError("no row was answered by both prompts", expected="more time", do="--for 5m")
        mine, theirs = (np.array(one.right[:rows], float) for one in (self, other))
        if rows < LEAST_COMPARED:
            return Interval(float(np.mean(mine - theirs)), -1.0, 1.0)
        return mean_interval(mine - theirs)


def cases_of(rows: Sequence[Mapping[str, Any]], prompt: PromptFile) -> list[Case]:
    """Return the cases of a table for a prompt: columns by the names of its places; its one open place takes the text.

    Raises:
        DataError: There is no column for a place, or none with the answers, or a row holds nothing there.
    """
    first = [dict(row) for row in rows]
    answers = column_of(first, ANSWERS, what="a column with the right answers")
    places = {one.name: one.name for one in prompt.variables if one.name in first[0] and one.name != answers}
    needed = prompt.open_variables({})
    missing = [name for name in needed if name not in places]
    if len(missing) == 1:
        places[missing[0]] = column_of(first, TEXTS, what=f"a column for {missing[0]}")
    elif missing:
        raise DataError(
            f"the columns are {', '.join(first[0])}", expected=f"columns for {', '.join(missing)} of the prompt"
        )
    return [
        Case(
            # A place with a default needs no value.
            values={
                name: cell_of(row, column, number=number)
                for name, column in places.items()
                if name in needed or row.get(column) not in (None, "")
            },
            expected=cell_of(row, answers, number=number),
        )
        for number, row in enumerate(first, start=1)
    ]


def labels_of(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the answers where they are a few labels that come again and again; empty where they are free text.

    >>> labels_of([Case(values={}, expected=word) for word in "abab"])
    ('a', 'b')
    """
    found = sorted({case.expected for case in cases})
    return tuple(found) if 2 <= len(found) <= min(MOST_LABELS, len(cases) // 2) else ()


class PromptJudge:
    """Scores prompts for one model.

    Args:
        artifact: The model.
        labels: What the answers are; empty where they are free text.
        seed: Seed of draws.
    """

    def __init__(self, artifact: Artifact, *, labels: Sequence[str], seed: int = 0) -> None:
        self._artifact, self._labels, self._seed = artifact, tuple(labels), seed
        self._likelihood = _likelihood(artifact) if labels else None

    def score(self, prompt: PromptFile, cases: Sequence[Case], *, until: float | None = None) -> PromptScore:
        """Score a prompt.

        Args:
            prompt: The prompt.
            cases: The rows, in the order in which they are asked.
            until: Time on the monotonic clock after which no further row is begun; ``None`` for all.

        Raises:
            UsageError: A label prompt with more than one open place.
        """
        started = time.monotonic()
        right: list[bool] = []
        labeller = self._labeller(prompt)
        for case in cases:
            if until is not None and right and time.monotonic() > until:
                break
            answer = self._label(labeller, prompt, case) if labeller else self._written(prompt, case)
            right.append(_plain(answer) == _plain(case.expected))
        return PromptScore(prompt=prompt, right=tuple(right), seconds=time.monotonic() - started)

    def _labeller(self, prompt: PromptFile) -> Labeller | None:
        if self._likelihood is None:
            return None
        return Labeller(self._likelihood, self._labels, Guidance(prompt=prompt), seed=self._seed)

    def _label(self, labeller: Labeller, prompt: PromptFile, case: Case) -> str:
        place = prompt.open_variables({})[0]
        shares = labeller.shares(case.values[place], case.values)
        return max(shares, key=lambda label: shares[label])

    def _written(self, prompt: PromptFile, case: Case) -> str:
        options = {} if "temperature" in prompt.options else {"temperature": 0.0}
        asset = next(generate(self._artifact, prompts=prompt.fill(case.values), seed=self._seed, options=options))
        return prompt.answer_in(str(asset.content))


def _likelihood(artifact: Artifact) -> TextLikelihood | None:
    """Return what says how likely a label is; ``None`` for a model that does not, which writes the label."""
    try:
        return TextLikelihood(artifact)
    except UnsupportedError:
        return None


def check_prompts(prompts: Sequence[PromptFile]) -> None:
    """Refuse an empty list, or the same prompt twice.

    Raises:
        UsageError: It is one.
    """
    versions = [prompt.version for prompt in prompts]
    if not prompts or len(set(versions)) < len(versions):
        raise UsageError(f"{len(prompts)} prompts to score", expected="at least one, each once")


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().strip(".!\"'").casefold()
