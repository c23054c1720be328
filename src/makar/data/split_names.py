"""Which official part a file, folder, array or column value names: train, validation or test.

A name alone proves nothing ("litmus_test.txt", the ``test`` folder of a program), so a split is honoured only where a training part
stands beside it. Whole names count always; a word inside a name counts for tables and arrays (``qa_test.jsonl``,
``train-00000-of-00002.parquet``), and elsewhere only where the same name exists with another split (``wiki.valid.tokens``).
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

WORDS = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation", "val": "validation",
    "dev": "validation", "development": "validation", "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip


def split_of_words(words: Iterable[str]) -> str | None:
    """Return the split that the first or else the last word names, ``None`` when neither does."""
    listed = list(words)
    for word in (listed[:1], listed[-1:]):
        if word and word[0].lower() in WORDS:
            return WORDS[word[0].lower()]
    return None


def split_of_value(value: object) -> str | None:
    """Return the split that the value of a ``split`` column names."""
    return WORDS.get(str(value).strip().lower()) if value is not None else None


def split_and_domain(folder: str) -> tuple[str, str]:
    """Return the split that the name of a folder begins with, and the rest: ``("train", "A")`` for ``trainA``, else ``("", folder)``.

    The layout of unpaired translation has a folder a split and domain; only A and B are read so, because "tests" is a word of its own.
    """
    word, domain = folder[:-1], folder[-1:]
    return (WORDS[word.lower()], domain) if domain in ("A", "B") and word.lower() in WORDS else ("", folder)


def official_splits(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Say for each place which official split it belongs to.

    Args:
        names: Pairs of path and group (``text``, ``table`` ...) of every file.

    Returns:
        Split by path of a file or by path of a folder with a trailing ``/``; empty where no training part is named.
    """
    folders: dict[str, dict[str, str]] = {}
    stems: dict[str, dict[str, tuple[str, str]]] = {}
    for name, group in names:
        parts = PurePosixPath(name).parts
        # A code repository may well have a folder called test; only one with a sibling called train is a split.
        for depth in range(len(parts) - 1):
            if parts[depth].lower() in WORDS:
                parent = "/".join(parts[:depth])
                folders.setdefault(parent, {})["/".join(parts[: depth + 1]) + "/"] = WORDS[parts[depth].lower()]
            elif split := split_and_domain(parts[depth])[0]:
                parent = "/".join(parts[:depth])
                folders.setdefault(parent, {})["/".join(parts[: depth + 1]) + "/"] = split
        if group in ("text", "table", "array"):
            found = _stem_split(parts[-1].rpartition("!/")[2], group)
            if found is not None:
                stems.setdefault("/".join(parts[:-1]), {})[name] = found
    result: dict[str, str] = {}
    for siblings in folders.values():
        if "train" in siblings.values() and len(set(siblings.values())) > 1:
            result.update(siblings)
    for files in stems.values():
        sure = {name: split for name, (split, template) in files.items() if _is_sure(split, template, files)}
        if "train" in sure.values() and len(set(sure.values())) > 1:
            result.update(sure)
    return result


def official_split_of(name: str, splits: dict[str, str]) -> str | None:
    """Look a file up among the places that ``official_splits`` found."""
    if not splits:
        return None
    if name in splits:
        return splits[name]
    parts = name.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth]) + "/"
        if folder in splits:
            return splits[folder]
    return None


def _stem_split(file: str, group: str) -> tuple[str, str] | None:
    words = re.split(r"[._\-]+", file.lower())
    for place, word in enumerate(words[:-1] if len(words) > 1 else words):
        if word in WORDS:
            stem = file.lower().partition(".")[0]
            rest = [*words[:place], "*", *words[place + 1 :]]
            edge = split_of_words(re.split(r"[._\-]+", stem)) is not None
            whole = stem in WORDS
            return WORDS[word], "" if whole or (edge and group != "text") else "_".join(rest)
    return None


def _is_sure(split: str, template: str, files: dict[str, tuple[str, str]]) -> bool:
    return template == "" or any(other == template and named != split for named, other in files.values())
