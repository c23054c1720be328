"""Measures a model of images: distances to real ones beside real against real, copies of training images, what its edits do, pictures.

Every distance is between the samples and the training images, and stands beside the same distance of as many held-out images: what a
perfect model would get with this many. Three sets of samples with seeds of their own give the interval. With the extractor trained on the
data the figures are named after it and compare only with each other; the Inception network is taken where a file of its weights is given.
"""

import dataclasses
from typing import Any

import numpy as np

from makar.evaluation.agreement import agreement_scores, sentence_on_agreement
from makar.evaluation.classification_accuracy import classification_accuracy
from makar.evaluation.extracting import Extracts
from makar.evaluation.extractor import extractor_for
from makar.evaluation.findings import Findings, Heard, Picture, Score
from makar.evaluation.image_edits import edit_scores, edited_samples
from makar.evaluation.image_novelty import nearest_picture, novelty_scores, sentence_on_novelty
from makar.evaluation.image_scores import certainty_scores, distance_scores, spread
from makar.evaluation.inception import InceptionExtractor, read_inception
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png
from makar.evaluation.translation import evaluate_translation, is_translation
from makar.generation.generate import generate
from makar.generation.interpolate import can_interpolate, interpolate
from makar.generation.recording import seen
from makar.provenance.content import Recording
from makar.tensor_spec import TARGET

SAMPLES = 1000
SETS = 3
"""Sets of samples, each from seeds of its own; their spread gives the interval."""

REFERENCE = 5000
CHECKED = 200
SHOWN = 64
STRIP = 9
STRIPS = 3
LEAST_IMAGES = 8
LOOKED_AT = 256
PLAYED = 8
"""Sounds in a report."""

LOOKS = {"sound": " Time goes from left to right, pitch from below upwards, what is loud is bright."}
"""What the picture of a sample is, where the sample itself is none."""

Measured = tuple[tuple[Score, ...], dict[str, Any]]


def evaluate_image(material: Material) -> Findings:
    """Measure a model of images.

    Args:
        material: The model and its data.
    """
    # A file of weights that does not fit is refused before minutes of sampling.
    inception = None if material.inception is None else read_inception(material.inception)
    if is_translation(material):
        return evaluate_translation(material, inception)
    sets, sounds = _samples(material)
    noun = material.artifact.medium
    samples = sets[0]
    material.say("novelty of the samples")
    novelties = material.novelty.check_many(samples[:CHECKED]) if material.novelty is not None else []
    scores, details = _measured(material, sets, inception)
    return Findings(
        verdict=(
            *_sentence_on_quality(scores, noun),
            *sentence_on_agreement(scores),
            sentence_on_novelty(novelties, noun),
        ),
        scores=tuple(_said_of(score, noun) for score in scores),
        novelty_scores=novelty_scores(novelties, noun),
        pictures=(
            _sample_grid(samples, noun),
            *nearest_picture(material, samples, novelties),
            *_interpolation(material),
        ),
        sounds=sounds,
        details={
            **details,
            "samples": len(samples),
            "novelty": [novelty.to_dictionary() for novelty in novelties],
        },
    )


def _samples(material: Material) -> tuple[list[list[np.ndarray]], tuple[Heard, ...]]:
    """Return several sets of samples, each from seeds of its own, and those of the first that are to be played."""
    if not material.artifact.family().creates:
        edited = edited_samples(material, count=material.samples or SHOWN, sets=SETS)
        if edited:
            return edited, ()
    count = material.samples or min(SAMPLES, max(SHOWN, len(material.held_out)))
    material.say("making samples", 0, SETS * count)
    images: list[np.ndarray] = []
    sounds: list[Heard] = []
    for asset in generate(material.artifact, count=SETS * count, seed=material.seed):
        if isinstance(asset.content, Recording) and len(sounds) < PLAYED:
            what = f"Seed {asset.manifest['seed']}, {asset.content.seconds:.2f} seconds."
            sounds.append(Heard(caption=what, wave=asset.content.wave))
        images.append(seen(asset.content, material.codec))
        material.say("making samples", len(images), SETS * count)
    return [images[start : start + count] for start in range(0, len(images), count)], tuple(sounds)


def _measured(material: Material, sets: list[list[np.ndarray]], inception: InceptionExtractor | None) -> Measured:
    held_out = material.held_out.columns[TARGET].values
    if material.train is None:
        return (), {
            "distances": "not measured: the training data, which the extractor learns from, is not on this machine"
        }
    train = material.train.columns[TARGET].values
    count = min(len(sets[0]), len(held_out))
    if count < LEAST_IMAGES or len(train) < LEAST_IMAGES:
        return (), {"distances": f"not measured: {count} held-out and {len(train)} training images are too few"}
    material.say("training the extractor")
    own = extractor_for(
        material.train, progress=lambda done, total: material.say("training the extractor", done, total)
    )
    extractor: Extracts = own if inception is None else inception
    made = [np.stack(images[:count]).transpose(0, 3, 1, 2) for images in sets]
    real, reference = spread(held_out, count), spread(train, REFERENCE)
    scores = (
        *distance_scores(
            extractor,
            [_features(material, extractor, images) for images in made],
            real=_features(material, extractor, real),
            reference=_features(material, extractor, reference),
        ),
        *certainty_scores(
            extractor,
            [extractor.class_probabilities(images) for images in made],
            real=extractor.class_probabilities(real),
        ),
        *classification_accuracy(material, count=count),
        *edit_scores(material, own),
        *agreement_scores(material),
    )
    details = {
        "extractor": {
            "name": extractor.name,
            "hash": extractor.hash,
            "task": extractor.task,
            "accuracy": extractor.accuracy,
        },
        "images": count,
        **(
            {}
            if material.artifact.medium == "image"
            else {"edits": "not measured: they are of sounds, not of pictures"}
        ),
        "sets": len(made),
        "reference_images": len(reference),
    }
    return scores, details


def _features(material: Material, extractor: Extracts, images: np.ndarray) -> np.ndarray:
    parts = []
    for start in range(0, len(images), LOOKED_AT):
        material.say("features", start, len(images))
        parts.append(extractor.features(images[start : start + LOOKED_AT]))
    return np.concatenate(parts)


def _said_of(score: Score, noun: str) -> Score:
    """Return a figure of images in the words of what is measured: a sound is measured by its picture."""

    def said(words: str) -> str:
        return words.replace("image", noun)

    baselines = tuple((said(name), interval) for name, interval in score.baselines)
    return dataclasses.replace(score, name=said(score.name), meaning=said(score.meaning), baselines=baselines)


def _sample_grid(samples: list[np.ndarray], noun: str) -> Picture:
    shown = samples[:SHOWN]
    return Picture(
        key="samples",
        caption=f"{len(shown)} samples, not chosen: the first {len(shown)} seeds.{LOOKS.get(noun, '')}",
        alternative=f"A grid of {len(shown)} {noun}s made by the model.",
        png=grid_png(shown, columns=16 if shown[0].shape[1] <= 28 else 8),
    )


def _interpolation(material: Material) -> tuple[Picture, ...]:
    if not can_interpolate(material.artifact):
        return ()
    images = []
    for strip in range(STRIPS):
        first = material.seed + 2 * strip
        assets = interpolate(material.artifact, first_seed=first, last_seed=first + 1, count=STRIP)
        images += [seen(asset.content, material.codec) for asset in assets]
    return (
        Picture(
            key="interpolation",
            caption="From one seed to another: what lies between should look as real as the ends.",
            alternative=f"{STRIPS} rows of {STRIP} images, each row going gradually from one image to another.",
            png=grid_png(images, columns=STRIP),
        ),
    )


def _sentence_on_quality(scores: tuple[Score, ...], noun: str) -> tuple[str, ...]:
    if not scores:
        return (
            f"How near its {noun}s are to real ones was not measured: there were too few, or not the training data.",
        )
    by_key = {score.key: score for score in scores}
    fid, recall, precision = by_key["fid"], by_key["recall"], by_key["precision"]
    floor = fid.baselines[0][1].value
    return (
        f"{fid.name}: {fid.interval.value:.2f} ({fid.interval.low:.2f} to {fid.interval.high:.2f}); as many real {noun}s have {floor:.2f}.",
        f"{precision.interval.value:.0%} of its {noun}s lie among real ones (real: {precision.baselines[0][1].value:.0%}), and "
        f"{recall.interval.value:.0%} of what is real lies among its {noun}s (real: {recall.baselines[0][1].value:.0%}).",
    )
