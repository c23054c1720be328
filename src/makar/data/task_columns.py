"""Which task of language a table is labelled for, which columns play its roles, and what a row then holds.

Nine shapes are known: text with a label or with a number, words with a tag each, a question about a passage, a text to be made from
another, two sentences that are alike, turns of a conversation, two answers of which one is preferred, and an answer with a score or a
thumb. They are told by the names that published data sets use and by what the cells hold, the most specific first; two columns named by
languages are a translation. The choice is reported, and can be made by hand: ``role=column``. A row is kept whole: its roles, and one text
that a language model can learn from.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from makar.data.task_cells import (
    is_answer,
    is_answers,
    is_label,
    is_score,
    is_tags,
    is_text,
    is_texts,
    is_thumb,
    is_turns,
    is_words,
)
from makar.errors import UnknownNameError, UsageError

CLASSIFY, TAG, ANSWER, REWRITE, CONVERSE, PREFER = "classify", "tag", "answer", "rewrite", "converse", "prefer"
RATE, COMPARE, GRADE = "rate", "compare", "grade"

ROLES: dict[str, tuple[str, ...]] = {
    PREFER: ("prompt", "chosen", "rejected"),
    RATE: ("prompt", "response", "score"),
    CONVERSE: ("messages", "prompt", "input", "response", "system"),
    TAG: ("tokens", "tags"),
    ANSWER: ("question", "context", "answer"),
    REWRITE: ("source", "target"),
    COMPARE: ("first", "second", "similarity"),
    CLASSIFY: ("text", "label"),
    GRADE: ("text", "score"),
}
"""The roles of each task, the most specific task first."""

NEEDED: dict[str, frozenset[str]] = {
    PREFER: frozenset(("chosen", "rejected")),
    RATE: frozenset(("response", "score")),
    CONVERSE: frozenset(("messages",)),
    TAG: frozenset(("tokens", "tags")),
    ANSWER: frozenset(("question", "context", "answer")),
    REWRITE: frozenset(("source", "target")),
    COMPARE: frozenset(("first", "second")),
    CLASSIFY: frozenset(("text", "label")),
    GRADE: frozenset(("text", "score")),
}
"""The roles without which a row is none of the task; a conversation may be ``prompt`` and ``response`` instead of ``messages``."""

NAMES: dict[str, tuple[str, ...]] = {
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "messages": ("messages", "conversations", "conversation", "turns"),
    "prompt": ("prompt", "instruction", "question"),
    "input": ("input", "context"),
    "response": ("response", "output", "completion", "answer", "target"),
    "system": ("system", "system_prompt"),
    "score": ("rating", "score", "thumb", "thumbs", "feedback", "reward", "stars"),
    "thumb": ("label",),
    "tokens": ("tokens", "words"),
    "tags": ("tags", "ner_tags", "pos_tags", "chunk_tags"),
    "question": ("question", "query"),
    "context": ("context", "passage", "paragraph", "section", "story_section", "document"),
    "answer": ("answers", "answer"),
    "source": ("source", "src", "dialogue", "dialog", "article", "document", "description", "intent", "text"),
    "target": (
        "target", "tgt", "translation", "summary", "summaries", "highlights", "abstract", "paraphrase", "simplification", "code",
    ),
    "first": ("sentence1", "sentence_1", "text1", "text_1", "sentence_a", "text_a", "first"),
    "second": ("sentence2", "sentence_2", "text2", "text_2", "sentence_b", "text_b", "second"),
    "similarity": ("similarity", "similarity_score", "relatedness", "relatedness_score", "score", "label"),
    "text": ("text", "sentence", "content", "review", "message", "document", "body"),
    "label": ("label_name", "label", "labels", "class", "category", "sentiment", "topic", "emotion"),
}  # fmt: skip

LANGUAGES = frozenset((
    "ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "ga", "gd", "gl", "he", "hi", "hr",
    "hu", "hy", "id", "is", "it", "ja", "ka", "ko", "lt", "lv", "mk", "ml", "mr", "ms", "mt", "nb", "nl", "nn", "no", "pl", "pt", "ro",
    "ru", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh",
))  # fmt: skip
"""Two-letter names (ISO 639-1) of languages that a column may be called by."""

LONGEST_CLASSIFIED_CHARACTERS = 4000
"""Texts that are longer in the mean are works with a label, not messages to be sorted."""

LARGEST_SHARE_OF_LABELS = 0.5
"""More different labels than this share of the first rows are no classes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskColumns:
    """The task of a table and the column of each of its roles; ``further`` are more columns that hold right targets."""

    task: str
    roles: Mapping[str, str]
    further: tuple[str, ...] = ()

    def used(self) -> list[str]:
        """Return the columns that are read."""
        return [*self.roles.values(), *self.further]


def columns_of(typed: str) -> dict[str, str]:
    """Return role to column from ``"source=en,target=de"``; empty for an empty text.

    Raises:
        UsageError: It is not of that form.
    """
    pairs = [piece.partition("=") for piece in typed.split(",") if piece.strip()]
    if not all(role.strip() and column.strip() for role, _, column in pairs):
        raise UsageError(f'columns "{typed}"', expected="role=column, and more after commas: source=en,target=de")
    return {role.strip(): column.strip() for role, _, column in pairs}


def chosen_by_hand(columns: Mapping[str, str], available: Sequence[str]) -> TaskColumns:
    """Return the task that ``role=column`` pairs name.

    Raises:
        UnknownNameError: There is no such role, or no such column.
        UsageError: The roles are of no one task.
    """
    known = {role for roles in ROLES.values() for role in roles}
    for role, column in columns.items():
        if role not in known:
            raise UnknownNameError("role", role, sorted(known))
        if column not in available:
            raise UnknownNameError("column", column, available)
    for task, roles in ROLES.items():
        if _is_complete(task, columns) and set(columns) <= set(roles):
            return TaskColumns(task=task, roles=dict(columns))
    raise UsageError(
        f"roles {', '.join(columns)} are of no one task",
        expected="; ".join(f"{task}: {', '.join(roles)}" for task, roles in ROLES.items()),
    )


def find_task(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    """Return what the first rows of a table are labelled for, ``None`` where nothing says so.

    Args:
        values: The cells of each column in the first rows, without empty ones.
    """
    for task in ROLES:
        found = _FINDERS[task]({name: cells for name, cells in values.items() if cells})
        if found is not None:
            return found
    return None


def _is_complete(task: str, roles: Mapping[str, str]) -> bool:
    return set(roles) >= NEEDED[task] or (task == CONVERSE and {"prompt", "response"} <= set(roles))


def _named(
    values: Mapping[str, list[Any]], role: str, fits: Callable[[Any], bool], *, without: tuple[str, ...] = ()
) -> str | None:
    for wanted in NAMES[role]:
        for name, cells in values.items():
            if str(name).lower() == wanted and name not in without and all(map(fits, cells)):
                return name
    return None


def _roles(values: Mapping[str, list[Any]], fits: Mapping[str, Callable[[Any], bool]]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for role, fit in fits.items():
        column = _named(values, role, fit, without=tuple(roles.values()))
        if column is not None:
            roles[role] = column
    return roles


def _found(task: str, roles: dict[str, str]) -> TaskColumns | None:
    return TaskColumns(task=task, roles=roles) if _is_complete(task, roles) else None


def _prompt(values: Mapping[str, list[Any]]) -> dict[str, str]:
    """Return the column of what was asked: a text, or turns."""
    found = _named(values, "prompt", is_text) or _named(values, "prompt", is_turns)
    return {"prompt": found} if found else {}


def _asked(values: Mapping[str, list[Any]]) -> dict[str, str]:
    """Return the column of what was answered more than once, which may be called by what a conversation is called."""
    messages = _named(values, "messages", is_turns)
    return _prompt(values) or ({"prompt": messages} if messages else {})


def _find_prefer(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    return _found(PREFER, {**_roles(values, {"chosen": is_answer, "rejected": is_answer}), **_asked(values)})


def _find_rate(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    # Answers to something: a text with stars and no prompt is a review, which is graded and not answered.
    prompt = _asked(values)
    roles = _roles(values, {"response": is_answer, "score": is_score})
    if "score" not in roles and (thumb := _named(values, "thumb", is_thumb)) is not None:
        roles["score"] = thumb
    return _found(RATE, {**prompt, **roles}) if prompt else None


def _find_converse(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    system = _roles(values, {"system": is_text})
    messages = _named(values, "messages", is_turns)
    if messages is not None:
        return _found(CONVERSE, {"messages": messages, **system})
    if _find_answer(values) is not None:
        return None
    found = _roles(values, {"response": is_answer, "input": lambda cell: isinstance(cell, str)})
    return _found(CONVERSE, {**_prompt(values), **found, **system})


def _find_tag(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    roles = _roles(values, {"tokens": is_words, "tags": is_tags})
    if len(roles) < 2:
        return None
    pairs = zip(values[roles["tokens"]], values[roles["tags"]])
    return _found(TAG, roles) if all(len(words) == len(tags) for words, tags in pairs) else None


def _find_answer(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    return _found(ANSWER, _roles(values, {"question": is_text, "context": is_text, "answer": is_answers}))


def _find_rewrite(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    roles = _roles(values, {"target": is_texts, "source": is_text})
    if len(roles) == 2:
        stem = roles["target"].rstrip("0123456789")
        further = [name for name in values if name.rstrip("0123456789") == stem and name != roles["target"]]
        return TaskColumns(task=REWRITE, roles=roles, further=tuple(further))
    numbered = [
        name
        for name, cells in values.items()
        if str(name).rstrip("0123456789") in NAMES["target"] and all(map(is_text, cells))
    ]
    if numbered and "source" in roles:
        # The official test part of a summary set may have summary1, summary2 ... where the training part has summary.
        return TaskColumns(
            task=REWRITE, roles={"source": roles["source"], "target": numbered[0]}, further=tuple(numbered[1:])
        )
    languages = [name for name, cells in values.items() if str(name).lower() in LANGUAGES and all(map(is_text, cells))]
    if len(languages) >= 2:
        return TaskColumns(task=REWRITE, roles={"source": languages[0], "target": languages[1]})
    return None


def _find_classify(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    roles = _roles(values, {"label": is_label, "text": is_text})
    if len(roles) < 2:
        return None
    texts, labels = values[roles["text"]], values[roles["label"]]
    flat = [str(label) for cell in labels for label in (cell if isinstance(cell, list) else [cell])]
    is_many = len(set(flat)) > max(2.0, LARGEST_SHARE_OF_LABELS * len(labels))
    return None if _are_long(texts) or is_many else _found(CLASSIFY, roles)


def _find_compare(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    return _found(COMPARE, _roles(values, {"first": is_text, "second": is_text, "similarity": is_score}))


def _find_grade(values: Mapping[str, list[Any]]) -> TaskColumns | None:
    roles = _roles(values, {"text": is_text, "score": is_score})
    return None if "text" not in roles or _are_long(values[roles["text"]]) else _found(GRADE, roles)


def _are_long(texts: Sequence[str]) -> bool:
    return sum(map(len, texts)) > LONGEST_CLASSIFIED_CHARACTERS * len(texts)


_FINDERS: dict[str, Callable[[Mapping[str, list[Any]]], TaskColumns | None]] = {
    PREFER: _find_prefer,
    RATE: _find_rate,
    CONVERSE: _find_converse,
    TAG: _find_tag,
    ANSWER: _find_answer,
    REWRITE: _find_rewrite,
    COMPARE: _find_compare,
    CLASSIFY: _find_classify,
    GRADE: _find_grade,
}
