"""Images and their captions out of a store: distinct captions, each with its first image, as the networks and as a baseline see them."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.tensor_spec import CAPTION, NO_CAPTION_TOKEN, TARGET

MOST_PAIRS = 2000
CELLS = 4
"""The baseline knows an image as the mean colours of so many cells along each side."""

RIDGE = 1.0
MOST_LEARNED = 5000


def caption_rows(store: Store) -> Int[np.ndarray, "images length"]:
    """Return the caption tokens of every image of a store, padded at the end."""
    column = store.columns[CAPTION]
    # One axis is always stored end to end.
    return np.asarray(column.values).reshape(len(store), -1).astype(np.int64)


def distinct_pairs(store: Store, *, most: int = MOST_PAIRS) -> Int[np.ndarray, " pairs"]:
    """Return the numbers of images of which each is the first with its caption, evenly spread; images without one are left out."""
    captions = caption_rows(store)
    said = np.flatnonzero(captions[:, 0] != NO_CAPTION_TOKEN)
    if not len(said):
        return said
    _, first = np.unique(captions[said], axis=0, return_index=True)
    chosen = said[np.sort(first)]
    return chosen if len(chosen) <= most else chosen[np.linspace(0, len(chosen) - 1, most).astype(np.int64)]


def model_images(store: Store, codec: Codec, chosen: Int[np.ndarray, " images"]) -> Tensor:
    """Return images of a store in the range of a model, float32 ``[images, channels, height, width]``."""
    return torch.from_numpy(codec.to_model(TARGET, np.asarray(store.columns[TARGET].values[chosen])))


def colours_and_words(
    train: Store, images: np.ndarray, captions: Int[np.ndarray, "captions length"], *, vocabulary: int
) -> Float[np.ndarray, "images captions"]:
    """Return what a linear guess from coarse colours to words says of how images and captions go together.

    Args:
        train: What the guess is learned from: ridge regression of weighted counts of tokens on mean colours of cells.
        images: uint8 ``[images, channels, height, width]``.
        captions: Tokens.
        vocabulary: Number of tokens.
    """
    rows = caption_rows(train)
    chosen = np.linspace(0, len(train) - 1, min(len(train), MOST_LEARNED)).astype(np.int64)
    counts = _counts(rows[chosen], vocabulary)
    weights = np.log((1 + len(counts)) / (1 + (counts > 0).sum(0)))
    words, asked = _unit(counts * weights), _unit(_counts(captions, vocabulary) * weights)
    mean = words.mean(0)
    seen = _colours(np.asarray(train.columns[TARGET].values[chosen]))
    centre, spread = seen.mean(0), seen.std(0) + 1e-6
    seen = (seen - centre) / spread
    slope = np.linalg.solve(seen.T @ seen + RIDGE * np.eye(seen.shape[1]), seen.T @ (words - mean))
    guessed = ((_colours(images) - centre) / spread) @ slope
    return np.asarray(_unit(guessed) @ _unit(asked - mean).T)


def _counts(rows: np.ndarray, vocabulary: int) -> np.ndarray:
    counts = np.zeros((len(rows), vocabulary))
    np.add.at(counts, (np.arange(len(rows))[:, None], rows), 1)
    counts[:, : NO_CAPTION_TOKEN + 1] = 0
    return counts


def _colours(images: np.ndarray) -> np.ndarray:
    height, width = images.shape[2:]
    rows, columns = (np.linspace(0, side, CELLS + 1).astype(int) for side in (height, width))
    cells = [
        images[:, :, rows[r] : rows[r + 1], columns[c] : columns[c + 1]].mean((2, 3)) / 255
        for r in range(CELLS)
        for c in range(CELLS)
    ]
    return np.concatenate(cells, axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
