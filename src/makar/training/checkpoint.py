"""States on disk that are whole or absent: safetensors and JSON, temporary name, synced, renamed, hashed, the last two kept.

A state is a folder ``PREFIX-STEP`` with ``tensors.safetensors`` and ``state.json``, which carries the sha256 of the tensors and of its
own body. Writing goes to ``.tmp-*``; both files and the folder are synced before the rename, the parent after it; deleting renames
to ``.del-*`` first. A reader takes the newest state whose hashes match and falls back to the one before: no kill, full disk or
flipped bit makes it load wrong bytes.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from makar.errors import IntegrityError, OutOfSpaceError
from makar.training.whole_files import sync_folder, write_synced

SCHEMA = 1
NO_SPACE_NUMBERS = (28, 122, 27)  # no space left, quota exceeded, file too large


@dataclasses.dataclass(frozen=True)
class SavedState:
    """A state that was read back and whose hashes match."""

    path: Path
    step: int
    tensors: dict[str, Tensor]
    body: dict[str, Any]


class StateFolder:
    """The saved states of one kind in one folder.

    Args:
        folder: Where they lie.
        prefix: First part of their names.
        keep: How many of the newest stay.
    """

    def __init__(self, folder: Path, *, prefix: str = "checkpoint", keep: int = 2) -> None:
        self.folder = folder
        self.prefix = prefix
        self.keep = keep

    def steps(self) -> list[int]:
        """Return the steps that have a state, oldest first."""
        found = self.folder.glob(f"{self.prefix}-*")
        return sorted(int(path.name.rpartition("-")[2]) for path in found if path.name.rpartition("-")[2].isdigit())

    def save(
        self, step: int, tensors: Mapping[str, Tensor], body: dict[str, Any], *, needed_step: int | None = None
    ) -> Path:
        """Write a state; afterwards it is there whole, or an error was raised and the older ones are untouched.

        Args:
            step: Its step.
            tensors: The tensors by name.
            body: Plain values.
            needed_step: An older state that this one refers to and that must stay.

        Raises:
            OutOfSpaceError: The disk is full.
        """
        target = self._path(step)
        temporary = self.folder / f".tmp-{target.name}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()})
            write_synced(temporary / "tensors.safetensors", data)
            text = json.dumps(body, sort_keys=True, ensure_ascii=False)
            header = {"schema": SCHEMA, "tensors": _sha256(data), "body_hash": _sha256(text.encode()), "body": text}
            write_synced(temporary / "state.json", json.dumps(header, indent=1).encode())
            sync_folder(temporary)
            if target.exists():
                self._delete(target)
            temporary.rename(target)
            sync_folder(self.folder)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if error.errno in NO_SPACE_NUMBERS:
                raise OutOfSpaceError(
                    f"the disk is full: the state of step {step} could not be written to {self.folder}",
                    expected=f"about {sum(tensor.nbytes for tensor in tensors.values()) / 1e6:.0f} MB free",
                    do="free some space and run the same command; it goes on from the state before",
                ) from error
            raise
        others = [other for other in self.steps() if other not in (step, needed_step)]
        for old in others[: max(0, len(others) - (self.keep - 1))]:
            self._delete(self._path(old))
        return target

    def load(self, step: int) -> SavedState:
        """Read the state of a step.

        Raises:
            IntegrityError: It is missing, incomplete or changed.
        """
        path = self._path(step)
        try:
            header = json.loads((path / "state.json").read_text(encoding="utf-8"))
            data = (path / "tensors.safetensors").read_bytes()
            whole = header["tensors"] == _sha256(data) and header["body_hash"] == _sha256(header["body"].encode())
            if header["schema"] == SCHEMA and whole:
                return SavedState(path, step, safetensors.torch.load(data), json.loads(header["body"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, safetensors.SafetensorError) as error:
            raise IntegrityError(f"{path} cannot be read: {error}") from error
        raise IntegrityError(f"{path} does not match its hash")

    def newest(self) -> tuple[SavedState | None, list[str]]:
        """Return the newest whole state and the reasons why newer ones were passed over; clears what a kill left behind."""
        for rest in (*self.folder.glob(f".tmp-{self.prefix}-*"), *self.folder.glob(f".del-{self.prefix}-*")):
            shutil.rmtree(rest, ignore_errors=True)
        damaged: list[str] = []
        for step in reversed(self.steps()):
            try:
                return self.load(step), damaged
            except IntegrityError as error:
                damaged.append(str(error))
                # Left in place it would count among the two that are kept.
                self._delete(self._path(step))
        return None, damaged

    def _path(self, step: int) -> Path:
        return self.folder / f"{self.prefix}-{step:09d}"

    def _delete(self, path: Path) -> None:
        # A renamed folder is no state any more, so a kill half-way through deleting leaves nothing that looks like one.
        doomed = path.with_name(f".del-{path.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
