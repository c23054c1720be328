"""QLoRA against LoRA on the same model: peak memory at a pretrained size, and held-out loss after the same steps.

Run: python benchmarks/qlora.py [--shape 1B] [--memory-steps 3] [--base-minutes 20] [--steps 400] [--seeds 0 1 2]

Memory: a base with random weights of the shape, some steps of either, blocks computed again on the way back in both, each in a process of
its own; the peak of resident memory counts, everything included (bar: 0.6). Loss: a model of prose_books, then an adapter of it on
tiny_shakespeare with and without 4 bits, the same seed, steps and data; what ``makar evaluate`` measures on the held-out part, in bits a
byte (bar: 2 % more). Ends with 1 where a bar is missed.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from lora_speed import SHAPES, make_base, measured
from measure import data_folder, machine, shakespeare, timed, write_result

MEMORY_BAR, LOSS_BAR = 0.6, 1.02


def memory(shape: str, *, steps: int, threads: int, place: Path) -> dict[str, Any]:
    """Return the peak of either, and the ratio."""
    make_base(place / "large", SHAPES[shape])
    found = {}
    for name, bits in (("lora", 16), ("qlora", 4)):
        how = {"workers": 1, "bits": bits, "recompute": True}
        case = {"side": "ours", "shape": shape, "steps": steps, "base": str(place / "large"), "how": how}
        found[name] = measured(case, python=sys.executable, threads=threads, home=place / "home")
        print(name, found[name], flush=True)
    return {**found, "ratio": found["qlora"]["peak_bytes"] / found["lora"]["peak_bytes"]}


def losses(given: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Return the held-out loss of either for every seed, and the ratio of their means."""
    folder, *_ = shakespeare(place / "shakespeare")
    makar = [sys.executable, "-W", "ignore", "-m", "makar"]
    budget = ["--steps", str(given.base_steps)] if given.base_steps else ["--for", f"{given.base_minutes}m"]
    words = [word for text in given.set for word in ("--set", text)]
    timed([*makar, "train", str(given.base_data or data_folder() / "prose_books"), *budget, "-o", "prose", *words])
    found: dict[str, list[float]] = {"lora": [], "qlora": []}
    for seed in given.seeds:
        for kind, values in found.items():
            name = f"{kind}-{seed}"
            train = [*makar, "train", str(folder), "--from", "prose", "--adapter", kind, "--steps", str(given.steps)]
            timed([*train, "--seed", str(seed), "-o", name])
            _, output = timed(
                [*makar, "evaluate", name, "-o", str(place / f"report-{name}"), "--samples", "2", "--json"]
            )
            values.append(json.loads(output)["scores"]["bits_per_byte"]["value"])
            print(name, values[-1], flush=True)
    means = {kind: statistics.mean(values) for kind, values in found.items()}
    return {**found, "ratio": means["qlora"] / means["lora"]}


def main() -> None:
    """Measure both and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="1B")
    parser.add_argument("--memory-steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--base-minutes", type=float, default=20.0)
    parser.add_argument("--base-data", type=Path, help="what the base learns from; prose_books without")
    parser.add_argument("--base-steps", type=int, help="instead of minutes, to try the script")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], help="PATH=VALUE of the base, as of makar train")
    given = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "shape": given.shape, "steps": given.steps}
    with tempfile.TemporaryDirectory() as place:
        os.environ["MAKAR_HOME"] = str(Path(place) / "home")
        result["memory"] = memory(given.shape, steps=given.memory_steps, threads=given.threads, place=Path(place))
        result["held_out"] = losses(given, Path(place))
    ratios = result["memory"]["ratio"], result["held_out"]["ratio"]
    print(f"memory {ratios[0]:.2f} of LoRA's (bar {MEMORY_BAR}), held-out loss {ratios[1]:.4f} of it (bar {LOSS_BAR})")
    write_result("qlora", result)
    if ratios[0] > MEMORY_BAR or ratios[1] > LOSS_BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()
