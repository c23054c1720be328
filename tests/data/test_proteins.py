"""Proteins are read from FASTA and tables; what is no protein is left out with the reason; letters may carry tags."""

import json

import pytest

from makar.data.amino_acids import fasta_entries, residues, sequence_problem
from makar.data.dataset import open_dataset
from makar.errors import DataError
from tests.data.test_dataset import reasons, write

START = "MKVLAAGIVGLCAKAYEDHPWFTNQRS"


def entries(count):
    """Return so many different proteins."""
    return [
        (START[number % 20 :] + START[: number % 9] + "ACDEFGHIK"[: 1 + number // 20]) * 2 for number in range(count)
    ]


def fasta(sequences):
    return "".join(f">protein {number}\n{one[:30]}\n{one[30:]}\n" for number, one in enumerate(sequences))


def every_record(dataset):
    return [record for split in ("train", "inner", "held_out") for record in dataset.records(split)]


def test_a_fasta_file_is_a_set_of_proteins(tmp_path):
    whole = list(dict.fromkeys(entries(60)))
    dataset = open_dataset(write(tmp_path, {"all.fasta": fasta(whole)}))
    assert dataset.medium == "protein" and {record.content for record in every_record(dataset)} == set(whole)


def test_small_letters_line_breaks_and_the_mark_of_the_end_are_understood(tmp_path):
    assert residues("mkv la\nGG*") == "MKVLAGG"
    assert list(fasta_entries(iter(["MKV\n", ">a b\n", "MK\n", "\n", "LA*\n", ">empty\n"]))) == [
        ("", "MKV"),
        ("a b", "MKLA*"),
    ]


def test_what_is_no_protein_is_left_out_with_the_reason(tmp_path):
    whole = list(dict.fromkeys(entries(60)))
    broken = ["MKV1LLA", "ACGT" * 20, "MK-VLA"]
    dataset = open_dataset(write(tmp_path, {"all.fa": fasta([*whole, *broken])}))
    assert len(every_record(dataset)) == len(whole)
    said = " ".join(reasons(dataset))
    assert "the letter '1' is no amino acid" in said and "only letters of DNA" in said and "'-'" in said


def test_a_file_of_dna_is_refused(tmp_path):
    with pytest.raises(DataError, match="DNA or RNA"):
        open_dataset(write(tmp_path, {"genome.fa": fasta(["ACGTTGCA" * 10] * 30)}))


@pytest.mark.parametrize(
    "sequence, words", [("", "empty"), ("MKÖ", "'Ö'"), ("GATTACA" * 4, "DNA"), ("A" * 200_000, "DNA|at most")]
)
def test_problems_are_said(sequence, words):
    found = sequence_problem(sequence)
    assert any(word in found for word in words.split("|"))


def test_a_table_of_proteins_has_its_official_parts(tmp_path):
    rows = [
        {"id": str(n), "split": "test" if n % 5 == 0 else "train", "sequence": one} for n, one in enumerate(entries(40))
    ]
    dataset = open_dataset(write(tmp_path, {"all.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}))
    assert dataset.medium == "protein" and dataset.inspection.splits["origin"] == "official test part"


def test_letters_and_their_tags_are_a_table_to_tag_by(tmp_path):
    rows = [{"sequence": one, "ss3": "HEC" * (len(one) // 3) + "C" * (len(one) % 3)} for one in entries(40)]
    rows.append({"sequence": "MKV", "ss3": "HE"})
    place = write(tmp_path, {"all.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    dataset = open_dataset(place, columns="tokens=sequence,tags=ss3")
    assert dataset.task == "tag" and dataset.medium == "text"
    record = next(dataset.records("train"))
    assert len(record.roles["tokens"]) == len(record.roles["tags"]) and set(record.roles["tags"]) <= set("HEC")
    with pytest.raises(DataError, match="without rows"):
        open_dataset(write(tmp_path / "empty", {"none.fasta": ">only a name\n"}))
