"""Kill ``makar train --steps`` at random moments with SIGKILL, resume each time, and compare the final weights bit by bit.

For each data set one undisturbed run gives the weights to expect. Then the same command is started again and again in a second home
and killed at a moment drawn uniformly over the length of the undisturbed run, until enough kills have happened; a run that gets
through in between is compared and begun anew. A checkpoint comes every ten seconds at most, so the steps must last much longer than
that: a series in which fewer than a quarter of the kills were resumed from a trained state proves nothing, and fails. Usage::

    python benchmarks/kill_resume.py DATA [DATA ...] --steps 4000 --kills 40
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import machine, write_result


def command(data: str, *, steps: int) -> list[str]:
    """Return the command that is killed and resumed: always the same one."""
    return [sys.executable, "-m", "makar", "train", data, "--steps", str(steps), "-o", "model"]


def start(data: str, *, steps: int, home: Path) -> subprocess.Popen[bytes]:
    """Start a training with its own home."""
    environment = {**os.environ, "MAKAR_HOME": str(home)}
    return subprocess.Popen(
        command(data, steps=steps), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a training to end well."""
    _, messages = process.communicate()
    if process.returncode != 0:
        sys.exit(f"the training failed: {messages.decode()[-2000:]}")


def weights_hash(home: Path) -> str:
    """Return the sha256 of the saved weights."""
    return hashlib.sha256((home / "models" / "model" / "model.safetensors").read_bytes()).hexdigest()


def resumed_steps(home: Path) -> list[int]:
    """Return the step of every resume from a checkpoint in the one run of a home."""
    lines = [line for path in home.glob("runs/*/metrics.jsonl") for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return [event["step"] for event in events if event["event"] == "resumed" and event["step"] > 0]


def kill_and_resume(data: str, *, steps: int, kills: int, folder: Path) -> dict[str, object]:
    """Return how many kills changed nothing."""
    begin = time.monotonic()
    finish(start(data, steps=steps, home=folder / "whole"))
    length = time.monotonic() - begin
    expected = weights_hash(folder / "whole")
    draw = random.Random(0)
    done = compared = equal = 0
    home = folder / "killed"
    moments: list[float] = []
    resumed: list[int] = []
    while done < kills:
        process = start(data, steps=steps, home=home)
        moment = draw.uniform(0, length)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            done += 1
            moments.append(round(moment, 2))
            print(f"{data}: kill {done} of {kills} after {moment:.1f} s", flush=True)
            continue
        finish(process)
        compared += 1
        equal += weights_hash(home) == expected
        resumed += resumed_steps(home)
        shutil.rmtree(home)
    finish(start(data, steps=steps, home=home))
    compared += 1
    equal += weights_hash(home) == expected
    resumed += resumed_steps(home)
    return {
        "data": Path(data).name,
        "steps": steps,
        "undisturbed_seconds": round(length, 1),
        "kills": done,
        "kill_seconds": moments,
        "resumed_at_steps": resumed,
        "runs_compared": compared,
        "runs_equal": equal,
    }


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--kills", type=int, default=40)
    options = parser.parse_args()
    rows, at_start = [], machine()
    for data in options.data:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(kill_and_resume(data, steps=options.steps, kills=options.kills, folder=Path(folder)))
        print(json.dumps(rows[-1]))
    write_result("kill_resume", {"machine": at_start, "rows": rows})
    sys.exit(
        any(
            row["runs_compared"] != row["runs_equal"] or len(row["resumed_at_steps"]) < options.kills / 4
            for row in rows
        )
    )


if __name__ == "__main__":
    main()
