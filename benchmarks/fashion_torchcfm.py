"""FID on fashion_mnist at equal minutes against torchcfm's class-conditional MNIST example; and FID by number of evaluations.

Run: python benchmarks/fashion_torchcfm.py --torchcfm FOLDER [--minutes 3 10] [--seeds 1]

The peer is the training loop of torchcfm's notebook ``conditional_mnist`` (its U-Net, its batch of 128, Adam with its defaults, its
dopri5 sampling at tolerance 1e-4, or Euler with ``--peer-euler``) fed with fashion_mnist, at its better number of threads, stopped after
the minutes. Ours is ``makar train --for`` with the class-conditional recipe. Both make 5,000 samples, as many of each class. One feature
extractor, a small classifier trained on the real training split and then frozen, judges both against the real training split; the floor
is the official test split (as many images) judged the same way. Minutes count training alone for the peer, and everything up to the saved
artifact for us.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from measure import data_folder, machine, timed, write_result
from torch import nn

NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


class Extractor(nn.Module):
    """A plain classifier; its 128 penultimate features are what the Frechet distance is taken on."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96 * 49, 128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(128, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))


def real() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    with np.load(data_folder() / "fashion_mnist" / "fashion_mnist.npz") as file:
        return file["train_images"], file["train_labels"], file["test_images"], file["test_labels"]


def as_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1).reshape(-1, 1, 28, 28)


def train_extractor(images: np.ndarray, labels: np.ndarray, epochs: int = 4) -> Extractor:
    torch.manual_seed(0)
    extractor, generator = Extractor(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(extractor.parameters(), 2e-3)
    steps = epochs * len(images) // 128
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    pixels, targets = as_tensor(images), torch.from_numpy(labels.astype(np.int64))
    for _ in range(steps):
        pick = torch.randint(len(images), (128,), generator=generator)
        loss = nn.functional.cross_entropy(extractor(pixels[pick]), targets[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return extractor.eval()


@torch.inference_mode()
def features(extractor: Extractor, images: np.ndarray) -> np.ndarray:
    return torch.cat([extractor.body(chunk) for chunk in as_tensor(images).split(1000)]).double().numpy()


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance of two Gaussians (Heusel et al. 2017, arXiv 1706.08500, eq. 6)."""
    difference = first.mean(0) - second.mean(0)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values = np.linalg.eigvals(a @ b)
    return float(difference @ difference + np.trace(a) + np.trace(b) - 2 * np.sqrt(np.clip(values.real, 0, None)).sum())


def peer_samples(
    folder: Path,
    minutes: float,
    *,
    threads: int,
    seed: int,
    real_part: tuple[np.ndarray, np.ndarray],
    a_class: int,
    euler: int,
) -> tuple[np.ndarray, dict]:
    """Train the peer for some minutes and return (its samples, what happened); ``euler`` 0 samples with dopri5 as its example does."""
    images, labels = real_part
    sys.path.insert(0, str(folder))
    import torchdiffeq
    from torchcfm.conditional_flow_matching import ConditionalFlowMatcher
    from torchcfm.models.unet import UNetModel

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = UNetModel(dim=(1, 28, 28), num_channels=32, num_res_blocks=1, num_classes=10, class_cond=True)
    optimiser, matcher = torch.optim.Adam(model.parameters()), ConditionalFlowMatcher(sigma=0.0)
    pixels, targets = as_tensor(images), torch.from_numpy(labels.astype(np.int64))
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < minutes * 60:
        for pick in torch.randperm(len(pixels)).split(128):
            if len(pick) < 128 or time.perf_counter() - start >= minutes * 60:
                break
            optimiser.zero_grad()
            x1, y = pixels[pick], targets[pick]
            t, xt, ut = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)
            loss = torch.mean((model(t, xt, y) - ut) ** 2)
            loss.backward()
            optimiser.step()
            steps += 1
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model.eval()
    made = []
    with torch.no_grad():
        for _ in range(10):
            classes = torch.arange(10).repeat(a_class // 10)
            path = torchdiffeq.odeint(
                lambda t, x, classes=classes: model(t, x, classes), torch.randn(len(classes), 1, 28, 28),
                torch.linspace(0, 1, (euler or 1) + 1), atol=1e-4, rtol=1e-4, method="euler" if euler else "dopri5",
            )  # fmt: skip
            made.append(path[-1].clip(-1, 1))
    samples = ((torch.cat(made) + 1) * 127.5).round().to(torch.uint8).numpy()[:, 0]
    told = {"steps": steps, "images_per_second": steps * 128 / (minutes * 60), "threads": threads}
    return samples, told | {"sampler": f"euler, {euler} steps" if euler else "dopri5"}


def faster_threads(folder: Path, images: np.ndarray, labels: np.ndarray) -> int:
    """Return the peer's better number of threads: its steps in six seconds with one and with two."""
    rates = {}
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        torch.set_num_threads(threads)
        sys.path.insert(0, str(folder))
        from torchcfm.models.unet import UNetModel

        model = UNetModel(dim=(1, 28, 28), num_channels=32, num_res_blocks=1, num_classes=10, class_cond=True)
        pixels, targets = as_tensor(images[:128]), torch.from_numpy(labels[:128].astype(np.int64))
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < 6:
            model(torch.rand(128), pixels, targets).square().mean().backward()
            steps += 1
        rates[threads] = steps
    return max(rates, key=lambda threads: rates[threads])


def our_model(data: Path, home: Path, minutes: float, seed: int) -> tuple[Path, float]:
    command = [
        sys.executable,
        "-m",
        "makar",
        "train",
        str(data),
        "--for",
        f"{minutes}m",
        "--seed",
        str(seed),
        "--recipe",
        "image-class",
    ]
    seconds, _ = timed([*command, "-o", str(home / "model"), "--json"], environment={"MAKAR_HOME": str(home)})
    return home / "model", seconds


def our_samples(model_folder: Path, options: dict, a_class: int) -> tuple[np.ndarray, float]:
    """Return uint8 samples of each class and the seconds they took, with network sampling only (the same sampler as generate)."""
    import makar
    from makar.families.diffusion.options import ImageOptions

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    artifact = makar.load(str(model_folder)).artifact
    codec, sampler = artifact.codec(), artifact.family().sampler(artifact.codec())
    made: list[np.ndarray] = []
    start = time.perf_counter()
    for label, name in enumerate(codec.class_names):
        prompts = [{}] * a_class  # the class is asked for by its name
        seeds = [1_000 * label + index for index in range(a_class)]
        finished = {
            index: slots
            for index, slots, done in sampler.sample(ImageOptions(label=name, **options), prompts, seeds)
            if done
        }
        made += [codec.decode(finished[index]) for index in range(a_class)]
    return np.stack(made)[..., 0], time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--torchcfm",
        type=Path,
        help="a checkout of torchcfm; torchdiffeq and pot must be importable. Absent: ours alone",
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[3, 10])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=5000, help="images of each side, a multiple of 100")
    parser.add_argument(
        "--peer-euler",
        type=int,
        default=0,
        help="steps of Euler in the place of the peer's dopri5, which takes hours for 5,000 images",
    )
    options = parser.parse_args()
    a_class = options.samples // 10
    images, labels, test_images, test_labels = real()
    result: dict = {"machine": machine(), "runs": []}
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    extractor = train_extractor(images, labels)
    reference = features(extractor, images)
    picked = np.concatenate([np.flatnonzero(test_labels == label)[:a_class] for label in range(10)])
    floor = frechet(features(extractor, test_images[picked]), reference)
    with torch.inference_mode():
        right = (extractor(as_tensor(test_images)).argmax(1).numpy() == test_labels).mean()
    result["extractor_test_accuracy"], result["floor"] = float(right), floor
    print(
        f"extractor: {right:.4f} accurate on the test split; real against real, {options.samples:,} images: {floor:.3f}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "fashion_mnist.npz"
        data.symlink_to(data_folder() / "fashion_mnist" / "fashion_mnist.npz")
        for minutes in options.minutes:
            for seed in range(options.seeds):
                run: dict = {"minutes": minutes, "seed": seed}
                if options.torchcfm:
                    threads = faster_threads(options.torchcfm, images, labels)
                    samples, run["peer"] = peer_samples(
                        options.torchcfm,
                        minutes,
                        threads=threads,
                        seed=seed,
                        real_part=(images, labels),
                        a_class=a_class,
                        euler=options.peer_euler,
                    )
                    run["peer"]["fid"] = frechet(features(extractor, samples), reference)
                    print(f"torchcfm {minutes:g} min: FID {run['peer']['fid']:.2f}", run["peer"], flush=True)
                home = Path(folder) / f"{minutes}-{seed}"
                model, run["our_total_seconds"] = our_model(data, home, minutes, seed)
                for name, settings in (
                    ("default", {}),
                    ("8 steps", {"steps": 8}),
                    ("10 steps", {"steps": 10}),
                    ("euler 50", {"solver": "euler", "steps": 50}),
                ):
                    samples, seconds = our_samples(model, settings, a_class)
                    run[name] = {"fid": frechet(features(extractor, samples), reference), "seconds": seconds}
                    print(f"makar {minutes:g} min, {name}: FID {run[name]['fid']:.2f} in {seconds:.0f} s", flush=True)
                if options.torchcfm:
                    run["excess_ratio"] = (run["default"]["fid"] - floor) / (run["peer"]["fid"] - floor)
                    print(
                        f"excess over the floor, ours / peer: {run['excess_ratio']:.3f} (bar below 1, aim 0.5)",
                        flush=True,
                    )
                result["runs"].append(run)
    write_result("fashion-torchcfm", result)


if __name__ == "__main__":
    main()
