"""Bringing in a checkpoint of others: one of mainstream layout becomes a model of ours, with our training and our fast decoding.

Qwen 3, Qwen 2, Llama and Mistral (within its window) compute what our network computes, under the names that ours are saved under; their
logits are equal up to rounding. Everything else that transformers opens works as it is and gains nothing by being brought in. The tokenizer
comes along, so the model needs transformers no more. The header says what it was brought in from; what that was trained on is unknown.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makar.artifacts.artifact import CODEC_FOLDER, SCHEMA, Artifact
from makar.artifacts.checkpoints import LEARNING_RATE
from makar.artifacts.save import utc_now, write_artifact
from makar.artifacts.tensors import read_tensors
from makar.codecs.codec import load_codec
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.errors import IntegrityError, UnsupportedError
from makar.families.family import build_family
from makar.families.pretrained.checkpoint_folder import CheckpointFolder, read_checkpoint
from makar.families.pretrained.checkpoint_settings import complete_settings
from makar.families.pretrained.text_opening import describe_checkpoint, tokenizer_files
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.decoder import DecoderShape
from makar.provenance.pipelines import UNKNOWN, content_hash, hashed_files
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.version import VERSION

CLASSES = ("Qwen3ForCausalLM", "Qwen2ForCausalLM", "LlamaForCausalLM", "MistralForCausalLM")
MEDIUM = "text"
HEAD = "lm_head.weight"
BUFFER = "rotary_emb.inv_freq"
"""Older folders hold the frequencies too, which follow from the settings."""


def import_checkpoint(folder: Path, target: Path) -> Artifact:
    """Make a model of ours from a checkpoint.

    Args:
        folder: The folder of the checkpoint.
        target: The folder to make.

    Raises:
        UnsupportedError: Its network is of another layout; the message says what is different.
        ArtifactError: It must not be opened; the message says why.
        TensorMismatchError: Tensors are missing, foreign or of another shape; the message lists them.
    """
    looked = read_checkpoint(folder)
    # What our network does not compute is said before anything else of it is looked at.
    config = native_config(looked)
    described = describe_checkpoint(folder)
    codec_config = PretrainedTextCodecConfig(vocabulary=config.vocabulary)
    codec = load_codec(codec_config, tokenizer_files(looked))
    family = build_family(config)
    family.load_tensors(_tensors(looked, config))
    stage = Stage(
        name="model", codec=codec_config, family=config, optimisation=OptimisationConfig(learning_rate=LEARNING_RATE)
    )
    recipe = Recipe(
        name="imported", medium=MEDIUM, summary=f"a {looked.architecture} of others, brought in", stages=(stage,)
    )
    imported = {
        "format": "transformers",
        "architecture": looked.architecture,
        "content": content_hash(hashed_files(folder, looked.files)),
        "weights": "of others",
    }
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": utc_now(),
        "medium": MEDIUM,
        "run": "",
        "recipe": recipe.to_dictionary(),
        "codec": codec_config.to_dictionary(),
        "family": config.to_dictionary(),
        "training": {"run": "", "imported": imported, "parameters": described.weights},
        "data": {"fingerprint": UNKNOWN, "name": UNKNOWN},
        "components": {},
    }
    files = {f"{CODEC_FOLDER}/{name}": content for name, content in codec.files().items()} | family.files(codec)
    return write_artifact(target, header=header, files=files, tensors=family.tensors(), components={})


def native_config(folder: CheckpointFolder) -> TransformerConfig:
    """Return the configuration of our network that computes what a checkpoint computes.

    Raises:
        UnsupportedError: Ours does not.
    """
    if folder.architecture not in CLASSES:
        raise UnsupportedError(
            f"{folder.path} is a {folder.architecture}, which our network does not compute",
            expected=", ".join(CLASSES),
            do=f"use it as it is: makar generate {folder.path}, makar train DATA --from {folder.path}",
        )
    try:
        shape = DecoderShape.from_transformers(complete_settings(folder))
    except UnsupportedError as error:
        raise UnsupportedError(
            f"{folder.path} is a {folder.architecture}, but {error.came}",
            expected=error.expected,
            do=f"use it as it is: makar generate {folder.path}, makar train DATA --from {folder.path}",
        ) from error
    is_usual = shape.head_width * shape.heads == shape.width
    return TransformerConfig(
        layout="mainstream",
        vocabulary=shape.vocabulary,
        context=shape.context_length,
        depth=shape.depth,
        width=shape.width,
        heads=shape.heads,
        key_value_heads=shape.key_value_heads,
        head_channels=0 if is_usual else shape.head_width,
        query_key_norm=shape.normed,
        biased=shape.biased,
        hidden=shape.hidden_width,
        tied=shape.tied,
        rotary_base=shape.rope_theta,
        rotary_scaling=shape.rope_scaling,
        norm_epsilon=shape.norm_epsilon,
    )


def _tensors(folder: CheckpointFolder, config: TransformerConfig) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in (name for name in folder.files if name.endswith(".safetensors")):
        part = read_tensors(folder.path / name)
        if repeated := sorted(set(part) & set(found)):
            raise IntegrityError(f"{name} repeats tensors of another file: {', '.join(repeated[:4])}")
        found |= part
    kept = {name: tensor.to(torch.float32) for name, tensor in found.items() if not name.endswith(BUFFER)}
    if config.tied:
        kept.pop(HEAD, None)
    return kept
