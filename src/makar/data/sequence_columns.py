"""Which column of a table holds molecules, proteins or rows of pitches, and which hold numbers; told by name and by the cells."""

import math
import re
from collections.abc import Mapping
from typing import Any

from makar.data.amino_acids import residues, sequence_problem
from makar.data.smiles import form_problem

MOLECULE_NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smi", "molecule", "mol", "structure")
PROTEIN_NAMES = ("sequence", "protein", "protein_sequence", "aa_sequence", "amino_acids", "seq")
MOST_PARTS, LEAST_SIXTEENTHS = 4, 8
WELL_FORMED_SHARE = 0.8
"""Share of the first rows that must be well-formed SMILES: a few broken ones are left out one by one."""


def molecule_column(values: Mapping[str, list[Any]]) -> str | None:
    """Return the column of SMILES; ``None`` where there is none.

    Args:
        values: The cells of each column in the first rows, without empty ones.
    """
    for wanted in MOLECULE_NAMES:
        for name, cells in values.items():
            if str(name).lower() == wanted and cells and _are_molecules(cells):
                return name
    return None


def column_problem(values: Mapping[str, list[Any]]) -> str:
    """Return what is wrong with a column that is named for molecules or proteins and holds too few; empty where there is none.

    Args:
        values: The cells of each column in the first rows, without empty ones.
    """
    for name, cells in values.items():
        for cell in map(str, cells):
            if str(name).lower() in MOLECULE_NAMES and (problem := form_problem(cell.strip())):
                return f'column "{name}" holds {cell[:40]!r}, which is no SMILES: {problem}'
            if str(name).lower() in PROTEIN_NAMES and (problem := sequence_problem(residues(cell))):
                return f'column "{name}" holds {cell[:40]!r}, which is no protein: {problem}'
    return ""


def protein_column(values: Mapping[str, list[Any]]) -> str | None:
    """Return the column of letters of amino acids; ``None`` where there is none.

    Args:
        values: The cells of each column in the first rows, without empty ones.
    """
    for wanted in PROTEIN_NAMES:
        for name, cells in values.items():
            if str(name).lower() == wanted and cells and all(isinstance(cell, str) for cell in cells):
                good = sum(not sequence_problem(residues(cell)) for cell in cells)
                if good >= WELL_FORMED_SHARE * len(cells):
                    return name
    return None


def music_column(values: Mapping[str, list[Any]]) -> str | None:
    """Return the column of which every cell is a list of sixteenths, each a list of pitches; ``None`` where there is none.

    Args:
        values: The cells of each column in the first rows, without empty ones.
    """
    for name, cells in values.items():
        if cells and all(
            isinstance(cell, list) and len(cell) >= LEAST_SIXTEENTHS and not rows_problem(cell) for cell in cells
        ):
            return name
    return None


def rows_problem(rows: list[Any]) -> str:
    """Return why a list is no piece of up to four parts, in words; empty where it is one."""
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) > MOST_PARTS:
            return f"place {number} is no list of up to {MOST_PARTS} pitches"
        for pitch in row:
            if pitch is not None and (number_of(pitch) is None or isinstance(pitch, str) or pitch > 127):
                return f"place {number} has the pitch {pitch!r}"
    sounding = sum(pitch is not None and pitch >= 0 for row in rows for pitch in row)
    return "" if sounding else "there is no note"


def voices_of_rows(rows: list[list[Any]]) -> list[list[int | None]]:
    """Return four rows of pitches from one list a sixteenth: soprano to bass where all four are there, else from the highest down.

    A pitch below 0 and nothing at all are rests; of fewer than four the lowest is the bass.
    """
    voices: list[list[int | None]] = [[] for _ in range(MOST_PARTS)]
    for row in rows:
        pitches = [None if pitch is None or pitch < 0 else int(pitch) for pitch in row]
        if len(pitches) < MOST_PARTS:
            sounding = sorted((pitch for pitch in pitches if pitch is not None), reverse=True)
            gap: list[int | None] = [None] * (MOST_PARTS - len(sounding))
            pitches = [*sounding[:-1], *gap, *sounding[-1:]]
        for voice, pitch in zip(voices, pitches, strict=True):
            voice.append(pitch)
    return voices


def number_columns(values: Mapping[str, list[Any]], *, without: str) -> tuple[str, ...]:
    """Return the columns whose cells are all numbers, but one.

    Args:
        values: The cells of each column in the first rows, without empty ones.
        without: The column of the content.
    """
    return tuple(
        name
        for name, cells in values.items()
        if name != without and cells and all(number_of(cell) is not None for cell in cells)
    )


def number_of(cell: Any) -> float | None:
    """Return the number in a cell, ``None`` where there is none that is finite."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def property_name(column: str) -> str:
    """Return the name of a property as it is typed in a prompt: small letters and digits, words joined by ``_``.

    >>> property_name("Molecular Weight (g/mol)")
    'molecular_weight_g_mol'
    """
    return re.sub(r"\W+", "_", str(column).strip().lower()).strip("_")


def _are_molecules(cells: list[Any]) -> bool:
    good = sum(isinstance(cell, str) and not form_problem(cell.strip()) for cell in cells)
    return good >= WELL_FORMED_SHARE * len(cells)
