"""Proteins by letters: one token each, and what is no amino acid is refused."""

import dataclasses

import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.protein_config import ProteinCodecConfig
from makar.data.amino_acids import LETTERS
from makar.errors import DataError
from makar.novelty.compared import compared_text
from tests.contract import samples


def codec():
    return fit_codec(ProteinCodecConfig(), iter(()))


def test_a_letter_is_a_token():
    fitted = codec()
    assert fitted.vocabulary == len(LETTERS) + 1
    assert len(set(fitted.encode_text(LETTERS).tolist())) == len(LETTERS)
    assert fitted.decode({"target": fitted.encode_text(LETTERS)}) == LETTERS


def test_a_prompt_is_the_beginning_in_any_letters():
    fitted = codec()
    assert fitted.encode_prompt("mkv la").tolist() == fitted.encode_text("MKVLA").tolist()
    assert len(fitted.encode_prompt("")) == 0


def test_other_letters_are_refused():
    with pytest.raises(DataError, match="the letter '1'"):
        codec().encode_prompt("MK1")
    with pytest.raises(DataError, match="DNA"):
        codec().encode(dataclasses.replace(samples.records("protein")[0], content="GATTACA" * 5))


def test_a_copy_is_a_row_of_letters():
    assert compared_text("MKV", "protein") == "M K V"
