"""What an evaluation works on: the model, its data in three parts, its novelty index and the record of its training."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from makar.artifacts.artifact import Artifact
from makar.codecs.codec import Codec
from makar.data.dataset import DataSet
from makar.data.record import Record, Split
from makar.data.store import Store, build_store
from makar.errors import DataError
from makar.home import runs_folder
from makar.novelty.index import NoveltyIndex
from makar.training.progress import read_curve

SPLITS: tuple[Split, ...] = ("train", "inner", "held_out")

OnEvent = Callable[[dict[str, Any]], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """What an evaluation works on.

    Attributes:
        artifact: The model.
        codec: Its codec.
        train: What it learned from, as its ``plain`` codec keeps it; ``None`` where that is not on this machine.
        held_out: What it is measured on, kept alike.
        novelty: The index of what it learned from, ``None`` where that is not on this machine.
        metrics: Progress and validation events of its training, oldest first; empty where the run is not on this machine.
        measured_on: In words, what ``held_out`` is.
        seed: Seed of the samples.
        samples: Number of samples to make; 0 takes the number of the medium.
        inception: File with the weights of the Inception network, ``None`` for the own extractor.
        folder: Where pictures and other files of the report go.
        on_event: Called with what is being done.
    """

    artifact: Artifact
    codec: Codec
    train: Store | None
    held_out: Store
    novelty: NoveltyIndex | None
    metrics: list[dict[str, Any]]
    measured_on: str
    seed: int
    samples: int
    inception: Path | None
    folder: Path
    on_event: OnEvent

    def say(self, what: str, done: int = 0, total: int = 0) -> None:
        """Report what is being done."""
        self.on_event({"event": "evaluation", "measuring": what, "done": done, "total": total})


def gather(
    artifact: Artifact,
    data: DataSet | None,
    *,
    folder: Path,
    encoded_in: Path | None,
    seed: int,
    samples: int,
    inception: Path | None,
    on_event: OnEvent,
) -> Material:
    """Find or make what an evaluation of a model needs.

    Args:
        artifact: The model.
        data: What to measure on; ``None`` takes the held-out part of what the model learned from, if its run is on this machine.
        folder: Where the report goes.
        encoded_in: Where stores of ``data`` are built; needed with ``data`` only.
        seed: Seed of the samples.
        samples: Number of samples; 0 takes the number of the medium.
        inception: File with the weights of the Inception network.
        on_event: Called with what is being done.

    Raises:
        DataError: There is neither data nor the run, or the data is of another medium.
    """
    codec = artifact.codec()
    run = run_folder(artifact)
    own = own_stores(run)
    if data is not None and data.medium != artifact.medium:
        raise DataError(
            f'"{data.name}" is {data.medium}, the model makes {artifact.medium}', expected=f"data of {artifact.medium}"
        )
    if data is not None and encoded_in is not None:
        held_out = _encoded(data, codec.plain, encoded_in, on_event)
        measured_on = f"the held-out part of {data.name}"
    elif own:
        held_out = own["held_out"] if len(own["held_out"]) else own["inner"]
        measured_on = f"the {'held-out' if len(own['held_out']) else 'inner validation'} part of the training data"
    else:
        raise DataError(
            f'the data that "{artifact.name}" learned from is not on this machine',
            expected="the run folder and its stores, or data to measure on",
            do=f"makar evaluate {artifact.name} DATA",
        )
    if not len(held_out):
        raise DataError(f"{measured_on} is empty", expected="at least one held-out item", do="give other or more data")
    return Material(
        artifact=artifact,
        codec=codec,
        train=own.get("train"),
        held_out=held_out,
        novelty=_index(own, codec.plain, artifact.medium, run, on_event),
        metrics=read_curve(run / "metrics.jsonl") if run is not None else [],
        measured_on=measured_on,
        seed=seed,
        samples=samples,
        inception=inception,
        folder=folder,
        on_event=on_event,
    )


def run_folder(artifact: Artifact) -> Path | None:
    """Return the folder of the run that made a model, ``None`` when it is not on this machine."""
    name = artifact.run
    folder = runs_folder() / name
    # A name from a foreign artifact must not lead out of the folder of runs.
    return folder if name and Path(name).name == name and folder.is_dir() else None


def own_stores(run: Path | None) -> dict[str, Store]:
    """Return the stores that a run learned from, by split; empty where they are not on this machine."""
    if run is None or not (run / "stores.json").is_file():
        return {}
    place = Path(json.loads((run / "stores.json").read_text(encoding="utf-8"))["stores"])
    if not all((place / split / "store.json").exists() for split in SPLITS):
        return {}
    return {split: Store(place / split) for split in SPLITS}


def _index(
    own: dict[str, Store], codec: Codec, medium: str, run: Path | None, on_event: OnEvent
) -> NoveltyIndex | None:
    if not own or run is None:
        return None
    return NoveltyIndex.build(
        own["train"], own["held_out"], codec, medium=medium, folder=run / "novelty", on_event=on_event
    )


def _encoded(data: DataSet, codec: Codec, folder: Path, on_event: OnEvent) -> Store:
    """Return a store of the held-out part of a data set; of all of it when nothing was held out."""
    config = codec.config.to_json()

    def encode(record: Record) -> Any:
        return codec.encode(record)

    def progress(records: int) -> None:
        on_event({"event": "storing", "split": "held_out", "records": records})

    key = f"{data.fingerprint} {config} held_out"
    store = build_store(
        folder / "held_out", codec.cut(data.records("held_out")), encode, key=key, progress=progress, allow_empty=True
    )
    if len(store):
        return store
    # Nothing of it is learned from, so a codec does not vary it.
    kept = (dataclasses.replace(record, split="held_out") for record in data.records("train"))
    return build_store(folder / "all", codec.cut(kept), encode, key=key, progress=progress)
