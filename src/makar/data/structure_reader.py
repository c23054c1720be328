"""Files of protein structures (PDB, mmCIF) as the backbones of their chains, through gemmi.

Of a file with several models the first is read, of an atom in several places the likeliest. A chain is cut where a residue lacks one of N,
CA, C and O, where a bond is no bond, and where the next residue is not bound to it; what is shorter than ``LEAST_RESIDUES`` teaches nothing
of how a chain runs and is left out. Side chains, ligands and water are not read.

Source: Wojdyr 2022, J. Open Source Softw. 7(73), 4200 (gemmi).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.data.amino_acids import STANDARD
from makar.data.backbone import ATOMS, FARTHEST, UNKNOWN_RESIDUE, Backbone
from makar.data.backbone_geometry import CA, FARTHEST_BOND, C, N, O
from makar.errors import DataError
from makar.optional import library

LEAST_RESIDUES = 4
SHORTEST_BOND = 0.8
"""In angstroms: what is nearer is the same atom twice."""

LIMIT_BYTES = 256 << 20
FORMS = ("pdb", "mmcif")


def read_backbones(content: bytes, form: str) -> Iterator[Backbone]:
    """Yield the stretches of residues of a file that hang together, chain by chain.

    Args:
        content: The file.
        form: ``"pdb"`` or ``"mmcif"``.

    Raises:
        DataError: It is damaged, or no such stretch is in it.
        MissingExtraError: gemmi is not installed.
    """
    found = False
    for chain in _chains(content, form):
        for backbone in _stretches(chain):
            found = True
            yield backbone
    if not found:
        raise DataError(
            f"no {LEAST_RESIDUES} residues that are bound to each other and have N, CA, C and O",
            expected="a structure of a protein",
        )


def _chains(content: bytes, form: str) -> Iterator[list[tuple[np.ndarray, str]]]:
    """Yield the residues of every chain of the first model that have a backbone: places of N, CA, C and O, and a letter; ``nan`` between
    those that do not follow each other.
    """
    gemmi = structure_library()
    text = content.decode("utf-8", "replace")
    try:
        if form == "pdb":
            structure = gemmi.read_pdb_string(text)
        else:
            structure = gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())
        models = len(structure)
    except (RuntimeError, ValueError, IndexError, OSError) as error:
        raise DataError(f"no structure that can be read: {str(error)[:120]}") from error
    if not models:
        raise DataError("a structure without atoms", expected="at least one chain")
    for chain in structure[0]:
        yield [(_places(residue), _letter(gemmi, residue.name)) for residue in chain]


def _places(residue: Any) -> np.ndarray:
    """Return where N, CA, C and O of a residue are, float64 ``[4, 3]``; ``nan`` where one is missing."""
    places = np.full((len(ATOMS), 3), np.nan)
    best = dict.fromkeys(ATOMS, -1.0)
    for atom in residue:
        if atom.name in best and atom.occ > best[atom.name]:
            best[atom.name] = atom.occ
            places[ATOMS.index(atom.name)] = atom.pos.tolist()
    return np.where(np.abs(places) <= FARTHEST, places, np.nan)


def _letter(gemmi: Any, name: str) -> str:
    known = gemmi.find_tabulated_residue(name)
    letter = known.one_letter_code.upper() if known.is_amino_acid() else UNKNOWN_RESIDUE
    return letter if letter in STANDARD else UNKNOWN_RESIDUE


def _stretches(chain: list[tuple[np.ndarray, str]]) -> Iterator[Backbone]:
    places, letters = list[np.ndarray](), ""
    for residue, letter in [*chain, (np.full((len(ATOMS), 3), np.nan), UNKNOWN_RESIDUE)]:
        is_whole = _is_bound(residue[N], residue[CA], residue[C], residue[O])
        follows = bool(places) and is_whole and _is_bond(places[-1][C], residue[N])
        if places and not follows:
            if len(places) >= LEAST_RESIDUES:
                yield Backbone(np.stack(places).astype(np.float32), letters)
            places, letters = [], ""
        if is_whole:
            places.append(residue)
            letters += letter


def _is_bound(n: np.ndarray, ca: np.ndarray, c: np.ndarray, o: np.ndarray) -> bool:
    return _is_bond(n, ca) and _is_bond(ca, c) and _is_bond(c, o)


def _is_bond(first: np.ndarray, second: np.ndarray) -> bool:
    # A missing atom is nowhere, and nothing is near it.
    return bool(SHORTEST_BOND <= float(np.linalg.norm(first - second)) <= FARTHEST_BOND)


def structure_library() -> Any:
    """Return gemmi.

    Raises:
        MissingExtraError: It is not installed.
    """
    return library("gemmi", extra="structure")
