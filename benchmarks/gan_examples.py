"""FID of `makar train --recipe dcgan` and `stylegan` against pytorch/examples dcgan at equal minutes, on fashion_mnist and on emoji.

Run: python benchmarks/gan_examples.py --examples FOLDER [--minutes 10] [--seeds 3] [--data fashion_mnist emoji] [--recipes dcgan stylegan]

The peer is ``dcgan/main.py`` of a checkout of pytorch/examples: its own classes, initialisation, optimisers and training loop are
taken from the file and run as they are; only its data set, which needs torchvision, is replaced by our arrays, and as its networks are
fixed to 64 x 64, the level of 8 times the width is left out for 32 x 32. fashion_mnist is padded to 32 x 32 for it and cut back. It
runs at its own default width (64) and at the width of our DCGAN's plan, each at its better number of threads; the better of the two
counts. Ours gets the same minutes for everything up to the saved model. Nobody uses labels. The samples of both sides (5,000, or
2,000 of emoji) are judged by one frozen extractor: on fashion_mnist that of ``fashion_torchcfm.py``, on emoji the same network trained
to tell the nine groups on the training split of all six styles. The floor is the held-out split judged in the same way.
"""

import argparse
import ast
import contextlib
import io
import math
import os
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import fashion_torchcfm as fashion
import numpy as np
import torch
from measure import data_folder, machine, mean_interval, timed, write_result
from torch import nn

STYLE = "noto"
SIDE = 32
PEER_WIDTH = 64
SAMPLES = {"fashion_mnist": 5000, "emoji": 2000}
THREAD_TRIAL_SECONDS = 6.0


class ColourExtractor(nn.Module):
    """The network of ``fashion_torchcfm`` for three channels and 32 x 32."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96 * 64, 128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))


class Subject:
    """One data set: what to train on, how images look to the peer, and how they are judged.

    Args:
        name: ``"fashion_mnist"`` or ``"emoji"``.
        folder: Where the data for our command is laid out.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        if name == "fashion_mnist":
            images, labels, test, test_labels = fashion.real()
            self.place = folder / "fashion_mnist.npz"
            self.place.symlink_to(data_folder() / "fashion_mnist" / "fashion_mnist.npz")
            self.train, held_out = images[..., None], test[:5000, ..., None]
            extractor = fashion.train_extractor(images, labels)
            with torch.inference_mode():
                right = extractor(fashion.as_tensor(test)).argmax(1).numpy() == test_labels
            self.extractor, self.accuracy = extractor.body, float(right.mean())
        else:
            self.place = folder / "emoji"
            self.train, held_out, self.extractor, self.accuracy = emoji(self.place)
        self.reference = self.features(self.train)
        self.floor = fashion.frechet(self.features(held_out), self.reference)
        self.floor_images = len(held_out)

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return features of uint8 images ``[count, height, width, channels]``."""
        with torch.inference_mode():
            parts = [
                self.extractor(as_tensor(chunk)) for chunk in np.array_split(images, math.ceil(len(images) / 1000))
            ]
        return torch.cat(parts).double().numpy()

    def fid(self, images: np.ndarray) -> float:
        """Return the Frechet distance of samples from the training images."""
        return fashion.frechet(self.features(images), self.reference)

    def for_peer(self) -> torch.Tensor:
        """Return the training images as the peer sees them, padded to 32 x 32 with what is darkest."""
        pixels = as_tensor(self.train)
        edge = (SIDE - pixels.shape[-1]) // 2
        return nn.functional.pad(pixels, (edge,) * 4, value=-1.0)

    def from_peer(self, images: torch.Tensor) -> np.ndarray:
        """Return the peer's images as uint8, cut back to the size of the data."""
        edge = (SIDE - self.train.shape[1]) // 2
        kept = images[:, :, edge : SIDE - edge, edge : SIDE - edge]
        return ((kept.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def as_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def emoji(folder: Path) -> tuple[np.ndarray, np.ndarray, nn.Module, float]:
    """Lay out one style as PNG files; return (its training images, its other images, extractor, accuracy of the extractor)."""
    import pyarrow.parquet
    from PIL import Image

    table = pyarrow.parquet.read_table(data_folder() / "emoji" / "emoji_64px_webp.parquet")
    columns = {name: table[name].to_pylist() for name in ("style", "group", "split", "image")}
    pixels = []
    for content in columns["image"]:
        with Image.open(io.BytesIO(content)) as image:
            pixels.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)))
    images = np.stack(pixels)
    style, split, group = (np.array(columns[name]) for name in ("style", "split", "group"))
    names, labels = np.unique(group, return_inverse=True)
    learns, own = split == "train", style == STYLE
    folder.mkdir()
    for number in np.flatnonzero(learns & own):
        Image.fromarray(images[number]).save(folder / f"{number:05d}.png")
    torch.manual_seed(0)
    extractor, generator = ColourExtractor(len(names)), torch.Generator().manual_seed(0)
    inputs, targets = as_tensor(images[learns]), torch.from_numpy(labels[learns].astype(np.int64))
    optimiser = torch.optim.AdamW(extractor.parameters(), 2e-3)
    steps = 12 * len(inputs) // 128
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    for _ in range(steps):
        pick = torch.randint(len(inputs), (128,), generator=generator)
        loss = nn.functional.cross_entropy(extractor(inputs[pick]), targets[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.inference_mode():
        right = extractor.eval()(as_tensor(images[~learns])).argmax(1).numpy() == labels[~learns]
    return images[learns & own], images[~learns & own], extractor.body, float(right.mean())


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


def peer_samples(
    examples: Path, subject: Subject, *, width: int, minutes: float, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Train the peer at its better number of threads and return (its samples, what happened)."""
    pixels, rates = subject.for_peer(), {}
    for threads in range(1, len(os.sched_getaffinity(0)) + 1):
        torch.set_num_threads(threads)
        rates[threads] = run_peer(examples, pixels, width=width, seconds=THREAD_TRIAL_SECONDS, seed=seed)[1]
    best = max(rates, key=lambda threads: rates[threads])
    torch.set_num_threads(best)
    network, steps = run_peer(examples, pixels, width=width, seconds=60 * minutes, seed=seed)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    count = SAMPLES[subject.name]
    with torch.inference_mode():
        network.eval()
        made = torch.cat([network(torch.randn(part, 100, 1, 1)) for part in [250] * (count // 250)])
    return subject.from_peer(made), {
        "width": width,
        "parameters_of_generator": sum(parameter.numel() for parameter in network.parameters()),
        "steps": steps,
        "images_per_second": steps * 64 / (60 * minutes),
        "threads": best,
    }


def our_samples(
    subject: Subject, home: Path, *, recipe: str, minutes: float, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Train with the command line and return (samples of the saved model, what happened)."""
    command = [
        sys.executable, "-m", "makar", "train", str(subject.place), "--recipe", recipe, "--for", f"{minutes}m",
        "--seed", str(seed), "-o", str(home / "model"), "--json",
    ]  # fmt: skip
    seconds, _ = timed(command, environment={"MAKAR_HOME": str(home)})
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
    training = artifact.header["training"]
    plan = artifact.header["recipe"]["stages"][-1]
    return made, {
        "total_seconds": seconds,
        "sampling_seconds": time.perf_counter() - start,
        "parameters": training["parameters"],
        "images": training["items"],
        "incidents": training["incidents"],
        "inner_loss": training["inner_loss"],
        "family": plan["family"],
        "optimisation": plan["optimisation"],
        "machine": training["machine"],
    }


def sheet(images: np.ndarray, path: Path) -> None:
    """Write the first 64 images as a contact sheet."""
    from PIL import Image

    rows = images[:64].reshape(4, 16, *images.shape[1:])
    whole = rows.transpose(0, 2, 1, 3, 4).reshape(4 * images.shape[1], 16 * images.shape[2], -1)
    Image.fromarray(whole[..., 0] if whole.shape[-1] == 1 else whole).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, help="a checkout of pytorch/examples. Absent: ours alone")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", nargs="+", default=["fashion_mnist", "emoji"], choices=list(SAMPLES))
    parser.add_argument("--recipes", nargs="+", default=["dcgan", "stylegan"], choices=["dcgan", "stylegan"])
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "minutes": options.minutes, "subjects": []}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.data:
            torch.set_num_threads(len(os.sched_getaffinity(0)))
            subject = Subject(name, Path(folder))
            print(
                f"{name}: extractor {subject.accuracy:.3f} accurate; floor {subject.floor:.2f} ({subject.floor_images} "
                f"held-out images), {len(subject.train)} to learn from",
                flush=True,
            )
            runs = [measured(subject, Path(folder) / f"{name}-{seed}", seed, options) for seed in range(options.seeds)]
            result["subjects"].append(
                {
                    "data": name,
                    "extractor_accuracy": subject.accuracy,
                    "floor": subject.floor,
                    "floor_images": subject.floor_images,
                    "samples": SAMPLES[name],
                    "runs": runs,
                }
            )
            for side in runs[0]:
                value, half = mean_interval([run[side]["fid"] for run in runs])
                print(f"{name} {side}: FID {value:.2f} +- {half:.2f} over {len(runs)} seeds", flush=True)
    write_result("gan-examples", result)


def measured(subject: Subject, home: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run every side once and return what each reached, by the name of the side."""
    found: dict[str, Any] = {}
    widths = {PEER_WIDTH}
    for recipe in options.recipes:
        place = home / recipe
        place.mkdir(parents=True)
        samples, about = our_samples(subject, place, recipe=recipe, minutes=options.minutes, seed=seed)
        _take(found, f"makar {recipe}", subject, samples, about, seed, options)
        if recipe == "dcgan":
            widths.add(int(about["family"]["features"]))
    if options.examples:
        for width in sorted(widths):
            samples, about = peer_samples(options.examples, subject, width=width, minutes=options.minutes, seed=seed)
            _take(found, f"examples dcgan, width {width}", subject, samples, about, seed, options)
    return found


def _take(
    found: dict[str, Any],
    side: str,
    subject: Subject,
    samples: np.ndarray,
    about: dict[str, Any],
    seed: int,
    options: argparse.Namespace,
) -> None:
    found[side] = {"fid": subject.fid(samples), **about}
    shown = {key: value for key, value in about.items() if key not in ("family", "optimisation")}
    print(f"{subject.name} seed {seed} {side}: FID {found[side]['fid']:.2f}", shown, flush=True)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        sheet(samples, options.sheets / f"{subject.name}-{side.replace(' ', '-').replace(',', '')}-{seed}.png")


if __name__ == "__main__":
    main()
