"""An adapter merged into its base: a whole model of its own weights, as every format but PEFT's wants it.

The exact weights of the base are read from it and the changes are added in float32, so that the merged model gives the numbers that
transformers gives with PEFT. The result is signed anew and names the adapter as what it came from.
"""

import shutil
from pathlib import Path

from makar.artifacts.artifact import CODEC_FOLDER, Artifact
from makar.artifacts.save import utc_now, write_artifact
from makar.data.record import WRITTEN
from makar.errors import ArtifactError
from makar.families.adapter_files import read_adapter
from makar.families.pretrained.checkpoint_settings import quiet_transformers
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.families.pretrained.text_family import CausalCheckpoint
from makar.families.pretrained.text_opening import checkpoint_of
from makar.recipe import Parent
from makar.version import VERSION


def is_adapter(artifact: Artifact) -> bool:
    """Return whether a model holds nothing but the changes of another model of text."""
    return artifact.medium in WRITTEN and artifact.family_config.tensors_name.startswith("adapter")


def merged_artifact(artifact: Artifact, target: Path) -> Artifact:
    """Write the whole model that an adapter makes of its base.

    Args:
        artifact: An adapter of a model of ours.
        target: The folder to make.
    """
    codec, family = artifact.codec(), artifact.family("cpu").merged()
    *earlier, last = artifact.recipe.stages
    recipe = artifact.recipe.changed(
        stages=(*earlier, last.changed(family=family.config)), parent=Parent(name=artifact.name, hash=artifact.hash)
    )
    header = {
        **artifact.header,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": utc_now(),
        "run": "",
        "recipe": recipe.to_dictionary(),
        "family": family.config.to_dictionary(),
        "training": {"run": "", "parameters": family.config.parameter_count(), "merged": {"adapter": artifact.hash}},
    }
    files = {f"{CODEC_FOLDER}/{name}": content for name, content in codec.files().items()} | family.files(codec)
    return write_artifact(target, header=header, files=files, tensors=family.tensors(), components={})


def write_merged_checkpoint(artifact: Artifact, building: Path) -> None:
    """Write the checkpoint that an adapter makes of its base, as transformers saves one.

    Args:
        artifact: An adapter of a checkpoint.
        building: An empty folder.
    """
    config = artifact.family_config
    assert isinstance(config, PretrainedTextConfig), "asked for adapters of checkpoints"
    folder = checkpoint_of(config)
    base = CausalCheckpoint(config.changed(adapter=None, recompute=False))
    base.add_adapters([read_adapter(artifact.path)])
    try:
        with quiet_transformers():
            base.network.save_pretrained(building)
    except (OSError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"the merged {config.architecture} cannot be written: {error}") from error
    for name in folder.files:
        if ".safetensors" not in name:
            shutil.copyfile(folder.path / name, building / name)
