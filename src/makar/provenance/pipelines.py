"""Pretrained pipelines as links of the chain: what is stated about a folder that nobody signed, and how it is found and compared again.

The statement lists the sha256 of every file that is read and says that the training data is unknown; its hash takes the place of an
artifact's. LoRA files and a ControlNet that were put to the pipeline are listed too. This machine keeps every statement that it
made assets with in ``home()/pipelines``, so that ``verify`` can compare the files again wherever the private ledger says that they are.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from makar.errors import IntegrityError
from makar.home import home
from makar.provenance import manifest as signing
from makar.provenance.folder import list_files
from makar.provenance.keys import signing_key
from makar.provenance.ledger import known_place, remember_place
from makar.provenance.links import data_manifest, run_manifest
from makar.provenance.manifest import SignedManifest, canonical_json, manifest_hash, read_signed

FOLDER = "pipelines"
UNKNOWN = "unknown"


def hashed_files(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return sha256 and bytes of files; what this process has hashed before and has not changed since is not read again."""
    listed = tuple(sorted(names))
    status = tuple((folder / name).stat() for name in listed)
    return _hashed(folder.absolute(), listed, tuple((one.st_size, one.st_mtime_ns, one.st_ino) for one in status))


@functools.lru_cache(maxsize=16)
def _hashed(folder: Path, names: tuple[str, ...], state: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    del state
    return list_files(folder, list(names))


def content_hash(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one hash of the content of a folder: that of the list of names and hashes."""
    return manifest_hash({name: entry["sha256"] for name, entry in files.items()})


def pipeline_statement(
    files: Mapping[str, Mapping[str, Any]], *, pipeline: str, medium: str, added: Mapping[str, Any]
) -> SignedManifest:
    """Return what is stated about a folder, the same at every call.

    Args:
        files: From ``hashed_files``.
        pipeline: Class that the folder names.
        medium: What it makes.
        added: What was put to it, by what it is: hashes and scales of LoRA files, hash of a ControlNet.
    """
    data = data_manifest({"fingerprint": UNKNOWN, "name": UNKNOWN, "medium": medium})
    run = run_manifest("", None, data)
    statement = {
        "schema": signing.SCHEMA,
        "type": "pipeline",
        "medium": medium,
        "pipeline": pipeline,
        "content": content_hash(files),
        "files": dict(files),
        "added": dict(added),
        "training_data": "unknown: the folder does not state what it was trained on",
        "previous": manifest_hash(run),
        "run": run,
        "data": data,
    }
    return SignedManifest(statement, signing_key().public_bytes.hex())


def remember_pipeline(statement: SignedManifest, folder: Path) -> None:
    """Keep a statement, signed, and where its folder is. A home that cannot be written is passed over, as by the ledger."""
    remember_place("artifact", statement.manifest["content"], str(folder.absolute()))
    path = home() / FOLDER / f"{statement.hash}.json"
    if path.is_file():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(signing.sign(statement.manifest, signing_key()), ensure_ascii=False), "utf-8")
    except OSError:
        return


def known_pipeline(digest: str) -> SignedManifest | None:
    """Return the statement with this hash, ``None`` where this machine has none that can be trusted."""
    if not digest or not set(digest) <= set("0123456789abcdef"):
        return None
    try:
        found = read_signed((home() / FOLDER / f"{digest}.json").read_bytes())
    except (OSError, IntegrityError):
        return None
    return found if found.hash == digest and found.manifest.get("type") == "pipeline" else None


def pipeline_folder(digest: str) -> Path | None:
    """Return the folder of the statement with this hash, ``None`` where this machine does not have it any more."""
    statement = known_pipeline(digest)
    place = None if statement is None else known_place("artifact", str(statement.manifest["content"]))
    return None if place is None or not Path(place).is_dir() else Path(place)


def pipeline_problems(statement: Mapping[str, Any]) -> tuple[Path | None, list[str]]:
    """Compare the folder of a statement with it.

    Returns:
        The folder, ``None`` where it is not on this machine, and every difference.
    """
    place = known_place("artifact", str(statement["content"]))
    folder = None if place is None else Path(place)
    if folder is None or not folder.is_dir():
        return None, []
    missing = [name for name in statement["files"] if not (folder / name).is_file()]
    if missing:
        return folder, [f"missing file {name}" for name in missing]
    now = list_files(folder, list(statement["files"]))
    return folder, [
        f"{name} does not match its hash"
        for name, entry in statement["files"].items()
        if canonical_json(now[name]) != canonical_json(dict(entry))
    ]
