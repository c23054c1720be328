"""What a training will cost and reach, from sizes alone: memory, disk, and a range for the loss; no torch.

Loss: the law of Hoffmann et al. 2022 (arXiv 2203.15556, equation 2), L = E + A / N^alpha + B / D^beta, with repeated data counted as in
Muennighoff et al. 2023 (arXiv 2305.16264, equation 5): D = U + U r (1 - exp(-R / r)), r = 15.4 for R repetitions of U unique items.
The constants of text and image are fitted to 14 runs each of one, three and ten minutes on two data sets; of the 18 each in
``benchmarks/results/2026-11-29-budget.json`` no run is further from the law than 7 and 5 %. Sizes went with the amount of data there, so
the share of the size is little more than a guess, and so is its exponent; that of the data is from the paper. Code was not measured:
the law of text with less that cannot be known. The report compares with what came out.
"""

import dataclasses
import math

WEIGHT_BYTES = 4.0
STATE_BYTES = 40.0
"""Weights, gradients, two moments and the average (20 bytes), and the good state that a rollback returns to (16), and slack."""
CHECKPOINT_BYTES = 16.0
PROCESS_BYTES = 450e6
REPETITION_CONSTANT = 15.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossLaw:
    """Constants of the law for one medium; ``spread`` widens the central value to a range."""

    irreducible: float
    size_factor: float
    size_exponent: float
    data_factor: float
    data_exponent: float
    spread: float
    unit: str


LAWS = {
    "text": LossLaw(
        irreducible=0.67,
        size_factor=5.0,
        size_exponent=0.23,
        data_factor=25.4,
        data_exponent=0.28,
        spread=0.12,
        unit="nats a byte",
    ),
    "code": LossLaw(
        irreducible=0.35,
        size_factor=5.0,
        size_exponent=0.23,
        data_factor=25.4,
        data_exponent=0.28,
        spread=0.35,
        unit="nats a byte",
    ),
    "image": LossLaw(
        irreducible=0.116,
        size_factor=0.366,
        size_exponent=0.23,
        data_factor=15.5,
        data_exponent=0.28,
        spread=0.15,
        unit="mean squared error",
    ),
}


FITTED = {("text", "transformer"), ("code", "transformer"), ("image", "diffusion")}
"""Medium and kind of family that the laws were made for; of others the plan says nothing."""


def effective_items(unique: float, seen: float) -> float:
    """Return what repeated items are worth in fresh ones.

    >>> effective_items(100.0, 50.0), round(effective_items(100.0, 200.0), 1)
    (50.0, 196.8)
    """
    if seen <= unique:
        return seen
    repetitions = seen / unique - 1.0
    return unique * (1.0 + REPETITION_CONSTANT * (1.0 - math.exp(-repetitions / REPETITION_CONSTANT)))


def expected_loss(medium: str, *, parameters: int, unique_items: float, seen_items: float) -> dict[str, float | str]:
    """Return low, central and high loss to expect on held-out data.

    Args:
        medium: ``"text"``, ``"code"`` or ``"image"``; others take the text's law.
        parameters: Trainable parameters.
        unique_items: Bytes of training text, or numbers in the training images: images of more pixels are easier a pixel.
        seen_items: The same, repetitions counted.
    """
    law = LAWS.get(medium, LAWS["text"])
    data = max(1.0, effective_items(unique_items, seen_items))
    central = (
        law.irreducible + law.size_factor / parameters**law.size_exponent + law.data_factor / data**law.data_exponent
    )
    return {
        "low": round(central * (1.0 - law.spread), 3),
        "central": round(central, 3),
        "high": round(central * (1.0 + law.spread), 3),
        "unit": law.unit,
    }


def memory_bytes(parameters: int, *, activation_bytes: float, batch_size: int, frozen_bytes: float = 0.0) -> float:
    """Return resident memory of a training, the process itself included.

    Args:
        parameters: Trainable parameters.
        activation_bytes: Of one window or item.
        batch_size: Windows or items computed at a time.
        frozen_bytes: Of what is not trained.
    """
    return PROCESS_BYTES + frozen_bytes + STATE_BYTES * parameters + activation_bytes * batch_size


def disk_bytes(parameters: int, *, store_bytes: float) -> float:
    """Return disk space that a run needs at most: the store, two checkpoints and one being written, best weights, the artifact."""
    return store_bytes + (3 * CHECKPOINT_BYTES + 3 * WEIGHT_BYTES) * parameters + 10e6
