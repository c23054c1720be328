"""Backbones computed from published torsions: 600 helices, strands, hairpins and pairs of helices, the same on every machine.

Nothing here is measured of a protein. Bonds and angles are ideal; torsions are the published ones of each piece, and every residue strays
from them by a few degrees, as residues do, so that no two are the same. Of several draws those are taken in which no atoms collide, and of
hairpins the one whose strands lie best beside each other.

Sources: Arnott and Dover 1967 (J. Mol. Biol. 30, 209) for the helix; IUPAC-IUB 1970 for the strand of an antiparallel sheet, turned towards
the twist that sheets have (Chothia 1973, J. Mol. Biol. 75, 295); Sibanda and Thornton 1985 (Nature 316, 170) for turns of type I' and II'
in hairpins of two residues; Efimov 1993 (Prog. Biophys. Mol. Biol. 60, 201) for connections of helices.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from makar.data.backbone import UNKNOWN_RESIDUE, Backbone
from makar.data.backbone_geometry import CA, TRANS, built
from makar.data.builtin.computed import LICENCE, ComputedSource
from makar.data.clashes import clash_counts
from makar.data.document import Document

EACH = 150
VERSION = 1
CANDIDATES = 16
MOST_DRAWS = 100
CLOSING_ROUNDS = 10

HELIX, STRAND = (-57.8, -47.0), (-120.0, 135.0)
LEFT, EXTENDED = (60.0, 40.0), (-90.0, 130.0)
TURNS = {"I'": ((60.0, 30.0), (90.0, 0.0)), "II'": ((60.0, -120.0), (-80.0, 0.0))}
"""phi and psi in degrees."""

CONNECTIONS = ((LEFT, EXTENDED), (LEFT, EXTENDED, EXTENDED), (EXTENDED, LEFT, EXTENDED))
"""Between two helices."""

STRAY_DEGREES, STRAY_OMEGA_DEGREES = 4.0, 2.0
PAIRED_ANGSTROMS = 5.0
"""Between CA atoms of residues that face each other in an antiparallel sheet: 4.5 and 5.5 by turns."""

LARGEST_GAP = 0.8
"""Mean distance from that in angstroms above which the strands of a hairpin do not lie beside each other."""

Torsions = list[tuple[float, float]]


def _helix(draw: np.random.Generator) -> Torsions:
    return [HELIX] * int(draw.integers(10, 33))


def _strand(draw: np.random.Generator) -> Torsions:
    return [STRAND] * int(draw.integers(6, 17))


def _hairpin(draw: np.random.Generator) -> Torsions:
    side = [STRAND] * int(draw.integers(5, 12))
    turn = TURNS["I'" if draw.random() < 0.7 else "II'"]
    return [*side, *turn, *side]


def _helices(draw: np.random.Generator) -> Torsions:
    first, second = (int(draw.integers(8, 17)) for _ in range(2))
    connection = CONNECTIONS[int(draw.integers(len(CONNECTIONS)))]
    return [*[HELIX] * first, *connection, *[HELIX] * second]


KINDS: dict[str, Callable[[np.random.Generator], Torsions]] = {
    "hairpin": _hairpin,
    "helix": _helix,
    "helix-turn-helix": _helices,
    "strand": _strand,
}


class BackbonesSource(ComputedSource):
    """One document a backbone."""

    name, medium = "backbones", "structure"
    kinds, each = tuple(KINDS), EACH
    size_bytes = EACH * len(KINDS) * 22 * 48
    note = f"{len(KINDS)} kinds, {EACH} backbones of each, from published torsions; no protein was measured"
    follows_from = f"backbones\t{VERSION}\t{EACH}\t{','.join(KINDS)}"

    def document(self, kind: str, number: int) -> Document:
        """Return one of them."""
        return Document(
            name=f"{kind}/{number:03d}", read=functools.partial(_one, kind, number), label=kind, licence=LICENCE
        )


@functools.lru_cache(maxsize=2 * EACH * len(KINDS))
def backbone(kind: str, number: int) -> Backbone:
    """Return one of the backbones.

    Args:
        kind: Of ``KINDS``.
        number: Which of them.
    """
    seed = int.from_bytes(hashlib.sha256(f"{kind} {number}".encode()).digest()[:8], "big")
    draw = np.random.default_rng(seed)
    for _ in range(MOST_DRAWS):
        torsions = np.array(KINDS[kind](draw))
        found = _strayed(torsions, draw, closing=kind == "hairpin")
        if found is not None:
            return Backbone(found, UNKNOWN_RESIDUE * len(torsions))
    raise AssertionError(f"no {kind} without collisions in {MOST_DRAWS} draws")


def _strayed(torsions: np.ndarray, draw: np.random.Generator, *, closing: bool) -> np.ndarray | None:
    """Return a chain of about these torsions in which no atoms collide, float32 ``[residues, 4, 3]``; ``None`` where none was found.

    Args:
        torsions: phi and psi of every residue in degrees.
        draw: Source of every draw.
        closing: Whether its halves are to lie beside each other: the best of several draws is then strayed from again.
    """
    count = len(torsions)
    omega = draw.normal(TRANS, STRAY_OMEGA_DEGREES, (CANDIDATES, count))
    for round_ in range(CLOSING_ROUNDS if closing else 1):
        tried = torsions + draw.normal(0.0, STRAY_DEGREES, (CANDIDATES, count, 2))
        if round_:
            tried[0] = torsions
        phi, psi = np.moveaxis(tried, -1, 0)
        atoms = built(phi, psi, omega).astype(np.float32)
        if not closing:
            return next((one for one in atoms if not any(clash_counts(one))), None)
        # The same omega for all, so that the best of one round is among those of the next.
        gaps = [_gap(one) for one in atoms]
        best = int(np.argmin(gaps))
        if gaps[best] <= LARGEST_GAP:
            break
        torsions, omega = tried[best], np.repeat(omega[best : best + 1], CANDIDATES, axis=0)
    return None if gaps[best] > LARGEST_GAP or any(clash_counts(atoms[best])) else atoms[best]


def _gap(atoms: np.ndarray) -> float:
    """Return how far residues that face each other are from the distance that they have in a sheet."""
    trace = atoms[:, CA]
    half = len(trace) // 2
    apart = np.linalg.norm(trace[:half] - trace[::-1][:half], axis=-1)
    return float(np.abs(apart[:-1] - PAIRED_ANGSTROMS).mean())


def _one(kind: str, number: int) -> Iterator[Backbone]:
    return iter([backbone(kind, number)])
