"""The backbone of a stretch of protein: where N, CA, C and O of every residue are, and its amino acids where they are known."""

import dataclasses

import numpy as np

from makar.data.amino_acids import LETTERS
from makar.errors import DataError

ATOMS = ("N", "CA", "C", "O")
"""Of every residue, in this order."""

UNKNOWN_RESIDUE = "X"
MOST_RESIDUES = 100_000
FARTHEST = 9_999.0
"""In angstroms from the origin: what a PDB file can hold."""


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A stretch of residues, each bound to the next.

    Attributes:
        atoms: float32 ``[residues, 4, 3]``, N, CA, C and O in angstroms.
        residues: One letter a residue, ``X`` where the amino acid is not known.
    """

    atoms: np.ndarray
    residues: str

    def __post_init__(self) -> None:
        """Check shape, type and values.

        Raises:
            DataError: They are not those of a backbone.
        """
        if self.atoms.dtype != np.float32 or self.atoms.shape != (len(self.residues), len(ATOMS), 3):
            raise DataError(
                f"a backbone of type {self.atoms.dtype} and shape {list(self.atoms.shape)} for {len(self.residues)} residues",
                expected="float32 [residues, 4, 3]",
            )
        if not 1 <= len(self.residues) <= MOST_RESIDUES:
            raise DataError(f"a backbone of {len(self.residues)} residues", expected=f"1 to {MOST_RESIDUES}")
        if not np.isfinite(self.atoms).all() or np.abs(self.atoms).max() > FARTHEST:
            raise DataError("a backbone with places that are no numbers, or too far away", expected="angstroms")
        if set(self.residues) - set(LETTERS):
            raise DataError(f"residues {self.residues[:40]!r}", expected=f"letters of {LETTERS}")

    def __len__(self) -> int:
        """Return the number of residues."""
        return len(self.residues)

    @property
    def shape(self) -> tuple[int, int]:
        """(residues, atoms of each)."""
        return (len(self.residues), len(ATOMS))

    @property
    def trace(self) -> np.ndarray:
        """Where the CA atoms are, float32 ``[residues, 3]``."""
        return self.atoms[:, 1]

    def part(self, start: int, end: int) -> "Backbone":
        """Return the residues from ``start`` up to ``end``."""
        return Backbone(np.ascontiguousarray(self.atoms[start:end]), self.residues[start:end])

    def tobytes(self) -> bytes:
        """Return residues and places as bytes, by which a backbone is told from others; thousandths of an angstrom count."""
        places = np.round(1000.0 * self.atoms.astype(np.float64)).astype("<i4")
        return f"backbone {self.residues}\n".encode("ascii") + np.ascontiguousarray(places).tobytes()
