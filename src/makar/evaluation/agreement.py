"""Prompt agreement: which of a hundred held-out captions an image shows that was made for one of them, as a judge sees it.

Stands beside the same figure for shuffled captions (what the same images reach for captions of others), for the real held-out images of
these captions (the most that this judge can say), and beside chance. The judge never saw the held-out part; see ``judge``.
"""

from typing import Any

import numpy as np
import torch

from makar.codecs.image import ImageCodec
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, mean_interval
from makar.evaluation.captioned import caption_rows, distinct_pairs
from makar.evaluation.findings import Score
from makar.evaluation.judge import Judge, judge_for
from makar.evaluation.material import Material
from makar.evaluation.ranking import more_similar
from makar.generation.generate import make_assets
from makar.generation.jobs import make_jobs
from makar.generation.prompts import Prompt
from makar.generation.recording import pictured, seen
from makar.generation.request import Request
from makar.tensor_spec import CAPTION, TARGET

AMONG = 100
IMAGES_A_CAPTION = 2
LEAST_CAPTIONS = 5
PLACES = (("agreement_first", 1, "first"), ("agreement_in_five", 5, "among the first five"))


def agreement_scores(material: Material) -> tuple[Score, ...]:
    """Return the scores of a model that makes images of captions, nothing of another or with hardly any captions held out.

    Args:
        material: The model and its data.
    """
    codec, train = pictured(material.codec), material.train
    if train is None or not isinstance(codec, ImageCodec) or not _is_asked_with_captions(material):
        return ()
    chosen = distinct_pairs(material.held_out, most=AMONG)
    if len(chosen) < LEAST_CAPTIONS:
        return ()
    captions = caption_rows(material.held_out)[chosen]
    material.say("training the judge of captions")
    judge = judge_for(
        train, codec, progress=lambda done, total: material.say("training the judge of captions", done, total)
    )
    right = np.repeat(np.arange(len(chosen)), IMAGES_A_CAPTION)
    said = judge.agreement(_made(material, codec, captions), captions)
    real = judge.agreement(_pixels(material.held_out, chosen), captions)
    # Every caption gets the images of the one after the next half: none its own.
    shuffled = (right + max(1, len(chosen) // 2)) % len(chosen)
    places = {
        "model": more_similar(said, right),
        "shuffled captions": more_similar(said, shuffled),
        "real images": more_similar(real, np.arange(len(chosen))),
    }
    return tuple(_score(judge, key, first, words, places, captions=len(chosen)) for key, first, words in PLACES)


def sentence_on_agreement(scores: tuple[Score, ...]) -> tuple[str, ...]:
    """Return what the verdict says of prompt agreement; nothing where it was not measured."""
    found = next((score for score in scores if score.key == PLACES[0][0]), None)
    if found is None:
        return ()
    beside = dict(found.baselines)
    return (
        f"{found.name}: {found.interval.value:.0%} ({found.interval.low:.0%} to {found.interval.high:.0%}); of real images "
        f"{beside['real images'].value:.0%}, with shuffled captions {beside['shuffled captions'].value:.0%}.",
    )


def _is_asked_with_captions(material: Material) -> bool:
    config = material.artifact.recipe.stages[-1].family
    accepted = config.accepts()
    # What needs an image besides is asked with that, not with words alone.
    creates = material.artifact.family().creates
    return CAPTION in accepted and creates and CAPTION in material.held_out.columns


def _made(material: Material, codec: ImageCodec, captions: np.ndarray) -> np.ndarray:
    """Return images of captions, ``IMAGES_A_CAPTION`` each, uint8 ``[images, channels, height, width]``."""
    prompts = [
        # The tokens themselves: a caption that was cut off in the store need not be a prompt that fits.
        Prompt(stated=codec.decode_caption(row), slots={CAPTION: torch.from_numpy(row)})
        for row in captions
    ]
    request = Request(material.artifact, options=None, novelty=None, refuse_copies=False)
    jobs = make_jobs(prompts, IMAGES_A_CAPTION, material.seed)
    images: list[Any] = []
    for asset in make_assets(request, jobs):
        images.append(seen(asset.content, material.codec).transpose(2, 0, 1))
        material.say("making images of captions", len(images), len(jobs))
    return np.stack(images)


def _pixels(store: Store, chosen: np.ndarray) -> np.ndarray:
    return np.asarray(store.columns[TARGET].values[chosen])


def _score(judge: Judge, key: str, first: int, words: str, places: dict[str, np.ndarray], *, captions: int) -> Score:
    # Images of one caption are not independent: the mean of each caption counts once.
    shares = {name: mean_interval((found < first).reshape(captions, -1).mean(1)) for name, found in places.items()}
    chance = min(1.0, first / captions)
    return Score(
        key=key,
        name=f"Asked-for caption {words} of {captions}, {judge.name}",
        interval=shares.pop("model"),
        better="higher",
        meaning="Share of images made for held-out captions in which a judge trained on the training part finds that caption.",
        baselines=(("chance", Interval(chance, chance, chance)), *shares.items()),
    )
