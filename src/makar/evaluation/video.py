"""Measures a model of clips: its distance to real ones beside controls, whether it makes what was asked, flicker, and what it fills in.

The Frechet distance is taken in the features of a small network that was trained on the clips themselves (``clip_extractor``); it is no
FVD. Beside it stand as many real clips, real clips with their frames in another order, and real clips that stand still: a distance that
does not tell these apart says nothing of movement. Held-out clips of which only the ends, or the first half, are known are filled in by
the model, and by what needs none: mixing the ends, holding the last picture.
"""

import dataclasses
from typing import Any

import numpy as np

from makar.codecs.video import VideoCodec, are_pictures, frames_of
from makar.data.clip import sheet_of, strip_of
from makar.data.flicker import flicker
from makar.data.video_file import TYPES
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.clip_edits import edit_scores, filled_in, is_told
from makar.evaluation.clip_extractor import ClipExtractor, clip_extractor_for
from makar.evaluation.clip_measures import blended, held, psnr
from makar.evaluation.extractor import labels_of
from makar.evaluation.findings import Findings, Picture, Played, Score
from makar.evaluation.frechet import frechet_distance
from makar.evaluation.image_novelty import nearest_picture, novelty_scores, sentence_on_novelty
from makar.evaluation.image_scores import distance_scores, spread
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png
from makar.generation.clip_slots import clips_of
from makar.generation.generate import generate
from makar.provenance.content import Film
from makar.tensor_spec import TARGET

SAMPLES = 200
SETS = 3
REFERENCE = 2000
FILLED = 32
"""Held-out clips that are filled in."""

ASKED = 64
"""Clips that are asked for by class."""

SHOWN, SHOWN_FILLED, PLAYED = 12, 6, 8
LEAST_CLIPS = 8


def evaluate_video(material: Material) -> Findings:
    """Measure a model of clips.

    Args:
        material: The model and its data.
    """
    codec = clips_of(material.codec)
    material = _of_clips_alone(material, codec)
    count = material.samples or min(SAMPLES, max(SHOWN, len(material.held_out)))
    sets = _samples(material, count)
    frames = [np.stack([film.frames for film in films]) for films in sets]
    material.say("novelty of the samples")
    sheets = [sheet_of(clip) for clip in frames[0]]
    novelties = material.novelty.check_many(sheets) if material.novelty is not None else []
    distances, details = _distances(material, codec, frames)
    filled, filled_picture = _filled(material, codec)
    scores = (*distances, _flicker(material, codec, frames[0]), *edit_scores(material, codec), *filled)
    return Findings(
        verdict=(*_sentences(scores), sentence_on_novelty(novelties, "video")),
        scores=scores,
        novelty_scores=novelty_scores(novelties, "video"),
        pictures=(
            _strips(
                list(frames[0][:SHOWN]),
                key="samples",
                caption=f"{min(SHOWN, count)} samples, not chosen: the first seeds. Each row is one clip, time goes from left to right.",
                alternative="Film strips of clips that the model made, one below the other.",
            ),
            *filled_picture,
            *nearest_picture(material, sheets, novelties),
        ),
        clips=tuple(
            Played(caption=f"Seed {material.seed + number}.", file=film.file, type=TYPES[film.form])
            for number, film in enumerate(sets[0][:PLAYED])
        ),
        details={**details, "samples": count, "novelty": [novelty.to_dictionary() for novelty in novelties]},
    )


def _of_clips_alone(material: Material, codec: VideoCodec) -> Material:
    """Return what an evaluation works on without single pictures among the held-out clips, where others are left."""
    still = are_pictures(np.asarray(material.held_out.columns[TARGET].values), codec.config.frames)
    if still.all() or not still.any():
        return material
    return dataclasses.replace(material, held_out=material.held_out.part(np.flatnonzero(~still)))


def _samples(material: Material, count: int) -> list[list[Film]]:
    films: list[Film] = []
    for asset in generate(material.artifact, count=SETS * count, seed=material.seed):
        films.append(asset.content)
        material.say("making samples", len(films), SETS * count)
    return [films[start : start + count] for start in range(0, len(films), count)]


def _distances(
    material: Material, codec: VideoCodec, sets: list[np.ndarray]
) -> tuple[tuple[Score, ...], dict[str, Any]]:
    held_out = material.held_out.columns[TARGET].values
    count = min(len(sets[0]), len(held_out))
    if material.train is None or count < LEAST_CLIPS or len(material.train) < LEAST_CLIPS:
        return (), {"distances": "not measured: too few clips, or the training data is not on this machine"}
    frames = codec.config.frames
    material.say("training the extractor")
    extractor = clip_extractor_for(
        material.train,
        frames=frames,
        progress=lambda done, total: material.say("training the extractor", done, total),
    )
    real = spread(held_out, count)
    learned = spread(material.train.columns[TARGET].values, REFERENCE)
    moving = learned[~are_pictures(learned, frames)]
    reference = extractor.features(moving if len(moving) else learned)
    scores = distance_scores(
        extractor,
        [extractor.features(_planes(made[:count])) for made in sets],
        real=extractor.features(real),
        reference=reference,
    )
    controls = _controls(extractor, frames_of(real, frames), reference)
    named = tuple(_of_clips(score, controls if score.key == "fid" else ()) for score in scores)
    details = {
        "extractor": {
            "name": extractor.name,
            "hash": extractor.hash,
            "task": extractor.task,
            "accuracy": extractor.accuracy,
        },
        "clips": count,
        "sets": len(sets),
        "reference_clips": len(reference),
    }
    return (*named, *_class_accuracy(material, codec, extractor)), details


def _controls(extractor: ClipExtractor, real: np.ndarray, reference: np.ndarray) -> tuple[tuple[str, Interval], ...]:
    """Return the distances of real clips whose movement was destroyed."""
    order = np.random.default_rng(0).permutation(real.shape[1])
    controls = {"real, frames shuffled": real[:, order], "real, one frame held": held(real, 1)}
    found = {name: frechet_distance(extractor.features(_planes(clips)), reference) for name, clips in controls.items()}
    return tuple((name, Interval(value, value, value)) for name, value in found.items())


def _class_accuracy(material: Material, codec: VideoCodec, extractor: ClipExtractor) -> tuple[Score, ...]:
    """Return the share of clips in which the extractor sees the class that was asked for."""
    names = codec.class_names
    labels = labels_of(material.held_out)
    if not names or extractor.task != "classes" or labels is None:
        return ()
    asked = [number % len(names) for number in range(min(ASKED, max(len(names), material.samples or ASKED)))]
    made = []
    for place, number in enumerate(asked):
        material.say("clips of a class", place, len(asked))
        options = {"label": names[number]}
        (asset,) = generate(material.artifact, count=1, seed=material.seed + place, options=options)
        made.append(asset.content.frames)
    seen = extractor.class_probabilities(_planes(np.stack(made)))
    real = extractor.class_probabilities(np.asarray(material.held_out.columns[TARGET].values))
    assert seen is not None and real is not None
    right, known = int((seen.argmax(1) == asked).sum()), int((real.argmax(1) == labels).sum())
    return (
        Score(
            key="class_accuracy",
            name="Clips of the class that was asked for",
            interval=share_interval(right, len(asked)),
            better="higher",
            meaning="As the network sees them that was trained on the training clips.",
            baselines=(
                ("held-out real clips", share_interval(known, len(labels))),
                ("chance", Interval(1 / len(names), 1 / len(names), 1 / len(names))),
            ),
        ),
    )


def _flicker(material: Material, codec: VideoCodec, made: np.ndarray) -> Score:
    real = frames_of(np.asarray(spread(material.held_out.columns[TARGET].values, SAMPLES)), codec.config.frames)
    if codec.config.frames < 3:
        made, real = np.repeat(made, 2, 1), np.repeat(real, 2, 1)
    return Score(
        key="flicker",
        name="Flicker",
        interval=mean_interval(flicker(made)),
        better="near",
        unit="of the range",
        meaning="How unevenly clips change from frame to frame: the mean second difference in time.",
        baselines=(("held-out real clips", mean_interval(flicker(real))),),
    )


def _filled(material: Material, codec: VideoCodec) -> tuple[tuple[Score, ...], tuple[Picture, ...]]:
    """Fill in held-out clips of which the ends, or the first half, are known."""
    frames, count = codec.config.frames, min(FILLED, len(material.held_out))
    if frames < 3:
        return (), ()
    planes = np.asarray(material.held_out.columns[TARGET].values[:count])
    real, half = frames_of(planes, frames), frames // 2
    ends, beginning = np.ones(frames, bool), np.ones(frames, bool)
    ends[[0, -1]], beginning[:half] = False, False
    between = filled_in(material, planes, ends)
    after = filled_in(material, planes, beginning)
    scores = []
    for key, name, meaning, is_new, made, control in (
        ("between", "What lies between first and last frame", "mixing the two", ends, between, blended(real[:, 0], real[:, -1], frames)),
        ("next", "What comes next", "holding the last known frame", beginning, after, held(real, half)),
    ):  # fmt: skip
        scores.append(
            Score(
                key=f"{key}_psnr",
                name=f"{name}: PSNR",
                interval=mean_interval(psnr(made[:, is_new], real[:, is_new])),
                better="higher",
                unit="dB",
                meaning=f"Held-out clips, told by {'class or caption too' if is_told(material) else 'their known frames alone'}.",
                baselines=((meaning, mean_interval(psnr(control[:, is_new], real[:, is_new]))),),
            )
        )
    shown = [
        strip for number in range(min(SHOWN_FILLED, count)) for strip in (real[number], between[number], after[number])
    ]
    picture = _strips(
        shown,
        key="filled",
        caption="Held-out clips in threes: the real one, with only its ends known, with only its first half known.",
        alternative="Film strips of real clips, each above two that the model filled in.",
    )
    return tuple(scores), (picture,)


def _of_clips(score: Score, controls: tuple[tuple[str, Interval], ...]) -> Score:
    """Return a figure in the words of clips; a distance of ours is called by no name that means another."""

    def said(words: str) -> str:
        words = words.replace("FID-own", "Frechet distance of clips, own").replace("FID", "Frechet distance")
        return words.replace("KID-", "Kernel distance, ").replace("image", "clip")

    baselines = tuple((said(name), interval) for name, interval in (*score.baselines, *controls))
    return dataclasses.replace(score, name=said(score.name), meaning=said(score.meaning), baselines=baselines)


def _sentences(scores: tuple[Score, ...]) -> tuple[str, ...]:
    by_key = {score.key: score for score in scores}
    sentences = []
    if (distance := by_key.get("fid")) is not None:
        others = ", ".join(f"{name} {interval.value:.2f}" for name, interval in distance.baselines)
        sentences.append(f"{distance.name}: {distance.interval.value:.2f}; {others}.")
    else:
        sentences.append("How near its clips are to real ones was not measured: too few, or not the training data.")
    if (right := by_key.get("class_accuracy")) is not None:
        sentences.append(f"{right.interval.value:.0%} of its clips show the class that was asked for.")
    for key in ("box_flicker", "strength_flicker"):
        if (score := by_key.get(key)) is not None:
            others = ", ".join(f"{name} {interval.value:.4f}" for name, interval in score.baselines)
            sentences.append(f"{score.name} {score.interval.value:.4f}; {others}.")
    for key in ("between_psnr", "next_psnr"):
        if (score := by_key.get(key)) is not None:
            name, control = score.baselines[0]
            sentences.append(f"{score.name} {score.interval.value:.1f} dB; {name} {control.value:.1f} dB.")
    return tuple(sentences)


def _strips(clips: list[np.ndarray], *, key: str, caption: str, alternative: str) -> Picture:
    return Picture(
        key=key, caption=caption, alternative=alternative, png=grid_png([strip_of(clip) for clip in clips], columns=1)
    )


def _planes(clips: np.ndarray) -> np.ndarray:
    """Return clips uint8 ``[clips, frames, height, width, channels]`` as they are kept."""
    count, frames, height, width, channels = clips.shape
    return np.ascontiguousarray(clips.transpose(0, 1, 4, 2, 3).reshape(count, frames * channels, height, width))
