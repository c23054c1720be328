"""Molecules by tokens: what was seen and what was not, properties in bins, prompts that tell, and what is refused."""

import dataclasses

import numpy as np
import pytest

from makar.codecs import chemistry
from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.molecule import value_of
from makar.codecs.molecule_config import MoleculeCodecConfig
from makar.errors import ConfigError, DataError, EmptyDataError, MissingExtraError, UnsupportedError
from makar.generation.prompts import EncodesPrompts
from tests.contract import samples


def many(count=200):
    """Return records of chains, the number of atoms of each as property."""
    first = samples.records("molecule")[0]
    return [
        dataclasses.replace(first, content="C" * (1 + number % 40), properties={"atoms": float(1 + number % 40)})
        for number in range(count)
    ]


def fitted(**settings):
    return fit_codec(MoleculeCodecConfig(**settings), iter(many()))


def names(codec, tokens):
    return [codec.tokenizer.id_to_token(int(token)) for token in tokens]


def test_an_atom_is_one_token_and_one_that_was_never_seen_is_spelled():
    codec = fit_codec(MoleculeCodecConfig(), iter(samples.records("molecule") * 2))
    assert names(codec, codec.encode_text("C[C@@H](Cl)Br")) == ["C", "[C@@H]", "(", "Cl", ")", "Br"]
    assert names(codec, codec.encode_text("[Pt+2]")) == ["[", "P", "t", "+", "2", "]"]
    assert codec.decode({"target": codec.encode_text("[Pt+2]C%99CC%99")}) == "[Pt+2]C%99CC%99"


def test_transformers_reads_the_same_tokens(tmp_path):
    transformers = pytest.importorskip("transformers")
    codec = fit_codec(MoleculeCodecConfig(), iter(samples.records("molecule") * 2))
    (tmp_path / "tokenizer.json").write_bytes(codec.tokenizer_json())
    other = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for record in samples.records("molecule"):
        tokens = other(record.content, add_special_tokens=False)["input_ids"]
        assert tokens == codec.encode_text(record.content).tolist()
        assert other.decode(tokens) == record.content


def test_a_property_takes_one_token_and_bins_hold_as_many_molecules_each():
    codec = fitted(properties="atoms", bins=4, untold=0.0)
    first = [names(codec, codec.encode(record)["target"])[0] for record in many(40)]
    assert sorted(set(first)) == [f"<|atoms:{place}|>" for place in range(4)]
    assert [first.count(name) for name in sorted(set(first))] == [10, 10, 10, 10]
    assert codec.decode(codec.encode(many(1)[0])) == "C"


def test_a_share_is_not_told_and_which_follows_from_the_molecule():
    codec = fitted(properties="atoms", untold=0.5)
    told = [len(codec.encode(record)["target"]) - len(record.content) == 2 for record in many(40)]
    assert 8 < sum(told) < 32
    assert told == [len(codec.encode(record)["target"]) - len(record.content) == 2 for record in many(40)]


def test_a_prompt_tells_and_begins():
    codec = fitted(properties="atoms", bins=4)
    assert isinstance(codec, EncodesPrompts)
    assert names(codec, codec.encode_prompt("atoms=1 CC(")) == ["<|atoms:0|>", "C", "C", "("]
    assert names(codec, codec.encode_prompt("atoms=1e3")) == ["<|atoms:3|>"]
    assert names(codec, codec.encode_prompt("atoms=-5 ")) == ["<|atoms:0|>"]
    assert names(codec, codec.encode_prompt("C=C")) == ["C", "=", "C"]
    # A double bond and a ring are no property.
    assert names(codec, codec.encode_prompt("C=1CCC=1"))[:3] == ["C", "=", "1"]


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("logp=2 CC", 'the property "logp"'),
        ("logp=2.5", 'the property "logp"'),
        ("atoms=2 CC CC", "2 words"),
        ("atoms=1.2.3 C", 'the value "1.2.3"'),
    ],
)
def test_a_prompt_that_tells_something_else_is_refused(prompt, words):
    with pytest.raises(UnsupportedError, match=words):
        fitted(properties="atoms").encode_prompt(prompt)


@pytest.mark.parametrize(
    "begun, words", [("CC[C@", "ends inside"), ("C%1", "ends inside"), ("Cé", "stands in no SMILES")]
)
def test_a_beginning_that_can_be_none_is_refused(begun, words):
    with pytest.raises(DataError, match=words):
        fitted().encode_prompt(begun)


def test_records_that_are_no_molecules_are_refused():
    with pytest.raises(DataError, match="ring 1"):
        fitted().encode(dataclasses.replace(many(1)[0], content="C1CC"))
    with pytest.raises(EmptyDataError):
        fit_codec(MoleculeCodecConfig(), iter(()))


def test_a_property_that_says_nothing_is_refused():
    same = [dataclasses.replace(record, properties={"atoms": 1.0}) for record in many(10)]
    with pytest.raises(ConfigError, match="the value 1 only"):
        fit_codec(MoleculeCodecConfig(properties="atoms"), iter(same))
    unknown = [dataclasses.replace(record, properties=None) for record in many(10)]
    with pytest.raises(ConfigError, match='no molecule has the property "smell"'):
        fit_codec(MoleculeCodecConfig(properties="smell"), iter(unknown))


def test_a_cell_that_is_empty_tells_nothing():
    codec = fitted(properties="atoms", untold=0.0)
    empty = dataclasses.replace(many(1)[0], properties={"other": 3.0})
    assert names(codec, codec.encode(empty)["target"]) == ["C", "<|endoftext|>"]


def test_what_no_column_has_is_computed():
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    ethanol = dataclasses.replace(many(1)[0], content="CCO", properties=None)
    assert value_of(ethanol, "heavy_atoms") == 3 and value_of(ethanol, "weight") == pytest.approx(46.07, abs=0.01)
    assert value_of(dataclasses.replace(ethanol, properties={"weight": 7.0}), "weight") == 7.0
    codec = fit_codec(MoleculeCodecConfig(properties="weight", untold=0.0), iter(many()))
    rebuilt = load_codec(codec.config, codec.files())
    assert np.array_equal(rebuilt.encode(ethanol)["target"], codec.encode(ethanol)["target"])


def test_without_rdkit_the_command_that_brings_it_is_named(monkeypatch):
    def absent(name):
        raise ImportError(name)

    chemistry.rdkit.cache_clear()
    monkeypatch.setattr(chemistry.importlib, "import_module", absent)
    try:
        with pytest.raises(MissingExtraError, match=r"makar\[molecules\]"):
            chemistry.canonical("CCO")
    finally:
        chemistry.rdkit.cache_clear()
