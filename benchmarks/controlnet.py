"""Whether a steered model follows its map on held-out images: agreement of edges, against the maps of other images.

Run: python benchmarks/controlnet.py [--data fashion_mnist] [--minutes 5] [--control-minutes 5] [--images 200] [--teacher MODEL]

A model is trained on the training part with classes (or given), then steered with ``--recipe controlnet --from`` by edges. For every
held-out image its edges are computed as in training and an image is made to them; the edges of that image are compared with the map by
the F1 of edge pixels at the same place. The same images are compared with maps in another order. Bar: agreement at least twice that with
shuffled maps. The F1 with one pixel of tolerance (as boundaries of photographs are scored: Martin et al. 2004) is printed beside it
and decides nothing: at 28 or 32 pixels the edges of any two images agree so well with it (0.53 on fashion_mnist, 0.57 on cifar10 and
emoji) that a perfect model would reach 1.9 times. It ends with 1 where the bar is missed.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import data_folder, machine, timed, write_result

SEED = 0


def trained(data: Path, home: Path, name: str, minutes: float, *more: str) -> Path:
    """Train a model by the shell and return its folder."""
    command = [sys.executable, "-m", "makar", "train", str(data), "--for", f"{minutes}m", *more]
    timed([*command, "-o", str(home / name), "--json"], environment={"MAKAR_HOME": str(home)})
    return home / name


def grown(edges: np.ndarray) -> np.ndarray:
    """Return edges one pixel wider on every side."""
    padded = np.pad(edges, ((0, 0), (1, 1), (1, 1)))
    height, width = edges.shape[1:]
    shifted = [padded[:, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return np.any(shifted, axis=0)


def agreement(made: np.ndarray, wanted: np.ndarray, *, tolerant: bool = False) -> float:
    """Return the mean F1 of edge pixels of images, at the same place or up to one pixel off."""
    near_wanted, near_made = (grown(wanted), grown(made)) if tolerant else (wanted, made)
    hits_made = (made & near_wanted).sum((1, 2)) / np.maximum(1, made.sum((1, 2)))
    hits_wanted = (wanted & near_made).sum((1, 2)) / np.maximum(1, wanted.sum((1, 2)))
    return float(np.mean(2 * hits_made * hits_wanted / np.maximum(1e-9, hits_made + hits_wanted)))


def main() -> int:
    """Measure, write the result and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="fashion_mnist", help="a folder of MAKAR_DATA")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--control-minutes", type=float, default=5.0)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--teacher", type=Path, help="a saved model to steer instead of training one")
    parser.add_argument("--recipe", default="image-class")
    options = parser.parse_args()
    data = data_folder() / options.data
    result: dict = {"machine": machine(), "data": options.data, "images": options.images}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["MAKAR_HOME"] = folder
        model = options.teacher or trained(data, home, "model", options.minutes, "--recipe", options.recipe)
        steered = trained(
            data, home, "steered", options.control_minutes, "--recipe", "controlnet", "--from", str(model)
        )

        import makar
        from makar.codecs.image_sources import edges
        from makar.data.dataset import open_dataset
        from makar.tensor_spec import SOURCE, TARGET

        artifact = makar.load(steered).artifact
        codec, family = artifact.codec(), artifact.family("cpu")
        records = [record for record, _ in zip(open_dataset(data).records("held_out"), range(options.images))]
        stored = [slots for record in records if (slots := codec.encode(record))]
        images = np.stack([slots[TARGET] for slots in stored])
        maps = edges(images)
        prompts = [{SOURCE: _tensor(codec.to_model(SOURCE, one))} for one in maps]
        sampler = family.sampler(codec)
        made = np.zeros_like(images)
        for index, slots, _ in sampler.sample(family.options(), prompts, list(range(SEED, SEED + len(prompts)))):
            made[index] = codec.decode(slots).transpose(2, 0, 1)
    found, wanted = edges(made)[:, 0] > 0, maps[:, 0] > 0
    order = np.roll(np.arange(len(wanted)), len(wanted) // 2)
    own, shuffled = agreement(found, wanted), agreement(found, wanted[order])
    result |= {"agreement": own, "agreement_shuffled": shuffled, "ratio": own / max(shuffled, 1e-9)}
    near = [agreement(found, maps_there, tolerant=True) for maps_there in (wanted, wanted[order])]
    result["with_one_pixel_of_tolerance"] = {"agreement": near[0], "agreement_shuffled": near[1]}
    print(f"edges agree {own:.3f}, with shuffled maps {shuffled:.3f}: {result['ratio']:.2f} times (bar 2)")
    print(f"with a pixel of tolerance {near[0]:.3f} and {near[1]:.3f}")
    write_result("controlnet", result)
    return int(result["ratio"] < 2)


def _tensor(values: np.ndarray):
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


if __name__ == "__main__":
    sys.exit(main())
