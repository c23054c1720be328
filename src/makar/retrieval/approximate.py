"""Finds the nearest of very many vectors without comparing with all: a graph of FAISS beside the index, from 300,000 passages on.

Comparing with all is exact and takes 16 ms at 300,000 vectors of 384 numbers; the graph (Malkov and Yashunin 2018, arXiv 1603.09320: HNSW)
takes a fraction of one and finds nearly the same. It lies in a file of its own, ``INDEX.vectors-HASH.faiss``, made at the end of ``makar
index`` where the extra is installed, in half precision like the vectors themselves. Its name and a word inside say which model and which
state of the index it belongs to; one of another state is passed over, and the search compares with all. Nothing else changes: without the
extra, or below the number, no file is made.
"""

import dataclasses
import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

if TYPE_CHECKING:
    from makar.retrieval.sqlite_index import SqliteIndex

LEAST = 300_000
LINKS, BUILT_WITH, SEARCHED_WITH = 32, 80, 256
"""Of HNSW: links of a vector, and candidates that are kept while it is built and searched."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Vectors that can be searched.

    Attributes:
        numbers: Of the passages, in the order of the vectors.
        graph: Of FAISS.
    """

    numbers: np.ndarray
    graph: Any

    def nearest(self, vector: Float32[np.ndarray, " width"], *, limit: int) -> list[int]:
        """Return the numbers of the passages nearest to a vector of length 1, the nearest first."""
        self.graph.hnsw.efSearch = max(SEARCHED_WITH, 2 * limit)
        _, places = self.graph.search(vector[None], min(limit, len(self.numbers)))
        return [int(self.numbers[place]) for place in places[0] if place >= 0]


def is_installed() -> bool:
    """Return whether the extra is there."""
    return importlib.util.find_spec("faiss") is not None


def build_graph(index: "SqliteIndex", model: str) -> bool:
    """Make the graph of a model's vectors where there are enough and the extra is installed; return whether there is one now."""
    if not is_installed():
        return False
    if opened(index, model) is not None:
        return True
    # Asked first: what another writer adds in the meantime belongs to a later state.
    changes = index.about("changes")
    numbers, vectors = index.vectors(model)
    if len(numbers) < LEAST:
        return False
    import faiss

    graph: Any = faiss.index_factory(vectors.shape[1], f"HNSW{LINKS}_SQfp16", faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = BUILT_WITH
    graph.train(vectors[:1024])
    graph.add(np.ascontiguousarray(vectors))
    place = _place(index, model)
    temporary = place.with_suffix(".new")
    faiss.write_index(graph, str(temporary))
    temporary.replace(place)
    # Last, so that a graph without it belongs to no state.
    with _state_place(place).open("wb") as file:
        np.savez(file, numbers=numbers, changes=np.array(changes))
    return True


def opened(index: "SqliteIndex", model: str) -> Graph | None:
    """Return the graph of a model's vectors; ``None`` where there is none of this state of the index."""
    place = _place(index, model)
    if not place.is_file() or not is_installed():
        return None
    try:
        with np.load(_state_place(place), allow_pickle=False) as state:
            if str(state["changes"]) != index.about("changes"):
                return None
            numbers = state["numbers"]
    except (OSError, ValueError, KeyError):
        return None  # killed while it was made: comparing with all is right too
    kept = _kept.get(str(place))
    if kept is None or kept[0] != place.stat().st_mtime_ns:
        import faiss

        _kept.clear()
        kept = (place.stat().st_mtime_ns, Graph(numbers=numbers, graph=faiss.read_index(str(place))))
        _kept[str(place)] = kept
    return kept[1]


_kept: dict[str, tuple[int, Graph]] = {}
"""The graph that was opened last, with the time of its file."""


def _place(index: "SqliteIndex", model: str) -> Path:
    name = hashlib.sha256(model.encode("utf-8")).hexdigest()[:16]
    return index.path.with_name(f"{index.path.name}.vectors-{name}.faiss")


def _state_place(place: Path) -> Path:
    return place.with_suffix(".npz")
