"""LoRA files of others: opened by hash, matched completely or refused, and added to the weights of the pipeline.

Adding them costs nothing while images are made, and several of them add up (Hu et al. 2021, arXiv 2106.09685, section 4.1). A file whose
keys do not all find a layer of their shape was made for another base: adding the rest would give something that nobody trained.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from makar.errors import ArtifactError, IntegrityError, TensorMismatchError, UsageError
from makar.families.pretrained.lora_keys import COMPONENTS, read_layers
from makar.provenance.folder import file_hash
from makar.provenance.ledger import known_place, remember_place

PEFT_SETTINGS = "adapter_config.json"
PEFT_WEIGHTS = "adapter_model.safetensors"
METADATA = "lora_adapter_metadata"
"""Where diffusers keeps rank and alpha of what it saves."""
PLAIN_SETTINGS = {"use_dora": False, "use_rslora": False, "rank_pattern": {}, "alpha_pattern": {}, "lora_bias": False}
"""Settings of PEFT that change what the matrices mean, with the values for which they do not."""
SHOWN = 12
"""Keys that a refusal lists before it counts the rest."""


def lora_entry(text: str) -> str:
    """Return ``SHA256:SCALE`` for what a user wrote: FILE, FOLDER (of PEFT) or either with ``:SCALE``; the place is noted.

    Raises:
        UsageError: There is no such file, or the scale is no number.
        ArtifactError: It is a pickle.
    """
    name, colon, number = text.rpartition(":")
    scale = 1.0
    if colon and not Path(text).exists():
        try:
            scale = float(number)
        except ValueError as error:
            raise UsageError(
                f'"{text}" is no LoRA file', expected="FILE or FILE:SCALE, such as style.safetensors:0.8"
            ) from error
    else:
        name = text
    path = Path(name).expanduser()
    if path.is_dir():
        path = path / PEFT_WEIGHTS
    if path.suffix in (".bin", ".ckpt", ".pt", ".pth"):
        raise ArtifactError(
            f"{path} is a pickle, which runs code when it is opened", expected="safetensors", do="get it as safetensors"
        )
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected="a LoRA as .safetensors, or a folder of PEFT")
    digest = file_hash(path)
    remember_place("artifact", digest, str(path.absolute()))
    return f"{digest}:{scale:g}"


def add_lora_files(pipeline: Any, entries: tuple[str, ...]) -> None:
    """Add LoRA files to the weights of an opened pipeline.

    Args:
        pipeline: A pipeline of diffusers.
        entries: Each SHA256:SCALE.

    Raises:
        ArtifactError: A file is not where it was.
        IntegrityError: It is another one now.
        TensorMismatchError: Keys of it match nothing; they are listed.
    """
    for entry in entries:
        digest, _, scale = entry.partition(":")
        place = known_place("artifact", digest)
        if place is None or not Path(place).is_file():
            raise ArtifactError(f"the LoRA {digest[:16]} is not where it was", expected="the file that was named")
        if file_hash(Path(place)) != digest:
            raise IntegrityError(f"{place} was changed", expected=f"the file with the hash {digest[:16]}")
        _add(pipeline, Path(place), float(scale))


def _add(pipeline: Any, path: Path, scale: float) -> None:
    networks = {
        name: part for name, part in pipeline.components.items() if name in COMPONENTS and isinstance(part, nn.Module)
    }
    tensors, alpha = read_lora_file(path)
    if any("double_blocks" in name or "single_blocks" in name for name in tensors):
        # Names of Flux before diffusers, with query, key and value in one matrix; the library takes them apart.
        tensors = _by_the_library(pipeline, tensors, path)
    found = read_layers(tensors, networks)
    if found.unmatched or not found.layers:
        rest = len(found.unmatched) - SHOWN
        raise TensorMismatchError(
            f"{path.name} does not fit this {type(pipeline).__name__}; of its {found.layout} keys these match nothing:\n  "
            + "\n  ".join([*found.unmatched[:SHOWN], *([f"and {rest} more"] if rest > 0 else [])]),
            expected="a LoRA for this base, every key of which finds a layer of its shape",
            do="use the pipeline that it was trained for",
        )
    with torch.no_grad():
        for layer in found.layers:
            weight = networks[layer.component].get_submodule(layer.module).weight
            assert isinstance(weight, Tensor)
            factor = scale
            if layer.alpha is None and alpha is not None:
                factor *= alpha / layer.down.shape[0]
            weight.copy_((weight.float() + factor * layer.change().view(weight.shape)).to(weight.dtype))


def read_lora_file(path: Path) -> tuple[dict[str, Tensor], float | None]:
    """Read tensors and the alpha that stands beside them.

    Raises:
        IntegrityError: It is no safetensors file.
        ArtifactError: Its settings give the matrices another meaning.
    """
    try:
        tensors = safetensors.torch.load_file(path)
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(f"{path.name} cannot be read: {error}", expected="a safetensors file") from error
    settings: Mapping[str, Any] = {}
    if (path.parent / PEFT_SETTINGS).is_file() and path.name == PEFT_WEIGHTS:
        settings = json.loads((path.parent / PEFT_SETTINGS).read_text(encoding="utf-8"))
    elif METADATA in metadata:
        whole = json.loads(metadata[METADATA])
        settings = {str(name).rpartition(".")[2]: value for name, value in whole.items()}
    odd = [name for name, plain in PLAIN_SETTINGS.items() if settings.get(name, plain) not in (plain, None)]
    if odd:
        raise ArtifactError(
            f"{path.name} was trained with {odd[0]}", expected="a plain LoRA", do="merge it where it was trained"
        )
    alpha = settings.get("lora_alpha")
    return tensors, float(alpha) if isinstance(alpha, int | float) else None


def _by_the_library(pipeline: Any, tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    try:
        converted = pipeline.lora_state_dict(dict(tensors))
    except (ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise TensorMismatchError(
            f"the keys of {path.name} cannot be turned into those of {type(pipeline).__name__}: {error}",
            expected="a LoRA for this base",
            do="use the pipeline that it was trained for",
        ) from error
    table: dict[str, Tensor] = converted[0] if isinstance(converted, tuple) else converted
    return table
