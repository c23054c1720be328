"""What is measured of models that write sounds as tokens besides what is of all sounds: codes in use, keys obeyed, runs copied, words sung.

Captions and classes lie with the tokens and not with the pictures that the first stages learned from, so they are put together first; then
a judge of captions and a classifier hear these models as they hear others. Where captions name a key, the key of what was made for them is
found from the samples (``tune_listening``), beside chance, beside the same sounds with the captions of others, and beside real sounds that
go the way through a picture too. What is copied is the longest run of moments whose first tokens stand in one training sound.
"""

import copy
import dataclasses
import json
import re

import numpy as np
import torch

from makar.codecs.embedded import EmbeddedCodec
from makar.codecs.latent import LatentCodec
from makar.codecs.sound import SoundCodec
from makar.data.chroma import NOTE_NAMES, NOTES
from makar.data.sound import Sound
from makar.data.store import Store
from makar.errors import DataError
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.captioned import caption_rows, distinct_pairs
from makar.evaluation.findings import Score
from makar.evaluation.material import Material, run_folder
from makar.evaluation.sound_codes import usage_scores
from makar.evaluation.sung_words import lyric_scores
from makar.evaluation.tune_listening import key_of
from makar.generation.generate import make_assets
from makar.generation.jobs import Job, make_jobs
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import CAPTION, CLASS, TARGET

KEY = re.compile(r"\b([a-g])\s*(#|b|sharp|flat)?\s+(major|minor)\b")
ASKED, LEAST_KEYS = 64, 8
WRITTEN, COMPARED = 32, 2000
LARGEST_JUDGED = 1 << 14
"""Points of a picture up to which a judge of captions is trained; for four seconds of music it would take a quarter of an hour."""


def is_token_model(material: Material) -> bool:
    """Return whether a model writes sounds as tokens."""
    return material.artifact.recipe.stages[-1].family.kind == "sound-transformer"


def told(material: Material) -> Material:
    """Return the material with the classes that lie with the tokens beside the pictures, and the captions where pictures are small enough
    for a judge of them; what only one part of the data has is left out of both.
    """
    if material.train is None:
        return material
    train, held_out = _joined(material, "train", material.train), _joined(material, "held_out", material.held_out)
    names = {CAPTION, CLASS} & set(train.columns) & set(held_out.columns)
    if not is_judged(material):
        names -= {CAPTION}
    return dataclasses.replace(material, train=_with(train, names), held_out=_with(held_out, names))


def _joined(material: Material, split: str, pictures: Store) -> Store:
    """Return the pictures of a part with captions and classes, where the tokens of that part are here and of the same order."""
    tokens = token_store(material, split)
    if tokens is None or len(tokens) != len(pictures):
        return pictures
    both = copy.copy(pictures)
    both.columns = {**tokens.columns, **pictures.columns}
    return both


def _with(store: Store, names: set[str]) -> Store:
    kept = copy.copy(store)
    kept.columns = {name: column for name, column in store.columns.items() if name == TARGET or name in names}
    return kept


def is_judged(material: Material) -> bool:
    """Return whether the pictures of a model are small enough for a judge of captions."""
    _, rows, frames = (int(size or 1) for size in material.codec.plain.spec[TARGET].sizes)
    return rows * frames <= LARGEST_JUDGED


def token_store(material: Material, split: str) -> Store | None:
    """Return the store of tokens that the last stage learned from, ``None`` where it is not on this machine."""
    run = run_folder(material.artifact)
    if run is None or not (run / "stores.json").is_file():
        return None
    earlier = json.loads((run / "stores.json").read_text(encoding="utf-8")).get("earlier", [])
    try:
        return Store(run.joinpath(earlier[-1], split)) if earlier else None
    except DataError:
        return None


def token_scores(material: Material) -> tuple[Score, ...]:
    """Return what is measured of a model of tokens.

    Args:
        material: The model and its data.
    """
    return (*_usage(material), *key_scores(material), *_runs(material), *_lyrics(material))


def _lyrics(material: Material) -> tuple[Score, ...]:
    tokens = token_store(material, "held_out")
    if tokens is None or len(tokens) != len(material.held_out):
        return ()
    return lyric_scores(material, tokens)


def _tokens_codec(material: Material) -> LatentCodec:
    codec = material.codec
    base = codec.base if isinstance(codec, EmbeddedCodec) else codec
    assert isinstance(base, LatentCodec), "the codec of the last stage makes tokens"
    return base


def _usage(material: Material) -> tuple[Score, ...]:
    held_out = token_store(material, "held_out")
    if held_out is None or not len(held_out):
        return ()
    codes = _tokens_codec(material).spec[TARGET].vocabulary or 1
    return tuple(usage_scores(np.asarray(held_out.columns[TARGET].values).astype(np.int64), codes=codes))


def key_named(caption: str) -> tuple[int, str] | None:
    """Return the key that a caption names: its first note, 0 is C, and the mode; ``None`` where it names none.

    >>> key_named("a slow organ waltz in f# minor")
    (6, 'minor')
    """
    found = KEY.search(caption.lower())
    if found is None:
        return None
    moved = {"#": 1, "sharp": 1, "b": -1, "flat": -1, None: 0}[found[2]]
    return (NOTE_NAMES.index(found[1].upper()) + moved) % NOTES, found[3]


def key_scores(material: Material) -> tuple[Score, ...]:
    """Return the share of sounds made for held-out captions that are in the key that these name; nothing where hardly any does."""
    codec = material.codec
    plain = codec.plain
    tokens = token_store(material, "held_out")
    captions = material.held_out if CAPTION in material.held_out.columns else tokens
    if captions is None or CAPTION not in captions.columns or not isinstance(plain, SoundCodec):
        return ()
    if len(captions) != len(material.held_out):
        return ()
    rows = caption_rows(captions)
    named = {int(place): key_named(plain.decode_caption(rows[place])) for place in distinct_pairs(captions)}
    asked = [(place, key) for place, key in named.items() if key is not None][:ASKED]
    if len(asked) < LEAST_KEYS:
        return ()
    prompts = [
        Prompt(stated=plain.decode_caption(rows[place]), slots={CAPTION: torch.from_numpy(rows[place])})
        for place, _ in asked
    ]
    request = Request(material.artifact, options=None, novelty=None, refuse_copies=False)
    heard = []
    for asset in make_assets(request, make_jobs(prompts, 1, material.seed)):
        heard.append(key_of(Sound(asset.content.samples, asset.content.rate_hz)))
        material.say("listening for keys", len(heard), len(asked))
    pictures = material.held_out.columns[TARGET].values
    real = [key_of(plain.decode({TARGET: plain.to_model(TARGET, np.asarray(pictures[place]))})) for place, _ in asked]
    keys = [key for _, key in asked]
    # Half of the captions further on: none its own.
    others = keys[len(keys) // 2 :] + keys[: len(keys) // 2]
    return tuple(
        Score(
            key=name,
            name=f"{words} of the caption, {len(asked)} sounds",
            interval=_share(heard, keys, part),
            better="higher",
            meaning=f"Share of sounds made for held-out captions in which the {words.lower()} that is named is heard.",
            baselines=(
                ("chance", Interval(chance, chance, chance)),
                ("captions of others", _share(heard, others, part)),
                ("real sounds", _share(real, keys, part)),
            ),
        )
        for name, words, part, chance in (("key_tonic", "First note", 0, 1 / NOTES), ("key_mode", "Mode", 1, 0.5))
    )


def _share(heard: list[tuple[int, str]], wanted: list[tuple[int, str]], part: int) -> Interval:
    return share_interval(sum(one[part] == other[part] for one, other in zip(heard, wanted, strict=True)), len(wanted))


def _runs(material: Material) -> tuple[Score, ...]:
    train, held_out = token_store(material, "train"), token_store(material, "held_out")
    if train is None or held_out is None or not len(train) or not len(held_out):
        return ()
    learned = np.asarray(train.columns[TARGET].values[:COMPARED])[:, 0].astype(np.int64)
    count = min(material.samples or WRITTEN, WRITTEN)
    request = Request(material.artifact, options=None, novelty=None, refuse_copies=False)
    jobs = [Job(Prompt(stated=None, slots={}), material.seed + number) for number in range(count)]
    material.say("looking for copied runs")
    made = [slots[TARGET][0] for _, slots in request.draw(jobs, 0)]
    real = np.asarray(held_out.columns[TARGET].values[:count])[:, 0].astype(np.int64)
    return (
        Score(
            key="longest_copied_run",
            name="Longest run of tokens as in one training sound",
            interval=mean_interval(np.array([longest_run(one, learned) for one in made], np.float64)),
            better="near",
            unit="moments",
            meaning=f"Of {learned.shape[1]} moments, first codebook, mean of {count} sounds; as long as a sound is copied whole.",
            baselines=(
                ("real, held out", mean_interval(np.array([longest_run(one, learned) for one in real], np.float64))),
            ),
        ),
    )


def longest_run(tokens: np.ndarray, learned: np.ndarray) -> int:
    """Return how many tokens in a row stand somewhere in one of the rows that were learned.

    Args:
        tokens: ``[moments]``.
        learned: ``[sounds, moments]``.

    >>> longest_run(np.array([5, 1, 2, 3]), np.array([[1, 2, 3, 4], [9, 5, 9, 9]]))
    3
    """
    runs = np.zeros((len(learned), learned.shape[1] + 1), np.int64)
    longest = 0
    for token in tokens:
        # A run that ends here is one longer than the one that ended a moment before in both.
        runs[:, 1:] = np.where(learned == token, runs[:, :-1] + 1, 0)
        longest = max(longest, int(runs.max()))
    return longest
