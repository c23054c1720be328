"""How well a model changes images that are given: rebuilds, takes noise away, fills in, on held-out images and by a perceptual distance.

Every edit goes the way of ``makar edit``. Beside each figure stand the same distance of what costs nothing (the noisy image itself, the
mean colour of what is known) and of an unrelated image.
"""

from collections.abc import Callable

import numpy as np

from makar.evaluation.extractor import Extractor
from makar.evaluation.findings import Score
from makar.evaluation.image_scores import mean_scores, spread
from makar.evaluation.material import Material
from makar.evaluation.perceptual import distance_name, perceptual_distance
from makar.generation.edit import edit
from makar.tensor_spec import TARGET

IMAGES = 24
NOISE = 0.2
"""Deviation of the noise that is to be taken away, of the range of brightness."""

Images = np.ndarray
"""uint8 ``[items, height, width, channels]``."""


def edit_scores(material: Material, extractor: Extractor) -> tuple[Score, ...]:
    """Return a perceptual distance for every edit of this kind that the model can do.

    Args:
        material: The model and its data.
        extractor: The own extractor of the training data.
    """
    able = material.artifact.recipe.stages[-1].family.edits
    images = spread(material.held_out.columns[TARGET].values, IMAGES).transpose(0, 2, 3, 1)
    if len(images) < 2:
        return ()
    scores = [
        measure(material, extractor, images)
        for name, measure in _MEASURES.items()
        if name in able and images.shape[1:3] == _size(material)
    ]
    return tuple(scores)


def _rebuilt(material: Material, extractor: Extractor, images: Images) -> Score:
    made = _edited(material, "rebuilding", images, {"operation": "reconstruct"})
    return _score(extractor, "rebuilt", "rebuilt images", images, made, {})


def _denoised(material: Material, extractor: Extractor, images: Images) -> Score:
    draws = np.random.default_rng(material.seed).normal(0, NOISE * 255, images.shape)
    noisy = np.clip(np.rint(images + draws), 0, 255).astype(np.uint8)
    made = _edited(material, "taking noise away", noisy, {"operation": "denoise"})
    return _score(extractor, "denoised", "images without their noise", images, made, {"with the noise": noisy})


def _filled(material: Material, extractor: Extractor, images: Images) -> Score:
    rows, columns = images.shape[1:3]
    top, left, bottom, right = rows // 4, columns // 4, rows - rows // 4, columns - columns // 4
    is_new = np.zeros((rows, columns), bool)
    is_new[top:bottom, left:right] = True
    made = _edited(material, "filling in", images, {"box": (left, top, right, bottom)})
    plain = images.copy()
    plain[:, is_new] = images[:, ~is_new].mean(1, keepdims=True).round().astype(np.uint8)
    return _score(extractor, "filled_in", "images whose middle was filled in", images, made, {"mean colour": plain})


_MEASURES: dict[str, Callable[[Material, Extractor, Images], Score]] = {
    "reconstruct": _rebuilt,
    "denoise": _denoised,
    "inpaint": _filled,
}
"""Edits whose answer is known, by their names in ``makar.families.edits``."""


def _edited(material: Material, doing: str, images: Images, how: dict[str, object]) -> Images:
    made = []
    for number, image in enumerate(images):
        material.say(doing, number, len(images))
        (asset,) = edit(material.artifact, {**how, "image": image}, seed=material.seed + number)
        made.append(asset.content)
    return np.stack(made)


def _score(extractor: Extractor, key: str, what: str, images: Images, made: Images, others: dict[str, Images]) -> Score:
    def distances(seen: Images) -> np.ndarray:
        return perceptual_distance(extractor, images.transpose(0, 3, 1, 2), seen.transpose(0, 3, 1, 2))

    baselines = {**others, "another held-out image": np.roll(images, 1, axis=0)}
    return mean_scores(
        f"distance_{key}",
        f"{distance_name(extractor)} of {len(images)} {what}",
        distances(made),
        meaning="How different they look from the held-out images they come from; 0 is the same.",
        others={name: distances(one) for name, one in baselines.items()},
    )


def _size(material: Material) -> tuple[int, ...]:
    """Return rows and columns of what the model makes; only images of that size can be compared place by place."""
    return tuple(int(size or 0) for size in material.codec.plain.spec[TARGET].sizes[1:])
