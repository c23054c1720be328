"""The loss on the inner validation set: always the same examples and draws, with the averaged weights, at ten moments of a run.

Ten passes together may cost a twentieth of the training: with a backward pass costing twice a forward pass, each may read
0.015 times the examples of the run.
"""

import torch

from makar.families.family import Family
from makar.training.batches import BatchSource
from makar.training.randomness import seed_global_draws, torch_generator

MOMENTS = tuple(tenth / 10 for tenth in range(1, 11))
LARGEST_SHARE = 0.05
SHARE_A_PASS = LARGEST_SHARE * 3 / len(MOMENTS)


def validation_count(available: int, *, expected_positions: float, batch_size: int) -> int:
    """Return how many windows or items a validation reads.

    Args:
        available: How many there are.
        expected_positions: Windows or items that the whole run will train on.
        batch_size: Smallest number worth reading.
    """
    return max(1, min(available, max(batch_size, int(SHARE_A_PASS * expected_positions))))


def validation_loss(family: Family, *, source: BatchSource, count: int, batch_size: int, seed: int) -> float:
    """Return the mean loss over ``count`` fixed examples; the family is in evaluation mode already.

    Args:
        family: The family, holding the weights to judge.
        source: The inner validation set.
        count: Windows or items to read.
        batch_size: Windows or items at a time.
        seed: Seed of the run.
    """
    total, weight = 0.0, 0
    seed_global_draws(seed, "validation")
    with torch.no_grad():
        for first in range(0, count, batch_size):
            batch = source.fixed(first, batch_size, of=count)
            loss = family.validation_loss(batch, torch_generator(seed, "validation", first))
            total += float(loss.value) * loss.count
            weight += loss.count
    return total / weight
