"""Measures a model of images: FID, KID, precision and recall beside real against real, copies of training images, pictures.

Every distance is between the samples and the training images, and stands beside the same distance of as many held-out images: what a
perfect model would get with this many. With the extractor trained on the data the figures are named after it and compare only with each
other.
"""

import dataclasses
from typing import Any

import numpy as np

from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.extractor import Extractor, extractor_for
from makar.evaluation.findings import Findings, Picture, Score
from makar.evaluation.frechet import frechet_distance, frechet_interval
from makar.evaluation.kernel_distance import kernel_interval
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png, pairs_png
from makar.evaluation.precision_recall import PrecisionRecall, precision_recall
from makar.generation.generate import generate
from makar.generation.interpolate import can_interpolate, interpolate
from makar.novelty.novelty import Novelty

SAMPLES = 1000
REFERENCE = 5000
CHECKED = 200
SHOWN = 64
NEAREST_SHOWN = 16
STRIP = 9
STRIPS = 3
LEAST_IMAGES = 8


def evaluate_image(material: Material) -> Findings:
    """Measure a model of images.

    Args:
        material: The model and its data.
    """
    samples = _samples(material)
    material.say("novelty of the samples")
    novelties = material.novelty.check_many(samples[:CHECKED]) if material.novelty is not None else []
    distances, details = _distances(material, samples)
    return Findings(
        verdict=(*_sentence_on_quality(distances), _sentence_on_novelty(novelties)),
        scores=distances,
        novelty_scores=_novelty_scores(novelties),
        pictures=(
            _sample_grid(samples),
            *_nearest_picture(material, samples, novelties),
            *_interpolation(material),
        ),
        details={
            **details,
            "samples": len(samples),
            "novelty": [novelty.to_dictionary() for novelty in novelties],
        },
    )


def _samples(material: Material) -> list[np.ndarray]:
    count = material.samples or min(SAMPLES, max(SHOWN, len(material.held_out)))
    material.say("making samples", 0, count)
    images = []
    for asset in generate(material.artifact, count=count, seed=material.seed):
        images.append(asset.content)
        material.say("making samples", len(images), count)
    return images


def _distances(material: Material, samples: list[np.ndarray]) -> tuple[tuple[Score, ...], dict[str, Any]]:
    held_out = material.held_out.columns["target"].values
    if material.train is None:
        return (), {
            "distances": "not measured: the training data, which the extractor learns from, is not on this machine"
        }
    train = material.train.columns["target"].values
    count = min(len(samples), len(held_out))
    if count < LEAST_IMAGES or len(train) < LEAST_IMAGES:
        return (), {"distances": f"not measured: {count} held-out and {len(train)} training images are too few"}
    material.say("training the extractor")
    extractor = extractor_for(
        material.train, progress=lambda done, total: material.say("training the extractor", done, total)
    )
    material.say("distances")
    made = extractor.features(np.stack(samples[:count]).transpose(0, 3, 1, 2))
    real = extractor.features(_spread(held_out, count))
    reference = extractor.features(_spread(train, REFERENCE))
    scores = _scores(extractor, made, real, reference)
    details = {
        "extractor": {
            "name": extractor.name,
            "hash": extractor.hash,
            "task": extractor.task,
            "accuracy": extractor.accuracy,
        },
        "images": count,
        "reference_images": len(reference),
    }
    return scores, details


def _scores(extractor: Extractor, made: np.ndarray, real: np.ndarray, reference: np.ndarray) -> tuple[Score, ...]:
    count = len(made)
    floor = frechet_distance(real, reference)
    near = _spread(reference, count)
    found, usual = precision_recall(made, near), precision_recall(real, near)
    return (
        Score(
            key="fid",
            name=f"FID-{extractor.name}, {count} images",
            interval=frechet_interval(made, reference),
            better="lower",
            meaning="Distance between samples and training images as clouds of features; falls with the number of images.",
            baselines=((f"real against real, {count} images", frechet_interval(real, reference)),),
        ),
        Score(
            key="fid_excess",
            name="FID above real against real",
            interval=_minus(frechet_interval(made, reference), floor),
            better="lower",
            meaning="What the model adds to what as many real images have; 0 would be perfect.",
        ),
        Score(
            key="kid",
            name=f"KID-{extractor.name}",
            interval=kernel_interval(made, reference),
            better="lower",
            meaning="Kernel distance, whose mean does not depend on the number of images.",
            baselines=(("real against real", kernel_interval(real, reference)),),
        ),
        _share("precision", "Precision", found, usual, "Share of samples that lie among the training images."),
        _share(
            "recall", "Recall", found, usual, "Share of training images that lie among the samples: is all of it made?"
        ),
    )


def _share(key: str, name: str, found: PrecisionRecall, usual: PrecisionRecall, meaning: str) -> Score:
    values = [dataclasses.asdict(part)[key] for part in (found, usual)]
    intervals = [share_interval(round(value * found.samples), found.samples) for value in values]
    return Score(
        key=key,
        name=name,
        interval=intervals[0],
        better="higher",
        meaning=meaning,
        baselines=(("real against real", intervals[1]),),
    )


def _minus(interval: Interval, floor: float) -> Interval:
    return Interval(interval.value - floor, interval.low - floor, interval.high - floor)


def _spread(values: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many items, evenly spread."""
    if len(values) <= most:
        return np.asarray(values)
    return np.asarray(values[np.linspace(0, len(values) - 1, most).astype(np.int64)])


def _novelty_scores(novelties: list[Novelty]) -> tuple[Score, ...]:
    if not novelties:
        return ()
    ratios = np.array([novelty.value for novelty in novelties])
    usual = novelties[0].baseline.get("distance_ratio", float("nan"))
    spread = np.quantile(ratios, [0.025, 0.975])
    return (
        Score(
            key="copies",
            name="Samples that are copies",
            interval=share_interval(sum(novelty.is_copy for novelty in novelties), len(novelties)),
            better="lower",
            meaning=f"Nearer to a training image than {novelties[0].threshold:.2f}, which about 1 % of real new images are.",
        ),
        Score(
            key="distance_ratio",
            name="Distance ratio, mean and spread",
            interval=Interval(float(ratios.mean()), float(spread[0]), float(spread[1])),
            better="near",
            meaning="Distance to the nearest training image over the mean distance to the next 20, after alignment; 0 is a copy.",
            baselines=(("real, held out", Interval(usual, usual, usual)),),
        ),
    )


def _sample_grid(samples: list[np.ndarray]) -> Picture:
    shown = samples[:SHOWN]
    return Picture(
        key="samples",
        caption=f"{len(shown)} samples, not chosen: the first {len(shown)} seeds.",
        alternative=f"A grid of {len(shown)} images made by the model.",
        png=grid_png(shown, columns=16 if shown[0].shape[1] <= 28 else 8),
    )


def _nearest_picture(material: Material, samples: list[np.ndarray], novelties: list[Novelty]) -> tuple[Picture, ...]:
    if material.novelty is None or not novelties:
        return ()
    order = sorted(range(len(novelties)), key=lambda index: novelties[index].value)[:NEAREST_SHOWN]
    nearest = [material.novelty.training_image(novelties[index].nearest[0].record) for index in order]
    first = novelties[order[0]]
    return (
        Picture(
            key="nearest",
            caption=(
                f"The {len(order)} samples that are nearest to training images, each above that image, nearest first. The first has a "
                f"distance ratio of {first.value:.2f} (limit {first.threshold:.2f}) to {first.nearest[0].source}, "
                f"licence {first.nearest[0].licence}."
            ),
            alternative="Pairs of a sample and the training image that is nearest to it.",
            png=pairs_png([samples[index] for index in order], nearest, columns=NEAREST_SHOWN // 2),
        ),
    )


def _interpolation(material: Material) -> tuple[Picture, ...]:
    if not can_interpolate(material.artifact):
        return ()
    images = []
    for strip in range(STRIPS):
        first = material.seed + 2 * strip
        assets = interpolate(material.artifact, first_seed=first, last_seed=first + 1, count=STRIP)
        images += [asset.content for asset in assets]
    return (
        Picture(
            key="interpolation",
            caption="From one seed to another: what lies between should look as real as the ends.",
            alternative=f"{STRIPS} rows of {STRIP} images, each row going gradually from one image to another.",
            png=grid_png(images, columns=STRIP),
        ),
    )


def _sentence_on_quality(scores: tuple[Score, ...]) -> tuple[str, ...]:
    if not scores:
        return (
            "How near its images are to real ones was not measured: there were too few images, or not the training data.",
        )
    by_key = {score.key: score for score in scores}
    fid, recall, precision = by_key["fid"], by_key["recall"], by_key["precision"]
    floor = fid.baselines[0][1].value
    return (
        f"{fid.name}: {fid.interval.value:.2f} ({fid.interval.low:.2f} to {fid.interval.high:.2f}); as many real images have {floor:.2f}.",
        f"{precision.interval.value:.0%} of its images lie among real ones (real: {precision.baselines[0][1].value:.0%}), and "
        f"{recall.interval.value:.0%} of what is real lies among its images (real: {recall.baselines[0][1].value:.0%}).",
    )


def _sentence_on_novelty(novelties: list[Novelty]) -> str:
    if not novelties:
        return "Whether it copies cannot be said here: the training data is not on this machine."
    copies = sum(novelty.is_copy for novelty in novelties)
    share = share_interval(copies, len(novelties))
    return (
        f"{copies} of {len(novelties)} samples are as near to a training image as a copy ({share.value:.1%}; {share.low:.1%} to "
        f"{share.high:.1%}); of real new images about 1 % are."
    )
