"""Trained stages that later stages work through: what a codec sees of them, their hash, and how a model carries them.

A model whose codec is learned holds, for every earlier stage::

    components/NAME/model.safetensors   every tensor of its family
    components/NAME/codec/FILE          the learned part of its own codec
    components/NAME/...                 what its family adds for other programs

and in ``makar.json``, under ``components``, its configurations, its hash and what its training cost. All of these files are in the signed
list, and the hash is compared again with the tensors once they are loaded, because the codec was fitted to exactly these weights.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from makar.codecs.codec import Autoencoder, Codec, Component, Components, Encoder
from makar.errors import ConfigError
from makar.families.family import Family
from makar.families.vector_maker import VectorMaker, makes_vectors

COMPONENTS_FOLDER = "components"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedStage:
    """An earlier stage that is finished.

    Attributes:
        codec: Its fitted codec.
        family: Its family with the weights that were kept.
        training: What its training cost and reached, as plain values.
    """

    codec: Codec
    family: Family
    training: Mapping[str, Any]


class _Encodes:
    """An encoder that is asked with tensors on the CPU and answers with such, wherever its weights are."""

    def __init__(self, family: Family, encoder: Encoder) -> None:
        self._family = family
        self._encoder = encoder

    def encode(self, images: Tensor) -> Tensor:
        """Return latents or tokens of images."""
        return self._encoder.encode(images.to(_device(self._family))).cpu()


class _Decodes(_Encodes):
    """One that also leads back."""

    def __init__(self, family: Family, autoencoder: Autoencoder) -> None:
        super().__init__(family, autoencoder)
        self._autoencoder = autoencoder

    def decode(self, latents: Tensor) -> Tensor:
        """Return images of latents or tokens."""
        return self._autoencoder.decode(latents.to(_device(self._family))).cpu()


def _device(family: Family) -> torch.device:
    return next(family.parameters()).device


def component_of(family: Family, codec: Codec | None = None) -> Component:
    """Return a trained family as a codec sees it.

    Args:
        family: In evaluation mode, with its final weights.
        codec: The codec that it was trained with; with it, what makes vectors or tokens is a component too.

    Raises:
        ConfigError: The family encodes nothing, and makes no vectors or tokens.
    """
    encoded, accepted = family.config.latents(), family.config.accepts()
    encoder: Encoder | None = None
    if encoded is not None and isinstance(family, Autoencoder):
        encoder = _Decodes(family, family)
    elif encoded is not None and isinstance(family, Encoder):
        encoder = _Encodes(family, family)
    maker = VectorMaker(family, codec) if codec is not None and makes_vectors(family, codec) else None
    if encoder is None and maker is None:
        raise ConfigError(
            f'a model of family "{family.config.kind}" encodes nothing',
            expected="a family with encode, or one that makes vectors or tokens",
        )
    return Component(
        encoder=encoder,
        encoded=encoded,
        accepted=accepted,
        hash=family_hash(family),
        codec=codec,
        maker=maker,
    )


def components_of(stages: Mapping[str, TrainedStage], names: tuple[str, ...]) -> Components:
    """Return the stages that a codec names as it sees them."""
    return {name: component_of(stages[name].family, stages[name].codec) for name in names if name in stages}


def family_hash(family: Family) -> str:
    """Return the sha256 of a family's configuration and of every tensor it saves, in hexadecimal."""
    digest = hashlib.sha256(json.dumps(family.config.to_dictionary(), sort_keys=True).encode())
    for name, tensor in sorted(family.tensors().items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def component_header(stage: TrainedStage) -> dict[str, Any]:
    """Return what ``makar.json`` says of a component."""
    return {
        "family": stage.family.config.to_dictionary(),
        "codec": stage.codec.config.to_dictionary(),
        "hash": family_hash(stage.family),
        "training": dict(stage.training),
    }


def component_files(name: str, stage: TrainedStage, *, codec_folder: str) -> dict[str, bytes]:
    """Return the files of a component but for its tensors, by their name in the folder of the model."""
    files = {f"{codec_folder}/{file}": content for file, content in stage.codec.files().items()}
    files |= stage.family.files(stage.codec)
    return {f"{COMPONENTS_FOLDER}/{name}/{file}": content for file, content in files.items()}
