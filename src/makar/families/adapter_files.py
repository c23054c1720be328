"""Adapters of models of text as files: folders of PEFT, matched completely or refused, and added to weights.

Several add up, each with a weight of its own: W + sum of w_i (W_i - W), where W_i is what adapter i alone makes of W; of plain LoRA that is
the sum of the products (Hu et al. 2021, arXiv 2106.09685, section 4.1), of DoRA each one's change of the bare weight. A key that finds no
layer of its shape shows that the file was made for another base: adding the rest would give something that nobody trained.
"""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from makar.errors import ArtifactError, IntegrityError, TensorMismatchError
from makar.families.adapter_config import ADAPTER_FILE, ADAPTER_SETTINGS, low_rank_scale
from makar.nn.low_rank import changed_weight
from makar.provenance.folder import file_hash, read_limited
from makar.provenance.manifest import read_strict_json

PEFT_PREFIX = "base_model.model."
FIRST, SECOND, MAGNITUDE = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector"
PLAIN = {
    "bias": "none",
    "lora_bias": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "layer_replication": None,
    "modules_to_save": None,
}
"""Settings of PEFT that change what the matrices mean, or say that there is more than matrices, with the values for which they do not."""
PICKLE = "adapter_model.bin"
SHOWN = 8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AdapterFile:
    """An adapter that was read.

    Attributes:
        name: The name of its folder.
        hash: sha256 of its file of weights.
        weight: How strongly it counts.
        scale: Factor on the product of its matrices.
        layers: By name of a layer: A, B and, of DoRA, the lengths of the rows.
    """

    name: str
    hash: str
    weight: float
    scale: float
    layers: Mapping[str, Mapping[str, Tensor]]

    def to_dictionary(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        return {"name": self.name, "sha256": self.hash, "weight": self.weight}


def read_adapter(folder: Path, *, weight: float = 1.0) -> AdapterFile:
    """Read a folder of PEFT.

    Args:
        folder: The folder.
        weight: How strongly it is to count.

    Raises:
        IntegrityError: A file is missing, cut off or damaged.
        ArtifactError: It is a pickle, or another kind of adapter; the message says which.
    """
    path = folder / ADAPTER_FILE
    if not path.is_file() and (folder / PICKLE).is_file():
        raise ArtifactError(
            f"{folder / PICKLE} is a pickle, which runs code when it is opened",
            expected=ADAPTER_FILE,
            do="get the adapter as safetensors",
        )
    settings = read_strict_json(read_limited(folder / ADAPTER_SETTINGS))
    if not isinstance(settings, dict) or settings.get("peft_type") != "LORA":
        kind = settings.get("peft_type") if isinstance(settings, dict) else None
        raise ArtifactError(f"{folder} is an adapter of the type {kind!r}", expected="LORA: LoRA, rsLoRA or DoRA")
    odd = [name for name, plain in PLAIN.items() if settings.get(name, plain) not in (plain, None, {}, [])]
    if odd:
        raise ArtifactError(
            f"{folder} has {odd[0]} {json.dumps(settings[odd[0]])[:80]}",
            expected="matrices of low rank and nothing else",
            do="merge it into its base where it was trained",
        )
    rank, alpha = settings.get("r"), settings.get("lora_alpha")
    if not isinstance(rank, int) or not isinstance(alpha, int | float) or rank < 1:
        raise IntegrityError(f"{ADAPTER_SETTINGS} says rank {rank!r} and alpha {alpha!r}", expected="two numbers")
    try:
        tensors = safetensors.torch.load_file(path)
        digest = file_hash(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(
            f"{path} cannot be read: {error}", expected="a whole file of safetensors", do="get the adapter again"
        ) from error
    scale = low_rank_scale(float(alpha), rank, is_stabilised=settings.get("use_rslora") is True)
    return AdapterFile(name=folder.name, hash=digest, weight=weight, scale=scale, layers=_layers(tensors, path))


def with_adapters(
    weights: Mapping[str, Tensor], adapters: Sequence[AdapterFile], *, turned: Collection[str] = ()
) -> dict[str, Tensor]:
    """Return the weights that adapters change, changed.

    Args:
        weights: Every weight of the base by its name.
        adapters: What is added.
        turned: Names of weights that stand on their side, inputs by outputs.

    Raises:
        TensorMismatchError: A layer of an adapter is none of the base, or of another shape; they are listed.
    """
    found: dict[str, Tensor] = {}
    for adapter in adapters:
        _check(adapter, weights, turned)
        for layer, parts in adapter.layers.items():
            name = f"{layer}.weight"
            plain = weights[name].float()
            upright = plain.T if name in turned else plain
            changed = changed_weight(
                upright, parts[FIRST], parts[SECOND], scale=adapter.scale, magnitude=parts.get(MAGNITUDE)
            )
            added = adapter.weight * (changed - upright)
            found[name] = found.get(name, plain) + (added.T if name in turned else added)
    return found


def _layers(tensors: Mapping[str, Tensor], path: Path) -> dict[str, dict[str, Tensor]]:
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part = next((one for one in (FIRST, SECOND, MAGNITUDE) if key.endswith(f".{one}")), None)
        if part is None or not key.startswith(PEFT_PREFIX):
            raise ArtifactError(
                f'{path.name} holds "{key}"', expected="lora_A and lora_B of layers, as PEFT names them"
            )
        layers.setdefault(key.removeprefix(PEFT_PREFIX).removesuffix(f".{part}"), {})[part] = tensor
    halves = [name for name, parts in layers.items() if not {FIRST, SECOND} <= set(parts)]
    if halves or not layers:
        raise IntegrityError(
            f"{path.name} has only one of the two matrices of {halves[0]}" if halves else f"{path.name} is empty",
            do="get the adapter again",
        )
    return layers


def _check(adapter: AdapterFile, weights: Mapping[str, Tensor], turned: Collection[str]) -> None:
    wrong = []
    for layer, parts in adapter.layers.items():
        name = f"{layer}.weight"
        if name not in weights:
            wrong.append(f"{layer}: the base has no such layer")
            continue
        rows, columns = (weights[name].T if name in turned else weights[name]).shape
        made = (parts[SECOND].shape[0], parts[FIRST].shape[1])
        if made != (rows, columns) or parts[SECOND].shape[1] != parts[FIRST].shape[0]:
            wrong.append(f"{layer}: {made[0]} x {made[1]}, that of the base {rows} x {columns}")
    if wrong:
        rest = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise TensorMismatchError(
            f'the adapter "{adapter.name}" was made for another base:\n  ' + "\n  ".join([*wrong[:SHOWN], *rest]),
            expected="an adapter every layer of which finds one of its shape",
            do="use the model that it was learned from",
        )
