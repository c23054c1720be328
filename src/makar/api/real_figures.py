"""What a training came to, in the form in which the report compares it with the plan."""

from typing import Any

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.evaluation.comparison import NATS_A_TOKEN, SQUARED_ERROR
from makar.evaluation.likelihood import CountsBytes
from makar.families.family import Family
from makar.tensor_spec import TARGET
from makar.training.batches import BatchSource
from makar.training.randomness import torch_generator
from makar.training.result import StageResult
from makar.training.trainer import TrainingData

MOST_TOKENS = 1 << 22
UNIT_WORDS = {"nats/token": NATS_A_TOKEN, "mse": SQUARED_ERROR}
"""Units of losses in the words of the plan; others stay as the family says them."""


def real_figures(family: Family, data: TrainingData, results: list[StageResult]) -> dict[str, Any]:
    """Return what the artifact notes of a training beside its sums.

    Args:
        family: The trained family of the last stage.
        data: Codec and stores of the last stage.
        results: One a stage, in order.
    """
    judged = data.stores["inner"] if len(data.stores["inner"]) else data.stores["train"]
    last = results[-1]
    peaks = [result.peak_memory_bytes for result in results if result.peak_memory_bytes is not None]
    figures: dict[str, Any] = {
        "last_stage": {
            "steps": last.steps,
            "items": last.items,
            "items_per_second": last.items_per_second,
            "peak_fraction": last.peak_fraction,
        },
        "peak_memory_bytes": max(peaks, default=None),
    }
    unit = loss_unit(family, data.codec, judged)
    figures["unit"] = UNIT_WORDS.get(unit, unit)
    bytes_per_token = mean_bytes_of_a_token(data.codec, judged)
    if bytes_per_token is not None:
        figures["bytes_per_token"] = bytes_per_token
    return figures


def loss_unit(family: Family, codec: Codec, store: Store) -> str:
    """Return the unit in which a family judges itself, as it says with the loss of one example."""
    device = str(next(family.parameters()).device)
    source = BatchSource(store, codec, family=family.config, seed=0, device=device)
    with torch.inference_mode():
        return family.validation_loss(source.batch(0, 1), torch_generator(0, "unit")).unit


def mean_bytes_of_a_token(codec: Codec, store: Store) -> float | None:
    """Return how many bytes of text a token of a store stands for, end tokens counted; ``None`` where content is no text.

    Args:
        codec: The codec of the store.
        store: What the loss was measured on; its first tokens are read.
    """
    if not isinstance(codec, CountsBytes) or TARGET not in store.columns:
        return None
    tokens = np.asarray(store.columns[TARGET].values[:MOST_TOKENS])
    return float(codec.token_byte_lengths()[tokens].sum() / tokens.size) if tokens.size else None
