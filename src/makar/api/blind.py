"""``evaluate NEW PROMPTS --against OLD --judge JUDGE``: two models answer, a judge compares without knowing whose answer is whose."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from makar.api.model import load
from makar.api.stores import OnEvent
from makar.errors import EmptyDataError, UsageError
from makar.training.progress import ignore_event

if TYPE_CHECKING:
    from makar.evaluation.blind import BlindComparison, BlindJudge

PROMPT_COLUMNS = ("prompt", "instruction", "question", "source", "text")


def compare(
    new: str | Path,
    old: str | Path,
    prompts: str | Path | Sequence[str],
    *,
    judge: "str | Path | BlindJudge",
    base_url: str | None = None,
    samples: int = 0,
    seed: int = 0,
    on_event: OnEvent = ignore_event,
) -> "BlindComparison":
    """Compare two models of text blindly.

    Args:
        new: Name or folder of the model that would take the place.
        old: Name or folder of the model that has it.
        prompts: Prompts, a text file with one on each line, or a table with a column of them (``PROMPT_COLUMNS``).
        judge: A reward model, any model that writes text, ``openai:NAME``, or a function of prompt and two answers.
        base_url: For a judge ``openai:NAME``: the address of the endpoint.
        samples: Prompts at most, evenly spread; 0 takes all.
        seed: Seed of the answers and of the sides.
        on_event: Called with what is being done.

    Returns:
        ``.win_rate`` with its interval, ``.keeps``, and every pair of answers with what was said of it.

    Raises:
        UnsupportedError: One of them writes no text, or the judge cannot judge.
        UsageError: The file cannot be read, or an address is given for a judge that is here.
        EmptyDataError: There is no prompt.
    """
    from makar.evaluation.blind import compare_blind
    from makar.evaluation.blind_judges import judge_of

    asked = read_prompts(prompts) if isinstance(prompts, str | Path) else [text for text in prompts if text.strip()]
    if samples and samples < len(asked):
        asked = [asked[place * len(asked) // samples] for place in range(samples)]
    if not asked:
        raise EmptyDataError("there is no prompt", expected="at least one")
    name, judges = "a function", judge
    if isinstance(judges, str | Path):
        model = load(judges, base_url=base_url)
        name, judges = model.short_name, judge_of(model.artifact, seed=seed)
    return compare_blind(
        load(new).artifact, load(old).artifact, asked, judge=judges, judge_name=name, seed=seed, on_event=on_event
    )


def read_prompts(path: str | Path) -> list[str]:
    """Return the prompts of a table, or the lines of any other text file; empty ones are left out.

    Raises:
        UsageError: It cannot be read, or is no text.
        DataError: The table has no column of prompts.
    """
    from makar.data.file_rows import TABLES, column_of, rows_of_file

    path = Path(path)
    if {f".{form}" for form in TABLES} & set(path.suffixes):
        rows = rows_of_file(path)
        column = column_of(rows, PROMPT_COLUMNS, what="a column of prompts")
        return [str(row[column]) for row in rows if str(row.get(column) or "").strip()]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read as prompts: {error}", expected="a table, or one prompt a line"
        ) from error
    return [line for line in text.split("\n") if line.strip()]
