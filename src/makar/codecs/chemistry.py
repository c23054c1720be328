"""What RDKit says of molecules: whether a SMILES is one, its one spelling, its properties; RDKit is an extra, and said to be missing.

A SMILES is a molecule where RDKit parses and sanitises it (valences, rings, aromaticity): the meaning of validity in Gómez-Bombarelli et
al. 2018 (arXiv 1610.02415) and MOSES (Polykovskiy et al. 2020, arXiv 1811.12823).
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from makar.errors import MissingExtraError

PROPERTIES: Mapping[str, tuple[str, str]] = {
    "logp": ("rdkit.Chem.Crippen", "MolLogP"),
    "qed": ("rdkit.Chem.QED", "qed"),
    "weight": ("rdkit.Chem.Descriptors", "MolWt"),
    "tpsa": ("rdkit.Chem.rdMolDescriptors", "CalcTPSA"),
    "rings": ("rdkit.Chem.rdMolDescriptors", "CalcNumRings"),
    "heavy_atoms": ("rdkit.Chem.rdMolDescriptors", "CalcNumHeavyAtoms"),
    "donors": ("rdkit.Chem.rdMolDescriptors", "CalcNumHBD"),
    "acceptors": ("rdkit.Chem.rdMolDescriptors", "CalcNumHBA"),
    "rotatable": ("rdkit.Chem.rdMolDescriptors", "CalcNumRotatableBonds"),
}
"""What can be computed, and by which function of RDKit."""


@functools.cache
def rdkit(module: str = "rdkit.Chem") -> Any:
    """Return a module of RDKit, whose warnings about every molecule that is none are turned off.

    Raises:
        MissingExtraError: It is not installed; the message names the command.
    """
    try:
        importlib.import_module("rdkit.RDLogger").DisableLog("rdApp.*")
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError("rdkit", extra="molecules") from error


def has_rdkit() -> bool:
    """Return whether RDKit is installed."""
    return importlib.util.find_spec("rdkit") is not None


def molecule_of(smiles: str) -> Any | None:
    """Return the molecule that a SMILES writes, ``None`` where it writes none."""
    return rdkit().MolFromSmiles(smiles) if smiles else None


def canonical(smiles: str) -> str | None:
    """Return the one spelling of a molecule, ``None`` where the SMILES writes none."""
    molecule = molecule_of(smiles)
    return None if molecule is None else str(rdkit().MolToSmiles(molecule))


def property_function(name: str) -> Callable[[Any], float]:
    """Return what computes a property of ``PROPERTIES`` of a molecule."""
    module, function = PROPERTIES[name]
    compute = getattr(rdkit(module), function)
    return lambda molecule: float(compute(molecule))
