"""What a worker can do with images: make and change them, and show them while they are made; see ``work``.

The estimates of an image are events like the image itself, given between its steps, each with the step in which it was found.
"""

import base64
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.api.model import Model
from makar.data.image_reader import read_image
from makar.errors import UnsupportedError
from makar.generation.asset import Asset
from makar.generation.edit import edit
from makar.generation.generate import generate
from makar.generation.previewing import Previews, shown
from makar.serving.media_work import options_of

Ask = dict[str, Any]
Event = dict[str, Any]


def make_images(model: Model, ask: Ask) -> Iterator[Event]:
    """Make images."""
    _check_draws(model)
    options = options_of(model, ask)
    if options.get("svg"):
        raise UnsupportedError("a drawing over HTTP", expected="images of pixels: without svg; in the shell --svg")
    assets = generate(
        model.artifact,
        prompts=ask["prompt"],
        count=ask["count"],
        seed=ask["seed"],
        options=options,
        novelty=model.novelty_index(),
    )
    for asset in shown(assets, _previews(ask)):
        yield _picture(asset, ask)


def change_image(model: Model, ask: Ask) -> Iterator[Event]:
    """Change an image."""
    _check_draws(model)
    how = dict(ask["how"])
    how |= {name: read_image(base64.b64decode(how[name])) for name in ("image", "reference", "to") if name in how}
    if "mask" in how:
        how["mask"] = to_be_made(read_image(base64.b64decode(how["mask"])))
    assets = edit(
        model.artifact,
        how,
        prompts=ask["prompt"],
        count=ask["count"],
        seed=ask["seed"],
        options=options_of(model, ask),
        novelty=model.novelty_index(),
    )
    # Frames between two ends are one answer of several images.
    count = None if "to" in how or "to_seed" in how else ask["count"]
    for asset in itertools.islice(shown(assets, _previews(ask)), count):
        yield _picture(asset, ask)


def to_be_made(mask: np.ndarray) -> np.ndarray:
    """Return a mask in Makar's sense, bool ``[rows, columns]``.

    In OpenAI's API what is transparent is made anew; a mask without transparency says it by white.
    """
    if mask.shape[2] == 4 and (mask[:, :, 3] < 255).any():
        return mask[:, :, 3] < 128
    return mask[:, :, : min(3, mask.shape[2])].mean(2) >= 128


def _previews(ask: Ask) -> Previews | None:
    most, tell = ask.get("previews", 0), ask["tell"]
    if not most:
        return None
    return Previews(show=lambda asset: tell(_picture(asset, ask) | {"estimate": asset.manifest["estimate"]}), most=most)


def _picture(asset: Asset, ask: Ask) -> Event:
    rows, columns = asset.content.shape[:2]
    return {
        "png": base64.b64encode(asset.file).decode("ascii"),
        "size": [columns, rows],
        "asset": asset.id,
        "seed": asset.manifest["seed"],
        "novelty": None if asset.novelty is None else asset.manifest["novelty"],
    } | ({"manifest": asset.signed} if ask["manifest"] else {})


def _check_draws(model: Model) -> None:
    if model.medium != "image":
        raise UnsupportedError(f"images of {model.path.name}, which makes {model.medium}", expected="a model of images")
