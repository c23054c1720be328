"""An adapter as one file that other programs load: in the layout of diffusers, or in that of kohya, which most studios read.

The folder of an adapter is that of PEFT already. Source of the layouts: ``makar.families.pretrained.lora_keys``.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from makar.artifacts.artifact import Artifact, tensors_name
from makar.artifacts.folders import new_folder, write_file
from makar.artifacts.tensors import read_tensors
from makar.errors import UnsupportedError
from makar.families.pretrained.config import PretrainedConfig
from makar.families.pretrained.lora_files import METADATA
from makar.families.pretrained.lora_keys import peft_to_diffusers, peft_to_kohya

DIFFUSERS_FILE = "pytorch_lora_weights.safetensors"
KOHYA_FILE = "lora.safetensors"


def export_diffusers(artifact: Artifact, folder: Path) -> None:
    """Write the file that ``load_lora_weights`` of diffusers opens.

    Raises:
        UnsupportedError: The model is no adapter.
    """
    config, tensors = _adapter(artifact)
    component = "unet" if config.is_unet else "transformer"
    settings: dict[str, Any] = {
        f"{component}.r": config.rank,
        f"{component}.lora_alpha": config.alpha or config.rank,
    }
    settings[f"{component}.target_modules"] = sorted(
        {name.removeprefix("base_model.model.").rsplit(".lora_", 1)[0] for name in tensors}
    )
    _write(folder, DIFFUSERS_FILE, peft_to_diffusers(tensors, component=component), {METADATA: json.dumps(settings)})


def export_kohya(artifact: Artifact, folder: Path) -> None:
    """Write the file that the programs around kohya's trainer open.

    Raises:
        UnsupportedError: The model is no adapter of a U-Net.
    """
    config, tensors = _adapter(artifact)
    if not config.is_unet:
        raise UnsupportedError(
            f"the layout of kohya has other layers than {config.pipeline}",
            expected="an adapter of Stable Diffusion 1, 2 or XL",
            do=f"makar export {artifact.name} --to diffusers",
        )
    metadata = {"ss_network_dim": str(config.rank), "ss_network_alpha": f"{config.alpha or config.rank:g}"}
    _write(folder, KOHYA_FILE, peft_to_kohya(tensors, alpha=config.alpha or config.rank), metadata)


def _adapter(artifact: Artifact) -> tuple[PretrainedConfig, dict[str, Tensor]]:
    config = artifact.recipe.stages[-1].family
    if not isinstance(config, PretrainedConfig) or not config.rank:
        raise UnsupportedError(
            f"{artifact.name} is no adapter", expected="a model made with --adapter lora", do="--to onnx"
        )
    return config, read_tensors(artifact.path / tensors_name(artifact.header))


def _write(folder: Path, name: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    plain = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}
    with new_folder(folder, replaces=None) as building:
        write_file(building, name, safetensors.torch.save(plain, metadata={"format": "pt", **metadata}))
