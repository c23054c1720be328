"""An artifact folder as proof: a signed list of its files, checked name by name and byte by byte before anything is loaded.

``manifest.json`` is signed once and lists everything that makes the model; its hash is the artifact's identity and never changes.
``documents.json`` is signed too and lists what may be renewed later (the card, the report), and names the identity it belongs to.
A file that neither lists is foreign; links are foreign; a listed name that leaves the folder makes the manifest invalid.
"""

import dataclasses
import hashlib
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from makar.errors import IntegrityError
from makar.provenance.manifest import LARGEST_MANIFEST_BYTES, SignedManifest, read_signed

MANIFEST_NAME = "manifest.json"
DOCUMENTS_NAME = "documents.json"
# Programs that show folders drop these everywhere; nothing ever reads them.
IGNORED_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderCheck:
    """What was found in an artifact folder.

    Attributes:
        signed: The signed manifest; ``None`` when it cannot be trusted.
        problems: Every reason to distrust the folder, the most basic first.
    """

    signed: SignedManifest | None
    problems: tuple[str, ...]


def list_files(folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return sha256 and bytes of files by their name relative to the folder, as a manifest lists them."""
    return {
        name: {"sha256": file_hash(folder / name), "bytes": (folder / name).stat().st_size} for name in sorted(names)
    }


def file_hash(path: Path, *, first_bytes: int | None = None) -> str:
    """Return the sha256 of a file, or of its first bytes, in hexadecimal."""
    with path.open("rb") as file:
        if first_bytes is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while first_bytes > 0 and (part := file.read(min(first_bytes, 1 << 20))):
            digest.update(part)
            first_bytes -= len(part)
    return digest.hexdigest()


def read_limited(path: Path) -> bytes:
    """Read a small file of any origin.

    Raises:
        IntegrityError: It is missing, no ordinary file, or too large.
    """
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise IntegrityError(f"{path.name} is no ordinary file", expected="a file, not a link")
        if status.st_size > LARGEST_MANIFEST_BYTES:
            raise IntegrityError(
                f"{path.name} has {status.st_size} bytes", expected=f"at most {LARGEST_MANIFEST_BYTES}"
            )
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path.name} is missing or cannot be read: {error.strerror}") from error


def check_folder(folder: Path, *, hashes: bool = True) -> FolderCheck:
    """Compare an artifact folder with its signed lists.

    Args:
        folder: The artifact.
        hashes: Whether to read every file; without, only names and sizes are compared.

    Returns:
        The manifest and every problem; no exception for anything that is inside the folder.
    """
    problems: list[str] = []
    listed: dict[str, Any] = {}
    try:
        signed = read_signed(read_limited(folder / MANIFEST_NAME))
        if signed.manifest.get("type") != "artifact":
            raise IntegrityError(f"it is a manifest of type {signed.manifest.get('type')!r}", expected="artifact")
        listed |= _listed(signed.manifest)
    except IntegrityError as error:
        return FolderCheck(signed=None, problems=(f"{MANIFEST_NAME}: {error.came}",))
    try:
        documents = read_signed(read_limited(folder / DOCUMENTS_NAME))
        if documents.manifest.get("type") != "documents" or documents.manifest.get("artifact") != signed.hash:
            raise IntegrityError("it belongs to another artifact")
        renewed = _listed(documents.manifest)
        if set(renewed) & set(listed):
            raise IntegrityError("it lists files of the model again")
        listed |= renewed
    except IntegrityError as error:
        problems.append(f"{DOCUMENTS_NAME}: {error.came}")
    for name, entry in listed.items():
        problem = _problem_of(folder, name, entry, hashes)
        if problem:
            problems.append(problem)
    problems += [f"foreign file {name}" for name in _present(folder) if name not in listed]
    return FolderCheck(signed=signed, problems=tuple(problems))


def is_safe_name(name: Any) -> bool:
    """Return whether a listed name stays inside the folder on every system: plain relative parts joined with ``/``."""
    if (
        not isinstance(name, str)
        or not name
        or len(name) > 255
        or any(ord(letter) < 32 or letter in '\\:*?"<>|' for letter in name)
    ):
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and str(path) == name and ".." not in path.parts and bool(path.parts)


def _listed(manifest: dict[str, Any]) -> dict[str, Any]:
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise IntegrityError("it lists no files")
    for name, entry in files.items():
        if not is_safe_name(name) or name in (MANIFEST_NAME, DOCUMENTS_NAME):
            raise IntegrityError(f"it lists the unsafe name {name!r}", do="do not trust this artifact")
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("bytes"), int)
            or not isinstance(entry.get("sha256"), str)
        ):
            raise IntegrityError(f"it lists {name!r} without hash and size")
    return files


def _problem_of(folder: Path, name: str, entry: dict[str, Any], hashes: bool) -> str | None:
    path = folder / name
    try:
        for parent in (folder / part for part in PurePosixPath(name).parents if str(part) != "."):
            if parent.is_symlink():
                return f"{name} is reached through a link"
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return f"{name} is no ordinary file"
        if status.st_size != entry["bytes"]:
            return f"{name} has {status.st_size} bytes, signed were {entry['bytes']}"
        if hashes and file_hash(path) != entry["sha256"]:
            return f"{name} does not match its hash"
    except FileNotFoundError:
        return f"missing file {name}"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    return None


def _present(folder: Path) -> list[str]:
    names = []
    for parent, folders, files in os.walk(folder):
        # os.walk does not enter links to folders, but lists them; they are files as far as trust goes.
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in [*files, *links]:
            relative = (Path(parent) / name).relative_to(folder).as_posix()
            if relative not in (MANIFEST_NAME, DOCUMENTS_NAME) and name not in IGNORED_NAMES:
                names.append(relative)
    return sorted(names)
