"""A better prompt within a budget: examples are chosen, the wording around them is varied, and only what holds on other rows is kept.

The rows are dealt into three parts: a store of examples, rows to search on, and rows that are looked at once, at the end. Candidates are
the prompt with none to eight examples out of the store, chosen in several ways, each with some wordings of what comes first. They race: all
are asked a few rows, the better half goes on to twice as many, until one is left or the time is over (successive halving, Jamieson and
Talwalkar 2016, arXiv 1502.07943). The first prompt is always in the race. The winner is then compared with it on the last part, and the
interval says whether it is better; what won by luck loses there.
"""

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence

import numpy as np

from makar.errors import DataError
from makar.evaluation.bootstrap import Interval
from makar.evaluation.prompt_scores import Case, PromptJudge, PromptScore
from makar.generation.prompt_file import ANSWER, PromptFile, written_prompt

OPENINGS = (
    "",
    "Answer with one word or as few as possible.",
    "Read the text carefully, then answer.",
    "Here are texts with their answers.",
)
SHOTS = (0, 1, 2, 4, 8)
FIRST_ROWS = 8
LAST_SHARE = 0.3
"""Share of the time that is kept for the comparison on the last rows."""
LEAST_ROWS = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Improved:
    """What a search found.

    Attributes:
        prompt: The best prompt; the one that it began with, where nothing was better.
        before: How the first prompt did on the last rows.
        after: How the best did there.
        gain: Difference with its interval.
        tried: Number of candidates.
        rows: Rows that the winner was asked in the race.
    """

    prompt: PromptFile
    before: PromptScore
    after: PromptScore
    gain: Interval
    tried: int
    rows: int


def improve(
    judge: PromptJudge,
    prompt: PromptFile,
    cases: Sequence[Case],
    *,
    seconds: float,
    seed: int = 0,
    on_round: Callable[[int, int, float], None] = lambda left, rows, best: None,
) -> Improved:
    """Look for a better prompt.

    Args:
        judge: Scores prompts for the model.
        prompt: Where to begin.
        cases: Rows with right answers.
        seconds: Budget.
        seed: Seed of the choice of rows and examples.
        on_round: Called after each round with the number of candidates left, the rows of the round and the best share.

    Raises:
        DataError: There are too few rows.
    """
    if len(cases) < LEAST_ROWS:
        raise DataError(f"{len(cases)} rows", expected=f"at least {LEAST_ROWS}", do="label some more")
    start = time.monotonic()
    draws = np.random.default_rng(seed)
    dealt = [cases[place] for place in draws.permutation(len(cases))]
    third = len(dealt) // 3
    store, searched, last = dealt[:third], dealt[third : 2 * third], dealt[2 * third :]
    racing = candidates(prompt, store, draws)
    tried = len(racing)
    rows = min(FIRST_ROWS, len(searched))
    until = start + (1 - LAST_SHARE) * seconds
    asked = 0
    while True:
        scores: list[PromptScore] = []
        for one in racing:
            # The first prompt is asked first: without time for a race it stays.
            if scores and time.monotonic() > until:
                break
            scores.append(judge.score(one, searched[:rows], until=until if scores else None))
        whole = [score for score in scores if len(score.right) == rows] or scores[:1]
        # Sorting keeps the order of equals, and the first prompt comes first.
        ranked = sorted(whole, key=lambda score: -score.share.value)
        asked = max(asked, len(ranked[0].right))
        racing = [score.prompt for score in ranked[: max(1, (len(ranked) + 1) // 2)]]
        on_round(len(racing), rows, ranked[0].share.value)
        if time.monotonic() > until or rows == len(searched) or len(racing) == 1:
            break
        rows = min(2 * rows, len(searched))
    end = start + seconds
    before = judge.score(prompt, last, until=time.monotonic() + (end - time.monotonic()) / 2)
    after = before if racing[0] == prompt else judge.score(racing[0], last, until=end)
    gain = after.gain_over(before)
    return Improved(prompt=racing[0], before=before, after=after, gain=gain, tried=tried, rows=asked)


def candidates(prompt: PromptFile, store: Sequence[Case], draws: np.random.Generator) -> list[PromptFile]:
    """Return the prompt itself and its variants, each once."""
    found = {prompt.body + prompt.system + str(prompt.examples): prompt}
    for shots in SHOTS:
        for examples in _example_sets(store, shots, draws):
            for opening in OPENINGS:
                system = "\n".join(part for part in (prompt.system, opening) if part)
                made = dataclasses.replace(prompt, system=system, examples=examples or prompt.examples)
                version = hashlib.sha256(written_prompt(made).encode()).hexdigest()[:12]
                found.setdefault(
                    made.body + made.system + str(made.examples), dataclasses.replace(made, version=version)
                )
    return list(found.values())


def _example_sets(store: Sequence[Case], shots: int, draws: np.random.Generator) -> list[tuple[dict[str, str], ...]]:
    if shots == 0 or shots > len(store):
        return [()]
    sets = []
    for _ in range(2):
        by_answer: dict[str, list[Case]] = {}
        for place in draws.permutation(len(store)):
            by_answer.setdefault(store[place].expected, []).append(store[place])
        turns = [row[turn] for turn in range(len(store)) for row in by_answer.values() if turn < len(row)]
        sets.append(tuple({**case.values, ANSWER: case.expected} for case in turns[:shots]))
    return sets
