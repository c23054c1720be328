"""Measures a checkpoint of others that writes down speech: word and letter error on recordings with transcripts, as of our own models.

What it learned from is not here, so nothing is said of sentences that it may know; the baseline is the transcript of some other recording.
Every recording is heard as ``makar predict`` hears it.
"""

import numpy as np

from makar.codecs.prompted_image import words_of
from makar.data.sound import Sound
from makar.evaluation.findings import Findings, Heard
from makar.evaluation.material import Material
from makar.evaluation.recognition import (
    MOST_RECORDINGS,
    OTHER_TRANSCRIPT,
    PLAYED,
    error_scores,
    sentence_on_errors,
    transcript_table,
)
from makar.generation.recording import recorded
from makar.generation.transcribing import transcribe
from makar.tensor_spec import CAPTION, TARGET


def evaluate_listening(material: Material) -> Findings:
    """Measure a checkpoint that writes down speech.

    Args:
        material: The checkpoint and recordings with transcripts.
    """
    store = material.held_out
    most = min(material.samples or MOST_RECORDINGS, len(store))
    chosen = np.unique(np.linspace(0, len(store) - 1, most).astype(np.int64)).tolist()
    sounds = [_sound(material, number) for number in chosen]
    wanted = [words_of(store.columns[CAPTION][number]) for number in chosen]
    found = []
    for number, sound in enumerate(sounds):
        material.say("writing down recordings", number, len(sounds))
        found.append(str(transcribe(material.artifact, sound)["text"]))
    others = np.random.default_rng(material.seed).permutation(len(wanted))
    baselines = {OTHER_TRANSCRIPT: [wanted[place] for place in others]}
    scores = error_scores(wanted, found, baselines)
    return Findings(
        verdict=(sentence_on_errors(scores[0], len(wanted)),),
        scores=scores,
        tables=(transcript_table(wanted, found, []),),
        sounds=tuple(
            Heard(
                caption=f"Recording {number + 1}, as the model hears it: {found[number] or '(nothing)'}",
                wave=recorded(sounds[number], "").wave,
            )
            for number in range(min(PLAYED, len(wanted)))
        ),
        details={"recordings": len(wanted), "measured_on": material.measured_on},
    )


def _sound(material: Material, number: int) -> Sound:
    stored = {TARGET: material.codec.to_model(TARGET, np.asarray(material.held_out.columns[TARGET][number]))}
    made: Sound = material.codec.decode(stored)
    return made
