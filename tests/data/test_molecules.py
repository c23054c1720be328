"""Molecules are found by the name of their file or column, read one a line, and left out with the reason where they are none."""

import gzip

import pytest

from makar.data.dataset import open_dataset
from makar.data.sequence_columns import molecule_column, number_columns
from makar.data.smiles import form_problem, smiles_tokens
from makar.errors import DataError
from tests.contract.samples import MOLECULES
from tests.data.test_dataset import reasons, write

MANY = [*MOLECULES, *("C" * length for length in range(1, 25)), *("C" * length + "O" for length in range(2, 25))]


def every_record(dataset):
    return [record for split in ("train", "inner", "held_out") for record in dataset.records(split)]


def listed(lines):
    return "".join(f"{line}\tmolecule {number}\n" for number, line in enumerate(lines))


def test_a_file_of_smiles_is_a_set_of_molecules_and_none_is_cut(tmp_path):
    dataset = open_dataset(write(tmp_path, {"all.smi": listed(MANY)}))
    assert dataset.medium == "molecule"
    assert {record.content for record in every_record(dataset)} == set(MANY)
    assert {record.medium for record in every_record(dataset)} == {"molecule"}
    assert dataset.inspection.splits["held_out"]["documents"] >= 1 and dataset.inspection.splits["cut_documents"] == 0


def test_it_may_be_packed_and_have_a_header(tmp_path):
    (tmp_path / "all.smi.gz").write_bytes(gzip.compress(("smiles name\n" + listed(MANY)).encode()))
    dataset = open_dataset(tmp_path)
    assert len(every_record(dataset)) == len(set(MANY))


def test_a_table_gives_molecules_with_every_column_of_numbers(tmp_path):
    rows = [f'{number},"a name, {number}",{number / 4},{line}' for number, line in enumerate(MANY)]
    table = "Compound ID,name,Measured logP (exp.),smiles\n" + "\n".join(rows) + "\n"
    dataset = open_dataset(write(tmp_path, {"table.csv": table}))
    assert dataset.medium == "molecule"
    known = {record.content: record.properties for record in every_record(dataset)}
    assert known["CCO"]["measured_logp_exp"] == MANY.index("CCO") / 4
    assert any("measured_logp_exp" in note for note in dataset.inspection.notes)


def test_what_is_no_smiles_is_left_out_with_the_reason(tmp_path):
    broken = ["C1CC", "CC(C", "C)C", "C==C", "[Xy", "hello", "C(=)C", "=CC"]
    dataset = open_dataset(write(tmp_path, {"all.smi": listed([*MANY, *broken])}))
    assert len(every_record(dataset)) == len(set(MANY))
    said = reasons(dataset)
    assert any("ring 1 is opened and not closed" in reason for reason in said)
    assert sum(row["count"] for row in dataset.inspection.skipped) >= len(broken)


def test_a_file_with_no_molecule_at_all_is_refused(tmp_path):
    with pytest.raises(DataError, match="no SMILES: ring 1"):
        open_dataset(write(tmp_path, {"all.smi": "C1CC\nCC(\n)))\n"}), medium="molecule")


def test_the_words_of_a_text_are_no_molecules_even_in_a_column_of_that_name():
    assert molecule_column({"smiles": ["a long story", "another one"]}) is None
    assert molecule_column({"SMILES": ["CCO", "c1ccccc1"]}) == "SMILES"
    assert number_columns({"smiles": ["C"], "x": ["1.5"], "y": ["1.5", "n/a"], "z": [True]}, without="smiles") == ("x",)


@pytest.mark.parametrize(
    "smiles", [*MOLECULES, "[13CH4]", "[Cl-].[Na+]", "F/C=C/F", "C%10CC%10", "*CC", "[O-][N+](=O)c1ccccc1"]
)
def test_well_formed_lines_pass_and_their_tokens_make_them_up(smiles):
    assert form_problem(smiles) == ""
    assert "".join(smiles_tokens(smiles)) == smiles


@pytest.mark.parametrize(
    "smiles, words",
    [
        ("", "empty"),
        ("CÖC", "'Ö' stands in no SMILES"),
        ("CC(", "branch"),
        ("C)", "not opened"),
        ("C(C", "not closed"),
        ("C1CC", "ring 1"),
        ("C%12CC", "ring 12"),
        ("C=", "leads to no atom"),
        ("C=.C", "leads to no atom"),
        ("1CC1", "before the first atom"),
        ("C=#C", "two bonds"),
        ("C[]C", "no atom, bond"),
        ("C[12]C", "no atom"),
        ("CXC", "no atom, bond"),
        ("C()C", "leads to no atom"),
    ],
)
def test_what_is_malformed_is_said(smiles, words):
    assert words in form_problem(smiles)


def test_the_form_alone_is_no_chemistry():
    # Five bonds at a carbon are well formed; only RDKit knows better.
    assert form_problem("C(C)(C)(C)(C)C") == ""
