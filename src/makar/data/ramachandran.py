"""Where phi and psi of a residue can be: computed from ideal bonds and angles and from how near hard atoms may come to each other.

A residue of alanine between two peptide groups is built for every pair of torsions; it is allowed where no two atoms that are at least four
bonds apart, or turned against each other, are nearer than the outer limits of Ramachandran and Sasisekharan 1968 (Adv. Protein Chem. 23,
283, table II). CB stands where an L-amino acid has it, so the map tells a chain from its mirror image. Nothing here was counted in
proteins: real ones keep to a part of the map, and glycine reaches beyond it.
"""

import functools

import numpy as np
from jaxtyping import Bool, Float

from makar.data.backbone_geometry import CA, TRANS, C, N, O, built, placed

GRID_DEGREES = 5
N_H, C_N_H = 1.01, 119.2
CA_CB, C_CA_CB, CB_TORSION = 1.53, 110.1, 122.6
"""The amide H is in the plane of its group; CB is turned about CA-C, against N, to the side that it has in an L-amino acid."""

LIMITS = {
    frozenset("H"): 1.9,
    **dict.fromkeys((frozenset("HO"), frozenset("HN"), frozenset("HC")), 2.2),
    **dict.fromkeys((frozenset("O"), frozenset("ON"), frozenset("N")), 2.6),
    frozenset("OC"): 2.7,
    frozenset("NC"): 2.8,
    frozenset("C"): 2.9,
}
"""In angstroms, by the elements of two atoms."""


@functools.cache
def allowed_map() -> Bool[np.ndarray, "phi psi"]:
    """Return which torsions are allowed, from -180 degrees in steps of ``GRID_DEGREES``."""
    steps = np.arange(-180, 180, GRID_DEGREES, dtype=np.float64)
    phi, psi = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    flat = np.full((len(phi), 3), TRANS)
    turned_phi, turned_psi = flat.copy(), flat.copy()
    turned_phi[:, 1], turned_psi[:, 1] = phi, psi
    atoms = built(turned_phi, turned_psi, flat)
    before, own, after = (atoms[:, place] for place in range(3))
    h = placed(before[:, CA], before[:, C], own[:, N], bond=N_H, angle=C_N_H, torsion=np.zeros(len(phi)))
    next_h = placed(own[:, CA], own[:, C], after[:, N], bond=N_H, angle=C_N_H, torsion=np.zeros(len(phi)))
    cb = placed(after[:, N], own[:, C], own[:, CA], bond=CA_CB, angle=C_CA_CB, torsion=psi + CB_TORSION)
    # What stands before the residue turns with phi, what stands behind it with psi.
    first = {"C": before[:, CA], "C'": before[:, C], "O": before[:, O], "H": h}
    last = {"O": own[:, O], "N": after[:, N], "C": after[:, CA], "H": next_h}
    side = {"C": cb}
    pairs = [(one, other) for one in first.items() for other in last.items()]
    pairs += [(one, other) for one in (("C", first["C"]), ("O", first["O"]), ("H", h)) for other in side.items()]
    pairs += [(one, other) for one in side.items() for other in (("O", last["O"]), ("N", last["N"]), ("H", next_h))]
    fits = np.ones(len(phi), bool)
    for (name, place), (other, far) in pairs:
        limit = LIMITS[frozenset(name[0] + other[0])]
        fits &= np.linalg.norm(place - far, axis=-1) >= limit
    return fits.reshape(len(steps), len(steps))


def is_allowed(
    phi: Float[np.ndarray, " residues"], psi: Float[np.ndarray, " residues"]
) -> Bool[np.ndarray, " residues"]:
    """Return which torsions in degrees are allowed, by the nearest place of the map."""
    known = allowed_map()
    row, column = (np.rint((turn + 180.0) / GRID_DEGREES).astype(np.int64) % len(known) for turn in (phi, psi))
    return known[row, column]
