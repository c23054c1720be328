"""How far two traces are from each other once one is turned and moved onto the other, never mirrored.

Source: Kabsch 1976 and 1978 (Acta Cryst. A32, 922; A34, 827), in the form of Coutsias et al. 2004 (J. Comput. Chem. 25, 1849): with the
singular values s of the mixed moments and d the sign of their determinant, n RMSD^2 = |A|^2 + |B|^2 - 2 (s1 + s2 + d s3).
"""

import numpy as np
from jaxtyping import Float


def rmsd(
    first: Float[np.ndarray, "*#many places 3"], second: Float[np.ndarray, "*#many places 3"]
) -> Float[np.ndarray, "*many"]:
    """Return the root of the mean squared distance of places after superposition, in the unit of the places.

    Args:
        first: Places.
        second: As many others; both may come many at a time.

    >>> mirrored = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    >>> bool(rmsd(mirrored, mirrored[:, [1, 2, 0]]) < 1e-6), bool(rmsd(mirrored, mirrored * (1, 1, -1)) > 0.1)
    (True, True)
    """
    one, other = (places.astype(np.float64) for places in (first, second))
    one = one - one.mean(-2, keepdims=True)
    other = other - other.mean(-2, keepdims=True)
    mixed = one.swapaxes(-1, -2) @ other
    values = np.linalg.svd(mixed, compute_uv=False)
    signed = values[..., 0] + values[..., 1] + np.sign(np.linalg.det(mixed)) * values[..., 2]
    squares = np.square(one).sum((-1, -2)) + np.square(other).sum((-1, -2)) - 2 * signed
    return np.asarray(np.sqrt(np.maximum(squares, 0.0) / first.shape[-2]))


def radius(places: Float[np.ndarray, "places 3"]) -> float:
    """Return the radius of gyration: the root of the mean squared distance from the middle.

    Superposition keeps it, so two traces are at least as far apart as their radii differ.
    """
    centred = places.astype(np.float64) - places.astype(np.float64).mean(0)
    return float(np.sqrt(np.square(centred).sum() / len(places)))
