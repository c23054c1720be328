"""``predict``: what a model says of images that exist, one row an image; no image is made, so nothing is signed.

Captions may also be written beside the images, from where a later training reads them; what is there already is kept.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.generation.able import recipes_with_prediction
from makar.generation.asset import write_new
from makar.generation.given_image import ImageSource, read_given_image
from makar.generation.image_slots import encoded
from makar.generation.request import LARGEST_SEED
from makar.nn.threads import threads_for
from makar.tensor_spec import CAPTION, TARGET

TOGETHER = 64
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@runtime_checkable
class DecodesCaptions(Protocol):
    """A codec that turns the tokens of a ``caption`` into text."""

    def decode_caption(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``."""


def predict(
    artifact: Artifact,
    inputs: Sequence[ImageSource] | ImageSource,
    *,
    what: str | None = None,
    seed: int = 0,
    write_captions: bool = False,
) -> Iterator[dict[str, Any]]:
    """Say something of each image.

    Args:
        artifact: The model.
        inputs: Files, folders of images, arrays uint8 ``[rows, columns, channels]``, or several of these.
        what: One of the model's predictions, for example ``"anomaly"``; ``None`` where it has one only.
        seed: Seed of draws, where the prediction needs any.
        write_captions: Write each caption beside its image, in a text file of the same name; one that exists is kept.

    Yields:
        One dictionary an image: ``input`` (its path, or its number for an array), ``what``, and what the model says, for
        ``"anomaly"`` a ``score``, higher is stranger, for ``"caption"`` a ``caption``. With ``write_captions`` also ``file`` and
        ``written``, which is false where there was a file already.

    Raises:
        UsageError: A path does not exist, it is not said what to predict, or there is no caption to write or no file to write it beside.
        UnsupportedError: The model cannot predict that; the message names recipes that can.
        DataError: A file cannot be read as an image.
        EmptyDataError: There is nothing to look at.
    """
    config = artifact.recipe.stages[-1].family
    chosen = _chosen(what, config.predictions)
    if not 0 <= seed < LARGEST_SEED:
        raise UsageError(f"the seed {seed}", expected=f"0 to {LARGEST_SEED - 1}")
    images = _listed(inputs)
    if not images:
        raise EmptyDataError("there is no image to look at", expected="image files, or a folder that has some")
    rows = _rows(artifact, images, chosen, seed)
    if not write_captions:
        return rows
    if chosen != CAPTION or any(isinstance(source, np.ndarray) for _, source in images):
        raise UsageError(
            f'captions to write for the prediction "{chosen}"' if chosen != CAPTION else "captions of arrays to write",
            expected="a model that predicts captions, and files",
        )
    return _written(rows)


def _chosen(what: str | None, able: tuple[str, ...]) -> str:
    if what in able:
        return what
    if what is None and len(able) == 1:
        return able[0]
    if what is None and able:
        raise UsageError("it is not said what to predict", expected=f"one of: {', '.join(able)}")
    recipes = recipes_with_prediction(what or "")
    raise UnsupportedError(
        f'this model cannot predict "{what}"' if what else "this model predicts nothing",
        expected=f"one of: {', '.join(able)}" if able else "a model that can predict",
        do=f"train with one of these recipes: {', '.join(recipes)}" if recipes else "no recipe can do this yet",
    )


def _rows(artifact: Artifact, images: list[tuple[str, ImageSource]], what: str, seed: int) -> Iterator[dict[str, Any]]:
    codec, family = artifact.codec(), artifact.family()
    waiting = iter(images)
    device = next(family.parameters()).device
    number = 0
    while part := list(islice(waiting, TOGETHER)):
        batch = torch.stack([encoded(read_given_image(source).pixels, codec) for _, source in part])
        generator = torch.Generator().manual_seed(seed + number)
        number += 1
        with threads_for(family.config.parameter_count(), convolutional=True), torch.no_grad():
            found = family.predict({TARGET: batch.to(device)}, what, generator)
        for row, (name, _) in enumerate(part):
            said = {key: np.asarray(values[row]).tolist() for key, values in found.items()}
            if what == CAPTION:
                assert isinstance(codec, DecodesCaptions), "a family that says captions fits a codec of captions"
                said = {CAPTION: codec.decode_caption(found[CAPTION][row])}
            yield {"input": name, "what": what, **said}


def _written(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        path = Path(row["input"]).with_suffix(".txt")
        is_free = not (path.exists() or path.is_symlink())
        if is_free:
            write_new(path, (row[CAPTION] + "\n").encode())
        yield {**row, "file": str(path), "written": is_free}


def _listed(inputs: Sequence[ImageSource] | ImageSource) -> list[tuple[str, ImageSource]]:
    """Return every image with its name; a folder stands for the images in it, in the order of their names."""
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
        inputs = list(inputs)
    items = [inputs] if isinstance(inputs, str | Path | np.ndarray) else list(inputs)
    listed: list[tuple[str, ImageSource]] = []
    for number, item in enumerate(items):
        if isinstance(item, np.ndarray):
            listed.append((str(number), item))
        elif Path(item).is_dir():
            found = sorted(path for path in Path(item).rglob("*") if path.suffix.lower() in SUFFIXES)
            listed += [(str(path), path) for path in found if path.is_file()]
        else:
            listed.append((str(item), item))
    return listed
