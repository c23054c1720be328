"""Controls of image generation: guidance, negative prompt, steps and strength each move their measure in the right direction.

Run: python benchmarks/controls.py [--minutes 3] [--images 200] [--clothes MODEL] [--emoji MODEL] [--seed 0]

Two models are trained by ``makar train --for`` unless saved ones are named: Fashion-MNIST with classes and captioned emoji of one style.

* guidance (0, 1, 2, 4): the share of images that a classifier of the training images takes for the class that was asked for rises;
* negative prompt: hearts are less red with "red" as a negative prompt than without, at the same guidance, prompt and seeds;
* steps (1, 2, 5, 10): the Frechet distance to held-out images falls (interval over halves of the samples drawn anew);
* strength (0.2, 0.4, 0.6, 0.8): the perceptual distance of the result to the image it begins from rises.

For each the values with 95 % intervals are printed, and the interval of the difference of the ends, paired by seed; the direction is right
where that lies on the right side of 0. The program ends with 1 where one is not.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import emoji_captions
import numpy as np
from image_judge import extractor_of, fid, first, in_words, interval, looks
from measure import data_folder, machine, write_result

import makar
from makar.evaluation.extractor import Extractor

GUIDANCE = (0.0, 1.0, 2.0, 4.0)
STEPS = (1, 2, 5, 10)
STRENGTHS = (0.2, 0.4, 0.6, 0.8)
STYLE = "noto"
PROMPT, NEGATIVE = "noto: heart", "red"
NEGATIVE_GUIDANCE = 4.0
HALVES = 40


def drawn(model: makar.Model, count: int, seed: int, **options: Any) -> np.ndarray:
    """Return images from seeds."""
    prompt = options.pop("prompt", None)
    return np.stack([asset.content for asset in model.generate(prompt, count=count, seed=seed, options=options)])


def guidance(model: makar.Model, extractor: Extractor, names: list[str], count: int, seed: int) -> dict[str, Any]:
    """Return the share of images of the class that was asked for, by weight of guidance."""
    each = max(1, count // len(names))
    right = {}
    for weight in GUIDANCE:
        hits = []
        for number, name in enumerate(names):
            images = drawn(model, each, seed, label=name, guidance=weight)
            told = extractor.class_probabilities(first(images))
            assert told is not None, "the extractor was trained on classes"
            hits.append(told.argmax(1) == number)
        right[weight] = np.concatenate(hits).astype(float)
    return told_apart(right, rises=True)


def negative(model: makar.Model, count: int, seed: int) -> dict[str, Any]:
    """Return how red hearts are, without and with red as the negative prompt."""

    def redness(images: np.ndarray) -> np.ndarray:
        values = images.astype(float)
        return (values[..., 0] - values[..., 1:].mean(-1)).mean((1, 2))

    plain = {"prompt": PROMPT, "guidance": NEGATIVE_GUIDANCE}
    found = {
        "without": redness(drawn(model, count, seed, **plain)),
        "with": redness(drawn(model, count, seed, **plain, negative_prompt=NEGATIVE)),
    }
    return told_apart(found, rises=False)


def steps(model: makar.Model, extractor: Extractor, real: np.ndarray, count: int, seed: int) -> dict[str, Any]:
    """Return the Frechet distance to held-out images, of halves of the samples, by number of steps."""
    draw = np.random.default_rng(0)
    halves = [draw.permutation(count)[: count // 2] for _ in range(HALVES)]
    found = {}
    for number in STEPS:
        images = drawn(model, count, seed, steps=number)
        found[number] = np.array([fid(extractor, images[half], real) for half in halves])
    return told_apart(found, rises=False, are_items=False)


def strength(model: makar.Model, extractor: Extractor, images: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the distance of the result to the image it begins from, by strength."""
    found = {}
    for value in STRENGTHS:
        made = [model.edit(image, seed=seed + n, options={"strength": value})[0] for n, image in enumerate(images)]
        found[value] = looks(extractor, np.stack([asset.content for asset in made]), images)
    return told_apart(found, rises=True)


def told_apart(found: dict[Any, np.ndarray], *, rises: bool, are_items: bool = True) -> dict[str, Any]:
    """Return values with intervals, the difference of the ends, and whether it goes the right way."""

    def spread(values: np.ndarray) -> dict[str, float]:
        if are_items:
            return interval(values)
        low, high = np.percentile(values, [2.5, 97.5])
        return {
            "mean": round(float(values.mean()), 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
        }

    ends = list(found.values())
    change = spread(ends[-1] - ends[0])
    is_right = change["low"] > 0 if rises else change["high"] < 0
    return {
        "values": {str(key): spread(values) for key, values in found.items()},
        "change": change,
        "is_right": is_right,
    }


def main() -> None:
    """Train or load, turn each control, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--clothes", default="", help="a model of Fashion-MNIST with classes that was trained before")
    parser.add_argument("--emoji", default="", help="a model of captioned emoji that was trained before")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = data_folder() / "fashion_mnist"
        with np.load(place / "fashion_mnist.npz") as file:
            train, labels, test = file["train_images"], file["train_labels"], file["test_images"]
        extractor = extractor_of(train[..., None], labels, folder)
        print(f"extractor {extractor.name}, accuracy {extractor.accuracy:.2f}", flush=True)
        if options.clothes:
            clothes = makar.load(options.clothes)
        else:
            clothes = makar.train(
                place,
                minutes=options.minutes,
                recipe="image-class",
                output=str(folder / "clothes"),
                seed=options.seed,
            ).model
        if options.emoji:
            emoji = makar.load(options.emoji)
        else:
            table = emoji_captions.write_table(folder, emoji_captions.rows((STYLE,)))
            emoji = makar.train(
                table,
                minutes=options.minutes,
                recipe="image-text",
                output=str(folder / "emoji"),
                seed=options.seed,
            ).model
        names = list(clothes.artifact.codec().class_names)
        real, count = test[..., None], options.images
        found = {
            "guidance": guidance(clothes, extractor, names, count, options.seed),
            "negative prompt": negative(emoji, max(8, count // 4), options.seed),
            "steps": steps(clothes, extractor, real[:2000], count, options.seed),
            "strength": strength(clothes, extractor, real[: max(8, count // 4)], options.seed),
        }
    for control, result in found.items():
        for key, value in result["values"].items():
            print(in_words(f"{control} {key}", value), flush=True)
        print(in_words(f"{control}: change from end to end", result["change"]), flush=True)
        print(f"{control}: {'right' if result['is_right'] else 'WRONG'}", flush=True)
    write_result(
        "controls",
        {"machine": machine(), "minutes": options.minutes, "images": count, "extractor": extractor.name} | found,
    )
    sys.exit(0 if all(result["is_right"] for result in found.values()) else 1)


if __name__ == "__main__":
    main()
