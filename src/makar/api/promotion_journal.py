"""``promotions.jsonl`` of Makar's folder: which model took which name from which other one, and what was taken back.

No tensor library is loaded: a server reads it for the cards of models.
"""

import json
import os
from pathlib import Path
from typing import Any

from makar.home import home, models_folder


def read_journal() -> list[dict[str, Any]]:
    """Return every promotion, the oldest first."""
    path = _journal()
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def note_promotion(entry: dict[str, Any]) -> None:
    """Add a promotion, on the disk before this returns."""
    write_journal([*read_journal(), entry])


def write_journal(entries: list[dict[str, Any]]) -> None:
    """Put these promotions in the place of all, in one step."""
    temporary = _journal().with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in entries)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(_journal())


def model_before(name: str) -> dict[str, Any] | None:
    """Return who took a name last, ``from``, at what ``time``, and what the model before is ``kept_as``.

    ``None`` where nothing was promoted to it, all was taken back, or the model before is no longer there.
    """
    entries = [one for one in read_journal() if one["name"] == name and not one.get("taken_back")]
    if not entries or not (models_folder() / entries[-1]["kept_as"]).is_dir():
        return None
    return {key: entries[-1].get(key) for key in ("from", "time", "kept_as")}


def _journal() -> Path:
    return home() / "promotions.jsonl"
