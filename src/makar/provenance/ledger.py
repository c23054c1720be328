"""Where things are on this machine: a private note from a hash to a path, so that no path travels inside a shared file.

One small JSON file a hash in ``home()/ledger``; written whole or not at all. Losing it loses nothing but convenience: ``verify`` then
looks into the models folder or is told the path.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Literal

from makar.home import home

Kind = Literal["artifact", "data"]


def remember_place(kind: Kind, digest: str, place: str) -> None:
    """Note where something with this hash is. A home that cannot be written is passed over: the note is a convenience.

    Args:
        kind: What it is.
        digest: Its hash in hexadecimal.
        place: Its absolute path, or ``builtin:NAME``.
    """
    path = _note(kind, digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".note-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"place": place}, file)
        Path(name).replace(path)
    except OSError:
        return


def known_place(kind: Kind, digest: str) -> str | None:
    """Return the last noted place of a hash, ``None`` when there is none."""
    try:
        place = json.loads(_note(kind, digest).read_text(encoding="utf-8"))["place"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return place if isinstance(place, str) else None


def _note(kind: Kind, digest: str) -> Path:
    if not digest or not set(digest) <= set("0123456789abcdef"):
        # A hash that comes from a foreign manifest must not become a path.
        digest = "none"
    return home() / "ledger" / kind / f"{digest}.json"
