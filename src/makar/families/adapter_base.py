"""The model that an adapter changes: found by its hash, compared byte by byte, and read tensor by tensor.

An adapter meets its own base or none. Where the base is on this machine stands in the private ledger; no path travels in an adapter. One
tensor is read at a time, so that a large base never lies in memory in a form that is not asked for.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from makar.errors import ArtifactError, IntegrityError
from makar.provenance.folder import check_folder, read_limited
from makar.provenance.ledger import known_place
from makar.provenance.manifest import read_strict_json

HEADER_NAME, WEIGHTS_NAME = "makar.json", "model.safetensors"


class SavedTensors:
    """Tensors in files of safetensors, read one at a time.

    Args:
        paths: The files.

    Raises:
        IntegrityError: One cannot be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._places: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in paths:
            try:
                with safetensors.safe_open(str(path), framework="pt") as file:
                    for name in file.keys():  # noqa: SIM118
                        self._places[name] = path
                        self.shapes[name] = tuple(file.get_slice(name).get_shape())
            except (safetensors.SafetensorError, OSError) as error:
                raise IntegrityError(f"{path.name} cannot be read: {error}", do="get the model again") from error

    def read(self, name: str) -> Tensor:
        """Return a tensor as a copy of its own, float32."""
        with safetensors.safe_open(str(self._places[name]), framework="pt") as file:
            return file.get_tensor(name).to(torch.float32, copy=True)

    def joined(self, names: Sequence[str]) -> Tensor:
        """Return tensors one above the other."""
        return self.read(names[0]) if len(names) == 1 else torch.cat([self.read(name) for name in names])


def base_of_ours(digest: str) -> tuple[dict[str, Any], Path]:
    """Return the header and the file of weights of a saved model of ours.

    Args:
        digest: Hash of its signed manifest.

    Raises:
        ArtifactError: It is not known on this machine.
        IntegrityError: What is there is another one, or was changed.
    """
    place = known_place("artifact", digest)
    if place is None or not (Path(place) / HEADER_NAME).is_file():
        raise ArtifactError(
            f"the model {digest[:16]} that this adapter changes is not on this machine",
            expected="the model that it was learned from",
            do="get it, and make it known: makar verify FOLDER",
        )
    folder = Path(place)
    files = [folder / name for name in (HEADER_NAME, WEIGHTS_NAME) if (folder / name).is_file()]
    status = tuple((one.stat().st_size, one.stat().st_mtime_ns, one.stat().st_ino) for one in files)
    found = _checked(folder, status)
    if found != digest:
        raise IntegrityError(
            f"{place} is another model than the one that this adapter changes",
            expected=f"the one with the hash {digest[:16]}",
            do="get the one that it was learned from; an adapter fits no other",
        )
    header = read_strict_json(read_limited(folder / HEADER_NAME))
    if not isinstance(header, dict) or not isinstance(header.get("family"), dict):
        raise IntegrityError(f"{folder / HEADER_NAME} says of no family", do="get the model again")
    return header, folder / WEIGHTS_NAME


@functools.lru_cache(maxsize=8)
def _checked(folder: Path, status: tuple[Any, ...]) -> str:
    """Return the hash of a model whose every file is as it was signed; what this process has compared before is not read again."""
    del status
    found = check_folder(folder)
    if found.signed is None or found.problems:
        raise IntegrityError(
            f"{folder} cannot be trusted: " + "; ".join(found.problems),
            expected="exactly the files that were signed",
            do="get the model again from where it came from",
        )
    return found.signed.hash
