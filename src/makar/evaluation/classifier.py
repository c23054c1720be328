"""A small classifier of images that is trained in seconds, for asking what images are good for: the same network and steps on every set.

The network is that of the extractor without its damages. Every image is moved by up to two pixels, and nothing is mirrored, since digits
and letters are not the same in a mirror. The same images, labels and seed give the same classifier on the same machine.
"""

import numpy as np
import torch
import torch.nn.functional as functional
from torch import nn

from makar.evaluation.extractor import SIZE, FeatureNetwork, prepared

STEPS = 250
BATCH = 64
LEARNING_RATE = 3e-3
MOST_SHIFT = 2


def trained_classifier(
    images: np.ndarray, labels: np.ndarray, *, classes: int, seed: int = 0, steps: int = 0
) -> FeatureNetwork:
    """Train a classifier.

    Args:
        images: uint8 ``[items, channels, height, width]``.
        labels: The number of the class of every image.
        classes: Number of classes.
        seed: Seed of the weights, the order and the shifts.
        steps: Steps of at most ``BATCH`` images; 0 takes the usual number.
    """
    steps = steps or STEPS
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FeatureNetwork(3 if images.shape[1] > 1 else 1, classes)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    seen = prepared(images, channels=network.channels)
    targets = torch.from_numpy(np.asarray(labels, np.int64))
    # Drawn with replacement from a small set, a step would hold the same image many times.
    size = min(BATCH, len(images))
    order: list[int] = []
    for _ in range(steps):
        if len(order) < size:
            order = generator.permutation(len(images)).tolist()
        chosen, order = torch.tensor(order[:size]), order[size:]
        down, across = generator.integers(0, 2 * MOST_SHIFT + 1, 2)
        padded = functional.pad(seen[chosen], (MOST_SHIFT,) * 4, mode="replicate")
        logits = network(padded[:, :, down : down + SIZE, across : across + SIZE])[:, :classes]
        loss = functional.cross_entropy(logits, targets[chosen])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def right_answers(network: FeatureNetwork, images: np.ndarray, labels: np.ndarray, *, classes: int) -> int:
    """Return how many images a classifier tells right.

    Args:
        network: Of ``trained_classifier``.
        images: uint8 ``[items, channels, height, width]``.
        labels: The number of the class of every image.
        classes: Number of classes.
    """
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), 500):
            seen = prepared(images[start : start + 500], channels=network.channels)
            said = network(seen)[:, :classes].argmax(1).numpy()
            right += int((said == np.asarray(labels[start : start + 500])).sum())
    return right
