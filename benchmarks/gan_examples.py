"""FID of `makar train --recipe dcgan` and `stylegan` against pytorch/examples dcgan at equal minutes, on fashion_mnist and on emoji.

The peer is ``dcgan/main.py`` of a checkout of pytorch/examples: its own classes, initialisation, optimisers and training loop are
taken from the file and run as they are; only its data set, which needs torchvision, is replaced by our arrays, and as its networks are
fixed to 64 x 64, the level of 8 times the width is left out for 32 x 32. fashion_mnist is padded to 32 x 32 for it and cut back. It
runs at its own default width (``examples:64``) and at others, by default the half, which is faster; each at its better number of
threads, and the best of its widths counts. Its minutes are those of its training loop alone; ours hold probe, validation, checkpoints and
saving too, and only reading the data comes before (``total_seconds`` has it). Nobody uses labels. The samples of all sides (5,000, or
2,000 of emoji) are judged by one frozen extractor (``gan_subjects.py``).

A series takes hours: each run is appended to ``--rows`` when it ends, and runs that are in those files already are not made again, so that
a series can go on after an interruption and parts of it can be made beside each other and put together. The judge is kept beside the
first of the files. Usage::

    python benchmarks/gan_examples.py --examples FOLDER [--minutes 10] [--seeds 0 1 2] [--data fashion_mnist emoji]
        [--sides dcgan stylegan examples:64 examples:32] [--rows FILE ...]
"""

import argparse
import ast
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_subjects import SAMPLES, Subject
from measure import machine, mean_interval, timed, write_result
from torch import nn

RECIPES = ("dcgan", "stylegan")
PEER = "examples:"
SIDES = [*RECIPES, f"{PEER}64", f"{PEER}32"]
THREAD_TRIAL_SECONDS = 6.0

Made = tuple[np.ndarray, dict[str, Any]]
"""Samples, uint8 ``[count, height, width, channels]``, and what happened."""


class TimedBatches:
    """What stands in for the peer's loader: shuffled batches of 64 from memory until the time is over."""

    def __init__(self, pixels: torch.Tensor, *, batch: int, seconds: float) -> None:
        self.pixels, self.batch, self.seconds = pixels, batch, seconds
        self.steps, self.start = 0, 0.0

    def __len__(self) -> int:
        return len(self.pixels) // self.batch

    def __iter__(self) -> Any:
        self.start = time.perf_counter()
        while True:
            for pick in torch.randperm(len(self.pixels)).split(self.batch):
                if time.perf_counter() - self.start >= self.seconds:
                    return
                self.steps += 1
                yield self.pixels[pick], None


def peer_program(path: Path) -> list[ast.stmt]:
    """Return the statements of the peer's file from its sizes on: after the data set is made, everything is its own."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    first = next(
        index
        for index, node in enumerate(body)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ngpu"
    )
    return body[first:]


def leave_out_a_level(network: Any, *, is_generator: bool) -> None:
    """Make one of the peer's networks for 32 x 32: the level with eight times the width goes."""
    parts = list(network.main)
    if is_generator:
        project = nn.ConvTranspose2d(parts[0].in_channels, parts[3].out_channels, 4, 1, 0, bias=False)
        network.main = nn.Sequential(project, *parts[4:])
    else:
        answer = nn.Conv2d(parts[8].in_channels, 1, 4, 1, 0, bias=False)
        network.main = nn.Sequential(*parts[:8], answer, parts[12])


def run_peer(examples: Path, pixels: torch.Tensor, *, width: int, seconds: float, seed: int) -> tuple[nn.Module, int]:
    """Run the peer's file for some seconds and return (its generator, its steps)."""
    torch.manual_seed(seed)
    batches = TimedBatches(pixels, batch=64, seconds=seconds)
    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, Any] = {
            "opt": argparse.Namespace(
                ngpu=1, nz=100, ngf=width, ndf=width, netG="", netD="", batchSize=64, lr=2e-4, beta1=0.5, niter=1,
                dry_run=False, outf=folder,
            ),
            "torch": torch, "nn": nn, "optim": torch.optim, "device": torch.device("cpu"), "nc": pixels.shape[1],
            "dataloader": batches, "vutils": types.SimpleNamespace(save_image=lambda *_, **__: None),
        }  # fmt: skip
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            for node in peer_program(examples / "dcgan" / "main.py"):
                exec(compile(ast.Module([node], []), "dcgan/main.py", "exec"), names)  # noqa: S102
                made = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
                if made in ("netG", "netD"):
                    # Its weights are drawn in the next statement.
                    leave_out_a_level(names[made], is_generator=made == "netG")
    return names["netG"], batches.steps


def peer_samples(examples: Path, subject: Subject, *, width: int, minutes: float, seed: int) -> Made:
    """Train the peer at its better number of threads and return its samples."""
    pixels, rates = subject.for_peer(), {}
    for threads in range(1, len(os.sched_getaffinity(0)) + 1):
        torch.set_num_threads(threads)
        rates[threads] = run_peer(examples, pixels, width=width, seconds=THREAD_TRIAL_SECONDS, seed=seed)[1]
    best = max(rates, key=lambda threads: rates[threads])
    torch.set_num_threads(best)
    processor = time.process_time()
    network, steps = run_peer(examples, pixels, width=width, seconds=60 * minutes, seed=seed)
    processor = time.process_time() - processor
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    count = SAMPLES[subject.name]
    with torch.inference_mode():
        network.eval()
        made = torch.cat([network(torch.randn(part, 100, 1, 1)) for part in [250] * (count // 250)])
    return subject.from_peer(made), {
        "features": width,
        "batch_size": 64,
        "images": steps * 64,
        "threads": best,
        "processor_seconds": round(processor, 1),
        "parameters_of_generator": sum(parameter.numel() for parameter in network.parameters()),
    }


def our_samples(subject: Subject, home: Path, *, recipe: str, minutes: float, seed: int) -> Made:
    """Train with the command line and return samples of the saved model."""
    command = [
        sys.executable, "-m", "makar", "train", str(subject.place), "--recipe", recipe, "--for", f"{60 * minutes:g}s",
        "--seed", str(seed), "-o", str(home / "model"), "--json",
    ]  # fmt: skip
    processor = sum(os.times()[2:4])
    seconds, answer = timed(command, environment={"MAKAR_HOME": str(home)})
    processor = sum(os.times()[2:4]) - processor
    import makar

    artifact = makar.load(str(home / "model")).artifact
    family, codec = artifact.family(), artifact.codec()
    start, count = time.perf_counter(), SAMPLES[subject.name]
    found = {
        index: slots
        for index, slots, _ in family.sampler(codec).sample(
            family.options(), [{} for _ in range(count)], list(range(count))
        )
    }
    made = np.stack([codec.decode(found[index]) for index in range(count)])
    plan, training = json.loads(answer)["plan"], artifact.header["training"]
    stage = artifact.header["recipe"]["stages"][-1]
    return made, {
        "features": stage["family"]["features"],
        "batch_size": stage["optimisation"]["batch_size"],
        "learning_rate": stage["optimisation"]["learning_rate"],
        "augmentation": stage["family"].get("augmentation"),
        "images": training["items"],
        "threads": plan["threads"],
        "workers": plan["workers"],
        "precision": plan["precision"],
        "processor_seconds": round(processor, 1),
        "total_seconds": round(seconds, 1),
        "sampling_seconds": round(time.perf_counter() - start, 1),
        "parameters": training["parameters"],
        "inner_loss": training["inner_loss"],
        "incidents": training["incidents"],
    }


def sheet(images: np.ndarray, path: Path) -> None:
    """Write the first 64 images as a contact sheet."""
    from PIL import Image

    rows = images[:64].reshape(4, 16, *images.shape[1:])
    whole = rows.transpose(0, 2, 1, 3, 4).reshape(4 * images.shape[1], 16 * images.shape[2], -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(whole[..., 0] if whole.shape[-1] == 1 else whole).save(path)


def run(subject: Subject, side: str, *, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train and judge one side once."""
    at_start = machine()
    if side in RECIPES:
        with tempfile.TemporaryDirectory() as home:
            samples, about = our_samples(subject, Path(home), recipe=side, minutes=options.minutes, seed=seed)
    else:
        width = int(side.removeprefix(PEER))
        samples, about = peer_samples(options.examples, subject, width=width, minutes=options.minutes, seed=seed)
    if options.sheets:
        sheet(samples, options.sheets / f"{subject.name}-{side.replace(':', '-')}-{options.minutes:g}m-{seed}.png")
    place = {"data": subject.name, "side": side, "minutes": options.minutes, "seed": seed}
    when = {name: at_start[name] for name in ("commit", "date", "load_average_at_start")}
    return {**place, "fid": round(subject.fid(samples), 3), **subject.about, **about, **when}


def summary_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for every data set and length the mean of each side, and each of ours over the best of the peer's widths."""
    found = []
    for data, minutes in sorted({(row["data"], row["minutes"]) for row in rows}):
        here = [row for row in rows if (row["data"], row["minutes"]) == (data, minutes)]
        judges = {row["judge"] for row in here}
        if len(judges) > 1:
            sys.exit(
                f"the runs on {data} were judged by {len(judges)} extractors, which do not compare: {sorted(judges)}"
            )
        sides = {
            side: [row["fid"] for row in here if row["side"] == side] for side in sorted({row["side"] for row in here})
        }
        means = {side: statistics.mean(values) for side, values in sides.items()}
        peer = min((mean for side, mean in means.items() if side.startswith(PEER)), default=None)
        found.append(
            {
                "data": data,
                "minutes": minutes,
                **{
                    name: here[0][name]
                    for name in ("judge", "judge_accuracy", "floor", "floor_images", "floor_of_halves")
                },
                "fid": {side: _with_interval(values) for side, values in sides.items()},
                "runs": {side: len(values) for side, values in sides.items()},
                "over_best_peer": {side: means[side] / peer for side in means if side in RECIPES} if peer else {},
            }
        )
    return found


def _with_interval(values: list[float]) -> dict[str, float]:
    mean, half = mean_interval(values)
    return {"mean": mean, **({"half_interval": half} if len(values) > 1 else {})}


def main() -> None:
    """Make the runs that are not there yet, print how the sides compare, write the result; end with 1 where the peer is better."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, help="a checkout of pytorch/examples. Absent: ours alone")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", default=list(SAMPLES), choices=list(SAMPLES))
    parser.add_argument("--sides", nargs="+", default=SIDES, help=f"recipes, and {PEER}WIDTH for the peer at a width")
    parser.add_argument("--label", help="a word in the name of the result")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    parser.add_argument(
        "--rows", type=Path, nargs="+", default=[], help="runs that were made; new ones are appended to the first"
    )
    options = parser.parse_args()
    unknown = [side for side in options.sides if side not in RECIPES and not side.removeprefix(PEER).isdigit()]
    if unknown:
        parser.error(f"--sides {' '.join(unknown)}: expected {', '.join(RECIPES)} or {PEER}WIDTH, for example {PEER}64")
    sides = [side for side in options.sides if side in RECIPES or options.examples]
    rows = [json.loads(line) for file in options.rows if file.exists() for line in file.read_text().splitlines()]
    made = {(row["data"], row["side"], row["minutes"], row["seed"]) for row in rows}
    at_start = machine()
    with tempfile.TemporaryDirectory() as folder:
        for data in options.data:
            missing = [
                (seed, side)
                for seed, side in itertools.product(options.seeds, sides)
                if (data, side, options.minutes, seed) not in made
            ]
            if not missing:
                continue
            torch.set_num_threads(len(os.sched_getaffinity(0)))
            subject = Subject(data, Path(folder), [file.with_suffix(f".{data}.safetensors") for file in options.rows])
            print(json.dumps({"data": data, **subject.about}), flush=True)
            for seed, side in missing:
                rows.append(run(subject, side, seed=seed, options=options))
                print(json.dumps(rows[-1]), flush=True)
                if options.rows:
                    with options.rows[0].open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    found = summary_of(rows)
    print(json.dumps(found, indent=1))
    name = "-".join(["gan-examples", *filter(None, [options.label])])
    write_result(name, {"machine": at_start, "summary": found, "rows": rows})
    sys.exit(any(ratio >= 1 for group in found for ratio in group["over_best_peer"].values()))


if __name__ == "__main__":
    main()
