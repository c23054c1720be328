"""The GGUF file that an engine runs a model from: written once in a folder of this machine, found again by the hash of the model.

Decisions. (1) The file has no vocabulary: an engine is given our tokens, so a model of every vocabulary has one. (2) What was written is
compared with the model, and its sha256 before it is opened again; a file that differs is written anew. (3) The folders that were used
longest ago give way beyond ``MOST``; they can be deleted at any time.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from makar.artifacts.artifact import Artifact
from makar.artifacts.export_gguf import FILE_NAME, mainstream_config, write_gguf
from makar.artifacts.folders import new_folder, write_file
from makar.artifacts.merging import is_adapter, merged_artifact
from makar.errors import UnsupportedError
from makar.home import home

MOST = 8
RECORD = "engine.json"
SCHEMA = 1


def engine_file(artifact: Artifact, precision: str) -> Path:
    """Return the GGUF file of a model for an engine; it is written at the first call.

    Args:
        artifact: A model of text of layout mainstream, or an adapter of one.
        precision: Number format of the matrices, of ``export_gguf.PRECISIONS``.

    Raises:
        UnsupportedError: It has no form in GGUF, or adapters were added to it that its hash does not say.
        MissingExtraError: The package ``gguf`` is absent.
        ArtifactError: The file reads back differently, or cannot be written.
        OutOfSpaceError: The disk is full.
    """
    mainstream_config(artifact)
    if "adapters" in artifact.family("cpu").computing:
        raise UnsupportedError(
            f"{artifact.name} with adapters that were added to it, in another engine",
            expected="a model as it was saved",
            do="serve the adapter itself, or without --engine",
        )
    place = home() / "engines" / f"{artifact.hash[:32]}-{precision}"
    if not _is_whole(place):
        with new_folder(place, replaces=RECORD) as building:
            if is_adapter(artifact):
                with tempfile.TemporaryDirectory(dir=building, prefix="merging-") as merging:
                    merged = merged_artifact(artifact, Path(merging) / artifact.name)
                    write_gguf(building / FILE_NAME, merged, None, precision=precision)
            else:
                write_gguf(building / FILE_NAME, artifact, None, precision=precision)
            record = {"schema": SCHEMA, "model": artifact.hash, "sha256": _sha256(building / FILE_NAME)}
            write_file(building, RECORD, json.dumps(record).encode())
    (place / RECORD).touch()
    _make_room(place)
    return place / FILE_NAME


def _is_whole(place: Path) -> bool:
    try:
        record = json.loads((place / RECORD).read_bytes())
        return bool(record["schema"] == SCHEMA and record["sha256"] == _sha256(place / FILE_NAME))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make_room(used: Path) -> None:
    records = sorted(used.parent.glob(f"*/{RECORD}"), key=lambda record: record.stat().st_mtime)
    for record in records[:-MOST]:
        if record.parent != used:
            # A process that has it open keeps it.
            shutil.rmtree(record.parent, ignore_errors=True)
