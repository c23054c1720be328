"""Finds the training backbones nearest to a backbone: by RMSD of CA atoms after superposition, wherever in them it lies.

Every stretch of a training backbone that is as long as the one that is asked for is compared, and of one that is shorter, but not by much,
the whole with every stretch of that. Two traces are at least as far apart as their radii of gyration, so those with like radii are compared
first, and the rest is left out once none of it can be nearer: the answer is exact.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from makar.codecs.backbone import backbone_of
from makar.data.backbone import Backbone
from makar.data.store import Store, write_arrays
from makar.data.superposition import radius, rmsd
from makar.tensor_spec import TARGET

TRACES, LENGTHS = "structure.traces", "structure.json"
NEAREST = 3
TOGETHER = 512
LEAST_COVER = 0.75
"""Share of a backbone that a shorter training backbone must be as long as."""


@dataclasses.dataclass(frozen=True)
class StructureMatch:
    """The nearest training backbones.

    Attributes:
        records: Their numbers, nearest first.
        distances: RMSD of the CA atoms in angstroms.
    """

    records: tuple[int, ...]
    distances: tuple[float, ...]

    @property
    def nearest(self) -> float:
        """The smallest distance, ``inf`` where nothing is long enough."""
        return self.distances[0] if self.distances else float("inf")


def build_structure_index(store: Store, folder: Path, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the traces of a store to a folder.

    Args:
        store: Training store whose ``target`` slot holds bonds.
        folder: Where they go.
        progress: Called with the number of records read and their total.
    """
    traces = []
    for record, backbone in enumerate(stored_backbones(store)):
        traces.append(backbone.trace)
        if progress is not None and record % 1024 == 0:
            progress(record, len(store))
    write_arrays(folder / TRACES, [trace.astype("<f4") for trace in traces])
    (folder / LENGTHS).write_text(json.dumps([len(trace) for trace in traces]), encoding="utf-8")


def stored_backbones(store: Store) -> Iterator[Backbone]:
    """Yield the backbones of a store."""
    column = store.columns[TARGET]
    for record in range(len(store)):
        yield backbone_of(np.asarray(column[record]))


class StructureIndex:
    """Finished traces, opened for looking up.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        lengths: list[int] = json.loads((folder / LENGTHS).read_text(encoding="utf-8"))
        self._traces: np.ndarray = np.fromfile(folder / TRACES, "<f4").reshape(-1, 3)
        self._lengths = np.array(lengths, np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        places = self._traces.astype(np.float64)
        zero = np.zeros((1, 3))
        self._sums = np.concatenate([zero, np.cumsum(places, 0)])
        self._squares = np.concatenate([zero[:, 0], np.cumsum(np.square(places).sum(1))])

    def match(self, backbone: Backbone) -> StructureMatch:
        """Return the training backbones that are nearest, one stretch of each."""
        trace = backbone.trace
        best: dict[int, float] = {}
        whole = np.flatnonzero(self._lengths >= len(trace))
        counts = self._lengths[whole] - len(trace) + 1
        records = np.repeat(whole, counts)
        starts = np.arange(len(records)) - np.repeat(np.cumsum(counts) - counts, counts) + self._starts[records]
        self._compare(trace, records, starts, best)
        shortest = int(np.ceil(LEAST_COVER * len(trace)))
        for length in range(shortest, len(trace)):
            shorter = np.flatnonzero(self._lengths == length)
            for start in range(len(trace) - length + 1 if len(shorter) else 0):
                self._compare(trace[start : start + length], shorter, self._starts[shorter], best)
        nearest = sorted(best.items(), key=lambda item: (item[1], item[0]))[:NEAREST]
        return StructureMatch(tuple(record for record, _ in nearest), tuple(distance for _, distance in nearest))

    def _compare(self, trace: np.ndarray, records: np.ndarray, starts: np.ndarray, best: dict[int, float]) -> None:
        """Note the smallest distance of a trace to stretches of training backbones, as far as it may be among the nearest."""
        if not len(records):
            return
        count = len(trace)
        middle = (self._sums[starts + count] - self._sums[starts]) / count
        spread = (self._squares[starts + count] - self._squares[starts]) / count - np.square(middle).sum(1)
        bounds = np.abs(np.sqrt(np.maximum(spread, 0.0)) - radius(trace))
        order = np.argsort(bounds, kind="stable")
        for begin in range(0, len(order), TOGETHER):
            part = order[begin : begin + TOGETHER]
            known = sorted(best.values())
            if len(known) >= NEAREST and bounds[part[0]] > known[NEAREST - 1]:
                return
            stretches = self._traces[starts[part][:, None] + np.arange(count)]
            for record, distance in zip(records[part].tolist(), rmsd(stretches, trace[None]).tolist()):
                best[record] = min(distance, best.get(record, float("inf")))


def rmsd_novelty(match: StructureMatch, *, threshold: float) -> dict[str, Any]:
    """Return what of a ``Novelty`` follows from a match.

    Args:
        match: The nearest training backbones.
        threshold: Distance within which one is a copy.
    """
    nearest = min(match.nearest, FARTHEST)
    return {
        "score": nearest / (nearest + NEAR_ANGSTROMS),
        "is_copy": nearest <= threshold,
        "measure": "rmsd",
        "value": nearest,
        "threshold": threshold,
    }


FARTHEST = 1_000.0
"""In angstroms: what is said where there is nothing to compare with."""

NEAR_ANGSTROMS = 1.0
"""Distance at which the score is a half: within it two backbones are taken for the same fold."""
