"""What a row of a labelled table holds: its roles as plain values, one text of the whole, and what it shares with other rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from makar.data.task_cells import (
    answer_of,
    has_no_answer,
    is_label,
    is_tags,
    is_text,
    is_words,
    score_of,
    texts_of,
    turns_of,
)
from makar.data.task_columns import (
    ANSWER,
    CLASSIFY,
    COMPARE,
    CONVERSE,
    GRADE,
    PREFER,
    RATE,
    REWRITE,
    TAG,
    TaskColumns,
)


def row_roles(row: Mapping[str, Any], columns: TaskColumns, label_names: Sequence[str] | None) -> dict[str, Any] | None:
    """Return what a row holds, ``None`` where one of the needed roles is empty or not of the right kind.

    Args:
        row: Cells by column.
        columns: The roles.
        label_names: Names of numbered labels or tags, where the file has them.

    Returns:
        ``text``, ``question``, ``context``, ``source``, ``first``, ``second``, ``chosen``, ``rejected``, ``response``: strings; ``score``,
        ``similarity``: numbers; ``labels``, ``tokens``, ``tags``, ``answers``, ``targets``: tuples of strings, the first target or answer
        is the one to learn, and no answer says that the passage holds none; ``messages``: a tuple of dictionaries with ``role`` (system,
        user, assistant, tool) and ``content``.
    """
    cells = {role: row.get(column) for role, column in columns.roles.items()}
    return _READERS[columns.task](cells, [row.get(column) for column in columns.further], label_names)


def learnable_text(task: str, roles: Mapping[str, Any]) -> str:
    """Return the whole row as one text, for duplicates, languages, sizes, and for a language model."""
    if task in (CLASSIFY, GRADE):
        return str(roles["text"])
    if task == COMPARE:
        return f"{roles['first']}\n\n{roles['second']}"
    if task == TAG:
        return " ".join(roles["tokens"])
    if task == ANSWER:
        return "\n\n".join((roles["context"], roles["question"], *roles["answers"][:1]))
    if task == REWRITE:
        return f"{roles['source']}\n\n{roles['targets'][0]}"
    turns = [message["content"] for message in roles["messages"]]
    answers = {CONVERSE: (), RATE: ("response",)}.get(task, ("chosen", "rejected"))
    return "\n\n".join([*turns, *(roles[name] for name in answers)])


def group_of(task: str, roles: Mapping[str, Any]) -> str | None:
    """Return what rows share that must not be divided between the parts: the passage of questions, the prompt of preferences."""
    if task == ANSWER:
        return str(roles["context"])
    if task in (PREFER, RATE):
        return "\n".join(message["content"] for message in roles["messages"])
    return None


def _read_classify(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further
    label = cells["label"]
    if not is_text(cells["text"]) or label is None or not (isinstance(label, list) or is_label(label)):
        return None
    labels = label if isinstance(label, list) else [label]
    return {"text": cells["text"], "labels": tuple(_name(item, names) for item in labels)}


def _read_tag(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further
    tokens, tags = cells["tokens"], cells["tags"]
    if isinstance(tokens, str) and isinstance(tags, str):
        # A letter for a letter: amino acids and where each is in the fold.
        tokens, tags = list(tokens), list(tags)
    if not is_words(tokens) or not is_tags(tags) or len(tokens) != len(tags):
        return None
    return {"tokens": tuple(tokens), "tags": tuple(_name(tag, names) for tag in tags)}


def _read_answer(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further, names
    answers = texts_of(cells["answer"])
    if not is_text(cells["question"]) or not is_text(cells["context"]):
        return None
    if not answers and not has_no_answer(cells["answer"]):
        return None
    return {"question": cells["question"], "context": cells["context"], "answers": answers}


def _read_rewrite(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del names
    targets = tuple(text for cell in (cells["target"], *further) for text in texts_of(cell))
    return {"source": cells["source"], "targets": targets} if is_text(cells["source"]) and targets else None


def _read_converse(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further, names
    if "messages" in cells:
        turns = turns_of(cells["messages"])
    else:
        turns = _answered(cells)
    # Without a word of an answer there is nothing to learn.
    if turns is None or not any(turn["role"] == "assistant" and turn["content"].strip() for turn in turns):
        return None
    system = cells.get("system")
    return {"messages": ({"role": "system", "content": system}, *turns) if is_text(system) else turns}


def _answered(cells: dict[str, Any]) -> tuple[dict[str, str], ...] | None:
    """Return the turns of a prompt, with what it is about, and of the answer to it; each a text or turns."""
    asked, about, said = _turns(cells["prompt"]), cells.get("input"), _said(cells["response"])
    if not asked or said is None or not is_text(said[1]):
        return None
    if is_text(about):
        asked = (*asked[:-1], {**asked[-1], "content": f"{asked[-1]['content']}\n\n{about}"})
    return (*asked, *said[0], {"role": "assistant", "content": said[1]})


def _turns(prompt: Any) -> tuple[dict[str, str], ...]:
    """Return what was asked as turns; none where there is nothing."""
    return ({"role": "user", "content": prompt},) if is_text(prompt) else turns_of(prompt) or ()


def _said(response: Any) -> tuple[tuple[dict[str, str], ...], str] | None:
    """Return the turns before an answer in its own cell, and the answer; a text is the answer as it stands."""
    return ((), response) if isinstance(response, str) else answer_of(response)


def _read_prefer(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further, names
    turns = _turns(cells.get("prompt"))
    answers = [answer_of(cells[role]) for role in ("chosen", "rejected")]
    if not all(answers):
        return None
    (before, chosen), (other, rejected) = [answer for answer in answers if answer]
    if not turns:
        # Both hold the whole conversation: what they share is the prompt.
        if before != other:
            return None
        turns = before
    # One answer twice says nothing about which is better.
    if chosen == rejected:
        return None
    return {"messages": turns, "chosen": chosen, "rejected": rejected}


def _read_rate(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further, names
    score, said = score_of(cells["score"]), _said(cells["response"])
    if score is None or said is None or not is_text(said[1]):
        return None
    return {"messages": (*_turns(cells.get("prompt")), *said[0]), "response": said[1], "score": score}


def _read_compare(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further, names
    # Without a column of scores every pair is one of sentences that are alike.
    similarity = score_of(cells["similarity"]) if "similarity" in cells else 1.0
    if not is_text(cells["first"]) or not is_text(cells["second"]) or similarity is None:
        return None
    return {"first": cells["first"], "second": cells["second"], "similarity": similarity}


def _read_grade(cells: dict[str, Any], further: list[Any], names: Sequence[str] | None) -> dict[str, Any] | None:
    del further, names
    score = score_of(cells["score"])
    return None if not is_text(cells["text"]) or score is None else {"text": cells["text"], "score": score}


def _name(value: Any, names: Sequence[str] | None) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if names is not None and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return str(names[value])
    return str(value)


_READERS: dict[str, Callable[[dict[str, Any], list[Any], Sequence[str] | None], dict[str, Any] | None]] = {
    CLASSIFY: _read_classify,
    COMPARE: _read_compare,
    GRADE: _read_grade,
    TAG: _read_tag,
    ANSWER: _read_answer,
    REWRITE: _read_rewrite,
    CONVERSE: _read_converse,
    PREFER: _read_prefer,
    RATE: _read_rate,
}
