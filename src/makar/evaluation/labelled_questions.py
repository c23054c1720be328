"""Questions whose answers are known, read from a table: what is right, where it stands, and which questions have no answer at all.

A row has ``question`` and, of these, what is known:

* ``answer`` or ``answers``: a right answer, or several;
* ``document`` or ``documents``: names of what holds it, or names with grades (``{"a.md": 2, "b.md": 1}``);
* ``passage`` or ``passages``: the very words that hold it;
* ``span`` or ``spans``: ``{"document": "a.md", "start": 120, "end": 180}``, characters of the document's text as citations count them;
* ``answerable``: false where the documents do not answer it.

In a csv file a cell may hold JSON. An empty list of answers without a place says the same as ``answerable`` false (so does SQuAD 2:
Rajpurkar et al. 2018, arXiv 1806.03822). Other columns are not used, and that is said.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from makar.data.file_rows import cell_of, rows_of_file
from makar.errors import DataError

QUESTION, ANSWERABLE = "question", "answerable"
NAMES = {
    "answers": ("answers", "answer"),
    "documents": ("documents", "document"),
    "passages": ("passages", "passage"),
    "spans": ("spans", "span"),
}
"""By what is known: the columns that say it, the first that a row fills counts."""
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
PIECE = 3
"""Words of the pieces by which a passage is found again."""
HELD = 0.5
"""Share of a place that a passage has to hold."""
_WORD = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where an answer stands: characters of a document, or words.

    Attributes:
        document: Name of the document; ``None`` where only the words are known.
        start: First character.
        end: Behind the last one; 0 where only the words are known.
        words: The words; empty where the characters are known.
    """

    document: str | None = None
    start: int = 0
    end: int = 0
    words: str = ""

    def is_in(self, document: str, start: int, end: int, text: str) -> bool:
        """Return whether a passage holds this place: half of it, or as much of it as the passage is long.

        Args:
            document: Name of the passage's document.
            start: First character of the passage.
            end: Behind the last one.
            text: What it says.
        """
        if self.document is not None and self.document != document:
            return False
        if self.end:
            shared = min(self.end, end) - max(self.start, start)
            return shared >= HELD * min(self.end - self.start, end - start) and shared > 0
        mine, theirs = _WORD.findall(self.words.lower()), _WORD.findall(text.lower())
        size = min(PIECE, len(mine), len(theirs))
        if not size:
            return False
        wanted, held = _pieces(mine, size), _pieces(theirs, size)
        return len(wanted & held) >= HELD * min(len(wanted), len(held))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledQuestion:
    """A question with what is right.

    Attributes:
        question: What is asked.
        answers: Right answers; empty where none is stated.
        documents: Names of the documents that hold one, with how good each is, above 0.
        places: Where in them, where that is known.
        is_answered: Whether the documents answer it.
    """

    question: str
    answers: tuple[str, ...] = ()
    documents: Mapping[str, float] = dataclasses.field(default_factory=dict)
    places: tuple[Place, ...] = ()
    is_answered: bool = True


def read_questions(path: str | Path) -> tuple[list[LabelledQuestion], tuple[str, ...]]:
    """Read a table of questions.

    Returns:
        The questions, and the names of columns that were not used.

    Raises:
        UsageError: There is no such file.
        DataError: It is no such table; the message names the row.
    """
    rows = rows_of_file(path)
    known = {QUESTION, ANSWERABLE, *(name for names in NAMES.values() for name in names)}
    found = [_question(row, number) for number, row in enumerate(rows, 1)]
    columns = dict.fromkeys(name for row in rows for name in row)
    return found, tuple(name for name in columns if name not in known)


def _question(row: Mapping[str, Any], number: int) -> LabelledQuestion:
    question = cell_of(row, QUESTION, number=number)
    answers = _texts(_cell(row, "answers"), "answers", number)
    documents = _grades(_cell(row, "documents"), number)
    spans = [_span(one, number) for one in _listed(_cell(row, "spans"))]
    passages = [Place(words=text) for text in _texts(_cell(row, "passages"), "passages", number)]
    # One document says whose words they are.
    if len(documents) == 1:
        passages = [dataclasses.replace(place, document=next(iter(documents))) for place in passages]
    documents = {**{str(place.document): 1.0 for place in spans}, **documents}
    is_known = bool(answers or documents or passages)
    stated = row.get(ANSWERABLE)
    is_answered = _truth(stated, number) if stated not in (None, "") else is_known or not _says_none(row)
    if is_answered and not is_known:
        raise DataError(
            f"row {number} says neither an answer nor where it stands",
            expected=f"{', '.join(NAMES)}; or {ANSWERABLE} false",
        )
    if not is_answered and is_known:
        raise DataError(
            f"row {number} is not answerable and says an answer or a place",
            expected="one of them",
            do=f"leave {', '.join(NAMES)} of it empty",
        )
    return LabelledQuestion(
        question=question,
        answers=tuple(answers),
        documents=documents,
        places=(*spans, *passages),
        is_answered=is_answered,
    )


def _cell(row: Mapping[str, Any], what: str) -> Any:
    """Return what a row says of something, lists and tables in a text of JSON opened; ``None`` for nothing."""
    value = next((row[name] for name in NAMES[what] if row.get(name) not in (None, "")), None)
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _says_none(row: Mapping[str, Any]) -> bool:
    said = _cell(row, "answers")
    return isinstance(said, list | dict) and not _listed(said.get("text") if isinstance(said, dict) else said)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _texts(value: Any, what: str, number: int) -> list[str]:
    # SQuAD keeps its answers beside where they begin.
    found = _listed(value.get("text") if isinstance(value, dict) else value)
    if not all(isinstance(one, str | int | float) and str(one).strip() for one in found):
        raise DataError(f"row {number} has {what} that are no texts", expected="a text, or a list of texts")
    return [str(one) for one in found]


def _grades(value: Any, number: int) -> dict[str, float]:
    if not isinstance(value, dict):
        return dict.fromkeys(_texts(value, "documents", number), 1.0)
    if not all(type(grade) in (int, float) and grade >= 0 for grade in value.values()):
        raise DataError(f"row {number} has grades of documents that are no numbers", expected="0 or more each")
    return {str(name): float(grade) for name, grade in value.items() if grade}


def _span(value: Any, number: int) -> Place:
    if isinstance(value, dict):
        name, start, end = value.get("document"), value.get("start"), value.get("end")
        if isinstance(name, str) and type(start) is int and type(end) is int and 0 <= start < end:
            return Place(document=name, start=start, end=end)
    raise DataError(
        f"row {number} has a span that is none", expected='{"document": NAME, "start": 120, "end": 180}, the end behind'
    )


def _truth(value: Any, number: int) -> bool:
    said = str(value).strip().lower()
    if said not in (*TRUE, *FALSE):
        raise DataError(f'row {number} has "{value}" under {ANSWERABLE}', expected="true or false")
    return said in TRUE


def _pieces(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
