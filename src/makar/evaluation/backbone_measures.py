"""What is measured of backbones: bonds and angles against ideal ones, collisions, torsions, helices, strands and hydrogen bonds."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from makar.codecs.backbone import backbone_of
from makar.codecs.backbone_config import AXES
from makar.data.backbone import UNKNOWN_RESIDUE, Backbone
from makar.data.backbone_geometry import ANGLES, BONDS, TRANS, bond_angles, bond_lengths, built, torsions
from makar.data.clashes import clash_counts
from makar.data.ramachandran import is_allowed
from makar.data.secondary_structure import HELIX, STRAND, hydrogen_bonds, secondary_structure
from makar.evaluation.bootstrap import Interval, mean_interval, ratio_interval, share_interval

TRANS_WITHIN = 30.0
"""A peptide group is flat and trans where omega is this near to 180 degrees."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of some backbones, one number a backbone unless said otherwise.

    Attributes:
        bonds: Root of the mean squared deviation of bonds from ideal ones, angstroms.
        angles: The same of angles, degrees.
        clashing: 1 where atoms collide.
        torsions: Residues that have phi and psi.
        allowed: Those whose torsions are allowed.
        left: Those whose phi is above 0.
        groups: Peptide groups.
        trans: Those that are flat and trans.
        residues: Residues.
        helix: Residues in helices.
        strand: Residues in strands.
        bound: Residues whose NH is in a hydrogen bond.
    """

    bonds: np.ndarray
    angles: np.ndarray
    clashing: np.ndarray
    torsions: np.ndarray
    allowed: np.ndarray
    left: np.ndarray
    groups: np.ndarray
    trans: np.ndarray
    residues: np.ndarray
    helix: np.ndarray
    strand: np.ndarray
    bound: np.ndarray

    def interval(self, key: str) -> Interval:
        """Return a figure with its interval over resampled backbones.

        Args:
            key: Of ``KEYS``.
        """
        if key in ("bonds", "angles"):
            values = self.bonds if key == "bonds" else self.angles
            return mean_interval(values)
        if key == "clashes":
            return share_interval(int(self.clashing.sum()), len(self.clashing))
        above, below = {
            "ramachandran": (self.allowed, self.torsions),
            "left_handed": (self.left, self.torsions),
            "trans": (self.trans, self.groups),
            "helix": (self.helix, self.residues),
            "strand": (self.strand, self.residues),
            "hydrogen_bonds": (self.bound, self.residues),
        }[key]
        return ratio_interval(above, below) if below.sum() else Interval(0.0, 0.0, 1.0)


KEYS = ("bonds", "angles", "clashes", "ramachandran", "left_handed", "trans", "helix", "strand", "hydrogen_bonds")


def measured(backbones: Sequence[Backbone]) -> Measured:
    """Measure some backbones, at least one."""
    rows = [_one(backbone) for backbone in backbones]
    columns = {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
    return Measured(**columns)


def _one(backbone: Backbone) -> dict[str, float]:
    lengths, angles, turns = bond_lengths(backbone), bond_angles(backbone), torsions(backbone)
    whole = turns[~np.isnan(turns[:, :2]).any(1)]
    omega = turns[~np.isnan(turns[:, 2]), 2]
    letters = secondary_structure(backbone)
    return {
        "bonds": _away([lengths[name] - BONDS[name] for name in BONDS]),
        "angles": _away([angles[name] - ANGLES[name] for name in ANGLES]),
        "clashing": float(any(clash_counts(backbone.atoms))),
        "torsions": float(len(whole)),
        "allowed": float(is_allowed(whole[:, 0], whole[:, 1]).sum()),
        "left": float((whole[:, 0] > 0).sum()),
        "groups": float(len(omega)),
        "trans": float((np.abs(omega) >= TRANS - TRANS_WITHIN).sum()),
        "residues": float(len(backbone)),
        "helix": float(letters.count(HELIX)),
        "strand": float(letters.count(STRAND)),
        "bound": float(hydrogen_bonds(backbone)),
    }


def _away(differences: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(np.square(np.concatenate(differences)).mean()))


def untrained_backbones(real: Sequence[Backbone], *, seed: int) -> list[Backbone]:
    """Return what the model makes before it has learned anything: bonds as long as real ones in any direction.

    An untrained network is the best linear guess, which turns white noise into values of the spread of the data.

    Args:
        real: Backbones whose lengths and spread are taken.
        seed: Seed of the draws.
    """
    draw = np.random.default_rng(seed)
    mean = {
        name: float(np.sqrt(np.square(np.concatenate([bond_lengths(one)[name] for one in real])).mean()))
        for name in BONDS
    }
    deviation = np.array([mean[name] for name in ("N-CA", "CA-C", "C-O", "C-N")]) / np.sqrt(AXES)
    return [backbone_of(draw.standard_normal((AXES, 4, len(one))) * deviation[None, :, None]) for one in real]


def random_backbones(real: Sequence[Backbone], *, seed: int) -> list[Backbone]:
    """Return chains of ideal bonds and angles as long as real ones whose phi and psi are drawn evenly."""
    draw = np.random.default_rng(seed)
    found = []
    for one in real:
        phi, psi = draw.uniform(-180, 180, (2, len(one)))
        atoms = built(phi, psi, np.full(len(one), TRANS))
        found.append(Backbone((atoms - atoms.mean((0, 1))).astype(np.float32), UNKNOWN_RESIDUE * len(one)))
    return found
