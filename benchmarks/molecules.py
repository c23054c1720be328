"""Molecules: valid, unique and new samples of zinc and qm9 after a training, beside pairs of symbols; the error of a told property.

Run: python benchmarks/molecules.py [--minutes 30] [--samples 1000] [--sets zinc qm9 told]

``zinc`` is the training part of molecules (84,871 drug-like ones, with the official validation and test files of JT-VAE), ``qm9`` all
of qm9's 132,040 small ones, which are nearly all that there are, so that novelty says nothing there; ``told`` is zinc with log P told.
Every side is one `makar train --for` and one `makar evaluate`. The peer is lines drawn from pairs of symbols of the same data, which
`evaluate` measures in the same go. Ends with 1 where a bar is missed: zinc valid 0.97, unique 0.99, novel 0.8; qm9 valid 0.97, unique
0.99; the error of the told property below half of that of untold molecules.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, write_result

import makar

BARS = {"zinc": {"valid": 0.97, "unique": 0.99, "novel": 0.8}, "qm9": {"valid": 0.97, "unique": 0.99}}
TOLD_SHARE = 0.5
PARTS = {"zinc_train_qedmols": "train", "zinc_valid_jtvae": "valid", "zinc_test_jtvae": "test"}


def lay_out(place: Path, name: str) -> Path:
    """Link the files of a set into a folder with its official parts."""
    folder = place / name
    source = data_folder() / "molecules"
    if name == "qm9":
        folder.mkdir(parents=True)
        (folder / "qm9.smi.gz").symlink_to(source / "qm9.smi.gz")
        return folder
    for file, part in PARTS.items():
        (folder / part).mkdir(parents=True)
        (folder / part / "molecules.smi.gz").symlink_to(source / f"{file}.smi.gz")
    return folder


def measured(place: Path, name: str, *, minutes: float, samples: int, seed: int) -> dict[str, Any]:
    """Train on a set and return the figures of its report."""
    settings = ("stages.0.codec.properties=logp",) if name == "told" else ()
    run = makar.train(
        lay_out(place, name), minutes=minutes, seed=seed, settings=settings, output=place / f"model-{name}"
    )
    report = run.model.evaluate(folder=place / f"report-{name}", samples=samples, seed=seed).to_dictionary()
    scores = {**report["scores"], **report["novelty"]}
    return {"set": name, "minutes": minutes, "seed": seed, "scores": scores}


def missed(row: dict[str, Any]) -> list[str]:
    """Return the bars that a row does not reach."""
    scores = row["scores"]
    if row["set"] == "told":
        told = scores["error_logp"]
        share = told["value"] / told["baselines"]["when it is not told"]["value"]
        return [] if share < TOLD_SHARE else [f"told: error is {share:.2f} of the spread"]
    return [
        f"{row['set']}: {key} is {scores[key]['value']:.3f}, bar {bar}"
        for key, bar in BARS[row["set"]].items()
        if scores[key]["value"] < bar
    ]


def show(row: dict[str, Any]) -> None:
    """Print the figures of a set with their controls and the ratio to the first."""
    print(f"{row['set']}, {row['minutes']:g} min")
    for key in ("valid", "unique", "novel", "internal_diversity", "perplexity", "error_logp"):
        score = row["scores"].get(key)
        if score is None:
            continue
        beside = "; ".join(f"{name} {other['value']:.3f}" for name, other in score["baselines"].items())
        last = list(score["baselines"].values())[-1]["value"] if score["baselines"] else 0.0
        ratio = f", ratio {score['value'] / last:.2f}" if last else ""
        print(f"  {key} {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f}) beside {beside}{ratio}")


def main() -> None:
    """Measure and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=["zinc", "qm9", "told"], choices=["zinc", "qm9", "told"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["MAKAR_HOME"] = str(Path(place) / "home")
        rows = []
        for name in asked.sets:
            rows.append(measured(Path(place), name, minutes=asked.minutes, samples=asked.samples, seed=asked.seed))
            show(rows[-1])
    wrong = [line for row in rows for line in missed(row)]
    write_result("molecules", {"machine": machine(), "samples": asked.samples, "rows": rows, "missed": wrong})
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
