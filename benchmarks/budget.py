"""Measure ``makar train --for T``: when it ends as a share of T, and the held-out score, over times, data sets and seeds.

The end is what the budget promises: from the finished store to the saved model, by the clock of this process. The score is the loss on
the inner validation set. More time must give a better mean score, for every pair of times. A series takes hours: each run is appended to
``--rows`` when it ends, and runs that are in those files already are not made again, so that a series can go on after an interruption
and parts of it can be made beside each other and put together. Usage::

    python benchmarks/budget.py DATA [DATA ...] --times 60 180 600 --seeds 0 1 2 [--rows FILE ...]
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import machine, write_result

LARGEST_DEVIATION = 0.05
DATA_READY = "data ready after"
MODEL_SAVED = "from the finished store to the saved model"


def train(data: str, *, seconds: int, seed: int, home: Path) -> dict[str, Any]:
    """Train once and return what was measured, by the clock of this process: it sees when the two messages come."""
    environment = {**os.environ, "MAKAR_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "makar", "train", data, "--for", f"{seconds}s", "--seed", str(seed)]
    command += ["-o", f"model-{seconds}-{seed}", "--json"]
    begin = time.monotonic()
    seen: dict[str, float] = {}
    messages = []
    with (home / "answer.json").open("w+") as answer:
        with subprocess.Popen(command, env=environment, stdout=answer, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                messages.append(line)
                for message in (DATA_READY, MODEL_SAVED):
                    if message in line:
                        seen[message] = time.monotonic()
        if process.returncode != 0:
            sys.exit(f"the training failed: {''.join(messages)[-2000:]}")
        answer.seek(0)
        run = json.load(answer)
    result, predicted = run["results"][-1], run["plan"]["predicted"]
    elapsed = seen[MODEL_SAVED] - seen[DATA_READY]
    return {
        "data": Path(data).name,
        "commit": machine()["commit"],
        "seconds": seconds,
        "seed": seed,
        "elapsed_seconds": round(elapsed, 2),
        "end_over_promise": round(elapsed / seconds, 4),
        "process_seconds": round(time.monotonic() - begin, 1),
        "inner_loss": result["inner_loss"],
        "best_step": result["best_step"],
        "steps": result["steps"],
        "items": result["items"],
        "peak_fraction": result["peak_fraction"],
        "threads": run["plan"]["threads"],
        "workers": run["plan"]["workers"],
        "precision": run["plan"]["precision"],
        "predicted": {name: predicted[name] for name in ("parameters", "steps", "items", "epochs", "inner_loss")},
    }


def read_rows(files: list[Path]) -> list[dict[str, Any]]:
    """Return the runs of earlier series."""
    return [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]


def main() -> None:
    """Measure, print and write the results; the exit code says whether every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--times", type=int, nargs="+", default=[60, 180, 600])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--label", help="a word in the name of the result, for measuring some data sets beside others")
    parser.add_argument(
        "--rows", type=Path, nargs="+", default=[], help="runs that were made; new ones are appended to the first"
    )
    options = parser.parse_args()
    rows, at_start = read_rows(options.rows), machine()
    with tempfile.TemporaryDirectory() as folder:
        for seed, seconds, data in itertools.product(options.seeds, options.times, options.data):
            if any((row["data"], row["seconds"], row["seed"]) == (Path(data).name, seconds, seed) for row in rows):
                continue
            rows.append(train(data, seconds=seconds, seed=seed, home=Path(folder)))
            print(json.dumps(rows[-1]), flush=True)
            if options.rows:
                with options.rows[0].open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    means = {
        data: {
            seconds: statistics.mean(
                row["inner_loss"] for row in rows if row["data"] == data and row["seconds"] == seconds
            )
            for seconds in sorted({row["seconds"] for row in rows if row["data"] == data})
        }
        for data in sorted({row["data"] for row in rows})
    }
    late = [row for row in rows if abs(row["end_over_promise"] - 1) > LARGEST_DEVIATION]
    worse = [
        f"{data}: {first} s {found[first]:.4f}, {second} s {found[second]:.4f}"
        for data, found in means.items()
        for first, second in itertools.combinations(sorted(found), 2)
        if found[second] >= found[first]
    ]
    summary = {"means": means, "outside_5_percent": len(late), "worse": worse}
    print(json.dumps(summary, indent=1))
    write_result("-".join(["budget", *filter(None, [options.label])]), {"machine": at_start, **summary, "rows": rows})
    sys.exit(bool(late or worse))


if __name__ == "__main__":
    main()
