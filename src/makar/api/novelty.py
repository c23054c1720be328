"""The novelty index of a local run: made once after training, opened for every generation, never part of a model.

The index is the training data in another form, so it lies beside the run; where the run is not on this machine novelty is unknown.
A model that began from others is compared with their data too, as far as that is here, and says what is not.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from makar.api.stores import OnEvent, open_stores
from makar.errors import MakarError
from makar.home import runs_folder
from makar.novelty.index import NoveltyIndex
from makar.novelty.lineage import LineageIndex
from makar.provenance.chain import find_artifact
from makar.provenance.folder import is_safe_name
from makar.training.progress import ignore_event
from makar.training.whole_files import write_json

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact

FOLDER = "novelty"
STORES_NAME = "stores.json"


def remember_stores(run: Path, stores: Path, *, earlier: Sequence[Path] = ()) -> None:
    """Note in a run's folder where its stores are, so that they are found and not taken for unused.

    Args:
        run: Folder of the run.
        stores: Folder of the stores of its last stage.
        earlier: Folders of the stores of the stages before.
    """
    values = {"stores": str(stores), "earlier": [str(path) for path in earlier]}
    write_json(run / STORES_NAME, values)


def remembered_stores(run: Path) -> list[Path]:
    """Return the folders of all stores of a run, those of its last stage first; whether they are there or not."""
    if not (run / STORES_NAME).is_file():
        return []
    values = json.loads((run / STORES_NAME).read_text(encoding="utf-8"))
    return [Path(values["stores"]), *(Path(path) for path in values.get("earlier", []))]


def build_index(run: Path, stores: Path, *, medium: str, on_event: OnEvent = ignore_event) -> NoveltyIndex | None:
    """Index the training data of a run, or open the index that is there; ``None`` when the stores are gone.

    Args:
        run: Folder of the run.
        stores: Folder of the stores of its last stage.
        medium: Medium of the content.
        on_event: Called with ``novelty`` events while it works.
    """
    data = open_stores(stores)
    if data is None:
        return None
    return NoveltyIndex.build(
        data.stores["train"], data.stores["held_out"], data.codec, medium=medium, folder=run / FOLDER, on_event=on_event
    )


def open_index(artifact: "Artifact") -> NoveltyIndex | LineageIndex | None:
    """Return the index of the data that a model, and those that it began from, learned from; ``None`` where its run is not here."""
    own = _own_index(artifact)
    if own is None or artifact.recipe.parent is None:
        return own
    behind, uncovered = [], []
    at: Artifact | None = artifact
    while at is not None and (parent := at.recipe.parent) is not None:
        folder = find_artifact(parent.hash, parent.name)
        at = None if folder is None else _opened(folder, parent.hash)
        index = None if at is None else _own_index(at)
        if index is not None and index.medium == own.medium:
            behind.append(index)
        else:
            uncovered.append(f"the data of {parent.name} ({parent.hash[:16]})")
    return LineageIndex(
        own, behind, uncovered=" and ".join(uncovered) + (" and of what is behind it" if at is None else "")
    )


def _opened(folder: Path, digest: str) -> "Artifact | None":
    """Return the model in a folder when it is the one with this hash and intact."""
    from makar.artifacts.load import load_artifact

    try:
        found = load_artifact(folder, verify=False)
    except MakarError:
        return None
    return found if found.hash == digest else None


def _own_index(artifact: "Artifact") -> NoveltyIndex | None:
    run = run_folder(artifact)
    if run is None:
        return None
    if (run / FOLDER).is_dir():
        return NoveltyIndex.open(run / FOLDER)
    stores = stores_of(artifact)
    return None if stores is None else build_index(run, stores, medium=artifact.medium)


def run_folder(artifact: "Artifact") -> Path | None:
    """Return the folder of the run that made a model, ``None`` when it is not on this machine."""
    name = artifact.run
    folder = runs_folder() / name
    return folder if name and is_safe_name(name) and folder.is_dir() else None


def stores_of(artifact: "Artifact") -> Path | None:
    """Return the folder of the stores that a model learned from, ``None`` when they are gone."""
    run = run_folder(artifact)
    folders = [] if run is None else remembered_stores(run)
    return folders[0] if folders and folders[0].is_dir() else None
