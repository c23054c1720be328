"""A contact sheet of every recipe for images, trained for some minutes on coloured letters that any machine can draw.

Run: python benchmarks/contact_sheets.py [RECIPE ...] [--minutes 3] [--seed 0] [-o docs/images]

The letters are those of ``builtin:glyphs``, each in one of six colours, with a caption ("a red latin capital letter a"). Recipes that turn
one image into another learn from outlines, grey or reduced letters, or from two kinds without pairs. What is shown beside the results are
letters that were held out. A sheet that is there already is not made again.
"""

import argparse
import csv
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from image_judge import sheet
from PIL import Image, ImageDraw

import makar
from makar.data.dataset import open_dataset

COLOURS = {
    "red": (214, 40, 40), "green": (42, 140, 60), "blue": (38, 70, 200),
    "orange": (240, 140, 20), "purple": (130, 50, 160), "black": (0, 0, 0),
}  # fmt: skip
PROMPTS = (
    "a red latin capital letter a", "a blue digit seven", "a green latin small letter g", "an orange asterisk",
    "a purple greek small letter omega", "a black rightwards arrow", "a red number sign", "a blue latin capital letter q",
)  # fmt: skip
ROW = 12


class Letters:
    """The letters as arrays, and as folders for each kind of training.

    Args:
        place: Where the folders go.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        dataset = open_dataset("builtin:glyphs")
        self.parts: dict[str, list[tuple[np.ndarray, str, str]]] = {"train": [], "held_out": []}
        for part, found in self.parts.items():
            for number, record in enumerate(dataset.records(part)):  # type: ignore[arg-type]
                name, _, face = str(record.caption).partition(", ")
                colour = list(COLOURS)[number % len(COLOURS)]
                article = "an" if colour[0] in "aeiou" else "a"
                found.append((painted(record.content, COLOURS[colour]), f"{article} {colour} {name}", face))

    def held_out(self, count: int) -> np.ndarray:
        """Return letters that no model has seen, uint8 ``[count, 32, 32, 3]``."""
        every = self.parts["held_out"]
        return np.stack([every[number * len(every) // count][0] for number in range(count)])

    def folder(self) -> Path:
        """Return a folder of letters with captions."""
        return self._written("letters", [(image, caption) for image, caption, _ in self.parts["train"]])

    def pairs(self) -> Path:
        """Return a folder with outlines and the letters that belong to them, under the same names."""
        place = self.place / "pairs"
        if not place.exists():
            for number, (image, _, _) in enumerate(self.parts["train"]):
                _save(place / "a-outline" / f"{number:05d}.png", outline(image))
                _save(place / "b-letter" / f"{number:05d}.png", image)
        return place

    def kinds(self) -> Path:
        """Return a folder with two kinds of letters that are not paired: black ones, and coloured ones on a dark ground."""
        place = self.place / "kinds"
        if not place.exists():
            for number, (image, _, _) in enumerate(self.parts["train"]):
                kind = number % 2
                _save(place / ("black", "night")[kind] / f"{number:05d}.png", (black, night)[kind](image))
        return place

    def _written(self, name: str, rows: list[tuple[np.ndarray, str]]) -> Path:
        place = self.place / name
        if not place.exists():
            for number, (image, _) in enumerate(rows):
                _save(place / f"{number:05d}.png", image)
            with (place / "metadata.csv").open("w", newline="") as file:
                table = csv.writer(file)
                table.writerow(("file_name", "text"))
                table.writerows((f"{number:05d}.png", caption) for number, (_, caption) in enumerate(rows))
        return place


def painted(grey: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Return a letter, uint8 ``[rows, columns, 1]``, black on white, in a colour."""
    ink = 1 - grey[..., :1].astype(np.float32) / 255
    return np.rint(255 + ink * (np.array(colour, np.float32) - 255)).astype(np.uint8)


def outline(image: np.ndarray) -> np.ndarray:
    """Return the edges of a letter, in its colour, on white."""
    ink = (255 - image.min(-1).astype(int)) > 127
    inside = ink.copy()
    for axis, step in itertools.product((0, 1), (-1, 1)):
        inside &= np.roll(ink, step, axis)
    return np.where((ink & ~inside)[..., None], image, 255).astype(np.uint8)


def black(image: np.ndarray) -> np.ndarray:
    """Return a letter in black."""
    return image.min(-1, keepdims=True).repeat(3, -1)


def night(image: np.ndarray) -> np.ndarray:
    """Return a letter in yellow on dark blue."""
    ink = 1 - image.min(-1, keepdims=True).astype(np.float32) / 255
    ground, colour = np.array((20, 24, 70), np.float32), np.array((250, 220, 70), np.float32)
    return np.rint(ground + ink * (colour - ground)).astype(np.uint8)


def _save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


class Sheets:
    """The rows of the sheet of each recipe; models that several recipes need are trained once.

    Args:
        letters: What is learned from.
        minutes: Time of a training of one stage; recipes of several stages get so much for each.
        seed: Seed of trainings and samples.
    """

    def __init__(self, letters: Letters, *, minutes: float, seed: int) -> None:
        self.letters, self.minutes, self.seed = letters, minutes, seed
        self._models: dict[str, makar.Model] = {}

    def model(self, recipe: str, data: Path | None = None, *, stages: int = 1, **more: Any) -> makar.Model:
        """Return the trained model of a recipe."""
        if recipe not in self._models:
            begin = time.monotonic()
            run = makar.train(
                data or self.letters.folder(),
                minutes=self.minutes * stages,
                recipe=recipe,
                output=self.letters.place / f"model-{recipe}",
                seed=self.seed,
                **more,
            )
            print(f"{recipe}: trained in {time.monotonic() - begin:.0f} s")
            self._models[recipe] = run.model
        return self._models[recipe]

    def drawn(self, model: makar.Model, prompt: str | None = None, count: int = ROW, **options: Any) -> np.ndarray:
        """Return new images, uint8 ``[count, 32, 32, 3]``."""
        assets = model.generate(prompt, count=count, seed=self.seed, options=options or None)
        return np.stack([asset.content for asset in assets])

    def edited(self, model: makar.Model, images: np.ndarray, how: dict[str, Any], **options: Any) -> np.ndarray:
        """Return every image as one edit leaves it."""
        return np.stack(
            [
                model.edit(image, how=how, seed=self.seed + number, options=options or None)[0].content
                for number, image in enumerate(images)
            ]
        )

    def unconditional(self, recipe: str, stages: int = 1) -> list[np.ndarray]:
        """Return three rows of new images."""
        return list(self.drawn(self.model(recipe, stages=stages), count=3 * ROW).reshape(3, ROW, 32, 32, 3))

    def of_captions(self, recipe: str, stages: int = 1) -> list[np.ndarray]:
        """Return images of eight captions, one caption a column of four."""
        model = self.model(recipe, stages=stages)
        columns = [self.drawn(model, prompt, count=4) for prompt in PROMPTS]
        return list(np.stack(columns, 1))

    def autoencoder(self, recipe: str) -> list[np.ndarray]:
        """Return held-out letters and what the model makes of their codes."""
        images = self.letters.held_out(ROW)
        return [images, self.edited(self.model(recipe), images, {"operation": "reconstruct"})]

    def vae(self) -> list[np.ndarray]:
        """Return letters, reconstructions, new images, and the way between two seeds."""
        model = self.model("vae")
        way = model.edit(None, how={"to_seed": self.seed + 1, "frames": ROW}, seed=self.seed)
        return [*self.autoencoder("vae"), self.drawn(model), np.stack([asset.content for asset in way])]

    def pix2pix(self) -> list[np.ndarray]:
        """Return outlines of held-out letters, what is made of them, and the letters."""
        images = self.letters.held_out(ROW)
        outlines = np.stack([outline(image) for image in images])
        made = self.edited(self.model("pix2pix", self.letters.pairs()), outlines, {"operation": "translate"})
        return [outlines, made, images]

    def cyclegan(self) -> list[np.ndarray]:
        """Return held-out letters of each kind, and each made into the other kind."""
        model, rows = self.model("cyclegan", self.letters.kinds()), []
        for kind, other in ((black, "night"), (night, "black")):
            images = np.stack([kind(image) for image in self.letters.held_out(ROW)])
            rows += [images, self.edited(model, images, {"operation": "translate"}, direction=other)]
        return rows

    def colorize(self) -> list[np.ndarray]:
        """Return grey held-out letters, coloured ones, and the letters."""
        images = self.letters.held_out(ROW)
        grey = np.stack([np.asarray(Image.fromarray(image).convert("L").convert("RGB")) for image in images])
        return [grey, self.edited(self.model("colorize"), grey, {"operation": "colour"}), images]

    def super_resolution(self) -> list[np.ndarray]:
        """Return held-out letters reduced to a half (each pixel four times), enlarged by the model, and as they were."""
        images = self.letters.held_out(ROW)
        small = np.stack(
            [np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BOX)) for image in images]
        )
        made = self.edited(self.model("super-resolution"), small, {"enlarge": 2})
        return [small.repeat(2, 1).repeat(2, 2), made, images]

    def controlnet(self) -> list[np.ndarray]:
        """Return held-out letters and images steered by their edges."""
        parent = self.model("image-text")
        model = self.model("controlnet", from_model=parent.path)
        images = self.letters.held_out(ROW)
        return [images, self.edited(model, images, {"operation": "control", "photo": True})]

    def distill(self) -> list[np.ndarray]:
        """Return images of the teacher in two and ten steps, and of its student in two."""
        teacher = self.model("flow")
        student = self.model("distill", from_model=teacher.path)
        rows = [self.drawn(teacher, steps=steps) for steps in (2, 10)]
        return [*rows, self.drawn(student)]

    def edits(self) -> list[np.ndarray]:
        """Return held-out letters; filled in below a box; gone on from half strength; restyled by the next letter."""
        model, images = self.model("flow"), self.letters.held_out(ROW)
        holes = images.copy()
        holes[:, 8:24, 8:24] = 128
        styled = [
            model.edit(image, how={"reference": images[(number + 1) % ROW]}, seed=number)[0].content
            for number, image in enumerate(images)
        ]
        return [
            images,
            holes,
            self.edited(model, images, {"box": (8, 8, 24, 24)}),
            self.edited(model, images, {}, strength=0.6),
            np.stack(styled),
        ]

    def variations(self) -> list[np.ndarray]:
        """Return images of captions, and new images of what held-out letters show."""
        model = self.model("dalle2", stages=3)
        images = self.letters.held_out(len(PROMPTS))
        return [*self.of_captions("dalle2", 3)[:3], images, self.edited(model, images, {})]

    def described(self) -> list[np.ndarray]:
        """Return held-out letters with the captions that the model writes, as one picture."""
        model, images = self.model("caption"), self.letters.held_out(16)
        found = model.predict(list(images))
        lines = []
        for image, row in zip(images, found, strict=True):
            line = Image.new("RGB", (240, 34), "white")
            line.paste(Image.fromarray(image), (1, 1))
            ImageDraw.Draw(line).text((38, 11), str(row["caption"])[:34], fill="black")
            lines.append(np.asarray(line))
        return [np.stack(lines[start : start + 2]) for start in range(0, 16, 2)]

    def searched(self) -> list[np.ndarray]:
        """Return for each of four captions the nearest held-out letters."""
        model = self.model("clip")
        images = self.letters.held_out(200)
        rows = []
        for query in PROMPTS[:4]:
            # An array is called by its number in the list.
            ranked = model.predict(list(images), query=query)[:ROW]
            rows.append(np.stack([images[int(row["input"])] for row in ranked]))
        return rows

    def every(self) -> dict[str, Callable[[], list[np.ndarray]]]:
        """Return what makes the rows of each sheet."""
        plain: dict[str, Callable[[], list[np.ndarray]]] = {
            name: lambda name=name: self.unconditional(name)  # type: ignore[misc]
            for name in ("flow", "ddpm", "dcgan", "stylegan")
        }
        return {
            **plain,
            "edits": self.edits,
            "distill": self.distill,
            "vae": self.vae,
            "vqvae": lambda: self.autoencoder("vqvae"),
            "pix2pix": self.pix2pix,
            "cyclegan": self.cyclegan,
            "colorize": self.colorize,
            "super-resolution": self.super_resolution,
            "image-text": lambda: self.of_captions("image-text"),
            "controlnet": self.controlnet,
            "caption": self.described,
            "clip": self.searched,
            "latent-diffusion": lambda: self.of_captions("latent-diffusion", 2),
            "image-tokens": lambda: self.unconditional("image-tokens", 2),
            "dalle": lambda: self.of_captions("dalle", 2),
            "dalle2": self.variations,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help="names; without any, all of them")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training, for each of its stages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sheets = Sheets(Letters(Path(folder)), minutes=options.minutes, seed=options.seed)
        every = sheets.every()
        for name in options.recipes or every:
            path = options.output / f"{name}.png"
            if path.exists():
                print(f"{path} is there already")
                continue
            sheet(path, every[name]())
            print(f"written: {path}")


if __name__ == "__main__":
    main()
