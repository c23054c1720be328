"""Files that are on the disk when a call returns, and JSON files that are replaced as a whole; no torch."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file as a whole: temporary name, synced, renamed."""
    temporary = path.with_name(f".tmp-{path.name}")
    write_synced(temporary, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())
    temporary.replace(path)
    with contextlib.suppress(OSError):
        sync_folder(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
