"""What a report says of how new the images of a model are: copies, distance ratios, the nearest training images."""

import numpy as np

from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.findings import Picture, Score
from makar.evaluation.material import Material
from makar.evaluation.pictures import pairs_png
from makar.novelty.novelty import Novelty

NEAREST_SHOWN = 16


def novelty_scores(novelties: list[Novelty], noun: str = "image") -> tuple[Score, ...]:
    """Return the share of copies and the usual distance ratio; nothing where the training data is not here."""
    if not novelties:
        return ()
    ratios = np.array([novelty.value for novelty in novelties])
    usual = novelties[0].baseline.get("distance_ratio", float("nan"))
    spread = np.quantile(ratios, [0.025, 0.975])
    return (
        Score(
            key="copies",
            name="Samples that are copies",
            interval=share_interval(sum(novelty.is_copy for novelty in novelties), len(novelties)),
            better="lower",
            meaning=f"Nearer to a training {noun} than {novelties[0].threshold:.2f}, which about 1 % of real new {noun}s are.",
        ),
        Score(
            key="distance_ratio",
            name="Distance ratio, mean and spread",
            interval=Interval(float(ratios.mean()), float(spread[0]), float(spread[1])),
            better="near",
            meaning=f"Distance to the nearest training {noun} over the mean distance to the next 20, after alignment; 0 is a copy.",
            baselines=(("real, held out", Interval(usual, usual, usual)),),
        ),
    )


def nearest_picture(material: Material, samples: list[np.ndarray], novelties: list[Novelty]) -> tuple[Picture, ...]:
    """Return the samples that are nearest to training images, each with that image."""
    if material.novelty is None or not novelties:
        return ()
    order = sorted(range(len(novelties)), key=lambda index: novelties[index].value)[:NEAREST_SHOWN]
    nearest = [material.novelty.training_image(novelties[index].nearest[0].record) for index in order]
    first, noun = novelties[order[0]], material.artifact.medium
    return (
        Picture(
            key="nearest",
            caption=(
                f"The {len(order)} samples that are nearest to training {noun}s, each above that {noun}, nearest first. The first has a "
                f"distance ratio of {first.value:.2f} (limit {first.threshold:.2f}) to {first.nearest[0].source}, "
                f"licence {first.nearest[0].licence}."
            ),
            alternative=f"Pairs of a sample and the training {noun} that is nearest to it.",
            png=pairs_png([samples[index] for index in order], nearest, columns=NEAREST_SHOWN // 2),
        ),
    )


def sentence_on_novelty(novelties: list[Novelty], noun: str = "image") -> str:
    """Return how many samples are copies, in words."""
    if not novelties:
        return "Whether it copies cannot be said here: the training data is not on this machine."
    copies = sum(novelty.is_copy for novelty in novelties)
    share = share_interval(copies, len(novelties))
    return (
        f"{copies} of {len(novelties)} samples are as near to a training {noun} as a copy ({share.value:.1%}; {share.low:.1%} to "
        f"{share.high:.1%}); of real new {noun}s about 1 % are."
    )
