"""What is said aloud of the labels of a table: why texts with labels are read as plain text, and labels of several kinds."""

from collections.abc import Mapping, Sequence
from typing import Any

from makar.data.task_cells import is_label, is_text
from makar.data.task_columns import LARGEST_SHARE_OF_LABELS, LONGEST_CLASSIFIED_CHARACTERS, NAMES

KINDS = {bool: "truths", int: "numbers", float: "numbers", str: "texts", list: "lists"}


def why_unlabelled(values: Mapping[str, Sequence[Any]]) -> str:
    """Return why a table with a text and a label is not taken as labelled for classes; empty where it has not both.

    Args:
        values: The cells of each column in the first rows, without empty ones.
    """
    text, label = (_first_named(values, NAMES[role]) for role in ("text", "label"))
    if text is None or label is None or text == label or not all(map(is_text, values[text])):
        return ""
    texts, labels = values[text], values[label]
    odd = next((cell for cell in labels if not is_label(cell)), None)
    mean = sum(map(len, texts)) / len(texts)
    if odd is not None:
        found = f'"{label}" holds what is no label: {str(odd)[:40]}'
    elif mean > LONGEST_CLASSIFIED_CHARACTERS:
        found = f"the texts have {mean:,.0f} characters in the mean, more than {LONGEST_CLASSIFIED_CHARACTERS:,}: works with a label"
    else:
        different = len({str(cell) for cell in labels})
        found = (
            f'"{label}" has {different} different values in {len(labels)} rows, more than {LARGEST_SHARE_OF_LABELS:.0%}'
        )
    return f"read as plain text and not as classes: {found}; --columns text={text},label={label} takes them as classes"


def mixed_labels(cells: Sequence[Any]) -> str:
    """Return a warning where labels are of several kinds; empty where they are of one."""
    flat = [label for cell in cells for label in (cell if isinstance(cell, list) else [cell])]
    kinds = dict.fromkeys(KINDS.get(type(label), "others") for label in flat)
    if len(kinds) < 2:
        return ""
    examples = {KINDS.get(type(label), "others"): label for label in reversed(flat)}
    shown = ", ".join(f"{kind} ({examples[kind]!r})" for kind in kinds)
    return f"labels of several kinds: {shown}; they are told apart as they are written, so 1 and '1' are one label"


def _first_named(values: Mapping[str, Sequence[Any]], names: Sequence[str]) -> str | None:
    found = {str(column).lower(): column for column, cells in values.items() if cells}
    return next((found[name] for name in names if name in found), None)
