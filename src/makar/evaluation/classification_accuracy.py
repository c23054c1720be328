"""The classification accuracy score: a classifier that has seen samples only is asked for the classes of real images.

What a model makes is good for something, and its classes are what they are called, when this classifier tells real images as well as one
that was trained on as many real images. It sees missing variety, which the Inception Score does not. Source: Ravuri & Vinyals 2019
(arXiv:1905.10887); here with a small classifier and as many samples as are measured otherwise, so it compares with its baseline and not
with their figures.
"""

import numpy as np

from makar.data.store import Store
from makar.evaluation.bootstrap import share_interval
from makar.evaluation.classifier import right_answers, trained_classifier
from makar.evaluation.findings import Score
from makar.evaluation.material import Material
from makar.generation.generate import generate
from makar.generation.recording import seen
from makar.tensor_spec import CLASS, TARGET

LEAST_A_CLASS = 2
TESTED = 2000


def classification_accuracy(material: Material, *, count: int) -> tuple[Score, ...]:
    """Return the score of a model that can be asked for classes, nothing of another.

    Args:
        material: The model and its data.
        count: Labelled samples to make; about as many for every class.
    """
    classes = _classes(material)
    if classes < 2 or material.train is None:
        return ()
    each = max(LEAST_A_CLASS, round(count / classes))
    train, train_labels = _labelled(material.train)
    chosen = _each(train_labels, classes, each)
    held_out, labels = _labelled(material.held_out)
    tested = np.linspace(0, len(labels) - 1, min(len(labels), TESTED)).astype(np.int64)
    material.say("making samples of every class", 0, each * classes)
    made: list[np.ndarray] = []
    for asset in generate(material.artifact, prompts=list(range(classes)), count=each, seed=material.seed):
        made.append(seen(asset.content, material.codec).transpose(2, 0, 1))
        material.say("making samples of every class", len(made), each * classes)
    made_labels = np.arange(len(made)) // each
    material.say("classifiers of samples and of real images")
    shares = []
    for images, numbers in ((np.stack(made), made_labels), (train[chosen], train_labels[chosen])):
        network = trained_classifier(images, numbers, classes=classes, seed=material.seed)
        right = right_answers(network, held_out[tested], labels[tested], classes=classes)
        shares.append(share_interval(right, len(tested)))
    return (
        Score(
            key="classification_accuracy",
            name=f"Classification accuracy, {len(made)} samples",
            interval=shares[0],
            better="higher",
            meaning="Share of held-out real images that a classifier tells right which was trained on samples only.",
            baselines=((f"trained on {len(chosen)} real images", shares[1]),),
        ),
    )


def _classes(material: Material) -> int:
    """Return the number of classes that the model can be asked for and both parts of the data name."""
    spec = material.codec.spec
    accepted = material.artifact.recipe.stages[-1].family.accepts()
    stores = [store for store in (material.train, material.held_out) if store is not None]
    if CLASS not in spec or CLASS not in accepted or any(CLASS not in store.columns for store in stores):
        return 0
    return spec[CLASS].vocabulary or 0


def _labelled(store: Store) -> tuple[np.ndarray, np.ndarray]:
    return store.columns[TARGET].values, np.asarray(store.columns[CLASS].values).reshape(-1).astype(np.int64)


def _each(labels: np.ndarray, classes: int, each: int) -> np.ndarray:
    """Return the places of at most so many items of every class, evenly spread, in order."""
    parts = []
    for number in range(classes):
        places = np.flatnonzero(labels == number)
        parts.append(places[np.linspace(0, len(places) - 1, min(len(places), each)).astype(np.int64)])
    return np.sort(np.concatenate(parts))
