"""From a data set and a codec's settings to a fitted codec and its stores, made once and kept by content.

Folder ``stores/KEY`` (KEY is the hash of the data's fingerprint and the codec's settings)::

    codec/config.json  codec/files/*     the fitted codec
    train  inner  held_out               one store a split

The codec is fitted before the first store and never again, so that a resumed run reads the same tokens. A second process that
needs the same stores waits for the first. Every file of a finished store is compared with its hash once, when a run starts.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from makar.codecs.codec import Codec, CodecConfig, fit_codec, load_codec
from makar.data.dataset import DataSet
from makar.data.record import Split
from makar.data.store import Store, build_store
from makar.errors import DataError, IntegrityError, RunLockedError
from makar.home import stores_folder
from makar.registry import config_class
from makar.training.lock import locked
from makar.training.trainer import TrainingData

SPLITS: tuple[Split, ...] = ("train", "inner", "held_out")
WAIT_SECONDS = 0.5
LARGE_BYTES = 1 << 28
"""Stores from this size on are announced before their hashes are compared, which takes a second or more."""

OnEvent = Callable[[dict[str, Any]], None]


def store_folder(fingerprint: str, config: CodecConfig) -> Path:
    """Return where the stores of a data set and a codec are.

    Args:
        fingerprint: Hash of the data set.
        config: The codec's settings as the plan has them.
    """
    text = fingerprint + json.dumps(config.to_dictionary(), sort_keys=True)
    return stores_folder() / hashlib.sha256(text.encode()).hexdigest()[:32]


def prepare(dataset: DataSet, config: CodecConfig, *, on_event: OnEvent) -> TrainingData:
    """Fit the codec and build the stores, or open what is there; a killed build goes on after its last finished shard.

    Args:
        dataset: The data.
        config: The codec's settings.
        on_event: Called with ``storing`` events.

    Raises:
        EmptyDataError: Not one record could be encoded.
        OutOfSpaceError: The disk is full; finished parts stay.
    """
    folder = store_folder(dataset.fingerprint, config)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, on_event):
        codec = _fitted(folder, dataset, config)
        stores: dict[Split, Store] = {}
        for split in SPLITS:
            _remove_damaged(folder / split, on_event)
            stores[split] = build_store(
                folder / split,
                dataset.records(split),
                codec.encode,
                key=f"{folder.name} {split}",
                progress=lambda seen, split=split: on_event(  # type: ignore[misc]
                    {"event": "storing", "split": split, "records": seen}
                ),
                allow_empty=split != "train",
            )
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
    """Open stores that were built before; ``None`` when they are gone."""
    if not all((folder / split / "store.json").exists() for split in SPLITS):
        return None
    return TrainingData(codec=_read_codec(folder / "codec"), stores={split: Store(folder / split) for split in SPLITS})


def _fitted(folder: Path, dataset: DataSet, config: CodecConfig) -> Codec:
    place = folder / "codec"
    if not place.exists():
        codec = fit_codec(config, dataset.records("train"))
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
    return _read_codec(place)


def _read_codec(place: Path) -> Codec:
    values = json.loads((place / "config.json").read_text(encoding="utf-8"))
    config: CodecConfig = config_class(values["kind"]).from_dictionary(values)
    return load_codec(config, {path.name: path.read_bytes() for path in sorted((place / "files").iterdir())})


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
