"""Proteins: perplexity of a residue beside counting, and Q3 of three states of structure, on the sequences of NetSurfP-2.0 (FLIP).

Run: python benchmarks/proteins.py [--minutes 30] [--samples 64] [--sides perplexity folds]

Both sides train on the official training part and are measured on the 364 test proteins. ``folds`` is recipe ``tag`` on letters; Q3 is
the share of resolved residues told right (those that no structure shows do not count), beside the most frequent state of each residue.
Long proteins are read in pieces, as `predict` does. Ends with 1 where perplexity is not below both counts, or Q3 is below 0.68.
"""

import argparse
import collections
import gzip
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, write_result

import makar

BAR_Q3 = 0.68
FILE = ("proteins_ss", "flip_secondary_structure.jsonl.gz")


def rows_of() -> list[dict[str, Any]]:
    """Return every protein of the set."""
    with gzip.open(data_folder().joinpath(*FILE), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def perplexity_side(place: Path, *, minutes: float, samples: int, seed: int) -> dict[str, Any]:
    """Train a model that writes proteins and return the figures of its report."""
    data = place / "proteins.jsonl.gz"
    data.symlink_to(data_folder().joinpath(*FILE))
    run = makar.train(data, minutes=minutes, seed=seed, output=place / "writer")
    report = run.model.evaluate(folder=place / "report", samples=samples, seed=seed).to_dictionary()
    scores = {**report["scores"], **report["novelty"]}
    for key, score in scores.items():
        beside = "; ".join(f"{name} {other['value']:.3f}" for name, other in score["baselines"].items())
        print(f"  {key} {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f}) beside {beside}")
    beside = scores["perplexity"]["baselines"]
    best = min(other["value"] for other in beside.values())
    print(f"  ratio to the best count {scores['perplexity']['value'] / best:.3f}")
    return {"side": "perplexity", "minutes": minutes, "seed": seed, "best_count": best, "scores": scores}


def folds_side(place: Path, *, minutes: float, seed: int, most: int) -> dict[str, Any]:
    """Train a tagger of residues and return Q3 on the test part, beside the most frequent state of each residue."""
    rows = rows_of()
    data = place / "folds"
    for part, name in (("train", "train"), ("valid", "valid"), ("test", "test")):
        (data / part).mkdir(parents=True)
        lines = [json.dumps({"sequence": row["sequence"], "ss3": row["ss3"]}) for row in rows if row["split"] == name]
        (data / part / "proteins.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = makar.train(
        data, minutes=minutes, recipe="tag", columns="tokens=sequence,tags=ss3", seed=seed, output=place / "folds-model"
    )
    test = [row for row in rows if row["split"] == "test"][: most or None]
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in rows:
        if row["split"] == "train":
            for letter, state in zip(row["sequence"], row["ss3"], strict=True):
                counts[letter][state] += 1
    usual = {letter: states.most_common(1)[0][0] for letter, states in counts.items()}
    right = frequent = total = 0
    for row, said in zip(test, run.model.predict([" ".join(row["sequence"]) for row in test]), strict=True):
        told = [word["tag"] for word in said["entities"]]
        for letter, state, resolved, tag in zip(row["sequence"], row["ss3"], row["resolved"], told, strict=True):
            if resolved == "1":
                right, frequent, total = right + (tag == state), frequent + (usual.get(letter) == state), total + 1
    q3, control = right / total, frequent / total
    print(f"  Q3 {q3:.4f} on {total} residues; most frequent state of each {control:.4f}, ratio {q3 / control:.3f}")
    return {"side": "folds", "minutes": minutes, "seed": seed, "q3": q3, "most_frequent": control, "residues": total}


def main() -> None:
    """Measure and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=0, help="test proteins of Q3; 0 takes all")
    parser.add_argument("--sides", nargs="+", default=["perplexity", "folds"], choices=["perplexity", "folds"])
    asked = parser.parse_args()
    rows, wrong = [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["MAKAR_HOME"] = str(place / "home")
        if "perplexity" in asked.sides:
            rows.append(perplexity_side(place, minutes=asked.minutes, samples=asked.samples, seed=asked.seed))
            found = rows[-1]["scores"]["perplexity"]["value"]
            if found >= rows[-1]["best_count"]:
                wrong.append(f"perplexity {found:.2f}, counting {rows[-1]['best_count']:.2f}")
        if "folds" in asked.sides:
            rows.append(folds_side(place, minutes=asked.minutes, seed=asked.seed, most=asked.most))
            if rows[-1]["q3"] < BAR_Q3:
                wrong.append(f"Q3 {rows[-1]['q3']:.3f}, bar {BAR_Q3}")
    write_result("proteins", {"machine": machine(), "rows": rows, "missed": wrong})
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
