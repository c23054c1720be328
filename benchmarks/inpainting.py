"""Inpainting on held-out fashion_mnist: error inside the mask against mean-fill, nearest patch and nearest training image.

Run: python benchmarks/inpainting.py [--minutes 3] [--images 64] [--model MODEL]

A model is trained without labels by ``makar train --for`` and fills in the middle square, or the right half, of images of the official test
split through the verb ``edit``. The error is the mean absolute difference from the real pixels under the mask, 0 to 255, with an interval
over images (bootstrap). Baselines: the mean of the image's known pixels; for each pixel the mean over the training images; the patch
of the same image whose surroundings fit best (PatchMatch's idea, searched in full); and what stands under the mask in the training
image that is nearest on the known pixels, of all 60,000, which is memory and not a model. One sample of a good model need not beat a mean
on this measure, as its error includes the spread of what is possible; so the mean of four samples is shown too.
"""

import argparse
import sys
import tempfile

import numpy as np
from measure import data_folder, machine, write_result

import makar
from makar.generation.edit import edit

SIDE = 28
MASKS = {"middle": (7, 7, 21, 21), "right half": (14, 0, 28, 28)}
SAMPLES = 4


def under(box: tuple[int, int, int, int]) -> np.ndarray:
    """Return where the mask is, bool ``[28, 28]``."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def nearest_patch(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill each unknown pixel with the centre of the known 7 x 7 patch that fits what is known around it best."""
    reach = 3
    padded = np.pad(image.astype(float), reach, mode="edge")
    known = np.pad(~mask, reach, mode="edge")
    filled = padded.copy()
    is_known = known.copy()
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    whole = np.lib.stride_tricks.sliding_window_view(known, (7, 7)).all((2, 3))
    candidates = windows[whole] if whole.any() else windows[~mask]
    inside = np.pad(mask, reach)
    while (todo := inside & ~is_known).any():
        # From the border inwards: the pixel with most known neighbours first.
        counts = np.lib.stride_tricks.sliding_window_view(is_known, (7, 7)).sum((2, 3))
        row, column = np.unravel_index(np.argmax(np.where(todo[reach:-reach, reach:-reach], counts, -1)), counts.shape)
        seen, weight = filled[row : row + 7, column : column + 7], is_known[row : row + 7, column : column + 7]
        distance = (np.square(candidates - seen) * weight).sum((1, 2))
        filled[row + reach, column + reach] = candidates[np.argmin(distance)][reach, reach]
        is_known[row + reach, column + reach] = True
    return filled[reach:-reach, reach:-reach]


def interval(errors: np.ndarray) -> dict[str, float]:
    """Return mean and a 95 % interval over images."""
    draws = np.random.default_rng(0).integers(len(errors), size=(1000, len(errors)))
    low, high = np.percentile(errors[draws].mean(1), [2.5, 97.5])
    return {"mean": round(float(errors.mean()), 2), "low": round(float(low), 2), "high": round(float(high), 2)}


def measured(model: makar.Model, train: np.ndarray, test: np.ndarray) -> dict[str, dict[str, dict[str, float]]]:
    """Return the errors of every way to fill in, for every mask."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, box in MASKS.items():
        mask = under(box)
        ways: dict[str, list[np.ndarray]] = {}
        for image in test:
            assets = edit(model.artifact, {"image": image, "box": box}, count=SAMPLES)
            made = np.stack([asset.content[:, :, 0] for asset in assets]).astype(float)
            assert (made[:, ~mask] == image[~mask]).all(), "a known pixel changed"
            nearest = train[np.argmin(np.square(train[:, ~mask].astype(np.float32) - image[~mask]).sum(1))]
            fills = {
                "model, one sample": made[0],
                f"model, mean of {SAMPLES}": made.mean(0),
                "mean of the known pixels": np.full(image.shape, image[~mask].mean()),
                "mean of the training images": train.mean(0),
                "nearest patch of the image": nearest_patch(image, mask),
                "nearest training image": nearest.astype(float),
            }
            for way, filled in fills.items():
                ways.setdefault(way, []).append(np.abs(filled - image)[mask].mean())
        found[name] = {way: interval(np.array(errors)) for way, errors in ways.items()}
        for way, error in found[name].items():
            print(f"{name:12s} {way:28s} {error['mean']:6.2f}  ({error['low']:.2f} to {error['high']:.2f})", flush=True)
    return found


def main() -> None:
    """Train, fill in, compare; ends with 1 where the model loses to the mean or to the nearest patch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--model", default=None, help="a model trained before; by default one is trained")
    options = parser.parse_args()
    with np.load(data_folder() / "fashion_mnist" / "fashion_mnist.npz") as file:
        train, test = file["train_images"], file["test_images"]
    with tempfile.TemporaryDirectory() as folder:
        if options.model:
            model = makar.load(options.model)
        else:
            model = makar.train(train[..., None], minutes=options.minutes, output=f"{folder}/model").model
        errors = measured(model, train, test[:: len(test) // options.images][: options.images])
    lost = [
        f"{name}: {way}"
        for name, found in errors.items()
        for way in ("mean of the known pixels", "nearest patch of the image")
        if found["model, one sample"]["mean"] >= found[way]["mean"]
    ]
    write_result("inpainting", {"machine": machine(), "minutes": options.minutes, "errors": errors, "lost": lost})
    sys.exit(f"the model is no better than: {'; '.join(lost)}" if lost else 0)


if __name__ == "__main__":
    main()
