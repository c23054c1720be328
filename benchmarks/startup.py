"""Wall-clock seconds of the commands that should answer at once: help, the list of recipes, a plan without a probe.

Run: python benchmarks/startup.py [--rounds 7]

Each is a fresh process; reported are the least and the median, after one round that warms the disk cache up.
"""

import argparse
import gzip
import statistics
import sys
import tempfile
from pathlib import Path

from measure import data_folder, machine, timed, write_result

BARS = {"help": 0.2, "list recipes": 0.3, "plan without probe": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    result: dict = {"machine": machine(), "seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "input.txt"
        text.write_bytes(gzip.decompress((data_folder() / "tiny_shakespeare" / "input.txt.gz").read_bytes()))
        commands = {
            "help": ["--help"],
            "list recipes": ["list", "recipes"],
            "plan without probe": ["plan", str(text), "--for", "10m", "--no-probe"],
        }
        for name, words in commands.items():
            command = [sys.executable, "-m", "makar", *words]
            times = [timed(command, environment={"MAKAR_HOME": folder})[0] for _ in range(options.rounds + 1)][1:]
            result["seconds"][name] = {"least": min(times), "median": statistics.median(times), "bar": BARS[name]}
            print(f"{name}: {min(times):.3f} s at least, {statistics.median(times):.3f} s median (bar {BARS[name]} s)")
    write_result("startup", result)


if __name__ == "__main__":
    main()
