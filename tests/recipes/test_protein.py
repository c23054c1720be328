"""Proteins go through the verbs, are measured beside counting, and their folds are told by the tagger."""

import json

import makar
from makar.api.model import verify
from tests.cli.small_models import TEXT_SETTINGS, see
from tests.data.test_proteins import entries, fasta


def test_proteins_go_through_the_verbs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all.fasta").write_text(fasta(entries(80)), encoding="utf-8")
    see("train", "all.fasta", "--steps", "20", "-o", "folds", *TEXT_SETTINGS)
    rows = see("generate", "folds", "mkv", "-n", "2", "--max-tokens", "40", "--json").values
    assert all(row["content"].startswith("MKV") and row["content"].isalpha() for row in rows)
    assert rows[0]["novelty"]["measure"] == "longest_span"
    assert "no amino acid" in see("generate", "folds", "MK1", code=1).messages
    see("generate", "folds", "-o", "one.txt", "--max-tokens", "40")
    assert verify("one.txt").is_intact
    report = makar.load("folds").evaluate(folder=tmp_path / "report", samples=4).to_dictionary()
    beside = report["scores"]["perplexity"]["baselines"]
    assert beside["pairs of symbols counted"]["value"] < beside["single symbols counted"]["value"] < 27
    assert {"apart_residues", "apart_lengths"} <= set(report["scores"]) and "longest_run" in report["novelty"]


def test_the_fold_of_a_protein_is_told_letter_by_letter(tmp_path):
    rows = [
        {"sequence": one, "ss3": "".join("H" if letter in "AELKM" else "C" for letter in one)} for one in entries(60)
    ]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    settings = ["stages.0.family.width=16", "stages.0.family.depth=1", "stages.0.codec.vocabulary_size=300"]
    run = makar.train(
        tmp_path / "all.jsonl",
        columns="tokens=sequence,tags=ss3",
        steps=60,
        output=tmp_path / "told",
        settings=settings,
    )
    (said,) = run.model.predict("M K V L A A G I")
    tags = [word["tag"] for word in said["entities"]]
    assert len(tags) == 8 and set(tags) <= {"H", "C"} and tags == list("HHCHHHCC")
