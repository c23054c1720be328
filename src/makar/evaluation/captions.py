"""Measures a model that describes images: BLEU and CIDEr-D against the captions of held-out images, beside what copying would get.

The baseline is the caption of the training image that is nearest in pixels (Devlin et al. 2015, arXiv 1505.04467: such captions are hard to
beat where the data repeats itself), and, as the floor, the caption of some other held-out image.
"""

from typing import Any

import numpy as np

from makar.codecs.image import ImageCodec
from makar.data.store import Store
from makar.errors import DataError
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.caption_scores import bleu_counts, cider
from makar.evaluation.findings import Findings, Picture, Score, Table
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png
from makar.generation.predict import predict
from makar.tensor_spec import CAPTION, TARGET

MOST_IMAGES = 2000
MOST_NEIGHBOURS = 20_000
TOGETHER = 64
SHOWN = 16


def evaluate_captions(material: Material) -> Findings:
    """Measure a model that describes images.

    Args:
        material: The model and its data.

    Raises:
        DataError: No held-out image has a caption.
    """
    codec = material.codec
    assert isinstance(codec, ImageCodec), "what describes images reads them as pixels"
    held_out = _described(material.held_out, codec, material.samples or MOST_IMAGES)
    if not held_out:
        raise DataError(f"no image of {material.measured_on} has a caption", expected="images with captions")
    images = np.stack([image for image, _ in held_out])
    references = [[caption] for _, caption in held_out]
    written = _written(material, images)
    rival, learned = _nearest(material, codec, images)
    # Neighbours in the data are often alike, so the others are drawn.
    others = np.random.default_rng(material.seed).permutation(len(references))
    baselines = {
        "nearest training image": rival,
        "another held-out caption": [references[number][0] for number in others],
    }
    scores = _scores(written, references, {name: said for name, said in baselines.items() if said})
    return Findings(
        verdict=_verdict(scores, len(images)),
        scores=(*scores, *_novelty(written, learned)),
        pictures=(_shown(images),),
        tables=(_table(written, references, rival),),
        details={"images": len(images), "references_an_image": 1, "measured_on": material.measured_on},
    )


def _described(store: Store, codec: ImageCodec, most: int) -> list[tuple[np.ndarray, str]]:
    """Return pixels ``[rows, columns, channels]`` and caption of images that have one, evenly spread."""
    captions = [codec.decode_caption(tokens) for tokens in store.columns[CAPTION].values.reshape(len(store), -1)]
    found = np.array([number for number, caption in enumerate(captions) if caption], np.int64)
    if len(found) > most:
        found = found[np.linspace(0, len(found) - 1, most).astype(np.int64)]
    values = store.columns[TARGET].values
    return [(np.asarray(values[number]).transpose(1, 2, 0), captions[number]) for number in found]


def _written(material: Material, images: np.ndarray) -> list[str]:
    captions: list[str] = []
    for row in predict(material.artifact, images, what=CAPTION, seed=material.seed):
        captions.append(row[CAPTION])
        material.say("describing images", len(captions), len(images))
    return captions


def _nearest(material: Material, codec: ImageCodec, images: np.ndarray) -> tuple[list[str], set[str]]:
    """Return the captions of the training images nearest to these, and all that was learned; empty where the data is not here."""
    if material.train is None:
        return [], set()
    material.say("nearest training images")
    train = _described(material.train, codec, MOST_NEIGHBOURS)
    known = _vectors(np.stack([image for image, _ in train]))
    chosen = [
        int(place)
        for start in range(0, len(images), TOGETHER)
        for place in (_vectors(images[start : start + TOGETHER]) @ known.T).argmax(1)
    ]
    return [train[place][1] for place in chosen], {caption for _, caption in train}


def _vectors(images: np.ndarray) -> np.ndarray:
    """Return pixels less their mean, of length 1, so that a product is a correlation."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _scores(written: list[str], references: list[list[str]], baselines: dict[str, list[str]]) -> tuple[Score, ...]:
    return (
        Score(
            key="cider",
            name="CIDEr-D",
            interval=mean_interval(cider(written, references)),
            better="higher",
            meaning="Agreement in runs of one to four words, rare ones weighing more; 10 is the caption itself.",
            baselines=tuple((name, mean_interval(cider(said, references))) for name, said in baselines.items()),
        ),
        Score(
            key="bleu",
            name="BLEU-4",
            interval=bleu_counts(written, references).interval(),
            better="higher",
            meaning="Share of runs of one to four words that the right caption has, with a penalty for being short; at most 100.",
            baselines=tuple((name, bleu_counts(said, references).interval()) for name, said in baselines.items()),
        ),
    )


def _novelty(written: list[str], learned: set[str]) -> tuple[Score, ...]:
    if not learned:
        return ()
    new = sum(caption not in learned for caption in written)
    return (
        Score(
            key="new_captions",
            name="Captions that no training image has",
            interval=share_interval(new, len(written)),
            better="higher",
            meaning="0 would mean that it only chooses among what it learned, as the nearest neighbour does.",
        ),
    )


def _verdict(scores: tuple[Score, ...], images: int) -> tuple[str, ...]:
    told = []
    for score in scores:
        beside = ", ".join(f"{name} {_text(interval)}" for name, interval in score.baselines)
        told.append(f"{score.name} of {images} held-out images: {_text(score.interval)} ({beside}).")
    return tuple(told)


def _text(interval: Interval) -> str:
    return f"{interval.value:.2f}"


def _shown(images: np.ndarray) -> Picture:
    return Picture(
        key="described",
        caption=f"The first {min(SHOWN, len(images))} held-out images, row by row, as they are described below.",
        alternative="A grid of held-out images.",
        png=grid_png(list(images[:SHOWN]), columns=8),
    )


def _table(written: list[str], references: list[list[str]], rival: list[str]) -> Table:
    rows: list[tuple[str, ...]] = []
    for number in range(min(SHOWN, len(written))):
        near: Any = rival[number] if rival else "–"
        rows.append((str(number + 1), written[number], references[number][0], near))
    return Table(
        key="captions",
        caption="What the model says, what was said, and what the nearest training image was said to be.",
        columns=("image", "model", "right", "nearest"),
        rows=tuple(rows),
    )
