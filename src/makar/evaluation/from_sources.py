"""Samples of a model that makes nothing from nothing: images to the sources of held-out images, drawn like any other asset."""

import numpy as np
import torch

from makar.evaluation.image_scores import spread
from makar.evaluation.material import Material
from makar.generation.generate import make_assets
from makar.generation.prompts import Prompt
from makar.generation.request import Job, Request
from makar.tensor_spec import SOURCE, TARGET


def needs_sources(material: Material) -> bool:
    """Return whether the model is given a source beside noise."""
    return SOURCE in material.codec.spec


def held_out_sources(material: Material, count: int) -> np.ndarray:
    """Return the sources of held-out images, evenly spread, uint8 ``[items, channels, rows, columns]``.

    Args:
        material: The model and its data.
        count: Images at most.
    """
    stored = {TARGET: spread(material.held_out.columns[TARGET].values, count)}
    if SOURCE in material.held_out.columns:
        stored[SOURCE] = spread(material.held_out.columns[SOURCE].values, count)
    return np.asarray(material.codec.plain.completed(stored)[SOURCE])


def images_from_sources(material: Material, *, count: int, sets: int) -> list[list[np.ndarray]]:
    """Return several sets of images to the same sources, each from seeds of its own.

    Args:
        material: The model and its data.
        count: Images a set, and no more than there are held-out images.
        sets: Number of sets.

    Returns:
        uint8 ``[height, width, channels]`` each.
    """
    sources = held_out_sources(material, count)
    values = torch.from_numpy(material.codec.plain.to_model(SOURCE, sources))
    request = Request(material.artifact, options=None, novelty=None, refuse_copies=False)
    jobs = [
        Job(Prompt(stated=None, slots={SOURCE: value}), material.seed + part * len(values) + number)
        for part in range(sets)
        for number, value in enumerate(values)
    ]
    images = []
    for asset in make_assets(request, jobs):
        images.append(asset.content)
        material.say("making samples", len(images), len(jobs))
    return [images[start : start + len(values)] for start in range(0, len(images), len(values))]
