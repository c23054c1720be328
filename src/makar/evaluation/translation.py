"""Measures a model that translates images: held-out images are translated and compared with real ones of what was to be made.

From pairs each translation has its answer: the mean difference of their pixels, and a perceptual distance, beside those of the given image
itself and of an unrelated one. With and without pairs the translations of a domain are compared as a cloud with its training images, beside
as many real ones and beside the given images as they are. Every translation goes the way of ``makar edit``.
"""

import dataclasses
from typing import Any

import numpy as np

from makar.evaluation.extracting import Extracts
from makar.evaluation.extractor import Extractor, extractor_for
from makar.evaluation.findings import Findings, Picture, Score
from makar.evaluation.frechet import frechet_interval
from makar.evaluation.image_novelty import nearest_picture, novelty_scores, sentence_on_novelty
from makar.evaluation.image_scores import mean_scores, spread
from makar.evaluation.inception import InceptionExtractor
from makar.evaluation.material import Material
from makar.evaluation.perceptual import distance_name, perceptual_distance
from makar.evaluation.pictures import grid_png
from makar.generation.edit import edit
from makar.generation.prompts import NamesClasses
from makar.tensor_spec import CLASS, SOURCE, TARGET

TRANSLATED = 200
CHECKED = 200
REFERENCE = 5000
LEAST_IMAGES = 8
SHOWN = 8

Images = np.ndarray
"""uint8 ``[items, channels, height, width]``."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One way to translate, on held-out images.

    Attributes:
        name: What is made, empty where there is one way only.
        given: Images to translate.
        made: Their translations.
        real: Held-out images of what was to be made; where ``is_paired``, the answers to the given ones.
        reference: Training images of what was to be made; ``None`` where they are not on this machine.
        is_paired: Whether every given image has its answer.
    """

    name: str
    given: Images
    made: Images
    real: Images
    reference: Images | None
    is_paired: bool

    @property
    def suffix(self) -> str:
        """What its figures' keys end with."""
        return f"_{self.name}" if self.name else ""

    @property
    def words(self) -> str:
        """What its figures' names end with."""
        return f" into {self.name}" if self.name else ""


def is_translation(material: Material) -> bool:
    """Return whether a model does nothing but translate images."""
    return material.artifact.recipe.stages[-1].family.edits == ("translate",)


def evaluate_translation(material: Material, inception: InceptionExtractor | None) -> Findings:
    """Measure a model that translates.

    Args:
        material: The model and its data.
        inception: The Inception network, ``None`` for the own extractor.
    """
    sides = _sides(material)
    own, why_not = _own_extractor(material, sides)
    scores: list[Score] = []
    for side in sides:
        if side.is_paired:
            scores += _compared(side, own)
        extractor: Extracts | None = own if inception is None else inception
        if extractor is not None and side.reference is not None:
            scores.append(_distance(side, side.reference, extractor))
    samples = [image.transpose(1, 2, 0) for side in sides for image in side.made]
    material.say("novelty of the translations")
    novelties = material.novelty.check_many(samples[:CHECKED]) if material.novelty is not None else []
    return Findings(
        verdict=(*map(_sentence, scores), sentence_on_novelty(novelties)),
        scores=tuple(scores),
        novelty_scores=novelty_scores(novelties),
        pictures=(*map(_picture, sides), *nearest_picture(material, samples, novelties)),
        details={
            **why_not,
            "translated": {side.name or "all": len(side.made) for side in sides},
            "novelty": [novelty.to_dictionary() for novelty in novelties],
        },
    )


def _sides(material: Material) -> list[Side]:
    held_out, train = material.held_out.columns, None if material.train is None else material.train.columns
    most = material.samples or TRANSLATED
    if SOURCE in held_out:
        given = spread(held_out[SOURCE].values, most)
        return [
            Side(
                name="",
                given=given,
                made=_translated(material, given, None),
                real=spread(held_out[TARGET].values, most),
                reference=None if train is None else spread(train[TARGET].values, REFERENCE),
                is_paired=True,
            )
        ]
    names = material.codec.class_names if isinstance(material.codec, NamesClasses) else ()
    sides = []
    for number, name in enumerate(names):
        given = spread(_of_class(held_out, 1 - number), most)
        if not len(given):
            continue
        sides.append(
            Side(
                name=name,
                given=given,
                made=_translated(material, given, name),
                real=spread(_of_class(held_out, number), most),
                reference=None if train is None else spread(_of_class(train, number), REFERENCE),
                is_paired=False,
            )
        )
    return sides


def _of_class(columns: Any, number: int) -> Images:
    chosen = np.flatnonzero(np.asarray(columns[CLASS].values).reshape(-1) == number)
    return np.asarray(columns[TARGET].values[chosen])


def _translated(material: Material, given: Images, direction: str | None) -> Images:
    made = []
    options = {} if direction is None else {"direction": direction}
    for number, image in enumerate(given):
        material.say("translating", number, len(given))
        how = {"operation": "translate", "image": np.ascontiguousarray(image.transpose(1, 2, 0))}
        (asset,) = edit(material.artifact, how, seed=material.seed, options=options)
        made.append(asset.content.transpose(2, 0, 1))
    return np.stack(made)


def _own_extractor(material: Material, sides: list[Side]) -> tuple[Extractor | None, dict[str, Any]]:
    if material.train is None:
        return None, {
            "distances": "not measured: the training data, which the extractor learns from, is not on this machine"
        }
    least = min(min(len(side.made), len(side.real), len(material.train)) for side in sides)
    if least < LEAST_IMAGES:
        return None, {"distances": f"not measured: {least} images are too few"}
    material.say("training the extractor")
    extractor = extractor_for(
        material.train, progress=lambda done, total: material.say("training the extractor", done, total)
    )
    about = {"name": extractor.name, "hash": extractor.hash, "task": extractor.task, "accuracy": extractor.accuracy}
    return extractor, {"extractor": about}


def _compared(side: Side, own: Extractor | None) -> list[Score]:
    """Return how far translations are from their answers."""
    others = {"the given image as it is": side.given, "another held-out image": np.roll(side.real, 1, axis=0)}

    def differences(seen: Images) -> np.ndarray:
        return np.abs(seen.astype(np.float64) - side.real).mean((1, 2, 3))

    scores = [
        mean_scores(
            "l1",
            f"Mean difference of {len(side.made)} translations from the real images, of 255",
            differences(side.made),
            meaning="Mean over all pixels and colours; low for a blurred image too, so read it beside the distances.",
            others={name: differences(seen) for name, seen in others.items()},
        )
    ]
    if own is not None:
        scores.append(
            mean_scores(
                "distance_translated",
                f"{distance_name(own)} of {len(side.made)} translations",
                perceptual_distance(own, side.real, side.made),
                meaning="How different they look from the real images; 0 is the same.",
                others={name: perceptual_distance(own, side.real, seen) for name, seen in others.items()},
            )
        )
    return scores


def _distance(side: Side, reference: Images, extractor: Extracts) -> Score:
    near = extractor.features(reference)
    baselines = (
        (f"real against real, {len(side.real)} images", frechet_interval(extractor.features(side.real), near)),
        (
            f"the given images as they are, {len(side.given)} images",
            frechet_interval(extractor.features(side.given), near),
        ),
    )
    return Score(
        key=f"fid{side.suffix}",
        name=f"FID-{extractor.name} of {len(side.made)} translations{side.words}",
        interval=frechet_interval(extractor.features(side.made), near),
        better="lower",
        meaning="Distance between translations and training images of what was to be made, as clouds of features.",
        baselines=baselines,
    )


def _sentence(score: Score) -> str:
    usual = "; ".join(f"{name}: {interval.value:.3g}" for name, interval in score.baselines)
    return f"{score.name}: {score.interval.value:.3g} ({score.interval.low:.3g} to {score.interval.high:.3g}); {usual}."


def _picture(side: Side) -> Picture:
    rows = [side.given, side.made, *([side.real] if side.is_paired else [])]
    shown = [image.transpose(1, 2, 0) for row in rows for image in row[:SHOWN]]
    below = ", and the real images" if side.is_paired else ""
    return Picture(
        key=f"translations{side.suffix}",
        caption=f"Held-out images, their translations{side.words}{below}, one below the other; not chosen.",
        alternative=f"{len(rows)} rows of {min(SHOWN, len(side.made))} images: given ones, translations{below}.",
        png=grid_png(shown, columns=min(SHOWN, len(side.made))),
    )
