"""Molecules to tokens and back: SMILES by atoms, bonds, branches and rings, and properties that are told before them.

Decisions. (1) Tokens are those of Schwaller et al. 2019 (``makar.data.smiles``); an atom in brackets that training did not have is
spelled by its characters, so any SMILES can be read. (2) A property is told by one token of ``bins``, each for as many training
molecules: one symbol to learn instead of digits, and as exact where molecules are dense as where they are rare. Digits (Born and Manica
2023, arXiv 2202.01338) would take four tokens a value and a model that has learned their order. (3) A value in a prompt takes the token
of its bin: ``logp=2.5 c1ccccc1``. (4) A property is a column of numbers of the data, or computed by RDKit where no column has its name.
"""

import collections
import hashlib
import itertools
import math
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from tokenizers import Tokenizer

from makar.codecs.chemistry import PROPERTIES, molecule_of, property_function
from makar.codecs.molecule_config import MoleculeCodecConfig
from makar.codecs.symbols import SymbolCodec, symbol_tokenizer
from makar.data.record import Record
from makar.data.smiles import ALPHABET, TOKEN, alphabet_problem, form_problem, smiles_tokens
from makar.errors import ArtifactError, ConfigError, DataError, EmptyDataError, UnsupportedError

FITTED = 100_000
"""Molecules whose symbols are counted."""

FITTED_VALUES = 5000
"""Molecules whose properties place the borders of the bins."""

LEAST_COUNT = 2
"""A symbol that stands in fewer training molecules is spelled."""

_TOLD = re.compile(r"([A-Za-z_]\w*)=([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)")
_UNWRITTEN_BRACKET = re.compile(r"\[[^\]]*$|%[0-9]?$")


class MoleculeCodec(SymbolCodec):
    """Turns SMILES into tokens.

    Args:
        config: The settings.
        tokenizer: The fitted tokenizer.
        about: ``edges``: the borders between the bins of every property.
    """

    about_file: ClassVar[str] = "properties.json"

    def __init__(self, config: MoleculeCodecConfig, tokenizer: Tokenizer, about: dict[str, Any]) -> None:
        super().__init__(config, tokenizer, about)
        self.config: MoleculeCodecConfig = config
        edges = self.about.get("edges")
        if not isinstance(edges, dict) or set(edges) != set(config.names):
            raise ArtifactError(
                f"{self.about_file} does not have the borders of {', '.join(config.names) or 'no'} properties"
            )
        self._edges = {name: np.array(edges[name], np.float64) for name in config.names}

    @classmethod
    def fit(cls, config: MoleculeCodecConfig, records: Iterator[Record]) -> Self:
        """Learn the symbols, and where the bins of the properties end.

        Raises:
            EmptyDataError: There is no molecule.
            ConfigError: A property is no column and cannot be computed, or is the same of all.
            MissingExtraError: It is to be computed, and RDKit is not installed.
        """
        counts: collections.Counter[str] = collections.Counter()
        values: dict[str, list[float]] = {name: [] for name in config.names}
        for number, record in enumerate(itertools.islice(records, FITTED)):
            counts.update(set(smiles_tokens(record.content)))
            if number < FITTED_VALUES:
                for name in config.names:
                    value = value_of(record, name)
                    if not math.isnan(value):
                        values[name].append(value)
        if not counts:
            raise EmptyDataError("there is no molecule to learn from", expected="SMILES, one a line or in a column")
        edges = {name: _edges(name, found, bins=config.bins) for name, found in values.items()}
        symbols = {symbol for symbol, count in counts.items() if count >= LEAST_COUNT} | set(ALPHABET) | {"Cl", "Br"}
        told = [_token(name, place) for name in config.names for place in range(config.bins)]
        return cls(config, symbol_tokenizer(symbols, told=told, pattern=TOKEN.pattern), {"edges": edges})

    def check_content(self, text: str, *, is_whole: bool) -> None:
        """Refuse what is no SMILES, or no beginning of one."""
        problem = form_problem(text) if is_whole else alphabet_problem(text)
        if not problem and not is_whole and (begun := _UNWRITTEN_BRACKET.search(text)):
            problem = f"it ends inside {begun.group()!r}"
        if problem:
            raise DataError(f"{text[:80]!r} is no SMILES: {problem}", expected="a SMILES, or the beginning of one")

    def told(self, record: Record) -> list[str]:
        """Return the bins of what is known, but for the share that is not told; which, follows from the molecule alone."""
        found = []
        for name in self.config.names:
            drawn = hashlib.sha256(f"{name} {record.content}".encode()).digest()
            if int.from_bytes(drawn[:4], "big") < self.config.untold * (1 << 32):
                continue
            value = value_of(record, name)
            if not math.isnan(value):
                found.append(self._told(name, value))
        return found

    def told_in(self, prompt: str) -> tuple[list[str], str]:
        """Return the bins of ``name=value`` words, in the order in which they were learned, and the SMILES after them."""
        words, given = prompt.split(), {}
        while (
            words
            and (told := _TOLD.fullmatch(words[0]))
            and (told[1] in self._edges or told[1] in PROPERTIES or len(words) > 1)
        ):
            name, value = told[1], told[2]
            if name not in self._edges:
                raise UnsupportedError(
                    f'the property "{name}"',
                    expected=f"one of: {', '.join(self._edges)}" if self._edges else "no property: none was learned",
                    do=f"train with --set stages.0.codec.properties={name}",
                )
            given[name] = _number(value)
            words = words[1:]
        if len(words) > 1:
            raise UnsupportedError(f"{len(words)} words after the properties", expected="one SMILES, or its beginning")
        return [self._told(name, given[name]) for name in self._edges if name in given], "".join(words)

    def _told(self, name: str, value: float) -> str:
        return _token(name, int(np.searchsorted(self._edges[name], value, side="right")))


def value_of(record: Record, name: str) -> float:
    """Return a property of a molecule: what the data says, else what RDKit computes; not a number where neither does.

    Raises:
        ConfigError: There is no such property.
    """
    if record.properties is not None and name in record.properties:
        return record.properties[name]
    if name not in PROPERTIES:
        if record.properties is not None:
            return math.nan
        raise ConfigError(
            f'no molecule has the property "{name}"',
            expected=f"a column of numbers, or one of: {', '.join(PROPERTIES)}",
        )
    molecule = molecule_of(record.content)
    return math.nan if molecule is None else property_function(name)(molecule)


def _edges(name: str, values: list[float], *, bins: int) -> list[float]:
    if len(set(values)) < 2:
        known = f"the value {values[0]:g} only" if values else "no value"
        raise ConfigError(
            f'the property "{name}" has {known}',
            expected=f"a column of different numbers, or one of: {', '.join(PROPERTIES)}",
        )
    return [float(edge) for edge in np.quantile(np.array(values), np.linspace(0, 1, bins + 1)[1:-1])]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UnsupportedError(f'the value "{text}" of a property', expected="a number") from error


def _token(name: str, place: int) -> str:
    return f"<|{name}:{place}|>"
