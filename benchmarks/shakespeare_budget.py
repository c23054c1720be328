"""Held-out loss on tiny_shakespeare for ``--for 60s`` and ``--for 10m``, measured on the exported model by transformers.

Run: python benchmarks/shakespeare_budget.py [--seconds 60 600] [--seeds 1] [--layout mainstream compact]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from measure import exported_nats, machine, shakespeare, timed, write_result

BARS = {60: (1.65, 1.58), 600: (1.53, 1.50)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, nargs="+", default=[60, 600])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--layout", nargs="+", default=["mainstream", "compact"])
    options = parser.parse_args()
    result = {"machine": machine(), "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        data, _, validation = shakespeare(Path(folder) / "data")
        for seconds in options.seconds:
            for layout in options.layout:
                for seed in range(options.seeds):
                    home = Path(folder) / f"{seconds}-{layout}-{seed}"
                    command = [
                        sys.executable,
                        "-m",
                        "makar",
                        "train",
                        str(data),
                        "--for",
                        f"{seconds}s",
                        "--seed",
                        str(seed),
                    ]
                    command += ["-o", str(home / "model"), "--set", f"stages.0.family.layout={layout}", "--json"]
                    total, output = timed(command, environment={"MAKAR_HOME": str(home)})
                    header = json.loads((home / "model" / "makar.json").read_text())
                    context = header["recipe"]["stages"][0]["family"]["context"]
                    nats = exported_nats(home / "model", validation, context=min(context, 256), batch=8)
                    run = {
                        "seconds": seconds,
                        "layout": layout,
                        "seed": seed,
                        "context": context,
                        "nats": nats,
                        "total_seconds": total,
                        "report": json.loads(output),
                    }
                    result["runs"].append(run)
                    bar, aim = BARS.get(seconds, (float("nan"), float("nan")))
                    print(
                        f"--for {seconds}s {layout} seed {seed}: {nats:.4f} nats/char at context {context} (bar {bar}, aim {aim})",
                        flush=True,
                    )
    write_result("shakespeare-budget", result)


if __name__ == "__main__":
    main()
