"""Where atoms of a backbone collide: closer than any bond or contact lets them be."""

import numpy as np
from jaxtyping import Float

from makar.data.backbone_geometry import CA

CLOSEST_CA, CLOSEST_ATOMS = 3.0, 2.0
"""In angstroms, of residues that are not neighbours; two CA atoms that are bound to the same peptide group are 2.9 (cis) or 3.8 apart."""

APART = 2
"""Residues from one to the other from which on they are not neighbours."""


def clash_counts(atoms: Float[np.ndarray, "residues 4 3"]) -> tuple[int, int]:
    """Return how many pairs of CA atoms, and of any two heavy atoms, of residues that are not neighbours collide.

    Args:
        atoms: N, CA, C and O in angstroms.
    """
    count = len(atoms)
    if count <= APART:
        return 0, 0
    places = np.arange(count)
    far = places[None] - places[:, None] >= APART
    trace = atoms[:, CA].astype(np.float64)
    between = np.linalg.norm(trace[:, None] - trace[None], axis=-1)
    close_ca = int((far & (between < CLOSEST_CA)).sum())
    # Only residues whose CA atoms are near can have atoms that touch.
    first, second = np.nonzero(far & (between < CLOSEST_ATOMS + 5.0))
    apart = np.linalg.norm(atoms[first][:, :, None].astype(np.float64) - atoms[second][:, None], axis=-1)
    return close_ca, int((apart < CLOSEST_ATOMS).sum())
