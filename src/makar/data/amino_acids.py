"""Proteins as letters: which ones there are, what is wrong with a sequence, and entries of FASTA.

The letters are those of IUPAC-IUB 1984: the twenty amino acids, U and O (selenocysteine, pyrrolysine), B, Z, J (one of two) and X
(any). Small letters mark what somebody masked and are read as capitals; a ``*`` at the end says that the protein ends there.
"""

from collections.abc import Iterator

STANDARD = "ACDEFGHIKLMNPQRSTVWY"
LETTERS = STANDARD + "BJOUXZ"
NUCLEOTIDES = frozenset("ACGTUN")
LEAST_JUDGED = 24
"""Letters from which on a sequence of nothing but A, C, G, T, U and N is taken for DNA or RNA."""

LONGEST = 100_000


def residues(text: str) -> str:
    """Return the letters of a sequence, in capitals, without white space and what marks its end."""
    return "".join(text.split()).upper().removesuffix("*")


def sequence_problem(sequence: str) -> str:
    """Return what is wrong with the letters of a protein, in words; empty where nothing is.

    >>> sequence_problem("MKV1LA"), sequence_problem("MKVLA")
    ("the letter '1' is no amino acid", '')
    """
    if not sequence:
        return "it is empty"
    foreign = sorted(set(sequence) - set(LETTERS))
    if foreign:
        return f"the letter {foreign[0]!r} is no amino acid"
    if len(sequence) >= LEAST_JUDGED and set(sequence) <= NUCLEOTIDES:
        return "it has only letters of DNA or RNA"
    return f"it has {len(sequence)} letters, at most {LONGEST} are read" if len(sequence) > LONGEST else ""


def fasta_entries(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield (description, sequence) of every entry; what stands before the first ``>`` is an entry without description."""
    description, parts = "", list[str]()
    for line in lines:
        if line.startswith((">", ";")):
            if parts:
                yield description, "".join(parts)
            description, parts = line[1:].strip(), []
        elif line.strip():
            parts.append("".join(line.split()))
    if parts:
        yield description, "".join(parts)
