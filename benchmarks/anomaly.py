"""Anomaly detection on fashion_mnist with the score of ``predict``: area under the ROC curve, by two protocols that are not the same task.

Run: python benchmarks/anomaly.py [--seconds 30] [--protocol one-class nine-classes] [--classes 0 1 ...]

* ``nine-classes``: one class is left out of training, and the model has to find it among the test images of all ten.
  Hard for any model that has no labels: a shirt that was never seen is well described by pullovers and coats.
* ``one-class``: trained on one class alone; the test images of the nine others are the anomalies. Most published figures are of this kind.

In both the model sees no anomaly in training, the test split is the official one, and the area is that over all its
10,000 images. Each model is trained by ``makar train --for`` with the recipe ``vae`` and its defaults, and asked
through ``Family.predict``.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fashion_torchcfm import NAMES, as_tensor, real
from measure import data_folder, machine, timed, write_result
from sklearn.metrics import roc_auc_score

PROTOCOLS = ("one-class", "nine-classes")
BAR, AIM = 0.90, 0.94


def trained(images: np.ndarray, folder: Path, seconds: float, settings: list[str]) -> Any:
    """Return the family of a model trained on these images."""
    folder.mkdir(parents=True)
    np.savez(folder / "data.npz", train_images=images)
    command = [sys.executable, "-m", "makar", "train", str(folder / "data.npz"), "--for", f"{seconds:g}s"]
    command += ["--recipe", "vae", "-o", str(folder / "model"), "--json"]
    for setting in settings:
        command += ["--set", setting]
    timed(command, environment={"MAKAR_HOME": str(folder / "home")})
    import makar

    return makar.load(str(folder / "model")).artifact.family()


def scores(family: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the model says of every image."""
    generator = torch.Generator().manual_seed(0)
    parts = [family.predict({"target": chunk}, "anomaly", generator) for chunk in as_tensor(images).split(500)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="training of each of the models")
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--classes", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--set", action="append", default=[], dest="settings", help="settings of the recipe")
    options = parser.parse_args()
    data_folder()
    images, labels, test_images, test_labels = real()
    result: dict[str, Any] = {"machine": machine(), "seconds": options.seconds, "bar": BAR, "aim": AIM}
    result |= {"settings": options.settings} if options.settings else {}
    for protocol in options.protocol:
        areas: dict[str, dict[str, float]] = {}
        for label in options.classes:
            usual = labels == label if protocol == "one-class" else labels != label
            strange = test_labels != label if protocol == "one-class" else test_labels == label
            with tempfile.TemporaryDirectory() as folder:
                family = trained(images[usual], Path(folder) / "run", options.seconds, options.settings)
                found = scores(family, test_images)
            areas[NAMES[label]] = {name: float(roc_auc_score(strange, values)) for name, values in found.items()}
            print(
                protocol, NAMES[label], {name: round(area, 4) for name, area in areas[NAMES[label]].items()}, flush=True
            )
        mean = float(np.mean([area["score"] for area in areas.values()]))
        result[protocol] = {"areas": areas, "mean": mean}
        verdict = "aim" if mean >= AIM else "bar met" if mean >= BAR else "below the bar"
        print(
            f"{protocol}: mean area {mean:.4f} over {len(areas)} classes; {verdict} (bar {BAR}, aim {AIM})", flush=True
        )
    write_result("-".join(["anomaly", *options.protocol]), result)


if __name__ == "__main__":
    main()
