"""Edits against what costs nothing: outpainting, enlarging x2 and x4, colouring, restyling; perceptual distance and FID.

Run: python benchmarks/conditional.py [--minutes 10] [--images 500] [--data cifar10|emoji] [--rows outpaint x2 x4 colour restyle]
     [--seed 0] [--pictures docs/images]

Every row trains its own model by ``makar train --for`` (outpainting and restyling share one) and edits held-out images through the verb
``edit``. Beside it: for outpainting the border drawn out, for enlarging Pillow's bicubic resampling of the same reduced image (means of
blocks), for colouring the grey image itself, for restyling the input as it was given. The distance is LPIPS-type over Makar's extractor
(trained on the training images to tell their classes), the FID is that between the results and the same held-out images, both with the
same extractor. Restyling takes emoji of one style and references of another: the style distance is that of covariances of the
trained features, which are not the ones that it matches; the content is kept if the result is nearer to its input than to another
input; its FID is against images of the style of the references. Intervals are bootstraps over images; a row is won if the interval of
the difference lies below 0 and the FID is lower. The program ends with 1 where a row is lost.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emoji_captions
import numpy as np
from gan_subjects import read_parquet
from image_judge import compared, extractor_of, fid, in_words, interval, looks, sheet, style_distance
from measure import data_folder, machine, write_result
from PIL import Image

import makar
from makar.codecs.image_sources import grey, reduced
from makar.evaluation.extractor import Extractor

ROWS = ("outpaint", "x2", "x4", "colour", "restyle")
BORDER = 8
"""Columns that are made anew at the right side."""

STYLES = ("noto", "openmoji")
"""Of the inputs and of the references of restyling."""

SHOWN = 12


def data(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (training images, their labels, held-out images), uint8 ``[items, 32, 32, 3]``."""
    if name == "cifar10":
        images, labels = read_parquet(data_folder() / "cifar10" / "train.parquet")
        return images, labels, read_parquet(data_folder() / "cifar10" / "test.parquet")[0]
    found = emoji_captions.rows()
    train = [row for row in found if row["part"] == "train"]
    held_out = [row for row in found if row["part"] != "train"]
    _, labels = np.unique([row["style"] for row in train], return_inverse=True)
    return emoji_captions.pixels(train), labels, emoji_captions.pixels(held_out)


def edited(model: makar.Model, images: list[np.ndarray], **how: Any) -> np.ndarray:
    """Return each image after the same edit, each with a seed of its own."""
    return np.stack([model.edit(image, how=how, seed=seed)[0].content for seed, image in enumerate(images)])


def bicubic(image: np.ndarray, factor: int) -> np.ndarray:
    """Return an image enlarged by Pillow."""
    rows, columns = image.shape[:2]
    shown = Image.fromarray(image).resize((columns * factor, rows * factor), Image.Resampling.BICUBIC)
    return np.asarray(shown)


def report(name: str, found: dict[str, Any]) -> bool:
    """Print a row and return whether it was won."""
    for key in ("distance", "distance_plain", "difference"):
        print(in_words(f"{name}: {key}", found[key]), flush=True)
    is_won = found["difference"]["high"] < 0 and found["fid"] < found["fid_plain"]
    print(f"{name}: FID {found['fid']} against {found['fid_plain']}: {'won' if is_won else 'LOST'}", flush=True)
    return is_won


class Bench:
    """The data, the judge, the models that were trained, and where pictures go.

    Args:
        options: Of the command line.
        folder: Where models and the store of the judge go.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.train, labels, held_out = data(options.data)
        self.real = held_out[:: max(1, len(held_out) // options.images)][: options.images]
        self.extractor: Extractor = extractor_of(self.train, labels, folder)
        print(f"extractor {self.extractor.name}, accuracy {self.extractor.accuracy:.2f}", flush=True)

    def model(self, name: str, images: np.ndarray, recipe: str, *settings: str) -> makar.Model:
        """Train one model."""
        print(f"training {name}", flush=True)
        output = str(self.folder / name)
        run = makar.train(
            images,
            minutes=self.options.minutes,
            recipe=recipe,
            output=output,
            seed=self.options.seed,
            settings=settings,
        )
        return run.model

    def show(self, name: str, *rows: np.ndarray) -> None:
        """Write the contact sheet of a row: what was given, what costs nothing, what was made, what is real."""
        if self.options.pictures:
            picked = [np.asarray(row[:SHOWN]) for row in rows]
            sheet(Path(self.options.pictures) / f"conditional-{name}-{self.options.data}.png", picked)

    def outpaint(self) -> dict[str, Any]:
        """Go on beyond the right side."""
        model = self.model("painter", self.train, "image")
        known = [image[:, :-BORDER] for image in self.real]
        made = edited(model, known, right=BORDER)
        assert (made[:, :, :-BORDER] == self.real[:, :, :-BORDER]).all(), "a known pixel changed"
        plain = np.pad(np.stack(known), ((0, 0), (0, 0), (0, BORDER), (0, 0)), mode="edge")
        self.show("outpaint", plain, made, self.real)
        return compared(self.extractor, made, plain, self.real)

    def enlarge(self, factor: int) -> dict[str, Any]:
        """Enlarge what was reduced."""
        model = self.model(f"x{factor}", self.train, "super-resolution", f"stages.0.codec.reduction={factor}")
        small = reduced(self.real.transpose(0, 3, 1, 2), factor=factor).transpose(0, 2, 3, 1)
        made = edited(model, list(small), enlarge=factor)
        plain = np.stack([bicubic(image, factor) for image in small])
        again = reduced(np.ascontiguousarray(made.transpose(0, 3, 1, 2)), factor=factor).transpose(0, 2, 3, 1)
        self.show(f"x{factor}", plain, made, self.real)
        found = compared(self.extractor, made, plain, self.real)
        for name, images in (("error", made), ("error_plain", plain)):
            found[name] = interval(np.abs(images.astype(float) - self.real).mean((1, 2, 3)))
        return found | {"largest_difference_when_reduced_again": int(np.abs(again.astype(int) - small).max())}

    def colour(self) -> dict[str, Any]:
        """Give colours to the grey image."""
        model = self.model("tint", self.train, "colorize")
        shown = grey(np.ascontiguousarray(self.real.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
        made = edited(model, list(shown), operation="colour")
        plain = shown.repeat(3, 3)
        kept = grey(np.ascontiguousarray(made.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
        assert (kept == shown).all(), "a brightness changed"
        self.show("colour", plain, made, self.real)
        return compared(self.extractor, made, plain, self.real)

    def restyle(self) -> dict[str, Any]:
        """Give emoji of one style the colours and textures of another."""
        found = emoji_captions.rows(STYLES)
        train = [row for row in found if row["part"] == "train"]
        images = emoji_captions.pixels(train)
        _, labels = np.unique([row["style"] for row in train], return_inverse=True)
        (self.folder / "styles").mkdir(exist_ok=True)
        extractor = extractor_of(images, labels, self.folder / "styles")
        model = self.model("stylist", images, "image")
        held_out = [row for row in found if row["part"] != "train"]
        inputs = emoji_captions.pixels([row for row in held_out if row["style"] == STYLES[0]])[: self.options.images]
        others = emoji_captions.pixels([row for row in held_out if row["style"] == STYLES[1]])
        # The reference shows something else than the input.
        references = np.roll(others, len(others) // 2, axis=0)[: len(inputs)]
        inputs = inputs[: len(references)]
        made = np.stack(
            [
                model.edit(image, how={"reference": reference}, seed=seed)[0].content
                for seed, (image, reference) in enumerate(zip(inputs, references))
            ]
        )
        ours, theirs = (style_distance(extractor, one, references) for one in (made, inputs))
        own, other = looks(extractor, made, inputs), looks(extractor, made, np.roll(inputs, 1, axis=0))
        if self.options.pictures:
            self.show("restyle", inputs, references, made)
        return {
            "distance": interval(ours),
            "distance_plain": interval(theirs),
            "difference": interval(ours - theirs),
            "fid": round(fid(extractor, made, others), 3),
            "fid_plain": round(fid(extractor, inputs, others), 3),
            "content": interval(own),
            "content_of_another": interval(other),
            "content_kept": interval(own - other),
        }


def main() -> None:
    """Train, edit, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--data", choices=("cifar10", "emoji"), default="cifar10")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", default="", help="folder of the contact sheets; none without it")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "minutes": options.minutes, "data": options.data}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        ways: dict[str, Callable[[], dict[str, Any]]] = {
            "outpaint": bench.outpaint,
            "x2": lambda: bench.enlarge(2),
            "x4": lambda: bench.enlarge(4),
            "colour": bench.colour,
            "restyle": bench.restyle,
        }
        won = {}
        for name in options.rows:
            results[name] = ways[name]()
            won[name] = report(name, results[name])
        results |= {"extractor": bench.extractor.name, "images": len(bench.real), "won": won}
    write_result(f"conditional-{options.data}", results)
    sys.exit(0 if all(won.values()) else 1)


if __name__ == "__main__":
    main()
