"""Molecules are judged by RDKit: molecules, different ones, new ones in any spelling; a model is measured from its run."""

import dataclasses

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.molecule_config import MoleculeCodecConfig
from makar.data.store import build_store
from makar.evaluation.symbols import SymbolCounts, counted_perplexity, quantile_distance
from makar.novelty.index import NoveltyIndex
from tests.contract import samples

rdkit = pytest.importorskip("rdkit", reason="the extra molecules is not installed")

from makar.evaluation.molecules import composition, judge, mean_similarity, training_by_composition  # noqa: E402

SPELLINGS = [
    ("OCC", "CCO"),
    ("C1=CC=CC=C1", "c1ccccc1"),
    ("N(=O)(=O)c1ccccc1", "O=[N+]([O-])c1ccccc1"),
    ("[13CH4]", "[13CH4]"),
]


def store_of(folder, lines):
    first = samples.records("molecule")[0]
    records = [dataclasses.replace(first, content=line, id=str(number)) for number, line in enumerate(lines)]
    codec = fit_codec(MoleculeCodecConfig(), iter(records))
    return codec, build_store(folder, records, codec.encode, key="molecules")


@pytest.mark.parametrize("one, other", SPELLINGS)
def test_spellings_of_one_molecule_have_one_composition(one, other):
    assert composition(one) == composition(other)


def test_other_atoms_rings_or_charges_are_another_composition():
    lines = [
        "CCO",
        "CCN",
        "CCS",
        "C1CO1",
        "CC[O-]",
        "CCOC",
        "Clc1ccccc1",
        "Fc1ccccc1",
        "[nH]1cccc1",
        "[C@H](F)(Cl)Br",
        "[Se]CC",
    ]
    assert len({composition(line) for line in lines}) == len(lines)


def test_only_molecules_count_and_what_is_known_in_another_spelling_is_not_new(tmp_path):
    codec, store = store_of(tmp_path / "store", ["CCO", "c1ccccc1", "CCN"])
    found = judge(
        ["OCC", "C1=CC=CC=C1", "CCC", "CCC", "C(C)(C)(C)(C)C", "C1CC", ""], training_by_composition(store, codec)
    )
    assert found.lines == 7 and len(found.molecules) == 4
    assert found.unique == ("CCO", "c1ccccc1", "CCC") and found.new == ("CCC",)
    assert judge(["CCO"], {}).new is None


def test_the_index_finds_the_same_molecule_and_names_its_source(tmp_path):
    codec, store = store_of(tmp_path / "store", ["CCO", "c1ccccc1", "CCN", "CCCl"])
    index = NoveltyIndex.build(store, None, codec, medium="molecule", folder=tmp_path / "index")
    same, respelled, new = index.check_many(["CCO", "OCC", "CCBr"])
    assert same.is_copy and same.nearest[0].record == 0 and same.score == 0.0
    assert respelled.is_copy and "same" in respelled.summary()
    assert not new.is_copy and new.score == 1.0


def test_similarity_of_the_same_is_one_and_of_others_less():
    assert mean_similarity(["CCO", "CCO"]) == pytest.approx(1.0)
    assert mean_similarity(["CCO", "c1ccccc1"]) < 0.8


def test_pairs_of_symbols_predict_what_follows_always(tmp_path):
    codec, store = store_of(tmp_path / "store", ["CO" * 30] * 40)
    counts = SymbolCounts.of(store, vocabulary=codec.vocabulary)
    single, pairs = (score for _, score in counted_perplexity(counts, store))
    assert pairs.value < 1.2 < single.value < 2.5
    drawn = codec.decode({"target": counts.drawn(codec.end_token, np.random.default_rng(0))})
    assert drawn.startswith("COCO")


def test_counting_gives_the_nats_that_it_should(tmp_path):
    codec, store = store_of(tmp_path / "store", ["CO", "CN"])
    counts = SymbolCounts.of(store, vocabulary=codec.vocabulary)
    tokens = codec.encode_text("CO")
    # Of two C one is followed by O; every count grows by one.
    assert counts.nats(tokens)[1] == pytest.approx(-np.log(2 / (2 + codec.vocabulary)))


def test_the_distance_of_shifted_numbers_is_the_shift():
    assert quantile_distance([1.0, 2.0, 3.0], [2.5, 3.5, 4.5]) == pytest.approx(1.5)
    assert quantile_distance([1.0, 2.0], [1.0, 2.0]) == 0.0
