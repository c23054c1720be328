"""Lengths, angles and torsions of backbones, and backbones from torsions.

Ideal lengths and angles are those of Engh and Huber 2001 (International Tables for Crystallography F, chapter 18.3), atoms are placed one
after the other as in Parsons et al. 2005 (J. Comput. Chem. 26, 1063; "NeRF"), torsions have the sign of IUPAC-IUB 1970. A chain that
is built of torsions alone can only be right- or left-handed as they say: nothing is ever mirrored.
"""

import numpy as np
from jaxtyping import Float

from makar.data.backbone import ATOMS, Backbone

N, CA, C, O = range(len(ATOMS))

N_CA, CA_C, C_N, C_O = 1.459, 1.525, 1.336, 1.229
"""Bonds in angstroms."""

N_CA_C, CA_C_N, C_N_CA, CA_C_O = 111.0, 117.2, 121.7, 120.1
"""Angles in degrees."""

TRANS = 180.0
FARTHEST_BOND = 2.0
"""In angstroms: what is farther apart is not bound."""

BONDS: dict[str, float] = {"N-CA": N_CA, "CA-C": CA_C, "C-O": C_O, "C-N": C_N}
ANGLES: dict[str, float] = {"N-CA-C": N_CA_C, "CA-C-O": CA_C_O, "CA-C-N": CA_C_N, "C-N-CA": C_N_CA}

Points = Float[np.ndarray, "*places 3"]
Values = Float[np.ndarray, "*places"]


def placed(first: Points, second: Points, third: Points, *, bond: float, angle: float, torsion: Values) -> Points:
    """Return where a fourth atom is, from the three before it.

    Args:
        first: Places of the first atom.
        second: Of the second.
        third: Of the third, to which the fourth is bound.
        bond: From the third to the fourth, in angstroms.
        angle: At the third, in degrees.
        torsion: About the bond from the second to the third, in degrees.
    """
    turn, bend = np.deg2rad(torsion), np.deg2rad(angle)
    along = _unit(third - second)
    normal = _unit(np.cross(second - first, along))
    across = np.cross(normal, along)
    out = bond * (
        -np.cos(bend) * along + np.sin(bend) * (np.cos(turn)[..., None] * across + np.sin(turn)[..., None] * normal)
    )
    return third + out


def built(
    phi: Float[np.ndarray, "*chains residues"],
    psi: Float[np.ndarray, "*chains residues"],
    omega: Float[np.ndarray, "*chains residues"],
) -> Float[np.ndarray, "*chains residues 4 3"]:
    """Return chains of ideal bonds and angles with given torsions.

    Args:
        phi: About N-CA of every residue in degrees; that of the first residue turns nothing.
        psi: About CA-C; that of the last only turns its O.
        omega: About the bond from every residue to the next; that of the last turns nothing.

    Returns:
        float64, N, CA, C and O in angstroms.
    """
    bend = np.deg2rad(N_CA_C)
    own = np.array([(-N_CA, 0.0, 0.0), (0.0, 0.0, 0.0), (-CA_C * np.cos(bend), CA_C * np.sin(bend), 0.0)])
    n, ca, c = (np.broadcast_to(place, (*phi.shape, 3)) for place in own)
    o = placed(n, ca, c, bond=C_O, angle=CA_C_O, torsion=psi + 180.0)
    # Of every residue, seen from the one before: where it is and how it is turned.
    next_n = placed(n, ca, c, bond=C_N, angle=CA_C_N, torsion=psi)
    next_ca = placed(ca, c, next_n, bond=N_CA, angle=C_N_CA, torsion=omega)
    next_c = placed(c, next_n, next_ca, bond=CA_C, angle=N_CA_C, torsion=np.roll(phi, -1, axis=-1))
    turned = axes_of(next_n, next_ca, next_c) @ np.linalg.inv(axes_of(*own))
    local = np.stack([n, ca, c, o], axis=-2)
    atoms = np.empty_like(local)
    axes, place = np.broadcast_to(np.eye(3), (*phi.shape[:-1], 3, 3)), np.zeros((*phi.shape[:-1], 3))
    for residue in range(phi.shape[-1]):
        atoms[..., residue, :, :] = local[..., residue, :, :] @ axes.swapaxes(-1, -2) + place[..., None, :]
        place = place + (axes @ next_ca[..., residue, :, None])[..., 0]
        axes = axes @ turned[..., residue, :, :]
    return atoms


def axes_of(n: Points, ca: Points, c: Points) -> Float[np.ndarray, "*places 3 3"]:
    """Return how residues are turned: columns along CA to C, towards N across it, and at right angles to both, right-handed."""
    first = _unit(c - ca)
    towards = n - ca
    second = _unit(towards - (towards * first).sum(-1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def torsion(first: Points, second: Points, third: Points, fourth: Points) -> Values:
    """Return the torsion of four atoms in degrees, -180 to 180."""
    one, two, three = second - first, third - second, fourth - third
    left, right = np.cross(one, two), np.cross(two, three)
    up = (_unit(two) * np.cross(left, right)).sum(-1)
    return np.asarray(np.rad2deg(np.arctan2(up, (left * right).sum(-1))))


def torsions(backbone: Backbone) -> Float[np.ndarray, "residues 3"]:
    """Return phi, psi and omega of every residue in degrees; ``nan`` where an end has none.

    Omega of a residue is about the bond to the next one.
    """
    atoms = backbone.atoms.astype(np.float64)
    n, ca, c = atoms[:, N], atoms[:, CA], atoms[:, C]
    found = np.full((len(atoms), 3), np.nan)
    found[1:, 0] = torsion(c[:-1], n[1:], ca[1:], c[1:])
    found[:-1, 1] = torsion(n[:-1], ca[:-1], c[:-1], n[1:])
    found[:-1, 2] = torsion(ca[:-1], c[:-1], n[1:], ca[1:])
    return found


def bond_lengths(backbone: Backbone) -> dict[str, np.ndarray]:
    """Return every bond in angstroms, by the names of ``BONDS``."""
    atoms = backbone.atoms.astype(np.float64)
    n, ca, c, o = (atoms[:, which] for which in (N, CA, C, O))
    pairs = {"N-CA": (n, ca), "CA-C": (ca, c), "C-O": (c, o), "C-N": (c[:-1], n[1:])}
    return {name: np.linalg.norm(second - first, axis=-1) for name, (first, second) in pairs.items()}


def bond_angles(backbone: Backbone) -> dict[str, np.ndarray]:
    """Return every angle between bonds in degrees, by the names of ``ANGLES``."""
    atoms = backbone.atoms.astype(np.float64)
    n, ca, c, o = (atoms[:, which] for which in (N, CA, C, O))
    triples = {
        "N-CA-C": (n, ca, c),
        "CA-C-O": (ca, c, o),
        "CA-C-N": (ca[:-1], c[:-1], n[1:]),
        "C-N-CA": (c[:-1], n[1:], ca[1:]),
    }
    return {name: _angle(*three) for name, three in triples.items()}


def _angle(first: Points, second: Points, third: Points) -> Values:
    cosine = (_unit(first - second) * _unit(third - second)).sum(-1)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _unit(vectors: Points) -> Points:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: np.ndarray = vectors / np.maximum(length, 1e-9)
    return scaled
