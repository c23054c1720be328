"""Figures of a model of images from the features of its samples: FID, KID, Inception Score, precision, recall, density, coverage.

Several sets of samples, each from seeds of its own, are measured alike; the figure is their mean, the interval Student's. Beside it stands
the same figure of as many held-out images: what a perfect model would get with this many. Both sides always have the same number of
items, because all of these figures depend on it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from makar.evaluation.bootstrap import Interval, mean_interval, repeated_interval, share_interval
from makar.evaluation.density_coverage import NEIGHBOURS, density_coverage
from makar.evaluation.extracting import Extracts
from makar.evaluation.findings import Score
from makar.evaluation.frechet import frechet_distance, frechet_interval
from makar.evaluation.inception_score import inception_score
from makar.evaluation.kernel_distance import kernel_distance, kernel_interval
from makar.evaluation.precision_recall import precision_recall

Features = np.ndarray


def distance_scores(
    extractor: Extracts, sets: Sequence[Features], *, real: Features, reference: Features
) -> tuple[Score, ...]:
    """Return the figures that compare samples with training images.

    Args:
        extractor: What the features are of; every figure is named after it.
        sets: Features of several sets of samples, float ``[items, features]``, all of one size.
        real: Features of as many held-out images.
        reference: Features of training images.
    """
    count = len(real)
    near = spread(reference, count)

    def over_sets(figure: Callable[[Features], float]) -> Interval:
        return repeated_interval([figure(made) for made in sets])

    floor = frechet_distance(real, reference)
    fid = over_sets(lambda made: frechet_distance(made, reference))
    usual = precision_recall(real, near)
    return (
        Score(
            key="fid",
            name=f"FID-{extractor.name}, {count} images",
            interval=fid,
            better="lower",
            meaning="Distance between samples and training images as clouds of features; falls with the number of images.",
            baselines=((f"real against real, {count} images", frechet_interval(real, reference)),),
        ),
        Score(
            key="fid_excess",
            name="FID above real against real",
            interval=Interval(fid.value - floor, fid.low - floor, fid.high - floor),
            better="lower",
            meaning="What the model adds to what as many real images have; 0 would be perfect.",
        ),
        Score(
            key="kid",
            name=f"KID-{extractor.name}",
            interval=over_sets(lambda made: kernel_distance(made, reference)),
            better="lower",
            meaning="Kernel distance, whose mean does not depend on the number of images.",
            baselines=(("real against real", kernel_interval(real, reference)),),
        ),
        Score(
            key="precision",
            name="Precision",
            interval=_share(over_sets(lambda made: precision_recall(made, near).precision)),
            better="higher",
            meaning="Share of samples that lie among the training images.",
            baselines=(("real against real", share_interval(round(usual.precision * count), count)),),
        ),
        Score(
            key="recall",
            name="Recall",
            interval=_share(over_sets(lambda made: precision_recall(made, near).recall)),
            better="higher",
            meaning="Share of training images that lie among the samples: is all of it made?",
            baselines=(("real against real", share_interval(round(usual.recall * count), count)),),
        ),
        *_density_and_coverage(over_sets, real=real, near=near),
    )


def _density_and_coverage(
    over_sets: Callable[[Callable[[Features], float]], Interval], *, real: Features, near: Features
) -> tuple[Score, ...]:
    if len(near) <= NEIGHBOURS:
        return ()
    usual = density_coverage(real, near)
    density = over_sets(lambda made: density_coverage(made, near).density)
    return (
        Score(
            key="density",
            name="Density",
            interval=Interval(density.value, max(0.0, density.low), density.high),
            better="higher",
            meaning="How thickly training images lie around a sample; about 1 for real images.",
            baselines=(("real against real", Interval(usual.density, usual.density, usual.density)),),
        ),
        Score(
            key="coverage",
            name="Coverage",
            interval=_share(over_sets(lambda made: density_coverage(made, near).coverage)),
            better="higher",
            meaning="Share of training images that have a sample among their nearest; odd samples do not raise it as they do recall.",
            baselines=(("real against real", share_interval(round(usual.coverage * len(near)), len(near))),),
        ),
    )


def certainty_scores(
    extractor: Extracts, sets: Sequence[np.ndarray | None], *, real: np.ndarray | None
) -> tuple[Score, ...]:
    """Return the Inception Score, where the extractor knows classes.

    Args:
        extractor: What the probabilities are of.
        sets: p(class | image) of several sets of samples, float ``[items, classes]``.
        real: The same of as many held-out images.
    """
    known = [values for values in sets if values is not None]
    if real is None or len(known) != len(sets):
        return ()
    usual = inception_score(real)
    return (
        Score(
            key="inception_score",
            name=f"Inception Score-{extractor.name}, {len(real)} images",
            interval=repeated_interval([inception_score(values) for values in known]),
            better="higher",
            meaning=f"How certain the class of a sample is and how spread all classes are, 1 to {real.shape[1]}; blind to copies.",
            baselines=((f"real, {len(real)} images", Interval(usual, usual, usual)),),
        ),
    )


def mean_scores(key: str, name: str, values: np.ndarray, *, meaning: str, others: dict[str, np.ndarray]) -> Score:
    """Return a score that is a mean over items, lower being better, beside the same mean of other things.

    Args:
        key: Name in the JSON.
        name: Name for a person.
        values: One figure an item.
        meaning: One sentence.
        others: Baselines by name, one figure an item.
    """
    baselines = tuple((name, mean_interval(one)) for name, one in others.items())
    return Score(
        key=key, name=name, interval=mean_interval(values), better="lower", meaning=meaning, baselines=baselines
    )


def spread(values: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many items, evenly spread."""
    if len(values) <= most:
        return np.asarray(values)
    return np.asarray(values[np.linspace(0, len(values) - 1, most).astype(np.int64)])


def _share(interval: Interval) -> Interval:
    return Interval(interval.value, max(0.0, interval.low), min(1.0, interval.high))
