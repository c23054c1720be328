"""Molecules go through the verbs: inspect, plan, train, resume, generate with what is told, evaluate, verify."""

import pytest

import makar
from makar.api.model import verify
from tests.cli.small_models import TEXT_SETTINGS, see
from tests.data.test_molecules import MANY

LINES = [*MANY, *(f"C{'C' * length}N" for length in range(1, 30)), *(f"N{'C' * length}O" for length in range(1, 30))]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "chains.csv"
    rows = [f"{line},{len(line)}" for line in dict.fromkeys(LINES)]
    path.write_text("smiles,size\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_molecules_go_through_the_verbs(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert see("inspect", table, "--json").values["medium"] == "molecule"
    assert "molecule" in see("plan", table, "--for", "1m", "--json").output
    told = ["--set", "stages.0.codec.properties=size"]
    see("train", table, "--steps", "30", "-o", "chains", *TEXT_SETTINGS, *told)
    plain = see("generate", "chains", "-n", "4", "--json").values
    assert all(set(row["content"]) <= set("CNOcnBrlF()[]=#123%@+H-.") for row in plain)
    assert plain[0]["novelty"]["measure"] == "same" and plain[0]["manifest"]["medium"] == "molecule"
    # Thirty steps teach little: hot draws show what is told before it would show in the likeliest.
    hot = ["-n", "4", "--json", "--temperature", "2", "--top-p", "1"]
    small = see("generate", "chains", "size=2 C", *hot).values
    large = see("generate", "chains", "size=25 C", *hot).values
    assert all(row["content"].startswith("C") for row in small)
    assert [row["content"] for row in small] != [row["content"] for row in large]
    assert "logp" in see("generate", "chains", "logp=2 C", code=2).messages
    see("generate", "chains", "-o", "one.smi")
    assert verify("one.smi").is_intact
    (tmp_path / "one.smi").write_text("CCCCBr", encoding="utf-8")
    assert not verify("one.smi").is_intact


@pytest.mark.slow
def test_a_model_of_molecules_is_measured(table, tmp_path):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    settings = [word for word in TEXT_SETTINGS if word != "--set"] + ["stages.0.codec.properties=size,heavy_atoms"]
    run = makar.train(table, steps=60, output=tmp_path / "chains", settings=settings)
    report = run.model.evaluate(folder=tmp_path / "report", samples=20).to_dictionary()
    scores = report["scores"] | report["novelty"]
    assert {"valid", "unique", "perplexity", "error_heavy_atoms"} <= set(scores)
    assert "error_size" not in scores  # nothing can compute it
    assert scores["valid"]["baselines"]["real, held out"]["value"] == 1.0
    beside = scores["perplexity"]["baselines"]
    assert beside["pairs of symbols counted"]["value"] < beside["single symbols counted"]["value"]
    assert (tmp_path / "report" / "report.html").is_file()
