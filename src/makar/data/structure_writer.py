"""Backbones as PDB files, which need nothing, and as mmCIF through gemmi.

A model of backbones knows no amino acids: where none is known, ``GLY`` is written, whose only heavy atoms are those of the backbone. PDB is
written by the fixed columns of its format, version 3.30 (wwPDB 2012).
"""

from collections.abc import Sequence

from makar.data.backbone import ATOMS, UNKNOWN_RESIDUE, Backbone
from makar.data.structure_reader import structure_library
from makar.errors import UnsupportedError

FORMS = {"pdb": ".pdb", "cif": ".cif"}
TYPES = {"pdb": "chemical/x-pdb", "cif": "chemical/x-mmcif"}
"""Media types, as programs of the field know them."""

MOST_RESIDUES = 9_999
GLYCINE = "GLY"
THREE_LETTERS = {
    **{
        "A": "ALA",
        "C": "CYS",
        "D": "ASP",
        "E": "GLU",
        "F": "PHE",
        "G": GLYCINE,
        "H": "HIS",
        "I": "ILE",
        "K": "LYS",
        "L": "LEU",
    },
    **{
        "M": "MET",
        "N": "ASN",
        "P": "PRO",
        "Q": "GLN",
        "R": "ARG",
        "S": "SER",
        "T": "THR",
        "V": "VAL",
        "W": "TRP",
        "Y": "TYR",
    },
    **{"U": "SEC", "O": "PYL", UNKNOWN_RESIDUE: GLYCINE},
}


def structure_bytes(backbone: Backbone, *, form: str = "pdb", remarks: Sequence[str] = ()) -> bytes:
    """Return the file of a backbone.

    Args:
        backbone: The backbone.
        form: ``"pdb"`` or ``"cif"``.
        remarks: Lines for a person, ASCII.

    Raises:
        UnsupportedError: There is no such form, or it holds no so long chain.
        MissingExtraError: The form needs a package that is not installed.
    """
    if form not in FORMS:
        raise UnsupportedError(f"structures as {form}", expected=", ".join(FORMS))
    if len(backbone) > MOST_RESIDUES:
        raise UnsupportedError(f"a chain of {len(backbone)} residues", expected=f"at most {MOST_RESIDUES}")
    text = _pdb(backbone, remarks)
    return text.encode("ascii") if form == "pdb" else _cif(text, remarks)


def _pdb(backbone: Backbone, remarks: Sequence[str]) -> str:
    lines = [f"REMARK  99 {line[:69]}" for line in ("", *remarks)] if remarks else []
    serial, name = 0, GLYCINE
    for number, (residue, letter) in enumerate(zip(backbone.atoms, backbone.residues), start=1):
        name = THREE_LETTERS.get(letter, GLYCINE)
        for atom, (x, y, z) in zip(ATOMS, residue):
            serial += 1
            lines.append(
                f"ATOM  {serial:5d}  {atom:<3s} {name} A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}{1:6.2f}{0:6.2f}          {atom[0]:>2s}"
            )
    lines.append(f"TER   {serial + 1:5d}      {name} A{len(backbone):4d}")
    return "".join(f"{line:<80s}\n" for line in [*lines, "END"])


def _cif(pdb: str, remarks: Sequence[str]) -> bytes:
    gemmi = structure_library()
    structure = gemmi.read_pdb_string(pdb)
    structure.name = "makar"
    structure.setup_entities()
    head = "".join(f"# {line}\n" for line in remarks)
    text: str = structure.make_mmcif_document().as_string()
    return (head + text).encode("ascii", "replace")
