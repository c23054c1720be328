"""Programs from sentences (MBPP, test part): pass@1 and pass@10 of a small model of code, beside the n-gram model. Reported, without a bar.

Run: python benchmarks/programs.py [--minutes 30] [--more-minutes 10] [--problems 100] [--samples 10] [--seed 0]

A model of code learns from Python's standard library, then goes on with the 374 training problems of MBPP in the form in which the
test problems are put (a docstring with the sentence and its tests, then the program). Measured by ``makar evaluate --suite mbpp``: every
program is run with its tests in the sandbox. The n-gram model of bytes learned from the same training problems.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, timed, write_result

TRAINING, TESTING = range(601, 975), range(11, 511)


def problems() -> list[dict[str, Any]]:
    """Return the rows of MBPP."""
    with gzip.open(data_folder() / "code_eval" / "mbpp.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def written(row: dict[str, Any]) -> str:
    """Return a training problem as a file."""
    tests = "\n".join(row["test_list"])
    code = row["code"].replace("\r\n", "\n").expandtabs(4)
    return f'"""\n{row["text"]}\n{tests}\n"""\n{code}\n'


def main() -> None:
    """Train twice, measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=30.0, help="on the standard library")
    arguments.add_argument("--more-minutes", type=float, default=10.0, help="on the training problems")
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    arguments.add_argument("--problems", type=int, default=100, help="of the test part; 500 are all")
    arguments.add_argument("--samples", type=int, default=10)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()

    def budget(minutes: float) -> list[str]:
        time = ["--steps", str(given.steps)] if given.steps else ["--for", f"{minutes * 60:.0f}s"]
        return [*time, "--seed", str(given.seed)]

    rows = problems()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["MAKAR_HOME"] = str(folder / "home")
        data, test = folder / "problems", folder / "test.jsonl"
        data.mkdir()
        for row in rows:
            if row["task_id"] in TRAINING:
                (data / f"{row['task_id']}.py").write_text(written(row), encoding="utf-8")
        tested = [row for row in rows if row["task_id"] in TESTING][: given.problems]
        test.write_text("".join(json.dumps(row) + "\n" for row in tested), encoding="utf-8")
        makar = [sys.executable, "-m", "makar"]
        library, model = str(folder / "library"), str(folder / "model")
        timed([*makar, "train", "builtin:python-code", *budget(given.minutes), "-o", library])
        timed([*makar, "train", str(data), "--from", library, *budget(given.more_minutes), "-o", model])
        samples = ["--samples", str(given.samples), "--seed", str(given.seed)]
        words = ["evaluate", model, str(test), "--suite", "mbpp", *samples, "-o", str(folder / "report"), "--json"]
        seconds, output = timed([*makar, *words])
    report = json.loads(output)
    for key, score in report["scores"].items():
        baseline = score["baselines"].get("n-gram", {})
        print(
            f"{key}: {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f}), n-gram {baseline.get('value')}"
        )
    result = {"machine": machine(), "minutes": given.minutes, "more_minutes": given.more_minutes, "seed": given.seed}
    result |= {"scores": report["scores"], "details": report["details"], "seconds_of_measuring": seconds}
    write_result("programs", result)


if __name__ == "__main__":
    main()
