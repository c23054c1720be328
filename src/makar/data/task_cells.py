"""What a cell of a labelled table holds: a text, a label, words, tags, texts, turns of a conversation; in the shapes of published data."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from makar.errors import MakarError

SPEAKERS = {
    "human": "user", "user": "user", "prompter": "user", "gpt": "assistant", "assistant": "assistant", "bot": "assistant",
    "model": "assistant", "chatgpt": "assistant", "system": "system", "developer": "system", "tool": "tool", "observation": "tool",
    "function": "tool", "function_call": "assistant",
}  # fmt: skip

THUMBS = {
    "up": 1.0, "good": 1.0, "yes": 1.0, "true": 1.0, "positive": 1.0, "like": 1.0, "\U0001f44d": 1.0, "thumbs_up": 1.0,
    "down": 0.0, "bad": 0.0, "no": 0.0, "false": 0.0, "negative": 0.0, "dislike": 0.0, "\U0001f44e": 0.0, "thumbs_down": 0.0,
}  # fmt: skip


def turn_of(cell: Mapping[str, Any]) -> dict[str, str] | None:
    """Return a turn as role and content, from the shape of OpenAI or of ShareGPT; ``None`` for neither."""
    role = SPEAKERS.get(str(cell.get("role", cell.get("from", ""))).lower())
    content = cell.get("content", cell.get("value"))
    calls = cell.get("tool_calls")
    said = [call_text(call) for call in calls] if isinstance(calls, list) else []
    if said and None not in said and isinstance(content, str | None):
        content = "\n".join(text for text in (content, *said) if text)
    return {"role": role, "content": content} if role and isinstance(content, str) else None


def call_text(call: Any, *, read: Callable[[str], Any] = json.loads) -> str | None:
    """Return a call of a function, in the shape of OpenAI, as the JSON text that a model writes for it; ``None`` for anything else.

    Args:
        call: The call.
        read: Reads its arguments; what it refuses stays a text.
    """
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments")
    try:
        said = read(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError, MakarError):
        said = arguments
    return json.dumps({"name": function["name"], "arguments": said}, ensure_ascii=False)


def turns_of(cell: Any) -> tuple[dict[str, str], ...] | None:
    """Return the turns of a conversation, or of one turn; ``None`` where one of them is none."""
    if isinstance(cell, dict):
        cell = [cell]
    if not isinstance(cell, list) or not cell:
        return None
    turns = [turn_of(item) if isinstance(item, dict) else None for item in cell]
    return None if None in turns else tuple(turn for turn in turns if turn)


def is_text(cell: Any) -> bool:
    """Whether a cell holds one text."""
    return isinstance(cell, str) and bool(cell.strip())


def is_label(cell: Any) -> bool:
    """Whether a cell holds the name or number of a class, or a list of them."""
    if isinstance(cell, list):
        return bool(cell) and all(map(is_label, cell)) and not any(isinstance(label, list) for label in cell)
    if isinstance(cell, float):
        # Whole numbers become floats where their column has a gap.
        return cell.is_integer()
    return isinstance(cell, bool | int) or (isinstance(cell, str) and 0 < len(cell) <= 80)


def is_words(cell: Any) -> bool:
    """Whether a cell holds a list of words."""
    return isinstance(cell, list) and bool(cell) and all(isinstance(word, str) for word in cell)


def is_tags(cell: Any) -> bool:
    """Whether a cell holds a list of tags, by name or number."""
    return isinstance(cell, list) and bool(cell) and all(isinstance(tag, str | int) for tag in cell)


def is_turn(cell: Any) -> bool:
    """Whether a cell holds one turn of a conversation."""
    return isinstance(cell, dict) and turn_of(cell) is not None


def is_turns(cell: Any) -> bool:
    """Whether a cell holds the turns of a conversation."""
    return isinstance(cell, list) and bool(cell) and all(map(is_turn, cell))


def is_thumb(cell: Any) -> bool:
    """Whether a cell says yes or no: a truth, or the word for one."""
    return isinstance(cell, bool) or (isinstance(cell, str) and cell.strip().lower() in ("true", "false"))


def score_of(cell: Any) -> float | None:
    """Return how good an answer is from a number, a truth or a thumb; ``None`` for anything else."""
    if isinstance(cell, str) and cell.strip().lower() in THUMBS:
        return THUMBS[cell.strip().lower()]
    if not isinstance(cell, bool | int | float | str):
        return None
    try:
        number = float(cell)
    except (OverflowError, ValueError):
        return None
    # Gaps are written as "nan" by others, and what is endless cannot be compared.
    return number if math.isfinite(number) else None


def is_score(cell: Any) -> bool:
    """Whether a cell says how good an answer is."""
    return score_of(cell) is not None


def is_answer(cell: Any) -> bool:
    """Whether a cell holds an answer: a text, a turn, or a conversation that ends with it."""
    return is_text(cell) or is_turn(cell) or is_turns(cell)


def is_texts(cell: Any) -> bool:
    """Whether a cell holds one or more texts."""
    return bool(texts_of(cell))


def is_answers(cell: Any) -> bool:
    """Whether a cell holds one or more answers, or says in the shape of SQuAD 2.0 that there is none."""
    return is_texts(cell) or has_no_answer(cell)


def has_no_answer(cell: Any) -> bool:
    """Whether a cell says that a passage holds no answer: an answer of SQuAD without texts."""
    return isinstance(cell, dict) and cell.get("text") == []


def texts_of(cell: Any) -> tuple[str, ...]:
    """Return the texts of a cell: one, a list, or those of a SQuAD answer; empty where there is none."""
    if isinstance(cell, dict):
        cell = cell.get("text")
    if isinstance(cell, str):
        cell = [cell]
    if not isinstance(cell, list):
        return ()
    found = [item.get("text") if isinstance(item, dict) else item for item in cell]
    texts = tuple(text for text in found if isinstance(text, str) and text.strip())
    return texts if len(texts) == len(found) else ()


def answer_of(cell: Any) -> tuple[tuple[dict[str, str], ...], str] | None:
    """Return the turns before an answer, and the answer."""
    if isinstance(cell, str):
        return transcript_of(cell)
    turns = turns_of(cell)
    return None if not turns or turns[-1]["role"] != "assistant" else (turns[:-1], turns[-1]["content"])


def transcript_of(text: str) -> tuple[tuple[dict[str, str], ...], str] | None:
    """Return the turns of a transcript with ``Human:`` and ``Assistant:``, or the text as an answer to nothing."""
    if not text.strip():
        return None
    pieces = ("\n\n" + text.lstrip("\n")).split("\n\nHuman: ")
    if len(pieces) < 2 or pieces[0].strip():
        return (), text
    turns: list[dict[str, str]] = []
    for piece in pieces[1:]:
        asked, *answers = piece.split("\n\nAssistant:")
        turns.append({"role": "user", "content": asked.strip()})
        turns += [{"role": "assistant", "content": answer.strip()} for answer in answers]
    return (
        (tuple(turns[:-1]), turns[-1]["content"]) if turns[-1]["role"] == "assistant" and turns[-1]["content"] else None
    )
