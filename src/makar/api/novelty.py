"""The novelty index of a local run: made once after training, opened for every generation, never part of a model.

The index is the training data in another form, so it lies beside the run; where the run is not on this machine novelty is unknown.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from makar.api.stores import OnEvent, open_stores
from makar.home import runs_folder
from makar.novelty.index import NoveltyIndex
from makar.provenance.folder import is_safe_name

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact

FOLDER = "novelty"
STORES_NAME = "stores.json"


def index_run(run: Path, stores: Path, *, on_event: OnEvent) -> None:
    """Note where a run's stores are and index its training data.

    Args:
        run: Folder of the run.
        stores: Folder of the stores of its last stage.
        on_event: Called with notes.
    """
    (run / STORES_NAME).write_text(json.dumps({"stores": str(stores)}), encoding="utf-8")
    on_event({"event": "note", "message": "indexing the training data, so that copies of it are found"})
    _build(run, stores)


def open_index(artifact: "Artifact") -> NoveltyIndex | None:
    """Return the index of the data that a model learned from; ``None`` where the run is not on this machine."""
    run = run_folder(artifact)
    if run is None:
        return None
    if not (run / FOLDER).is_dir():
        stores = stores_of(artifact)
        if stores is None or not _build(run, stores):
            return None
    return NoveltyIndex.open(run / FOLDER)


def run_folder(artifact: "Artifact") -> Path | None:
    """Return the folder of the run that made a model, ``None`` when it is not on this machine."""
    name = artifact.run
    folder = runs_folder() / name
    return folder if name and is_safe_name(name) and folder.is_dir() else None


def stores_of(artifact: "Artifact") -> Path | None:
    """Return the folder of the stores that a model learned from, ``None`` when they are gone."""
    run = run_folder(artifact)
    if run is None or not (run / STORES_NAME).is_file():
        return None
    folder = Path(json.loads((run / STORES_NAME).read_text(encoding="utf-8"))["stores"])
    return folder if folder.is_dir() else None


def _build(run: Path, stores: Path) -> bool:
    data = open_stores(stores)
    if data is None:
        return False
    NoveltyIndex.build(data.stores["train"], data.codec, run / FOLDER)
    return True
