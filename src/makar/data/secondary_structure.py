"""Helices, strands and hydrogen bonds of a backbone.

A residue belongs to a helix or a strand by its torsions, as part of a run of such residues. The limits are wide, because ideal torsions are
one point and real ones are a cloud. Hydrogen bonds are those of DSSP, by the energy of four charges; the amide H, which
no file has, is laid opposite the O before it.

Source: Kabsch and Sander 1983 (Biopolymers 22, 2577), equation of section "Hydrogen bonds", with their limit of -0.5 kcal/mol.
"""

import numpy as np
from jaxtyping import Bool, Float

from makar.data.backbone import Backbone
from makar.data.backbone_geometry import CA, C, N, O, torsions

HELIX_RUN, STRAND_RUN = 4, 3
HELIX_PHI, HELIX_PSI = (-100.0, -30.0), (-80.0, -5.0)
STRAND_PHI, STRAND_PSI = (-180.0, -45.0), (45.0, 180.0)
"""In degrees."""

HELIX, STRAND, COIL = "H", "E", "-"
COUPLING, BOND_ENERGY = 332.0 * 0.42 * 0.20, -0.5
"""kcal/mol times angstrom, and kcal/mol."""

N_H = 1.01
FARTHEST_CA = 9.0
"""In angstroms, beyond which DSSP looks for no hydrogen bond."""


def secondary_structure(backbone: Backbone) -> str:
    """Return one letter a residue: ``H`` in a helix, ``E`` in a strand, ``-`` elsewhere; the ends belong to what they touch."""
    turns = torsions(backbone)[:, :2]
    is_helix = _run(_inside(turns, HELIX_PHI, HELIX_PSI), HELIX_RUN)
    is_strand = _run(_inside(turns, STRAND_PHI, STRAND_PSI), STRAND_RUN)
    letters = [HELIX if helix else STRAND if strand else COIL for helix, strand in zip(is_helix, is_strand)]
    return "".join(letters)


def hydrogen_bonds(backbone: Backbone) -> int:
    """Return the number of residues whose NH is bound to the O of a residue that is no neighbour."""
    atoms = backbone.atoms.astype(np.float64)
    n, ca, c, o = (atoms[1:, N], atoms[1:, CA], atoms[:, C], atoms[:, O])
    if not len(n):
        return 0
    up = atoms[:-1, C] - atoms[:-1, O]
    h = n + N_H * up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)

    def far(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        apart: np.ndarray = np.linalg.norm(first[:, None] - second[None], axis=-1)
        return np.maximum(apart, 0.5)

    energy = COUPLING * (1 / far(n, o) + 1 / far(h, c) - 1 / far(h, o) - 1 / far(n, c))
    donors, acceptors = np.arange(1, len(atoms)), np.arange(len(atoms))
    between = np.abs(donors[:, None] - acceptors[None])
    near = np.linalg.norm(ca[:, None] - atoms[None, :, CA], axis=-1) <= FARTHEST_CA
    bound = (energy < BOND_ENERGY) & (between >= 2) & near
    return int(bound.any(1).sum())


def _inside(
    turns: Float[np.ndarray, "residues 2"], phi: tuple[float, float], psi: tuple[float, float]
) -> Bool[np.ndarray, " residues"]:
    """Return which torsions are in a box; one that an end does not have is in any."""
    fits = np.ones(len(turns), bool)
    for turn, (low, high) in zip(turns.T, (phi, psi)):
        fits &= np.isnan(turn) | ((turn >= low) & (turn <= high))
    return fits


def _run(fits: Bool[np.ndarray, " residues"], least: int) -> Bool[np.ndarray, " residues"]:
    """Return which places belong to at least so many in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], fits, [False]]).astype(np.int8)))
    found = np.zeros(len(fits), bool)
    for start, end in zip(edges[::2], edges[1::2]):
        if end - start >= least:
            found[start:end] = True
    return found
