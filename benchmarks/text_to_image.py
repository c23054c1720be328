"""Prompt agreement on emoji that were held out by code point: the right caption among 100, for each recipe at equal minutes.

Run: python benchmarks/text_to_image.py [--recipes image-text latent-diffusion dalle dalle2] [--minutes 20] [--images 4] [--style noto]

Each recipe is trained with ``makar train --for`` on images of five drawing styles with captions (style, name, keywords) of the training
split. Then it makes images of 100 held-out captions, and a scorer that was trained on real images of all but these (emoji_captions)
says which of the 100 captions each image shows. Beside it stand chance, the shuffled captions (what the same images reach for captions of
other images), and the real held-out images. The bar is the right caption for 10 % of the images of each recipe, and 25 % of those of
the best; where it is missed the script ends with 1. Guidance and negative prompts are measured too: similarity to the own caption by
guidance, and how red hearts are with and without "red heart" as a negative prompt. A contact sheet of eight captions is written to
docs/images.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from emoji_captions import agreement, pixels, rows, scorer_rows, top_shares, train_scorer, write_table
from measure import machine, timed, write_result
from PIL import Image

RECIPES = ("image-text", "latent-diffusion", "dalle", "dalle2")
"""image-text is flow matching in pixels with captions."""

BAR, BEST_BAR = 0.10, 0.25
HELD_OUT = 100
SHOWN = ("red heart", "cat face", "pizza", "full moon", "four o'clock", "flag: Japan", "rose", "sailboat")
GUIDANCES = (0.0, 1.0, 3.0, 6.0)
SHEET = Path(__file__).parents[1] / "docs" / "images"


def fitting(model: object, prompt: str) -> str:
    """Return a prompt without as many of its last keywords as make it too long for the model."""
    from makar.errors import UnsupportedError

    while True:
        try:
            model.artifact.codec().encode_caption(prompt)
            return prompt
        except UnsupportedError:
            prompt = prompt.rpartition(", ")[0]


def made(model: object, captions: list[str], *, images: int, **options: object) -> np.ndarray:
    """Return uint8 ``[captions, images, 32, 32, 3]``."""
    found = model.generate([fitting(model, caption) for caption in captions], count=images, options=options)
    return np.stack([asset.content for asset in found]).reshape(len(captions), images, 32, 32, 3)


def measured(model: object, scorer: object, captions: list[str], *, style: str, images: int) -> dict:
    """Return the agreement of what a model makes with what was asked for."""
    prompts = [f"{style}: {caption}" for caption in captions]
    samples = made(model, prompts, images=images)
    flat, right = samples.reshape(-1, 32, 32, 3), np.repeat(np.arange(len(captions)), images)
    similarity = agreement(scorer, flat, captions)
    shuffled = np.random.default_rng(0).permutation(len(captions))[right]
    result = {"right": top_shares(similarity, right), "shuffled": top_shares(similarity, shuffled), "by_guidance": {}}
    for guidance in GUIDANCES:
        few = made(model, prompts[:25], images=1, guidance=guidance)[:, 0]
        own = agreement(scorer, few, captions[:25]).diagonal()
        result["by_guidance"][f"{guidance:g}"] = float(own.mean())
    plain = made(model, [f"{style}: heart"], images=24, guidance=3.0)[0]
    without = made(model, [f"{style}: heart"], images=24, guidance=3.0, negative_prompt=f"{style}: red heart")[0]
    redness = [
        float((part[..., 0].astype(int) - part[..., 1:].astype(int).max(-1)).clip(0).mean())
        for part in (plain, without)
    ]
    result["redness_of_hearts"] = {"plain": redness[0], "negative_prompt_red_heart": redness[1]}
    return result


def sheet(model: object, name: str, *, style: str) -> Path:
    """Write a contact sheet: a row a caption, eight seeds each."""
    samples = made(model, [f"{style}: {caption}" for caption in SHOWN], images=8)
    picture = samples.transpose(0, 2, 1, 3, 4).reshape(len(SHOWN) * 32, 8 * 32, 3)
    path = SHEET / f"text-to-{name}.png"
    Image.fromarray(picture).resize((512, 512), Image.Resampling.NEAREST).save(path)
    return path


def main() -> None:
    """Train, make, judge, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--recipes", nargs="+", default=list(RECIPES))
    arguments.add_argument("--minutes", type=float, default=20.0)
    arguments.add_argument("--images", type=int, default=4)
    arguments.add_argument("--style", default="noto")
    arguments.add_argument("--epochs", type=int, default=24, help="of the scorer")
    arguments.add_argument("--model", help="judge this model instead of training one")
    given = arguments.parse_args()
    import makar

    found = rows()
    held_out = [row for row in found if row["part"] != "train" and row["style"] == given.style][:HELD_OUT]
    captions = [row["caption"] for row in held_out]
    scorer = train_scorer(scorer_rows(found, style=given.style), epochs=given.epochs)
    real = top_shares(agreement(scorer, pixels(held_out), captions), np.arange(len(captions)))
    result = {
        "machine": machine(),
        "minutes": given.minutes,
        "real_held_out": real,
        "chance": 1 / len(captions),
        "recipes": {},
    }
    print(f"real held-out images: {real}")
    with tempfile.TemporaryDirectory() as folder:
        table = write_table(Path(folder), found)
        for recipe in given.recipes:
            path = given.model or f"{folder}/{recipe}"
            if not given.model:
                budget = f"{given.minutes * 60:.0f}s"
                timed(
                    [
                        sys.executable,
                        "-m",
                        "makar",
                        "train",
                        str(table),
                        "--recipe",
                        recipe,
                        "--for",
                        budget,
                        "-o",
                        path,
                    ]
                )
            model = makar.load(path)
            result["recipes"][recipe] = measured(model, scorer, captions, style=given.style, images=given.images)
            print(recipe, result["recipes"][recipe], sheet(model, recipe, style=given.style))
    shares = {name: row["right"]["top_1"] for name, row in result["recipes"].items()}
    result["bar_is_met"] = min(shares.values()) >= BAR and max(shares.values()) >= BEST_BAR
    for name, row in result["recipes"].items():
        found_first, among_five = row["right"]["top_1"], row["right"]["top_5"]
        print(f"{name:18} {found_first:.1%} first, {among_five:.1%} of five; shuffled {row['shuffled']['top_1']:.1%}")
    print(f"real {real['top_1']:.1%} first, chance {1 / len(captions):.1%}")
    write_result("text-to-image", result)
    sys.exit(0 if result["bar_is_met"] else 1)


if __name__ == "__main__":
    main()
