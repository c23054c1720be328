"""Augmentation on fashion_mnist with 10 images a class: a classifier with and without synthetic images, and the interval of the gain.

Run: python benchmarks/augmentation.py [--seconds 60] [--images 10] [--samples 1000] [--seeds 3] [--recipe image-class] [--set ...]

For each seed another 10 images of every class are drawn from the official training split. They are all that anything learns from: the
generator (``makar train --for``), whose samples are made by ``makar generate --augment`` with copies refused, and the classifiers. Both
classifiers are the one of the classification accuracy score, with the same steps and random shifts; the one with synthetic images sees
real ones half of the time. Accuracy is that on the official 10,000 test images. Each pair is trained with several seeds of its own,
and the gain of a seed is their mean difference; the interval is Student's over the seeds of the data.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from fashion_torchcfm import NAMES, real
from measure import data_folder, machine, mean_interval, timed, write_result
from PIL import Image

CLASSES = 10


def few(images: np.ndarray, labels: np.ndarray, *, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many images of every class, drawn by a seed."""
    draw = np.random.default_rng(seed)
    chosen = np.concatenate([draw.choice(np.flatnonzero(labels == kind), each, False) for kind in range(CLASSES)])
    return images[chosen], labels[chosen]


def class_folders(place: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    """Write images into class folders below ``train``, so that none of the few is held out."""
    for number, (pixels, label) in enumerate(zip(images, labels)):
        folder = place / "train" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")
    return place


def synthetic(place: Path, folder: Path, options: argparse.Namespace, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Train on the few images and return labelled samples, made by the commands that a user types."""
    home = {"MAKAR_HOME": str(folder / "home")}
    command = [
        sys.executable,
        "-m",
        "makar",
        "train",
        str(place),
        "--for",
        f"{options.seconds:g}s",
        "--seed",
        str(seed),
    ]
    command += ["--recipe", options.recipe, "-o", str(folder / "model")]
    for setting in options.settings:
        command += ["--set", setting]
    timed(command, environment=home)
    command = [sys.executable, "-m", "makar", "generate", str(folder / "model"), "--augment", str(place)]
    command += ["-n", str(options.samples), "-o", str(folder / "more"), "--spread", "even"]
    for control in options.controls:
        command += ["--set", control]
    timed(command, environment=home)
    files = sorted((folder / "more").rglob("*.png"))
    pixels = np.stack([np.asarray(Image.open(file).convert("L")) for file in files])
    return pixels, np.array([NAMES.index(file.parent.name) for file in files])


def accuracies(
    parts: list[tuple[np.ndarray, np.ndarray]], test: tuple[np.ndarray, np.ndarray], *, seeds: int
) -> list[float]:
    """Return the accuracy on the test images of classifiers trained on several sets, each seen as often as the others."""
    from makar.evaluation.classifier import right_answers, trained_classifier

    most = max(len(images) for images, _ in parts)
    images, labels = (
        np.concatenate([part[index][np.resize(np.arange(len(part[index])), most)] for part in parts])
        for index in (0, 1)
    )
    found = []
    for seed in range(seeds):
        network = trained_classifier(images[:, None], labels, classes=CLASSES, seed=seed)
        found.append(right_answers(network, test[0][:, None], test[1], classes=CLASSES) / len(test[1]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="training of the generator")
    parser.add_argument("--images", type=int, default=10, help="real images a class")
    parser.add_argument("--samples", type=int, default=1000, help="synthetic images in all")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the real images")
    parser.add_argument("--classifiers", type=int, default=3, help="classifiers a draw, with and without")
    parser.add_argument("--tested", type=int, default=10_000, help="test images")
    parser.add_argument("--recipe", default="image-class")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="settings of the recipe")
    parser.add_argument("--control", action="append", default=[], dest="controls", help="controls of the samples")
    options = parser.parse_args()
    data_folder()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    images, labels, test_images, test_labels = real()
    test = test_images[: options.tested], test_labels[: options.tested]
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        chosen = few(images, labels, each=options.images, seed=seed)
        with tempfile.TemporaryDirectory() as name:
            place = class_folders(Path(name) / "data", *chosen)
            made = synthetic(place, Path(name), options, seed=seed)
        without = accuracies([chosen], test, seeds=options.classifiers)
        alone = accuracies([made], test, seeds=options.classifiers)
        together = accuracies([chosen, made], test, seeds=options.classifiers)
        rows.append({"seed": seed, "without": without, "samples_only": alone, "with": together})
        print(
            f"seed {seed}: without {np.mean(without):.4f}, samples only {np.mean(alone):.4f}, with {np.mean(together):.4f}",
            flush=True,
        )
    gain, half = mean_interval([float(np.mean(row["with"]) - np.mean(row["without"])) for row in rows])
    verdict = "above 0" if gain - half > 0 else "not above 0"
    print(f"gain {100 * gain:+.2f} points (95 %: {100 * (gain - half):+.2f} to {100 * (gain + half):+.2f}); {verdict}")
    write_result(
        "augmentation",
        {"machine": machine(), "options": vars(options), "rows": rows, "gain": gain, "half_interval": half},
    )


if __name__ == "__main__":
    main()
