"""From a data set and a codec's settings to a fitted codec and its stores, made once and kept by content.

Folder ``stores/KEY`` (KEY is the hash of the data's fingerprint, the codec's settings, the weights that it works through, and what it has
learned already where it comes from another model)::

    codec/config.json  codec/files/*     the fitted codec
    train  inner  held_out               one store a split

The codec is fitted before the first store, or taken from another model, and never again, so that a resumed run reads the same tokens. A
second process that needs the same stores waits for the first. Every file of a finished store is compared with its hash once, when a
run starts.
"""

import hashlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from makar.codecs.codec import Codec, CodecConfig, Components, fit_codec, load_codec
from makar.data.dataset import DataSet
from makar.data.record import Record, Split
from makar.data.store import Store, build_store
from makar.errors import DataError, IntegrityError, RunLockedError
from makar.home import stores_folder
from makar.registry import config_class
from makar.training.data_size import estimated_store_bytes
from makar.training.lock import locked
from makar.training.trainer import TrainingData

SPLITS: tuple[Split, ...] = ("train", "inner", "held_out")
WAIT_SECONDS = 0.5
TOGETHER = 64
"""Records encoded in one call, so that a codec with a network computes in batches."""
FITTING = "3"
"""Counts changes to what codecs find in the same data: stores that were made before the last one are made anew."""

LARGE_BYTES = 1 << 28
"""Stores from this size on are announced before their hashes are compared, which takes a second or more."""

OnEvent = Callable[[dict[str, Any]], None]


@runtime_checkable
class CutsOff(Protocol):
    """A codec that cuts off what is too long."""

    def cut_sentence(self, store: Store) -> str:
        """Say how much of a store was cut off; empty where nothing was."""


def store_folder(
    fingerprint: str, config: CodecConfig, components: Components | None = None, *, given: Codec | None = None
) -> Path:
    """Return where the stores of a data set and a codec are.

    Args:
        fingerprint: Hash of the data set.
        config: The codec's settings as the plan has them.
        components: The trained stages that the codec works through; other weights make other latents.
        given: The codec of another model, which is taken instead of fitting one.
    """
    text = FITTING + fingerprint + json.dumps(config.to_dictionary(), sort_keys=True)
    for name in config.components:
        text += (components or {})[name].hash
    for name, content in sorted(given.files().items()) if given is not None else ():
        text += name + hashlib.sha256(content).hexdigest()
    return stores_folder() / hashlib.sha256(text.encode()).hexdigest()[:32]


def prepare(
    dataset: DataSet,
    config: CodecConfig,
    *,
    on_event: OnEvent,
    components: Components | None = None,
    given: Codec | None = None,
) -> TrainingData:
    """Fit the codec and build the stores, or open what is there; a killed build goes on after its last finished shard.

    Args:
        dataset: The data.
        config: The codec's settings.
        on_event: Called with ``storing`` events; what it raises ends the build, which goes on with the next call.
        components: The trained stages that the codec works through, by name.
        given: The codec of another model, which is taken instead of fitting one.

    Raises:
        EmptyDataError: Not one record could be encoded.
        OutOfSpaceError: The disk is full; finished parts stay.
    """
    folder = store_folder(dataset.fingerprint, config, components, given=given)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, on_event):
        codec = _fitted(folder, dataset, config, components, given)
        stores: dict[Split, Store] = {}
        for split in SPLITS:
            ahead = _EncodedAhead(codec, dataset.records(split))
            _remove_damaged(folder / split, on_event)
            stores[split] = build_store(
                folder / split,
                ahead.records(),
                ahead.encode,
                key=f"{folder.name} {split}",
                progress=lambda seen, split=split: on_event(  # type: ignore[misc]
                    {"event": "storing", "split": split, "records": seen}
                ),
                allow_empty=split != "train",
            )
            if isinstance(codec, CutsOff) and (told := codec.cut_sentence(stores[split])):
                on_event({"event": "note", "message": f"{split}: {told}"})
    return TrainingData(codec=codec, stores=stores)


def _remove_damaged(place: Path, on_event: OnEvent) -> None:
    """Compare a finished store with its hashes, and remove it when it is damaged: it can be made again from the data."""
    if not (place / "store.json").exists():
        return
    try:
        store = Store(place)
        if store.bytes_on_disk >= LARGE_BYTES:
            message = f"comparing {store.bytes_on_disk / 1e9:.1f} GB of encoded data with its hashes, at the speed of the disk"
            on_event({"event": "note", "message": message})
        store.verify()
    except (DataError, IntegrityError) as error:
        on_event({"event": "note", "message": f"{error.came}; it is encoded again"})
        shutil.rmtree(place)


def open_stores(folder: Path) -> TrainingData | None:
    """Open stores of a codec without components that were built before; ``None`` when they are gone."""
    if not all((folder / split / "store.json").exists() for split in SPLITS):
        return None
    return TrainingData(codec=_read_codec(folder / "codec"), stores={split: Store(folder / split) for split in SPLITS})


def missing_store_bytes(dataset: DataSet, wanted: Mapping[Path, CodecConfig]) -> int:
    """Return the disk space that the stores will take which are not there yet.

    Args:
        dataset: The data.
        wanted: Settings of the codecs by folder. Those of a codec that works through a stage which is not trained yet are not among
            them: their place depends on its weights.
    """
    missing = {folder: codec for folder, codec in wanted.items() if not (folder / "train" / "store.json").exists()}
    needed = sum(estimated_store_bytes(codec, dataset) for codec in missing.values())
    # What a killed build has written is not needed again.
    return needed - sum(path.stat().st_size for folder in missing for path in folder.rglob("*.bin"))


class _EncodedAhead:
    """Encodes records in parts of ``TOGETHER``, the same parts at every call, and hands the results out one by one."""

    def __init__(self, codec: Codec, records: Iterable[Record]) -> None:
        self._codec = codec
        self._records = codec.cut(records)
        self._part: list[Record] = []
        self._slots: dict[int, dict[str, np.ndarray]] = {}

    def records(self) -> Iterator[Record]:
        """Yield every record; what is skipped before the first ``encode`` of a part is only encoded if the part is needed."""
        while part := list(itertools.islice(self._records, TOGETHER)):
            self._part, self._slots = part, {}
            yield from part

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of a record of the part that was begun."""
        if not self._slots:
            self._slots = dict(zip(map(id, self._part), self._codec.encode_together(self._part), strict=True))
        return self._slots[id(record)]


def _fitted(
    folder: Path, dataset: DataSet, config: CodecConfig, components: Components | None, given: Codec | None
) -> Codec:
    place = folder / "codec"
    if not place.exists():
        records = dataset.records("train")
        codec = fit_codec(config, records, components) if given is None else given.counted(records)
        building = folder / "codec.building"
        shutil.rmtree(building, ignore_errors=True)
        (building / "files").mkdir(parents=True)
        (building / "config.json").write_text(codec.config.to_json(), encoding="utf-8")
        for name, content in codec.files().items():
            (building / "files" / name).write_bytes(content)
        for path in building.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        building.rename(place)
    # Also a codec that was just fitted is read back, so that the first run and a resumed one cannot differ.
    return _read_codec(place, components)


def _read_codec(place: Path, components: Components | None = None) -> Codec:
    values = json.loads((place / "config.json").read_text(encoding="utf-8"))
    config: CodecConfig = config_class(values["kind"]).from_dictionary(values)
    return load_codec(
        config, {path.name: path.read_bytes() for path in sorted((place / "files").iterdir())}, components
    )


@contextmanager
def _alone(folder: Path, on_event: OnEvent) -> Iterator[None]:
    told = False
    while True:
        try:
            with locked(folder):
                yield
            return
        except RunLockedError:
            if not told:
                on_event({"event": "note", "message": "another process is encoding the same data; waiting for it"})
                told = True
            time.sleep(WAIT_SECONDS)
