"""How well a model changes images that are given: rebuilds, enlarges, colours, fills in, on held-out images and by a perceptual distance.

Every edit goes the way of ``makar edit``. Beside each figure stand the same distance of what costs nothing (the noisy image itself, bicubic
enlarging, the grey image, the mean colour of what is known) and of an unrelated image. A model that makes nothing from nothing has what it
makes of held-out images as its samples.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from makar.evaluation.extractor import Extractor
from makar.evaluation.findings import Score
from makar.evaluation.image_scores import mean_scores, spread
from makar.evaluation.material import Material
from makar.evaluation.perceptual import distance_name, perceptual_distance
from makar.generation.edit import edit
from makar.tensor_spec import SOURCE, TARGET

IMAGES = 24
NOISE = 0.2
"""Deviation of the noise that is to be taken away, of the range of brightness."""

Images = np.ndarray
"""uint8 ``[items, height, width, channels]``."""

How = dict[str, object]
"""The words of an edit."""


def edit_scores(material: Material, extractor: Extractor) -> tuple[Score, ...]:
    """Return a perceptual distance for every edit of this kind that the model can do.

    Args:
        material: The model and its data.
        extractor: The own extractor of the training data.
    """
    if material.artifact.medium != "image":
        # A sound is edited as a file, and what is held out here are pictures.
        return ()
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


def edited_samples(material: Material, *, count: int, sets: int) -> list[list[np.ndarray]]:
    """Return what a model makes of held-out images, once for each of several seeds; nothing where it changes no images.

    Args:
        material: The model and its data.
        count: Images of a set.
        sets: Sets.
    """
    able = [name for name in _WHOLE if name in material.artifact.recipe.stages[-1].family.edits]
    if not able:
        return []
    images = spread(material.held_out.columns[TARGET].values, count).transpose(0, 2, 3, 1)
    given, how = _WHOLE[able[0]](material, images)
    return [list(_edited(material, f"samples: {able[0]}", given, how, seed=number * count)) for number in range(sets)]


def _as_they_are(material: Material, images: Images) -> tuple[Images, How]:
    del material
    return images, {"operation": "reconstruct"}


def _smaller(material: Material, images: Images) -> tuple[Images, How]:
    given = _sources(material, images)
    return given, {"enlarge": images.shape[1] // given.shape[1]}


def _grey(material: Material, images: Images) -> tuple[Images, How]:
    return _sources(material, images), {"operation": "colour"}


def _outlined(material: Material, images: Images) -> tuple[Images, How]:
    return _sources(material, images), {"operation": "control"}


def _sources(material: Material, images: Images) -> Images:
    """Return what the codec derives from images for the model to begin with."""
    stored = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    source: np.ndarray = material.codec.plain.completed({TARGET: stored})[SOURCE]
    return source.transpose(0, 2, 3, 1)


_WHOLE: dict[str, Callable[[Material, Images], tuple[Images, How]]] = {
    "reconstruct": _as_they_are,
    "enlarge": _smaller,
    "colour": _grey,
    "control": _outlined,
}
"""Edits that make a whole image of what can be derived from a held-out one: what is given, and the words of the edit."""


def _enlarged(material: Material, extractor: Extractor, images: Images) -> Score:
    given, how = _smaller(material, images)
    rows, columns = images.shape[1:3]
    plain = np.stack([_bicubic(image, rows, columns) for image in given])
    made = _edited(material, "enlarging", given, how)
    return _score(extractor, "enlarged", "enlarged images", images, made, {"bicubic": plain})


def _coloured(material: Material, extractor: Extractor, images: Images) -> Score:
    given, how = _grey(material, images)
    made = _edited(material, "colouring", given, how)
    return _score(extractor, "coloured", "coloured images", images, made, {"grey": given})


def _steered(material: Material, extractor: Extractor, images: Images) -> Score:
    given, how = _outlined(material, images)
    made = _edited(material, "steering by edges", given, how)
    return _score(extractor, "steered", "images made from edges", images, made, {})


def _bicubic(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    array = np.asarray(picture.resize((columns, rows), Image.Resampling.BICUBIC))
    return array[:, :, None] if array.ndim == 2 else array


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
    part, box = "middle", (columns // 4, rows // 4, columns - columns // 4, rows - rows // 4)
    if not material.artifact.recipe.stages[-1].family.fills_any_part:
        part, box = "lower half", (0, rows // 2, columns, rows)
    left, top, right, bottom = box
    is_new = np.zeros((rows, columns), bool)
    is_new[top:bottom, left:right] = True
    made = _edited(material, "filling in", images, {"box": box})
    plain = images.copy()
    plain[:, is_new] = images[:, ~is_new].mean(1, keepdims=True).round().astype(np.uint8)
    return _score(extractor, "filled_in", f"images whose {part} was filled in", images, made, {"mean colour": plain})


_MEASURES: dict[str, Callable[[Material, Extractor, Images], Score]] = {
    "reconstruct": _rebuilt,
    "denoise": _denoised,
    "inpaint": _filled,
    "enlarge": _enlarged,
    "colour": _coloured,
    "control": _steered,
}
"""Edits whose answer is known, by their names in ``makar.families.edits``."""


def _edited(material: Material, doing: str, images: Images, how: How, *, seed: int = 0) -> Images:
    made = []
    for number, image in enumerate(images):
        material.say(doing, number, len(images))
        (asset,) = edit(material.artifact, {**how, "image": image}, seed=material.seed + seed + number)
        made.append(asset.content)
    return np.stack(made)


def _score(extractor: Extractor, key: str, what: str, images: Images, made: Images, others: dict[str, Images]) -> Score:
    def distances(seen: Images) -> np.ndarray:
        # The extractor brings either side to its own channels.
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
