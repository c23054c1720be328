"""Are the words sung that were asked for? Each song that was made is compared with its own words and with those of nine other songs.

The judge is the alignment search of the codec, which learned from real songs what every unit sounds like and never met the model: the words
are heard that fit a song best in their likeliest division. It tells whole texts apart and reads none; the word error by a recogniser that
knows nothing of the songs is measured by ``benchmarks/songs.py``.
"""

import numpy as np
import torch

from makar.codecs.alignment import features_of
from makar.codecs.lyrics import Lyrics
from makar.codecs.sound import SoundCodec
from makar.data.sound import Sound
from makar.data.store import Store
from makar.errors import DataError
from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.findings import Score
from makar.evaluation.material import Material
from makar.generation.generate import make_assets
from makar.generation.jobs import make_jobs
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import CLASS, LYRICS, TARGET

ASKED, TEXTS = 32, 10


def lyric_scores(material: Material, tokens: Store) -> tuple[Score, ...]:
    """Return the share of songs made for held-out words that sound like them; nothing of models without words.

    Args:
        material: The model and its data, whose pictures are in the order of the tokens.
        tokens: What the last stage learned from.
    """
    codec = material.codec.plain
    if not isinstance(codec, SoundCodec) or codec.lyrics is None or LYRICS not in tokens.columns:
        return ()
    # Rows of one axis lie one after the other in a store.
    rows = np.asarray(tokens.columns[LYRICS].values).reshape(len(tokens), -1).astype(np.int64)
    texts = [row[np.flatnonzero(np.diff(row, prepend=-1))] for row in rows]
    different = {text.tobytes(): place for place, text in enumerate(texts) if text.any()}
    places = list(different.values())[: material.samples or ASKED]
    if len(places) < 2:
        return ()
    prompts = []
    for place in places:
        slots = {LYRICS: torch.from_numpy(rows[place])}
        if CLASS in tokens.columns:
            slots[CLASS] = torch.tensor(int(tokens.columns[CLASS].values[place]))
        prompts.append(Prompt(stated=None, slots=slots))
    request = Request(material.artifact, options=None, novelty=None, refuse_copies=False)
    made: list[Sound] = []
    for asset in make_assets(request, make_jobs(prompts, 1, material.seed)):
        made.append(Sound(asset.content.samples, asset.content.rate_hz))
        material.say("singing held-out words", len(made), len(places))
    pictures = material.held_out.columns[TARGET].values
    real = [codec.decode({TARGET: codec.to_model(TARGET, np.asarray(pictures[place]))}) for place in places]
    asked = [texts[place] for place in places]
    chance = 1 / min(TEXTS, len(asked))
    return (
        Score(
            key="words_heard",
            name=f"Words that are sung, {len(asked)} songs",
            interval=_share(codec.lyrics, made, asked),
            better="higher",
            meaning=f"Share of songs made for held-out words that sound less like those of {min(TEXTS, len(asked)) - 1} others.",
            baselines=(
                ("chance", Interval(chance, chance, chance)),
                ("real songs", _share(codec.lyrics, real, asked)),
            ),
        ),
    )


def _share(lyrics: Lyrics, sounds: list[Sound], asked: list[np.ndarray]) -> Interval:
    """Return the share of songs that sound like their own words."""
    right = 0
    for place, sound in enumerate(sounds):
        features = features_of(sound)
        around = [asked[(place + away) % len(asked)] for away in range(min(TEXTS, len(asked)))]
        misfits = [_misfit(lyrics, features, words) for words in around]
        right += misfits[0] < min(misfits[1:])
    return share_interval(right, len(sounds))


def _misfit(lyrics: Lyrics, features: np.ndarray, words: np.ndarray) -> float:
    try:
        return lyrics.aligner.misfit(features, words)
    except DataError:
        # Words that are longer than the song are not sung in it.
        return float("inf")
