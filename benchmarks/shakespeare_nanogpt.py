"""Time to reach the final loss of nanoGPT's own CPU command, as a share of nanoGPT's time; tiny_shakespeare, characters, context 64.

Run: python benchmarks/shakespeare_nanogpt.py --nanogpt FOLDER [--threads 1 2] [--seconds 6 8 10 12] [--seeds 3]

The peer runs the command of its README, at each number of threads, and counts at its best. Both sides are measured on the full
validation split with contexts of 64: the peer's saved checkpoint by its own model code, ours by transformers on the exported model.
Ours is the whole shell command ``makar train``, from the start of Python (imports, reading, codec, store, probe, artifact) to its exit;
"without" takes off what the command says it spent before the budget began.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import exported_nats, machine, mean_interval, shakespeare, timed, write_result

PEER_COMMAND = (
    "train.py config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 "
    "--batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 --dropout=0.0"
)
PEER_LOSS = """
import sys, numpy, torch
from model import GPT, GPTConfig
saved = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
model = GPT(GPTConfig(**saved["model_args"])); model.load_state_dict(saved["model"]); model.eval()
tokens = torch.from_numpy(numpy.fromfile("data/shakespeare_char/val.bin", numpy.uint16).astype(numpy.int64))
total, count, context = 0.0, 0, 64
with torch.inference_mode():
    for start in range(0, len(tokens) - 1, context):
        window = tokens[start : start + context + 1][None]
        _, loss = model(window[:, :-1], window[:, 1:])
        total += loss.item() * (window.shape[1] - 1); count += window.shape[1] - 1
print(total / count)
"""


def run_peer(folder: Path, threads: int) -> dict[str, float]:
    out = Path(tempfile.mkdtemp())
    environment = {"OMP_NUM_THREADS": str(threads)}
    seconds, _ = timed(
        [sys.executable, "-W", "ignore", *PEER_COMMAND.split(), f"--out_dir={out}"],
        environment=environment,
        folder=folder,
    )
    loss = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PEER_LOSS, str(out / "ckpt.pt")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return {"threads": threads, "seconds": seconds, "nats": float(loss.stdout.split()[-1])}


def run_ours(data: Path, validation: str, seconds: float, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        model = Path(home) / "model"
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
            "-o",
            str(model),
        ]
        command += ["--set", "stages.0.codec.kind=character", "--set", "stages.0.family.context=64", "--json"]
        total, output = timed(command, environment={"MAKAR_HOME": home})
        report = json.loads(output)
        return {
            "for": seconds,
            "seed": seed,
            "total_seconds": total,
            "budget_seconds": report["results"][-1]["consumed_seconds"],
            "nats": exported_nats(model, validation, context=64),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--nanogpt", type=Path, required=True, help="a checkout of nanoGPT with data/shakespeare_char prepared"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, nargs="+", default=[6, 8, 10, 12, 15])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    result = {"machine": machine(), "peer": [], "ours": []}
    for threads in options.threads:
        result["peer"].append(run_peer(options.nanogpt, threads))
        print("nanoGPT", result["peer"][-1], flush=True)
    best = min(result["peer"], key=lambda run: run["seconds"])
    with tempfile.TemporaryDirectory() as folder:
        data, _, validation = shakespeare(Path(folder))
        for seconds in options.seconds:
            runs = [run_ours(data, validation, seconds, seed) for seed in range(options.seeds)]
            result["ours"] += runs
            mean, half = mean_interval([run["nats"] for run in runs])
            print(f"makar --for {seconds:g}s: {mean:.3f} +- {half:.3f} nats", runs, flush=True)
            if mean <= best["nats"]:
                with_imports = max(run["total_seconds"] for run in runs)
                without = max(run["budget_seconds"] for run in runs)
                result["share_with_imports"] = with_imports / best["seconds"]
                result["share_without_imports"] = without / best["seconds"]
                print(
                    f"share of nanoGPT's time: {result['share_with_imports']:.3f} with imports, probe and data, "
                    f"{result['share_without_imports']:.3f} counting the budget alone (bar 0.200, aim 0.125)"
                )
                break
    write_result("shakespeare-nanogpt", result)


if __name__ == "__main__":
    main()
