"""Finds the training images nearest to an image and scores how much nearer the first is than its like, in three narrowing steps.

1. Whitened vectors of the whole training set give 512 candidates under 26 views (``image_search``), by plain matrix products.
2. Correlation of the brightness at 16 pixels under 118 views keeps 48 (``alignment``).
3. Correlation at up to 32 pixels with a refined alignment orders them (``refinement``); the distance is ``sqrt(1 - correlation)``.

The score is the distance to the nearest over the mean distance to the next 20, as in Carlini et al. 2023 (arXiv:2301.13188, section
4.2): plain images have near neighbours everywhere, and a copy is one that is nearer than its like. 0 is an exact copy, 1 an image
that is no nearer to any training image than to the others.

The index holds the reduced images and vectors (about 1.5 kB an image), memory-mapped, and no learned network, so it is built in seconds
and the same data always give the same index.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from makar.data.mapped import RELEASE_BYTES, release
from makar.data.store import Store, write_arrays
from makar.errors import DataError
from makar.novelty.alignment import best_views, blurred, resized, work_images, work_size
from makar.novelty.image_search import (
    COVARIANCE_IMAGES,
    nearest_candidates,
    search_features,
    search_views,
    whitened,
    whitening,
)
from makar.novelty.refinement import refined_correlations

CANDIDATES = 512
MIDDLE_SIZE = 16
FINALISTS = 48
NEIGHBOURS = 20
BATCH = 64
BUILD_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class ImageMatch:
    """How near an image is to the training images.

    Attributes:
        ratio: Distance to the nearest over the mean distance to the next 20, 0 to 1; small for a copy.
        records: Numbers of the nearest training images, nearest first.
        distances: Their distances, 0 for an exact copy.
    """

    ratio: float
    records: tuple[int, ...]
    distances: tuple[float, ...]


@runtime_checkable
class Sheets(Protocol):
    """A codec of content that is compared by pictures of it."""

    def sheets(self, planes: np.ndarray) -> np.ndarray:
        """Return uint8 ``[batch, channels, height, width]`` of kept content."""


def looked(codec: object) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes the pictures by which kept content is compared; images are their own."""
    return codec.sheets if isinstance(codec, Sheets) else np.asarray


def build_image_index(
    store: Store,
    folder: Path,
    *,
    look: Callable[[np.ndarray], np.ndarray] = np.asarray,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write reduced images and search vectors of a store to a folder.

    Args:
        store: Training store whose ``target`` slot holds uint8 ``[channels, height, width]``.
        folder: Where the index goes.
        look: From what the store holds to the images that are compared.
        progress: Called with the number of images done and twice their total, as they are read twice.

    Returns:
        The number of images.
    """
    values = store.columns["target"].values
    count = len(values)
    seen = look(values[:1])
    size = work_size(*seen.shape[2:])
    sample = np.unique(np.linspace(0, count - 1, min(count, COVARIANCE_IMAGES)).astype(np.int64))
    channels = 1 if seen.shape[1] == 1 else 3
    with (folder / "images.bin").open("wb") as file:
        for start in range(0, count, BUILD_BATCH):
            reduced = work_images(look(values[start : start + BUILD_BATCH]), size)
            file.write((reduced * 255).round().byte().numpy().tobytes())
            release(values)
            if progress is not None:
                progress(start, 2 * count)
    images = np.memmap(folder / "images.bin", np.uint8, mode="r").reshape(count, channels, *size)
    features = torch.cat(
        [
            search_features(_as_floats(images[sample[start : start + BUILD_BATCH]]))
            for start in range(0, len(sample), BUILD_BATCH)
        ]
    )
    mean, matrix = whitening(features)
    with (folder / "vectors.bin").open("wb") as file:
        for start in range(0, count, BUILD_BATCH):
            part = whitened(search_features(_as_floats(images[start : start + BUILD_BATCH])), mean, matrix)
            file.write(part.half().numpy().tobytes())
            release(images)
            if progress is not None:
                progress(count + start, 2 * count)
    write_arrays(folder / "mean.bin", [mean.numpy().astype("<f4")])
    write_arrays(folder / "matrix.bin", [matrix.numpy().astype("<f4")])
    shape = {"images": count, "channels": channels, "height": size[0], "width": size[1], "features": len(mean)}
    (folder / "shape.json").write_text(json.dumps(shape), encoding="utf-8")
    return count


class ImageIndex:
    """A finished index, opened for searching."""

    def __init__(self, folder: Path) -> None:
        shape = json.loads((folder / "shape.json").read_text(encoding="utf-8"))
        self.size = (shape["height"], shape["width"])
        self.channels = shape["channels"]
        self.images = np.memmap(folder / "images.bin", np.uint8, mode="r").reshape(-1, self.channels, *self.size)
        vectors = np.memmap(folder / "vectors.bin", np.float16, mode="c").reshape(len(self.images), -1)
        self._vectors = torch.from_numpy(vectors)
        self._mean = torch.from_numpy(np.fromfile(folder / "mean.bin", "<f4"))
        self._matrix = torch.from_numpy(np.fromfile(folder / "matrix.bin", "<f4")).view(shape["features"], -1)

    def match_many(self, images: np.ndarray, *, most: int = 3) -> list[ImageMatch]:
        """Measure images.

        Args:
            images: uint8 ``[batch, height, width, channels]``.
            most: Number of nearest training images to name.

        Raises:
            DataError: The images are not of that type and shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4):
            raise DataError(
                f"images of type {images.dtype} and shape {images.shape}",
                expected="uint8 [batch, height, width, channels] with 1, 3 or 4 channels",
            )
        matches: list[ImageMatch] = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                queries = self._reduced(images[start : start + BATCH])
                views = whitened(search_views(queries), self._mean, self._matrix)
                _, candidates = nearest_candidates(views, self._vectors, CANDIDATES)
                matches += [self._compare(query, found, most) for query, found in zip(queries, candidates)]
        if self.images.nbytes > RELEASE_BYTES:
            release(self.images)
        return matches

    def _reduced(self, images: np.ndarray) -> Tensor:
        reduced = work_images(images.transpose(0, 3, 1, 2), self.size)
        if reduced.shape[1] > self.channels:
            return reduced.mean(1, keepdim=True)
        return reduced.expand(-1, self.channels, -1, -1)

    def _compare(self, query: Tensor, candidates: Tensor, most: int) -> ImageMatch:
        found = _as_floats(self.images[candidates.numpy()])
        middle = tuple(min(MIDDLE_SIZE, side) for side in self.size)
        rough, views = best_views(
            blurred(resized(query[None].mean(1, keepdim=True), middle))[0],
            blurred(resized(found.mean(1, keepdim=True), middle)),
        )
        kept = rough.topk(min(FINALISTS, len(rough))).indices
        fine = refined_correlations(blurred(query[None])[0], blurred(found[kept]), views[kept])
        distances, order = (1 - fine).clamp_min(0).sqrt().sort(stable=True)
        records = candidates[kept][order][:most]
        return ImageMatch(
            ratio=distance_ratio(distances.numpy()),
            records=tuple(int(record) for record in records),
            distances=tuple(float(distance) for distance in distances[:most]),
        )


def distance_ratio(distances: np.ndarray) -> float:
    """Return the first distance over the mean of the next 20, at most 1; 1 when there are no others to compare with.

    Args:
        distances: Ascending, float ``[candidates]``.
    """
    rest = distances[1 : 1 + NEIGHBOURS]
    mean = float(rest.mean()) if len(rest) else 0.0
    return min(1.0, float(distances[0]) / mean) if mean > 0 else 1.0


def _as_floats(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(images)).float() / 255
