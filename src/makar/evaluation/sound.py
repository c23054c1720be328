"""Measures models of sounds: those that make sounds by their pictures, as images are, and those that write them by their tokens besides;
those that speak by sentences they never heard.

A held-out sentence is spoken in the rhythm of its recording, so frame can be compared with frame: the mean difference of loudness in
decibels over all bands of all frames in which something is spoken. Beside it stand the usual sound of each unit, which is what a model
without any sense of neighbours and time would say, and another recording, which is what one would say that does not read.
"""

import dataclasses

import numpy as np
import torch

from makar.codecs.alpha import pixels_of
from makar.codecs.speech import SpeechCodec
from makar.data.spectrogram import RANGE_DB
from makar.evaluation.bootstrap import mean_interval
from makar.evaluation.findings import Findings, Heard, Picture, Score
from makar.evaluation.image import PLAYED, evaluate_image
from makar.evaluation.image_novelty import novelty_scores, sentence_on_novelty
from makar.evaluation.material import Material
from makar.evaluation.pictures import pairs_png
from makar.evaluation.sound_tokens import is_judged, is_token_model, token_scores, told
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt
from makar.generation.recording import recorded
from makar.generation.request import Request
from makar.provenance.embedding import SOURCE_TYPE
from makar.tensor_spec import CLASS, SOURCE, TARGET

SENTENCES = 64
TOGETHER = 16
LOOKED_AT = 2000
"""Training recordings from which the usual sound of a unit is taken."""

DECIBELS_A_STEP = RANGE_DB / 255


def evaluate_sound(material: Material) -> Findings:
    """Measure a model of sounds.

    Args:
        material: The model and its data.
    """
    codec = material.codec
    if isinstance(codec, SpeechCodec):
        return _evaluate_speech(material, codec)
    if not is_token_model(material):
        return evaluate_image(material)
    found = evaluate_image(told(material))
    large = {} if is_judged(material) else {"captions": "no judge of them was trained: the pictures are too large"}
    return dataclasses.replace(
        found, scores=(*found.scores, *token_scores(material)), details={**found.details, **large}
    )


def _evaluate_speech(material: Material, codec: SpeechCodec) -> Findings:
    count = min(material.samples or SENTENCES, len(material.held_out))
    real = np.asarray(material.held_out.columns[TARGET].values[:count])[:, 0]
    said = np.asarray(material.held_out.columns[SOURCE].values[:count])
    slots = _spoken(material, codec, said)
    made = np.stack([pixels_of(np.ascontiguousarray(one[TARGET].swapaxes(-3, -2)))[:, :, 0] for one in slots])
    is_speech = said[:, 0, 0] < 128
    away = _difference(made, real, is_speech)
    baselines: list[tuple[str, np.ndarray]] = []
    if material.train is not None:
        learned = np.asarray(material.train.columns[TARGET].values[:LOOKED_AT])[:, 0]
        units = np.asarray(material.train.columns[SOURCE].values[:LOOKED_AT])[:, : codec.config.unit_planes, 0]
        usual = _usual(learned, units)[said[:, : codec.config.unit_planes, 0].argmax(1)].swapaxes(1, 2)
        other = learned[np.arange(count) % len(learned)]
        baselines = [
            ("usual sound of each unit", _difference(usual, real, is_speech)),
            ("another recording", _difference(other, real, is_speech)),
        ]
    score = Score(
        key="loudness_difference",
        name="Difference of loudness from the recording",
        interval=mean_interval(away),
        better="lower",
        unit="dB",
        meaning="Held-out sentences, spoken in the rhythm of their recordings, band by band where something is spoken.",
        baselines=tuple((name, mean_interval(values)) for name, values in baselines),
    )
    material.say("novelty of the samples")
    novelties = material.novelty.check_many([one[:, :, None] for one in made]) if material.novelty is not None else []
    shown = min(8, count)
    return Findings(
        verdict=(
            f"Held-out sentences differ by {score.interval.value:.1f} dB from their recordings; "
            + ", ".join(f"{name}: {interval.value:.1f} dB" for name, interval in score.baselines)
            + ".",
            sentence_on_novelty(novelties, "sound"),
        ),
        scores=(score,),
        novelty_scores=novelty_scores(novelties, "sound"),
        pictures=(
            Picture(
                key="sentences",
                caption=f"{shown} held-out sentences as they are spoken, each above its recording. Time goes from left to right, pitch "
                "from below upwards, what is loud is bright.",
                alternative="Pairs of pictures of a sentence that the model spoke and of its recording.",
                png=pairs_png(
                    [one[:, :, None] for one in made[:shown]], [one[:, :, None] for one in real[:shown]], columns=2
                ),
            ),
        ),
        sounds=tuple(
            Heard(
                caption=f"Held-out sentence {number + 1}, in the rhythm of its recording.",
                wave=recorded(codec.decode(one), SOURCE_TYPE).wave,
            )
            for number, one in enumerate(slots[:PLAYED])
        ),
        details={"samples": count, "novelty": [novelty.to_dictionary() for novelty in novelties]},
    )


def _spoken(material: Material, codec: SpeechCodec, said: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Return what the model makes of sentences in a given rhythm, one dictionary of slots a sentence."""
    request = Request(material.artifact, options={}, novelty=None, refuse_copies=False)
    found: list[dict[str, np.ndarray]] = []
    voices = material.held_out.columns[CLASS].values if CLASS in material.held_out.columns else None
    for start in range(0, len(said), TOGETHER):
        material.say("speaking held-out sentences", start, len(said))
        jobs = []
        for number in range(start, min(start + TOGETHER, len(said))):
            slots = {SOURCE: torch.from_numpy(codec.to_model(SOURCE, said[number]))}
            if voices is not None:
                slots[CLASS] = torch.tensor(int(voices[number]))
            jobs.append(Job(Prompt(stated=None, slots=slots), material.seed + number))
        made = dict(request.draw(jobs, 0))
        found += [made[place] for place in range(len(jobs))]
    return found


def _usual(pictures: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the mean picture of every unit, float32 ``[units, mels]``."""
    sums = np.einsum("nmt,nut->um", pictures.astype(np.float32), (units > 127).astype(np.float32), optimize=True)
    usual: np.ndarray = sums / np.maximum((units > 127).sum((0, 2))[:, None], 1)
    return usual


def _difference(made: np.ndarray, real: np.ndarray, is_speech: np.ndarray) -> np.ndarray:
    """Return the mean difference of every sentence in decibels, float64 ``[sentences]``."""
    away = np.abs(made.astype(np.float32) - real.astype(np.float32)).mean(1)
    return np.asarray((away * is_speech).sum(1) / np.maximum(is_speech.sum(1), 1) * DECIBELS_A_STEP, np.float64)
