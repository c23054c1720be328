"""Measures a model that writes down speech: word and letter error on held-out recordings, beside what looking them up would get.

The baseline that a sceptic would choose is the transcript of the training recording that sounds most alike: where the same sentences come
again it is hard to beat. The floor is the transcript of some other recording. Sentences that were not learned are counted by themselves.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from makar.codecs.transcript import TranscriptCodec
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval
from makar.evaluation.findings import Findings, Heard, Score, Table
from makar.evaluation.material import Material
from makar.evaluation.word_errors import letter_error, word_error
from makar.families.recogniser.config import TRANSCRIPT
from makar.generation.recording import recorded
from makar.tensor_spec import CAPTION, TARGET

ErrorRate = Callable[[Sequence[str], Sequence[str]], Interval]

MOST_RECORDINGS = 500
MOST_NEIGHBOURS = 4000
TOGETHER = 16
SHOWN = 16
PLAYED = 4
OTHER_TRANSCRIPT = "another held-out transcript"


def evaluate_recognition(material: Material) -> Findings:
    """Measure a model that writes down speech.

    Args:
        material: The model and its data.
    """
    codec = material.codec
    assert isinstance(codec, TranscriptCodec), "recognisers fit one codec"
    pictures, wanted = _read(material.held_out, codec, material.samples or MOST_RECORDINGS)
    found = _transcripts(material, codec, pictures)
    others = np.random.default_rng(material.seed).permutation(len(wanted))
    baselines: dict[str, list[str]] = {}
    is_new = np.ones(len(wanted), bool)
    nearest: list[str] = []
    if material.train is not None:
        material.say("nearest training recordings")
        learned, said = _read(material.train, codec, MOST_NEIGHBOURS)
        nearest = [said[place] for place in _nearest(pictures, learned)]
        baselines["nearest training recording"] = nearest
        every = {codec.spell(row) for row in _letters(material.train)}
        is_new = np.array([text not in every for text in wanted])
    baselines[OTHER_TRANSCRIPT] = [wanted[place] for place in others]
    scores = [*error_scores(wanted, found, baselines)]
    if 0 < is_new.sum() < len(is_new):
        kept = np.flatnonzero(is_new)
        parts = {name: [texts[place] for place in kept] for name, texts in baselines.items()}
        scores.append(
            _score(
                "word_error_new",
                "Words that are wrong in sentences that were not learned",
                word_error,
                [wanted[place] for place in kept],
                [found[place] for place in kept],
                parts,
            )
        )
    return Findings(
        verdict=(sentence_on_errors(scores[0], len(wanted)),),
        scores=tuple(scores),
        tables=(transcript_table(wanted, found, nearest),),
        sounds=tuple(
            Heard(
                caption=f"Held-out recording {number + 1}, as the model hears it: {found[number] or '(nothing)'}",
                wave=recorded(codec.decode({TARGET: codec.to_model(TARGET, pictures[number])}), "").wave,
            )
            for number in range(min(PLAYED, len(wanted)))
        ),
        details={"recordings": len(wanted), "new_sentences": int(is_new.sum()), "measured_on": material.measured_on},
    )


def _read(store: Store, codec: TranscriptCodec, most: int) -> tuple[np.ndarray, list[str]]:
    """Return pictures uint8 ``[recordings, 1, mels, frames]`` and transcripts, evenly spread where there are more."""
    chosen = np.unique(np.linspace(0, len(store) - 1, min(most, len(store))).astype(np.int64))
    texts = [codec.spell(row) for row in _letters(store)[chosen]]
    return np.asarray(store.columns[TARGET].values[chosen]), texts


def _letters(store: Store) -> np.ndarray:
    """Return the transcripts of a store, int64 ``[recordings, letters]``."""
    rows: np.ndarray = np.asarray(store.columns[CAPTION].values).reshape(len(store), -1)
    return rows


def _transcripts(material: Material, codec: TranscriptCodec, pictures: np.ndarray) -> list[str]:
    family = material.artifact.family()
    device = next(family.parameters()).device
    found: list[str] = []
    for start in range(0, len(pictures), TOGETHER):
        material.say("writing down held-out recordings", start, len(pictures))
        batch = torch.from_numpy(codec.to_model(TARGET, pictures[start : start + TOGETHER])).to(device)
        rows = family.predict({TARGET: batch}, TRANSCRIPT, torch.Generator().manual_seed(material.seed))[CAPTION]
        found += [" ".join(codec.spell(row).split()) for row in rows]
    return found


def _nearest(pictures: np.ndarray, learned: np.ndarray) -> list[int]:
    known = _vectors(learned)
    return [
        int(place)
        for start in range(0, len(pictures), TOGETHER)
        for place in (_vectors(pictures[start : start + TOGETHER]) @ known.T).argmax(1)
    ]


def _vectors(pictures: np.ndarray) -> np.ndarray:
    """Return pictures of a quarter of the bands and frames less their mean, of length 1, so that a product is a correlation."""
    small = pictures[:, 0, ::4, ::4].reshape(len(pictures), -1).astype(np.float32)
    small -= small.mean(1, keepdims=True)
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)


def error_scores(wanted: list[str], found: list[str], baselines: dict[str, list[str]]) -> tuple[Score, Score]:
    """Return the shares of words and of letters that are wrong.

    Args:
        wanted: What was said.
        found: What was written down.
        baselines: What others would have written, by their names.
    """
    return (
        _score("word_error", "Words that are wrong", word_error, wanted, found, baselines),
        _score("letter_error", "Letters that are wrong", letter_error, wanted, found, baselines),
    )


def _score(
    key: str, name: str, error: ErrorRate, wanted: list[str], found: list[str], baselines: dict[str, list[str]]
) -> Score:
    return Score(
        key=key,
        name=name,
        interval=error(wanted, found),
        better="lower",
        meaning="Least number to change, leave out or put in, for one that was said; punctuation and case do not count.",
        baselines=tuple((other, error(wanted, texts)) for other, texts in baselines.items()),
    )


def sentence_on_errors(score: Score, recordings: int) -> str:
    """Return what a share of wrong words comes to, beside its baselines."""
    beside = ", ".join(f"{name} {_share(interval)}" for name, interval in score.baselines)
    return f"Of the words of {recordings} held-out recordings {_share(score.interval)} are wrong ({beside})."


def _share(interval: Interval) -> str:
    return f"{100 * interval.value:.1f} %"


def transcript_table(wanted: list[str], found: list[str], nearest: list[str]) -> Table:
    """Return some transcripts beside what was said, and beside what the nearest training recordings say where they are known."""
    rows = tuple(
        (wanted[number], found[number], nearest[number] if nearest else "–")
        for number in range(min(SHOWN, len(wanted)))
    )
    return Table(
        key="transcripts",
        caption="What was said, what the model wrote, and what is said in the training recording that sounds most alike.",
        columns=("said", "model", "nearest"),
        rows=rows,
    )
