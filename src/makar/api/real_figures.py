"""What a model notes of its training: sums, data, and the figures that the report compares with the plan."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from makar.api.places import lasting_source
from makar.codecs.codec import Codec
from makar.data.dataset import DataSet
from makar.data.store import Store
from makar.evaluation.comparison import NATS_A_TOKEN, SQUARED_ERROR
from makar.evaluation.likelihood import CountsBytes
from makar.families.family import Batch, Family
from makar.recipe import Stage
from makar.tensor_spec import TARGET
from makar.training.batches import BatchSource
from makar.training.plan import TrainingPlan
from makar.training.randomness import torch_generator
from makar.training.result import StageResult
from makar.training.trainer import TrainingData

MOST_TOKENS = 1 << 22
MOST_CALIBRATED, CALIBRATED_TOGETHER = 4096, 64
"""Examples that a family is calibrated on, and how many at a time."""

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


def inner_batches(data: TrainingData, family: Family, *, seed: int) -> Iterator[Batch]:
    """Yield the inner validation set in its order, at most ``MOST_CALIBRATED`` examples; nothing where there is none.

    Args:
        data: Codec and stores of a stage.
        family: Its family.
        seed: Seed of the run.
    """
    store = data.stores["inner"]
    if not len(store):
        return
    device = str(next(family.parameters()).device)
    source = BatchSource(store, data.codec, family=family.config, seed=seed, device=device)
    count = min(source.count, MOST_CALIBRATED)
    for first in range(0, count, CALIBRATED_TOGETHER):
        yield source.fixed(first, CALIBRATED_TOGETHER, of=count)


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


def stage_facts(stage: Stage, result: StageResult) -> dict[str, Any]:
    """Return what a model notes of an earlier stage that it carries."""
    return {
        "parameters": stage.family.parameter_count(),
        "steps": result.steps,
        "items": result.items,
        "inner_loss": result.inner_loss,
    }


def training_facts(run: str, plan: TrainingPlan, results: list[StageResult], *, processes: int) -> dict[str, Any]:
    """Return the sums of a training over its stages, for the model's header and card.

    Args:
        run: Id of the run.
        plan: What was planned.
        results: One a stage, in order.
        processes: How many trained together.
    """
    energy = {
        name: sum(result.energy["watt_hours"][name] for result in results) / 1000 for name in ("low", "central", "high")
    }
    whose = "" if processes == 1 else f"; the first of {processes} processes only"
    return {
        "run": run,
        "processes": processes,
        "seconds": sum(result.seconds for result in results),
        "steps": sum(result.steps for result in results),
        "items": sum(result.items for result in results),
        "parameters": plan.recipe.stages[-1].family.parameter_count(),
        "inner_loss": results[-1].inner_loss,
        "energy_kwh": energy | {"method": results[-1].energy["method"] + whose},
        "machine": f"{platform.machine()}, {plan.device}, {plan.computing}",
        "predicted": plan.predicted,
        "incidents": [incident for result in results for incident in result.incidents],
    }


def data_facts(dataset: DataSet, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model notes of the data that it learned from; ``path`` stays on this machine.

    Args:
        dataset: The data.
        options: What the training was asked for; of these the consent of the people whose voices are in the data.
    """
    found = dataset.inspection
    by_hand: dict[str, Any] = {"columns": dataset.columns} if dataset.columns else {}
    by_hand |= {"consent": options["consent"]} if "consent" in options else {}
    return by_hand | {
        "fingerprint": dataset.fingerprint,
        "name": dataset.name,
        "medium": dataset.medium,
        "held_out_share": dataset.held_out_share,
        "items": found.used,
        "licences": found.licences,
        "languages": found.languages,
        "path": lasting_source(found.source),
    }
