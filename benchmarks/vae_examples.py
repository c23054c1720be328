"""Test bound in nats and FID on binarised fashion_mnist at equal minutes against the VAE of pytorch/examples.

Run: python benchmarks/vae_examples.py --examples FOLDER [--minutes 5] [--seeds 1]

The peer is ``vae/main.py`` of a checkout of pytorch/examples, imported and run as it is: its 400-20 network, Adam at
1e-3, batch 128, its data loader and its ``train``. It imports torchvision for data and pictures; a stand-in gives it
fashion_mnist in the place of MNIST, without the decoding of files, and ends the training when the minutes are over.
It runs at its better number of threads. Ours is ``makar train --for`` with the recipe ``vae`` and the Bernoulli
likelihood.

Both see every grey training image as black and white drawn anew each time (Salakhutdinov and Murray 2008). The test
images are one fixed draw of the official test split; the bound is the mean of ``--draws`` draws of the latents,
reconstruction plus divergence. Samples are mean images of both. They are judged against the grey training images by
the extractor of ``fashion_torchcfm``; the floor is the test split judged the same way. Minutes count training alone
for the peer, and everything up to the saved artifact for us.
"""

import argparse
import contextlib
import importlib.util
import io
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fashion_torchcfm import features, frechet, real, train_extractor
from measure import data_folder, machine, timed, write_result

SAMPLES = 5000


class TimeIsUp(Exception):
    """The minutes of the peer are over."""


class BlackAndWhite(torch.utils.data.Dataset):
    """Images whose pixels are drawn as 0 or 1 at every access; in the place of torchvision's MNIST."""

    images = torch.zeros(0)
    deadline = float("inf")

    def __init__(self, root: str, *, train: bool, download: bool = False, transform: Any = None) -> None:
        del root, train, download, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if time.perf_counter() > self.deadline:
            raise TimeIsUp
        grey = self.images[index]
        return (torch.rand(grey.shape) < grey).float(), 0


def load_peer(folder: Path, seed: int) -> Any:
    """Import main.py of the example with a stand-in for torchvision, and return the module with its fresh model."""
    vision = types.ModuleType("torchvision")
    vision.datasets = types.SimpleNamespace(MNIST=BlackAndWhite)
    vision.transforms = types.SimpleNamespace(ToTensor=lambda: None)
    utils = types.ModuleType("torchvision.utils")
    utils.save_image = lambda *_, **__: None
    kept, arguments = {name: sys.modules.get(name) for name in ("torchvision", "torchvision.utils")}, sys.argv
    sys.modules |= {"torchvision": vision, "torchvision.utils": utils}
    sys.argv = ["main.py", "--no-accel", "--seed", str(seed)]
    try:
        spec = importlib.util.spec_from_file_location("examples_vae", folder / "vae" / "main.py")
        module = importlib.util.module_from_spec(spec)
        with contextlib.redirect_stdout(io.StringIO()):
            spec.loader.exec_module(module)
    finally:
        sys.argv = arguments
        for name, value in kept.items():
            sys.modules.pop(name, None)
            if value is not None:
                sys.modules[name] = value
    return module


def run_peer(module: Any, seconds: float) -> int:
    """Let the peer train for so long; return the examples that it saw, about."""
    BlackAndWhite.deadline = time.perf_counter() + seconds
    epochs = 0
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(TimeIsUp):
        while True:
            module.train(epochs + 1)
            epochs += 1
    BlackAndWhite.deadline = float("inf")
    return epochs


def faster_threads(folder: Path) -> int:
    """Return the peer's better number of threads: its steps in six seconds with one and with two."""
    steps = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        module = load_peer(folder, 0)
        count, inner = 0, module.optimizer.step

        def step(*values: Any, inner: Any = inner, **named: Any) -> Any:
            nonlocal count
            count += 1
            return inner(*values, **named)

        module.optimizer.step = step
        run_peer(module, 6)
        steps[threads] = count
    return max(steps, key=lambda threads: steps[threads])


@torch.no_grad()
def peer_bound(module: Any, test: torch.Tensor, draws: int) -> float:
    """Return nats an image of 0-and-1 images."""
    module.model.eval()
    torch.manual_seed(0)
    total = 0.0
    for _ in range(draws):
        for chunk in test.split(1000):
            total += float(module.loss_function(*_reordered(module.model(chunk), chunk)))
    return total / draws / len(test)


def _reordered(made: tuple[torch.Tensor, ...], image: torch.Tensor) -> tuple[torch.Tensor, ...]:
    rebuilt, mean, log_variance = made
    return rebuilt, image, mean, log_variance


@torch.no_grad()
def peer_samples(module: Any) -> np.ndarray:
    torch.manual_seed(1)
    made = torch.cat([module.model.decode(torch.randn(500, 20)) for _ in range(SAMPLES // 500)])
    return (made * 255).round().to(torch.uint8).numpy().reshape(-1, 28, 28)


def our_model(data: Path, home: Path, minutes: float, seed: int, settings: list[str]) -> tuple[Path, float]:
    command = [sys.executable, "-m", "makar", "train", str(data), "--for", f"{minutes}m", "--seed", str(seed)]
    command += ["--recipe", "vae", "--set", "stages.0.family.likelihood=bernoulli"]
    for setting in settings:
        command += ["--set", setting]
    seconds, _ = timed([*command, "-o", str(home / "model"), "--json"], environment={"MAKAR_HOME": str(home)})
    return home / "model", seconds


def our_bound(family: Any, test: torch.Tensor, draws: int) -> dict[str, float]:
    """Return nats an image of 0-and-1 images, and its two parts."""
    found = {"bound": 0.0, "reconstruction": 0.0, "divergence": 0.0}
    for draw in range(draws):
        for number, chunk in enumerate((test * 2 - 1).split(500)):
            generator = torch.Generator().manual_seed(1000 * draw + number)
            loss = family.validation_loss({"target": chunk}, generator)
            share = len(chunk) / draws / len(test)
            found["bound"] += float(loss.value) * share
            for name in ("reconstruction", "divergence"):
                found[name] += loss.metrics[name] * share
    return found


def our_samples(artifact: Any, **options: Any) -> np.ndarray:
    codec, family = artifact.codec(), artifact.family()
    made = family.sampler(codec).sample(family.options(**options), [], list(range(SAMPLES)))
    return np.stack([codec.decode(slots) for _, slots, _ in made])[..., 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, help="a checkout of pytorch/examples; absent: ours alone")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--draws", type=int, default=4, help="draws of the latents that a bound is the mean of")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="further settings of our recipe")
    options = parser.parse_args()
    images, labels, test_images, test_labels = real()
    BlackAndWhite.images = torch.from_numpy(images.astype(np.float32) / 255).reshape(-1, 1, 28, 28)
    grey = torch.from_numpy(test_images.astype(np.float32) / 255).reshape(-1, 1, 28, 28)
    test = (torch.rand(grey.shape, generator=torch.Generator().manual_seed(0)) < grey).float()
    torch.set_num_threads(2)
    extractor = train_extractor(images, labels)
    reference = features(extractor, images)
    picked = np.concatenate([np.flatnonzero(test_labels == label)[:500] for label in range(10)])
    floor = frechet(features(extractor, test_images[picked]), reference)
    print(f"real against real, 5,000 images: {floor:.3f}", flush=True)
    result: dict[str, Any] = {"machine": machine(), "minutes": options.minutes, "floor": floor, "runs": []}
    if options.settings:
        result["settings"] = options.settings
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "fashion_mnist.npz"
        data.symlink_to(data_folder() / "fashion_mnist" / "fashion_mnist.npz")
        for seed in range(options.seeds):
            run: dict[str, Any] = {"seed": seed}
            if options.examples:
                threads = faster_threads(options.examples)
                torch.set_num_threads(threads)
                module = load_peer(options.examples, seed)
                epochs = run_peer(module, options.minutes * 60)
                torch.set_num_threads(2)
                bound = peer_bound(module, test, options.draws)
                fid = frechet(features(extractor, peer_samples(module)), reference)
                run["peer"] = {"threads": threads, "epochs": epochs, "bound": bound, "fid": fid}
                print(f"pytorch/examples: {bound:.2f} nats, FID {fid:.2f}", run["peer"], flush=True)
            home = Path(folder) / str(seed)
            model, seconds = our_model(data, home, options.minutes, seed, options.settings)
            import makar

            artifact = makar.load(str(model)).artifact
            torch.set_num_threads(2)
            found = our_bound(artifact.family(), test, options.draws)
            run["makar"] = {"total_seconds": seconds, "parameters": artifact.family().config.parameter_count(), **found}
            run["makar"]["fid"] = frechet(features(extractor, our_samples(artifact)), reference)
            print(f"makar: {found['bound']:.2f} nats, FID {run['makar']['fid']:.2f}", run["makar"], flush=True)
            if options.examples:
                run["nats_better"] = run["peer"]["bound"] - found["bound"]
                run["fid_ratio"] = run["makar"]["fid"] / run["peer"]["fid"]
                is_better = run["nats_better"] > 0 and run["fid_ratio"] < 1
                print(f"bar, better on both: {'met' if is_better else 'MISSED'}", flush=True)
            result["runs"].append(run)
    write_result("vae-examples", result)


if __name__ == "__main__":
    main()
