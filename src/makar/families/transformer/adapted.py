"""A decoder whose weights are another model's, frozen, and whose layers have changes of low rank that are learned.

The network is built without weights; every matrix of its blocks becomes a layer with a change (``makar.nn.low_rank``), everything else a
buffer that is not saved, so that what is learned is all there is to count, to move, to checkpoint and to save. Names are those of PEFT,
which opens the saved folder over the exported base.

Source: Hu et al. 2021, arXiv 2106.09685; Dettmers et al. 2023, arXiv 2305.14314 (the base in 4 bits).
"""

import functools
import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from makar.errors import ConfigError, IntegrityError
from makar.families.adapter_base import SavedTensors, base_of_ours
from makar.families.adapter_config import DORA, RSLORA, AdapterConfig
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.layouts import saved_names
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.new_rows import EMBEDDINGS, HEAD, grown
from makar.nn.frozen_matrix import FrozenMatrix
from makar.nn.linear import Linear
from makar.nn.low_rank import AdaptedLinear, LowRank, Rows

PEFT_PREFIX = "base_model.model."
WHOLE_NAMES = {"embed_tokens": EMBEDDINGS, "lm_head": HEAD}
FREE = ("vocabulary", "context", "dropout", "infill_share", "infill_tokens", "adapter", "recompute")
"""Settings of a decoder that may differ between a base and what is learned over it: no weight depends on them, or rows are added."""


def adapted_network(config: TransformerConfig) -> TransformerNetwork:
    """Return a network over the base that its adapter names, whose first output is the base's.

    Raises:
        ArtifactError: The base is not on this machine.
        IntegrityError: The base is another one than the configuration describes.
        UnknownNameError: A layer is to be changed that there is not.
    """
    adapter = config.adapter
    assert adapter is not None, "asked for adapters"
    base = _base(config, adapter)
    with torch.device("meta"):
        network = TransformerNetwork(config)
    targets = adapter.chosen(config.linear_sizes())
    whole = {WHOLE_NAMES[name] for name in adapter.whole}
    for name, parts in saved_names(config):
        path, _, attribute = name.rpartition(".")
        place = network.get_submodule(path)
        names = [part for part, _ in parts]
        if isinstance(place, Linear):
            rows = [
                Rows(name=part.removesuffix(".weight"), count=count, is_changed=part.split(".")[-2] in targets)
                for part, count in parts
            ]
            frozen = FrozenMatrix(functools.partial(base.joined, names), (len(place.weight), place.weight.shape[1]))
            above, _, last = path.rpartition(".")
            setattr(network.get_submodule(above), last, AdaptedLinear(frozen, rows, _change(adapter)))
            continue
        value = grown(names[0], base.joined(names), config.vocabulary)
        delattr(place, attribute)
        if names[0] in whole:
            place.register_parameter(attribute, nn.Parameter(value))
        else:
            place.register_buffer(attribute, value, persistent=False)
    return network


def adapted_layers(network: nn.Module) -> Iterator[AdaptedLinear]:
    """Yield the layers of a network that have a change."""
    return (module for module in network.modules() if isinstance(module, AdaptedLinear))


def learned_parameters(network: TransformerNetwork, adapter: AdapterConfig) -> dict[str, nn.Parameter]:
    """Return all that is learned by the names that PEFT has for it."""
    found = {name: value for layer in adapted_layers(network) for name, value in layer.learned().items()}
    if "embed_tokens" in adapter.whole:
        found[EMBEDDINGS] = network.embeddings
        if network.config.tied:
            # PEFT keeps both that are one, and wants both.
            found[HEAD] = network.embeddings
    if "lm_head" in adapter.whole and network.separate_head is not None:
        found[HEAD] = network.separate_head
    return {PEFT_PREFIX + name: value for name, value in found.items()}


def initialise_adapter(network: TransformerNetwork, generator: torch.Generator) -> None:
    """Draw the first matrix of every change; what is learned as a whole begins as it is in the base."""
    for layer in adapted_layers(network):
        layer.initialise(generator)


def peft_settings(
    adapter: AdapterConfig, *, names: tuple[str, ...], is_tied: bool = False, is_turned: bool = False
) -> bytes:
    """Return the file by which PEFT opens an adapter.

    Args:
        adapter: The adapter.
        names: The layers that are changed.
        is_tied: Whether embeddings and output layer are one.
        is_turned: Whether the weights stand on their side, inputs by outputs.
    """
    settings: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": f"sha256:{adapter.base}",
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "target_modules": list(names),
        "modules_to_save": list(adapter.whole) or None,
        "ensure_weight_tying": bool(adapter.whole) and is_tied,
        "use_rslora": adapter.method == RSLORA,
        "use_dora": adapter.method == DORA,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": is_turned,
        "inference_mode": True,
    }
    return json.dumps(settings, indent=1).encode()


def _change(adapter: AdapterConfig) -> LowRank:
    return LowRank(rank=adapter.rank, scale=adapter.scale, has_magnitudes=adapter.method == DORA)


def _base(config: TransformerConfig, adapter: AdapterConfig) -> SavedTensors:
    if not adapter.base:
        raise ConfigError("an adapter of no model", expected="a training that begins from one", do="--from MODEL")
    header, weights = base_of_ours(adapter.base)
    found = header["family"]
    theirs = found.get("decoder", found)
    ours = config.to_dictionary()
    if not isinstance(theirs, dict) or theirs.get("adapter") or theirs.get("kind") != config.kind:
        raise IntegrityError(
            "the base of this adapter is no whole decoder of text", expected="a model of its own weights"
        )
    wrong = [name for name in ours if name not in FREE and ours[name] != theirs.get(name)]
    if wrong or int(theirs.get("vocabulary", 0)) > config.vocabulary:
        name = wrong[0] if wrong else "vocabulary"
        raise IntegrityError(
            f"this adapter was made for a model whose {name} is {ours[name]!r}; that of its base is {theirs.get(name)!r}",
            expected="the model that it was learned from",
            do="do not trust this adapter",
        )
    return SavedTensors([weights])
