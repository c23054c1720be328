"""Measures a model of images and captions in one space: finding the caption of an image, the image of a caption, and labels unseen as such.

Held-out images with distinct captions are compared with each other in both directions, beside chance and beside a linear guess from coarse
colours to words (``captioned``). Where the images have labels, each is also labelled by the name of the most similar one.
"""

import numpy as np
import torch

from makar.data.store import Store
from makar.errors import DataError, UnsupportedError
from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.captioned import caption_rows, colours_and_words, distinct_pairs, model_images
from makar.evaluation.findings import Findings, Picture, Score
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png
from makar.evaluation.ranking import median_interval, more_similar, place_interval
from makar.families.contrastive.family import ContrastiveFamily
from makar.generation.prompts import EncodesCaptions
from makar.nn.threads import threads_for
from makar.tensor_spec import TARGET

AMONG = 100
TOGETHER = 128
LEAST_PAIRS = 2
SHOWN_ROWS, SHOWN_COLUMNS = 8, 8
MOST_CLASSES = 1000


def evaluate_retrieval(material: Material) -> Findings:
    """Measure a model of images and captions in one space.

    Args:
        material: The model and its data.

    Raises:
        DataError: There are fewer than two different captions.
        UnsupportedError: Weights of the Inception network were given: there are no samples to look at.
    """
    family, store = material.artifact.family(), material.held_out
    if not isinstance(family, ContrastiveFamily):
        raise UnsupportedError(f"retrieval with a model of family {family.config.kind}", expected="contrastive")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    chosen = distinct_pairs(store)
    if len(chosen) < LEAST_PAIRS:
        raise DataError(
            f"{len(chosen)} different captions in {material.measured_on}", expected=f"at least {LEAST_PAIRS}"
        )
    material.say("comparing images and captions")
    captions = caption_rows(store)[chosen]
    vectors = _image_vectors(material, family, chosen)
    device = next(family.parameters()).device
    with threads_for(family.config.parameter_count(), convolutional=True):
        said = family.embed_captions(torch.from_numpy(captions).to(device)).cpu().double().numpy()
    similarity = vectors @ said.T
    guess = None
    if material.train is not None:
        pixels = np.asarray(store.columns[TARGET].values[chosen])
        guess = colours_and_words(material.train, pixels, captions, vocabulary=family.config.caption_vocabulary)
    scores = (
        *_direction("caption", "caption of an image", similarity, guess),
        *_direction("image", "image of a caption", similarity.T, None if guess is None else guess.T),
        *_labelled(material, family),
    )
    return Findings(
        verdict=_sentences(scores, len(chosen)),
        scores=scores,
        pictures=(_found_images(store, similarity),),
        details={"pairs": len(chosen), "among": min(AMONG, len(chosen))},
    )


def _image_vectors(material: Material, family: ContrastiveFamily, chosen: np.ndarray) -> np.ndarray:
    device, parts = next(family.parameters()).device, []
    with threads_for(family.config.parameter_count(), convolutional=True):
        for start in range(0, len(chosen), TOGETHER):
            images = model_images(material.held_out, material.codec, chosen[start : start + TOGETHER])
            parts.append(family.embed_images(images.to(device)).cpu().double().numpy())
    return np.concatenate(parts)


def _direction(key: str, name: str, similarity: np.ndarray, guess: np.ndarray | None) -> tuple[Score, ...]:
    count = len(similarity)
    right, among = np.arange(count), min(AMONG, count)
    better = {"model": more_similar(similarity, right)}
    if guess is not None:
        better["colours and words"] = more_similar(guess, right)
    scores = []
    for first, words in ((1, "first"), (5, "in_five")):
        found = {
            who: place_interval(found, others=count - 1, among=among, first=first) for who, found in better.items()
        }
        chance = min(1.0, first / among)
        scores.append(
            Score(
                key=f"{key}_{words}",
                name=f"The {name} {'first' if first == 1 else 'among the first five'} of {among}",
                interval=found.pop("model"),
                better="higher",
                meaning="Share of held-out pairs; the others are drawn from the other held-out pairs, all draws averaged.",
                baselines=(("chance", Interval(chance, chance, chance)), *found.items()),
            )
        )
    middle = (count + 1) / 2
    ranks = {who: median_interval(found + 1) for who, found in better.items()}
    scores.append(
        Score(
            key=f"{key}_median_rank",
            name=f"Median rank of the {name}, of {count}",
            interval=ranks.pop("model"),
            better="lower",
            meaning="Place of the right one among all held-out pairs.",
            baselines=(("chance", Interval(middle, middle, middle)), *ranks.items()),
        )
    )
    return tuple(scores)


def _labelled(material: Material, family: ContrastiveFamily) -> tuple[Score, ...]:
    """Return how often the most similar name of a class is the right one; nothing where images have no labels."""
    labels = [source.get("label") for source in material.held_out.sources()]
    names = sorted({str(label) for label in labels if label})
    codec = material.codec
    if not 2 <= len(names) <= MOST_CLASSES or not isinstance(codec, EncodesCaptions):
        return ()
    chosen = np.array([number for number, label in enumerate(labels) if label], np.int64)
    rows = torch.from_numpy(np.stack([codec.encode_caption(name) for name in names]).astype(np.int64))
    said = family.embed_captions(rows.to(next(family.parameters()).device)).cpu().double().numpy()
    found = (_image_vectors(material, family, chosen) @ said.T).argmax(1)
    right = np.array([names.index(str(labels[number])) for number in chosen])
    usual = np.bincount(right).max()
    return (
        Score(
            key="label_accuracy",
            name=f"Labels by their names alone, {len(names)} classes",
            interval=share_interval(int((found == right).sum()), len(right)),
            better="higher",
            meaning="Share of held-out images whose most similar class name is their own; no label was learned as such.",
            baselines=(("the most frequent class", share_interval(int(usual), len(right))),),
        ),
    )


def _sentences(scores: tuple[Score, ...], count: int) -> tuple[str, ...]:
    sentences = []
    for score in scores:
        if score.key.endswith("_first") or score.key == "label_accuracy":
            beside = ", ".join(f"{name} {interval.value:.1%}" for name, interval in score.baselines)
            interval = score.interval
            sentences.append(
                f"{score.name}: {interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%}); {beside}."
            )
    return (*sentences, f"Measured on {count} held-out images with different captions.")


def _found_images(store: Store, similarity: np.ndarray) -> Picture:
    """Return the images that some captions find, the most similar first."""
    values = store.columns[TARGET].values
    rows = np.linspace(0, len(similarity) - 1, min(SHOWN_ROWS, len(similarity))).astype(int)
    chosen = distinct_pairs(store)
    columns = min(SHOWN_COLUMNS, len(chosen))
    shown = []
    for row in rows:
        # The right image first, then what its caption finds.
        shown.append(np.asarray(values[chosen[row]]).transpose(1, 2, 0))
        order = np.argsort(-similarity[:, row], kind="stable")[:columns]
        shown += [np.asarray(values[chosen[number]]).transpose(1, 2, 0) for number in order]
    return Picture(
        key="found",
        caption=f"A row a caption: its own image, then the {columns} held-out images that it finds, the most similar first.",
        alternative=f"{len(rows)} rows of an image and the images that its caption finds.",
        png=grid_png(shown, columns=columns + 1),
    )
