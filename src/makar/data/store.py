"""A memory-mapped store of encoded examples: built once in shards, resumably, keyed by content, read without loading.

Layout of a store folder::

    store.json             schema, key, counts, one entry a slot (dtype, item shape or ragged), sha256 of every file
    SLOT.bin               all values of a slot, one example after the other, little-endian
    SLOT.offsets.bin       int64 start of every example plus the end; only for slots whose examples differ in shape on the first axis
    sources.jsonl          one line an example: id, source, licence, document, label (for the ledger and for naming copies)
    building/              while it is built: finished shards; a killed build goes on after the last of them

Text, image, audio and video all live here: a slot with one fixed shape needs no offsets, any other is ragged along its first axis.
A slot with one axis is always ragged, also when all examples happen to have one length: whether a store is a stream of tokens must
not depend on chance.
"""

import copy
import dataclasses
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from makar.data.record import Record
from makar.errors import DataError, EmptyDataError, IntegrityError, OutOfSpaceError

SCHEMA = 1
SHARD_BYTES = 32 << 20
COPY_BYTES = 8 << 20
EXAMPLE_BYTES = 1000
"""What an example costs in memory besides its values until its shard is written; counts towards the shard."""

Encode = Callable[[Record], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Column:
    """All examples of one slot: ``values`` is memory-mapped; ``offsets`` is ``None`` where every example has the same shape.

    ``values`` has shape ``[examples, *item]`` without offsets and ``[total, *item]`` with them.
    """

    values: np.ndarray
    offsets: np.ndarray | None

    def __getitem__(self, index: int) -> np.ndarray:
        if self.offsets is None:
            return self.values[index]
        return self.values[int(self.offsets[index]) : int(self.offsets[index + 1])]


class Store:
    """A finished store, opened for reading. Costs no memory until its values are touched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._chosen: frozenset[int] | None = None
        """Numbers of the examples of a part; ``None`` for all."""
        try:
            self.header: dict[str, Any] = json.loads((path / "store.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is not a finished store: {error}", do="build it again") from error
        if self.header["schema"] != SCHEMA:
            raise DataError(
                f"{path} has schema {self.header['schema']}", expected=str(SCHEMA), do="delete it; it is rebuilt"
            )
        try:
            self.columns = {name: _open_column(path, name, slot) for name, slot in self.header["slots"].items()}
        except (OSError, ValueError) as error:
            raise DataError(f"{path} lacks a part: {error}", do="delete it; it is rebuilt from the data") from error

    def __len__(self) -> int:
        return int(self.header["examples"])

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that ``verify`` reads."""
        return sum((self.path / name).stat().st_size for name in self.header["files"] if (self.path / name).exists())

    @property
    def key(self) -> str:
        """Hash of what the store was made from."""
        return str(self.header["key"])

    def sources(self) -> Iterator[dict[str, Any]]:
        """Yield one dictionary an example, in order: id, source, document, licence, label."""
        with (self.path / "sources.jsonl").open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if self._chosen is None or number in self._chosen:
                    yield json.loads(line)

    def part(self, places: np.ndarray) -> "Store":
        """Return some of the examples as a store of their own, held in memory.

        Args:
            places: Their numbers, rising.
        """
        found = copy.copy(self)
        found.header = {**self.header, "examples": len(places)}
        found.columns = {name: _part_of(column, places) for name, column in self.columns.items()}
        found._chosen = frozenset(places.tolist())
        return found

    def verify(self) -> None:
        """Compare every file with its sha256.

        Raises:
            IntegrityError: A file is missing or changed.
        """
        for name, expected in self.header["files"].items():
            file = self.path / name
            if not file.exists() or _sha256(file) != expected:
                raise IntegrityError(
                    f"{file} does not match its hash", do="delete the store; it is rebuilt from the data"
                )


def _part_of(column: Column, places: np.ndarray) -> Column:
    if column.offsets is None:
        return Column(np.asarray(column.values[places]), None)
    parts = [np.asarray(column[int(place)]) for place in places]
    ends = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
    return Column(np.concatenate(parts) if parts else np.asarray(column.values[:0]), ends)


def build_store(
    path: Path,
    records: Iterable[Record],
    encode: Encode,
    *,
    key: str,
    progress: Callable[[int], None] | None = None,
    allow_empty: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Store:
    """Encode records into a store, or open the one that is already there under the same key.

    Records must come in the same order on every call: a killed build skips as many as its finished shards hold.

    Args:
        path: Folder of the store.
        records: The examples, streamed.
        encode: Turns a record into one array a slot (an empty dictionary skips the record).
        key: Hash of data set, codec and split; another key builds anew.
        progress: Called with the number of records read so far.
        allow_empty: Whether a store without examples is acceptable.
        shard_bytes: A shard is closed when it holds this many bytes.

    Raises:
        EmptyDataError: No record was encoded.
        OutOfSpaceError: The disk is full; finished shards stay and the next call goes on.
    """
    if (path / "store.json").exists():
        store = _opened_if_whole(path)
        if store is not None and store.key == key:
            return store
        shutil.rmtree(path)
    building = path / "building"
    marker = building / "key"
    if building.exists() and not (marker.exists() and marker.read_text(encoding="utf-8") == key):
        shutil.rmtree(building)
    try:
        building.mkdir(parents=True, exist_ok=True)
        marker.write_text(key, encoding="utf-8")
        shards, seen = _finished_shards(building)
        iterator = iter(records)
        for _ in range(seen):
            next(iterator, None)
        shard = _Shard(building, len(shards), seen)
        for record in iterator:
            shard.add(record, encode(record))
            if progress is not None:
                progress(shard.seen)
            if shard.bytes >= shard_bytes:
                shards.append(shard.close())
                shard = _Shard(building, len(shards), shard.seen)
        shards.append(shard.close())
        return _join(path, building, shards, key, allow_empty)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpaceError(
                f"the disk is full while building {path}",
                do="free some space and run the same command; finished parts are kept",
            ) from error
        if isinstance(error, PermissionError):
            raise DataError(
                f"{path} cannot be written: {error.strerror}",
                expected="a folder with write permission",
                do="set MAKAR_HOME to a folder of yours",
            ) from error
        raise


def _opened_if_whole(path: Path) -> Store | None:
    """A store is made from the data and can be made again, so one of another version or with a missing file is no error."""
    try:
        return Store(path)
    except DataError:
        return None


class _Shard:
    """One part of a store in memory; ``close`` writes it so that it exists whole or not at all."""

    def __init__(self, building: Path, number: int, seen: int) -> None:
        self.folder = building / f"{number:06d}"
        self.seen = seen
        self.bytes = 0
        self.examples: list[dict[str, np.ndarray]] = []
        self.sources: list[str] = []

    def add(self, record: Record, slots: dict[str, np.ndarray]) -> None:
        self.seen += 1
        if not slots:
            return
        self.examples.append(slots)
        self.bytes += EXAMPLE_BYTES + sum(array.nbytes for array in slots.values())
        line = {
            "id": record.id,
            "source": record.source,
            "document": record.document,
            "licence": record.licence,
            "label": record.label,
        }
        self.sources.append(json.dumps(line, ensure_ascii=False))

    def close(self) -> dict[str, Any]:
        temporary = self.folder.with_suffix(".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        entry: dict[str, Any] = {
            "folder": self.folder.name,
            "seen": self.seen,
            "examples": len(self.examples),
            "slots": {},
        }
        for name in self.examples[0] if self.examples else []:
            arrays = [np.asarray(example[name]) for example in self.examples]
            write_arrays(temporary / f"{name}.bin", arrays)
            shapes = {array.shape for array in arrays}
            lengths = np.array([array.shape[0] if array.ndim else 0 for array in arrays], np.int64)
            write_arrays(temporary / f"{name}.lengths", [lengths])
            tails = {shape[1:] for shape in shapes}
            if len(tails) > 1 or len({array.dtype for array in arrays}) > 1:
                raise DataError(f'slot "{name}" has arrays of different shape or dtype: {sorted(map(str, shapes))[:4]}')
            entry["slots"][name] = {
                "dtype": arrays[0].dtype.str,
                "shape": list(arrays[0].shape),
                "uniform": len(shapes) == 1,
            }
        _write(temporary / "sources.jsonl", ("".join(line + "\n" for line in self.sources)).encode())
        _write(temporary / "shard.json", json.dumps(entry).encode())
        temporary.replace(self.folder)
        _sync_names(self.folder.parent)
        return entry


def _finished_shards(building: Path) -> tuple[list[dict[str, Any]], int]:
    shards: list[dict[str, Any]] = []
    while (building / f"{len(shards):06d}" / "shard.json").exists():
        shards.append(json.loads((building / f"{len(shards):06d}" / "shard.json").read_text(encoding="utf-8")))
    return shards, shards[-1]["seen"] if shards else 0


def _join(path: Path, building: Path, shards: list[dict[str, Any]], key: str, allow_empty: bool) -> Store:
    filled = [shard for shard in shards if shard["examples"]]
    if not filled and not allow_empty:
        raise EmptyDataError(
            "nothing could be encoded", expected="at least one usable example", do="run makar inspect on the data"
        )
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "key": key,
        "examples": sum(shard["examples"] for shard in filled),
        "slots": {},
        "files": {},
    }
    for name in filled[0]["slots"] if filled else []:
        slots = [shard["slots"][name] for shard in filled]
        uniform = all(slot["uniform"] for slot in slots) and len({tuple(slot["shape"]) for slot in slots}) == 1
        uniform = uniform and len(slots[0]["shape"]) != 1
        if len({(slot["dtype"], tuple(slot["shape"][1:])) for slot in slots}) > 1:
            raise DataError(f'slot "{name}" changes shape or dtype between shards')
        header["slots"][name] = {"dtype": slots[0]["dtype"], "shape": slots[0]["shape"], "ragged": not uniform}
        _concatenate(path / f"{name}.bin", [building / shard["folder"] / f"{name}.bin" for shard in filled])
        header["files"][f"{name}.bin"] = _sha256(path / f"{name}.bin")
        if not uniform:
            lengths = np.concatenate(
                [np.fromfile(building / shard["folder"] / f"{name}.lengths", np.int64) for shard in filled]
            )
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            write_arrays(path / f"{name}.offsets.bin", [offsets])
            header["files"][f"{name}.offsets.bin"] = _sha256(path / f"{name}.offsets.bin")
    _concatenate(path / "sources.jsonl", [building / shard["folder"] / "sources.jsonl" for shard in filled])
    header["files"]["sources.jsonl"] = _sha256(path / "sources.jsonl")
    temporary = path / "store.json.tmp"
    _write(temporary, json.dumps(header, indent=1).encode())
    temporary.replace(path / "store.json")
    _sync_names(path)
    shutil.rmtree(building)
    return Store(path)


def write_arrays(path: Path, arrays: Iterable[np.ndarray]) -> None:
    """Write the values of arrays one after the other and wait until the disk has them.

    ``ndarray.tofile`` says of a full disk only that fewer values were written; here it is an ``OSError`` with its number.
    """
    with path.open("wb") as file:
        for array in arrays:
            file.write(np.ascontiguousarray(array).tobytes())
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot sync a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _concatenate(target: Path, parts: list[Path]) -> None:
    with target.open("wb") as output:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, output, COPY_BYTES)
        output.flush()
        os.fsync(output.fileno())


def _open_column(path: Path, name: str, slot: dict[str, Any]) -> Column:
    dtype, shape = np.dtype(slot["dtype"]), tuple(slot["shape"])
    item = shape[1:] if slot["ragged"] else shape
    file = path / f"{name}.bin"
    if file.stat().st_size == 0:
        return Column(np.zeros((0, *item), dtype), np.zeros(1, np.int64) if slot["ragged"] else None)
    values: np.ndarray = np.memmap(file, dtype, mode="r")
    if item:
        values = values.reshape(-1, *item)
    offsets = np.memmap(path / f"{name}.offsets.bin", np.int64, mode="r") if slot["ragged"] else None
    return Column(values, offsets)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
