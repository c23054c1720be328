"""What the benchmarks of edits judge with: an extractor of the training images, distances with intervals, style, pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.data.store import build_store
from makar.evaluation.extractor import Extractor, extractor_for
from makar.evaluation.frechet import frechet_distance
from makar.evaluation.perceptual import perceptual_distance

RESAMPLES = 2000


def extractor_of(images: np.ndarray, labels: np.ndarray, folder: Path) -> Extractor:
    """Train Makar's extractor on labelled images.

    Args:
        images: uint8 ``[items, height, width, channels]``.
        labels: A class for each.
        folder: Where the store of the images goes.
    """
    records = [
        Record(
            id=f"{number:016d}",
            medium="image",
            content=image,
            document=str(number),
            source=str(number),
            split="train",
            label=f"{int(label):04d}",
        )
        for number, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    size = {"height": images.shape[1], "width": images.shape[2]}
    codec = fit_codec(ImageCodecConfig(use_labels=True, **size), iter(records))
    return extractor_for(build_store(folder / "judged", records, codec.encode, key=str(folder)))


def first(images: np.ndarray) -> np.ndarray:
    """Return images with their channels first."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def looks(extractor: Extractor, made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the perceptual distance of each image to its real one."""
    return perceptual_distance(extractor, first(made), first(real))


def fid(extractor: Extractor, made: np.ndarray, reference: np.ndarray) -> float:
    """Return the Frechet distance of two sets of images."""
    return frechet_distance(extractor.features(first(made)), extractor.features(first(reference)))


def style_distance(extractor: Extractor, made: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return how far the style of each image is from that of its reference: covariances of trained features at every depth.

    The features are not those that restyling matches, which are random and fixed (``makar.families.diffusion.style``).
    """
    found = []
    for one, other in zip(extractor.depths(first(made)), extractor.depths(first(reference)), strict=True):
        mine, theirs = _gram(one), _gram(other)
        found.append((mine - theirs).square().sum(1) / theirs.square().sum(1))
    return torch.stack(found).mean(0).double().numpy()


def _gram(features: torch.Tensor) -> torch.Tensor:
    flat = features.flatten(2)
    return (flat @ flat.transpose(1, 2) / flat.shape[2]).flatten(1)


def interval(values: np.ndarray) -> dict[str, float]:
    """Return the mean and its 95 % interval over items (bootstrap)."""
    values = np.asarray(values, np.float64)
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return {"mean": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def in_words(name: str, found: dict[str, float]) -> str:
    """Return one line for people."""
    return f"{name:44s} {found['mean']:9.4f}  ({found['low']:.4f} to {found['high']:.4f})"


def compared(extractor: Extractor, made: np.ndarray, plain: np.ndarray, real: np.ndarray) -> dict[str, Any]:
    """Compare what was made and what costs nothing with what is real: distance item by item, and of the sets.

    Args:
        extractor: Judges.
        made: uint8 ``[items, height, width, channels]``.
        plain: As many.
        real: As many.

    Returns:
        Both distances with intervals, the interval of the difference (below 0: better than what costs nothing), and both FIDs.
    """
    ours, theirs = looks(extractor, made, real), looks(extractor, plain, real)
    return {
        "distance": interval(ours),
        "distance_plain": interval(theirs),
        "difference": interval(ours - theirs),
        "fid": round(fid(extractor, made, real), 3),
        "fid_plain": round(fid(extractor, plain, real), 3),
    }


def sheet(path: Path, rows: list[np.ndarray], *, scale: int = 2) -> None:
    """Write a picture with one row of images for each array, every one enlarged by a whole factor."""
    lines = [np.concatenate(list(row), 1) for row in rows]
    whole = np.concatenate(lines, 0).repeat(scale, 0).repeat(scale, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(whole).save(path, optimize=True)
