"""Proteins to tokens and back: one token an amino acid, nothing learned of the data, nothing told beside the sequence."""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from makar.codecs.protein_config import ProteinCodecConfig
from makar.codecs.symbols import SymbolCodec, symbol_tokenizer
from makar.data.amino_acids import LETTERS, sequence_problem
from makar.data.record import Record
from makar.errors import DataError


class ProteinCodec(SymbolCodec):
    """Turns the letters of a protein into tokens."""

    about_file: ClassVar[str] = "protein.json"

    @classmethod
    def fit(cls, config: Any, records: Iterator[Record]) -> Self:
        """Return the codec; the letters are known."""
        del records
        assert isinstance(config, ProteinCodecConfig), "the codec that names this class"
        return cls(config, symbol_tokenizer(LETTERS, told=(), pattern="."), {})

    def check_content(self, text: str, *, is_whole: bool) -> None:
        """Refuse letters that are no amino acids."""
        # The beginning of a protein may be too short to be told from DNA.
        problem = sequence_problem(text) if is_whole or text else ""
        if problem:
            raise DataError(
                f"{text[:40]!r} is no protein: {problem}", expected=f"the letters {LETTERS}", do="give one sequence"
            )

    def told(self, record: Record) -> list[str]:
        """Return nothing."""
        del record
        return []

    def told_in(self, prompt: str) -> tuple[list[str], str]:
        """Return the beginning of a protein, in capitals."""
        return [], "".join(prompt.split()).upper()
