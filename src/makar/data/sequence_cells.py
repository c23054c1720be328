"""What a cell of a table holds where its medium is written in a notation of its own: a molecule, a protein, a piece of four parts."""

from collections.abc import Iterator
from typing import Any

from makar.data.amino_acids import residues, sequence_problem
from makar.data.score import notation_of, score_of_voices, tidy
from makar.data.sequence_columns import rows_problem, voices_of_rows
from makar.data.smiles import form_problem
from makar.errors import DataError


def one_molecule(smiles: str) -> Iterator[str]:
    """Return the molecule of a cell.

    Raises:
        DataError: It is no SMILES.
    """
    if problem := form_problem(smiles):
        raise DataError(f"no SMILES: {problem}")
    return iter([smiles])


def one_protein(text: str) -> Iterator[str]:
    """Return the protein of a cell.

    Raises:
        DataError: It holds other letters.
    """
    sequence = residues(text)
    if problem := sequence_problem(sequence):
        raise DataError(f"no protein: {problem}")
    return iter([sequence])


def one_grid(rows: list[Any]) -> Iterator[str]:
    """Return the piece of four parts of a cell.

    Raises:
        DataError: It is no list of pitches.
    """
    if problem := rows_problem(rows):
        raise DataError(f"no rows of pitches: {problem}")
    return iter([tidy(notation_of(score_of_voices(voices_of_rows(rows))))])
