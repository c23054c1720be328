"""What was found out about data that has not been touched since: fingerprints and examinations, in ``home()/inspections``.

One file an entry, named by the hash of everything it depends on, written under another name first, so that it is there whole or not
at all; arrays and JSON only, nothing is unpickled. Losing or damaging one costs the time to find out again, so every error of reading
or writing is passed over. The oldest go when there are too many.
"""

import contextlib
import hashlib
import io
import json
import os
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from makar.data.examination import Examination, SkipLedger
from makar.home import home
from makar.version import VERSION

MOST_ENTRIES = 64
EXAMINATION_VERSION = 4
"""Raised when the same documents are examined with another result."""

ARRAYS = ("digests", "sizes", "officials", "codes", "languages", "pairs", "byte_sizes", "groups", "paired")
COUNTERS = ("labels", "licences", "times")


def key_of(*parts: object) -> str:
    """Return the name of an entry from everything that it depends on."""
    return hashlib.sha256(json.dumps([VERSION, EXAMINATION_VERSION, *map(str, parts)]).encode()).hexdigest()[:40]


def load_fingerprint(key: str) -> str | None:
    """Return a fingerprint that was kept, ``None`` when there is none."""
    try:
        text = (_folder() / f"{key}.sha256").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return text if len(text) == 64 and set(text) <= set("0123456789abcdef") else None


def save_fingerprint(key: str, fingerprint: str) -> None:
    """Keep a fingerprint."""
    _write(f"{key}.sha256", fingerprint.encode("ascii"))


def load_examination(key: str) -> tuple[Examination, list[str]] | None:
    """Return an examination that was kept and the warnings that came with it, ``None`` when there is none."""
    try:
        with (_folder() / f"{key}.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            rest = json.loads(file["rest"].tobytes())
            arrays = {name: file[name] for name in ARRAYS}
        ledger = SkipLedger()
        ledger.reasons = {reason: (count, examples) for reason, count, examples in rest["skipped"]}
        seen = Examination(
            **arrays,
            labels=Counter(dict(rest["labels"])),
            licences=Counter(dict(rest["licences"])),
            times=Counter(dict(rest["times"])),
            shapes=Counter({tuple(shape): images for shape, images in rest["shapes"]}),
            language_names=rest["language_names"],
            compared=rest["compared"],
            captions=rest["captions"],
            skipped=ledger,
            alone=(rest["alone"][0], rest["alone"][1]),
        )
        return seen, list(rest["warnings"])
    except Exception:  # a damaged file raises almost anything, and the examination is then made again
        return None


def save_examination(key: str, seen: Examination, warnings: list[str]) -> None:
    """Keep an examination, before the parts are decided upon, and the warnings that came with it."""
    rest: dict[str, Any] = {name: list(getattr(seen, name).items()) for name in COUNTERS}
    rest |= {
        "shapes": [[list(shape), images] for shape, images in seen.shapes.items()],
        "skipped": [[reason, count, examples] for reason, (count, examples) in seen.skipped.reasons.items()],
        "language_names": seen.language_names,
        "compared": seen.compared,
        "captions": seen.captions,
        "alone": seen.alone,
        "warnings": warnings,
    }
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    np.savez(buffer, rest=text, **{name: getattr(seen, name) for name in ARRAYS})
    _write(f"{key}.npz", buffer.getvalue())


def _write(name: str, content: bytes) -> None:
    folder = _folder()
    temporary = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
        entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in entries[MOST_ENTRIES:]:
            old.unlink(missing_ok=True)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _folder() -> Path:
    return home() / "inspections"
