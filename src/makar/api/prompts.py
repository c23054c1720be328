"""Prompts in Python: read, list, try, score and improve them, and agree on one answer of several."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.evaluation.prompt_scores import PromptScore
    from makar.evaluation.prompt_search import Improved
    from makar.generation.answers import Vote
    from makar.generation.asset import Asset
    from makar.generation.prompt_file import Filled, PromptFile


def prompt(place: str | Path) -> "PromptFile":
    """Read a prompt file by its path or its name; called with values it gives what ``generate`` takes.

    >>> prompt("tutor")(topic="rain").origin["name"]
    'tutor'

    Raises:
        UnknownNameError: There is no such prompt.
        DataError: The file is none.
    """
    from makar.generation.prompt_file import read_prompt

    return read_prompt(place)


def all_prompts() -> list[dict[str, Any]]:
    """Return a row for every prompt that is built in or in the folder of prompts."""
    from makar.generation.prompt_file import BUILT_IN, prompt_paths, read_prompt

    rows = []
    for name, path in prompt_paths().items():
        read = read_prompt(path)
        places = [one.name if one.default is None else f"[{one.name}]" for one in read.variables]
        own = "built in" if path.parent == BUILT_IN else str(path)
        rows.append({"name": name, "version": read.version, "variables": places, "summary": read.summary, "from": own})
    return rows


def fill(place: str | Path, words: Sequence[str], values: Mapping[str, str]) -> list["Filled"]:
    """Fill a prompt for each of some texts, which go into its one place that is still open; once without texts.

    Raises:
        UsageError: There are texts and not exactly one open place.
    """
    read = prompt(place)
    if not words:
        return [read.fill(values)]
    missing = read.open_variables(values)
    if len(missing) != 1:
        raise UsageError(
            f'a text for the prompt "{read.name}", which has {len(missing)} open places',
            expected="one open place" + (f", of {', '.join(missing)}" if missing else ""),
            do="--var NAME=TEXT fills a place",
        )
    return [read.fill({**values, missing[0]: word}) for word in words]


def agree(
    model: "Model",
    asked: "Filled | str",
    *,
    count: int,
    answer: Callable[[str], str],
    scorer: Callable[[str], float] | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> tuple["Vote", list["Asset"]]:
    """Draw several answers and take the one that most of them give (self-consistency).

    Args:
        model: The model.
        asked: A filled prompt, or a text.
        count: How many answers are drawn.
        answer: Reads the answer in what was written, for example ``prompt("reason").answer_in``.
        scorer: Says how good a text is, to weigh its vote; ``None`` counts each once.
        seed: Seed of the first.
        options: Sampling controls; greedy answers would all be the same.

    Returns:
        The vote, and all assets.
    """
    from makar.generation.answers import vote

    assets = model.generate(asked, count=count, seed=seed, options=options)  # type: ignore[arg-type]  # a filled prompt too
    return vote([asset.new_text for asset in assets], answer=answer, scorer=scorer), assets


def score_prompts(
    model: "Model",
    places: Sequence[str | Path],
    data: str | Path,
    *,
    labels: Sequence[str] = (),
    rows: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> list["PromptScore"]:
    """Score prompts on the same rows of a labelled file.

    Args:
        model: The model.
        places: Prompts by path or name.
        data: A table with a column for the places and one with the answers.
        labels: What the answers are; empty finds it out: a few that come again are labels, everything else is free text.
        rows: Most rows; ``None`` takes all.
        seconds: Most time for all prompts together; ``None`` takes what it takes.
        seed: Seed of the order of the rows and of draws.
    """
    import time

    from makar.evaluation.prompt_scores import PromptJudge, check_prompts

    prompts = [prompt(place) for place in places]
    check_prompts(prompts)
    tables = [_cases(one, data, rows, seed) for one in prompts]
    judge = PromptJudge(model.artifact, labels=labels or _labels(tables[0]), seed=seed)
    scores = []
    for number, (one, cases) in enumerate(zip(prompts, tables)):
        left = len(prompts) - number
        until = None if seconds is None else time.monotonic() + seconds / left
        scores.append(judge.score(one, cases, until=until))
        seconds = None if seconds is None else max(0.0, seconds - scores[-1].seconds)
    return scores


def improve_prompt(
    model: "Model",
    place: str | Path,
    data: str | Path,
    *,
    seconds: float,
    labels: Sequence[str] = (),
    rows: int | None = None,
    seed: int = 0,
    on_round: Callable[[int, int, float], None] = lambda left, rows, best: None,
) -> "Improved":
    """Look for a better prompt within a budget of time; see ``makar.evaluation.prompt_search``."""
    from makar.evaluation.prompt_scores import PromptJudge
    from makar.evaluation.prompt_search import improve

    read = prompt(place)
    cases = _cases(read, data, rows, seed)
    judge = PromptJudge(model.artifact, labels=labels or _labels(cases), seed=seed)
    return improve(judge, read, cases, seconds=seconds, seed=seed, on_round=on_round)


def _cases(read: "PromptFile", data: str | Path, rows: int | None, seed: int) -> list[Any]:
    import numpy as np

    from makar.data.file_rows import rows_of_file
    from makar.evaluation.prompt_scores import cases_of

    found = cases_of(rows_of_file(data), read)
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order[:rows]]


def _labels(cases: list[Any]) -> tuple[str, ...]:
    from makar.evaluation.prompt_scores import labels_of

    return labels_of(cases)
