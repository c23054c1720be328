"""Tunes: pieces of a model of tunes (and of chorales) beside real ones: keys, ranges, parallels, histograms, copied runs.

Run: python benchmarks/tunes.py [--minutes 10] [--samples 24] [--sets nottingham jsb]

Every side is one `makar train --for` and one `makar evaluate`, which measures real pieces that were held out, and pieces drawn from
pairs of words, in the same go. A distance of histograms may be twice that of real pieces from real ones; time in key and range may miss
what real pieces miss by as much again; there may be twice as many parallels. The longest copied run is reported. Ends with 1 where a
bar is missed.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, write_result

import makar

SETS = {"nottingham": ("nottingham", "midi.tar.gz"), "jsb": ("jsb_chorales", "Jsb16thSeparated.json.gz")}
DISTANCES = ("apart_scale_degrees", "apart_intervals", "apart_durations")
SHARES = ("in_key", "in_range")
REAL, FLOOR = "real, held out", "real against real"
FACTOR = 2.0


def measured(place: Path, name: str, *, minutes: float, samples: int, seed: int) -> dict[str, Any]:
    """Train on a set and return the figures of its report."""
    source = data_folder().joinpath(*SETS[name])
    data = place / f"{name}-{source.name}"
    data.symlink_to(source)
    run = makar.train(data, minutes=minutes, seed=seed, output=place / f"model-{name}")
    report = run.model.evaluate(folder=place / f"report-{name}", samples=samples, seed=seed).to_dictionary()
    return {"set": name, "minutes": minutes, "seed": seed, "scores": {**report["scores"], **report["novelty"]}}


def missed(row: dict[str, Any]) -> list[str]:
    """Return the bars that a row does not reach."""
    scores, found = row["scores"], []
    for key in DISTANCES:
        limit = FACTOR * scores[key]["baselines"][FLOOR]["value"]
        if scores[key]["value"] > limit:
            found.append(f"{row['set']}: {key} is {scores[key]['value']:.3f}, bar {limit:.3f}")
    for key in SHARES:
        lacking, usual = 1 - scores[key]["value"], 1 - scores[key]["baselines"][REAL]["value"]
        if lacking > FACTOR * usual + 1e-9:
            found.append(f"{row['set']}: {key} lacks {lacking:.3f}, bar {FACTOR * usual:.3f}")
    if "parallels" in scores:
        usual = scores["parallels"]["baselines"][REAL]["value"]
        if scores["parallels"]["value"] > FACTOR * usual:
            found.append(f"{row['set']}: {scores['parallels']['value']:.2f} parallels, bar {FACTOR * usual:.2f}")
    return found


def show(row: dict[str, Any]) -> None:
    """Print the figures of a set beside what they are compared with."""
    print(f"{row['set']}, {row['minutes']:g} min")
    for key, score in row["scores"].items():
        beside = "; ".join(f"{name} {other['value']:.3f}" for name, other in score["baselines"].items())
        first = next((other["value"] for other in score["baselines"].values()), 0.0)
        ratio = f", ratio to the first {score['value'] / first:.2f}" if first else ""
        print(f"  {key} {score['value']:.4f} beside {beside}{ratio}")


def main() -> None:
    """Measure and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MAKAR_HOME"] = str(Path(folder) / "home")
        rows = []
        for name in asked.sets:
            rows.append(measured(Path(folder), name, minutes=asked.minutes, samples=asked.samples, seed=asked.seed))
            show(rows[-1])
    wrong = [line for row in rows for line in missed(row)]
    write_result("tunes", {"machine": machine(), "samples": asked.samples, "rows": rows, "missed": wrong})
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
