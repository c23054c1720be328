"""Lets a second model find how the pictures of a first one sound, in the place of Griffin and Lim: the vocoder.

A vocoder is any saved model that reconstructs sounds from pictures (recipes ``vocoder`` and ``wavenet-vocoder``). Pictures of both must be
taken alike: the same rate, step and bands. Which model it was stands in the manifest, with its hash.
"""

import copy
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.artifacts.load import load_artifact
from makar.codecs.codec import Codec
from makar.codecs.hearing import Player
from makar.codecs.hearing_config import HearingConfig
from makar.codecs.wave import WaveCodec
from makar.config import Config
from makar.data.sound import Sound
from makar.data.spectrogram import decibels_of, picture_of
from makar.errors import ConfigError, UnsupportedError
from makar.tensor_spec import SOURCE

VOCODER = "vocoder"
RECONSTRUCT = "reconstruct"
SEED = 0
"""Of what a vocoder draws: the same picture always sounds the same."""


@runtime_checkable
class IsPlayed(Protocol):
    """A codec of pictures of sounds that may be told how they sound."""

    config: HearingConfig
    player: Player | None


class Vocoder:
    """A model that finds how pictures sound.

    Args:
        artifact: The model.

    Raises:
        UnsupportedError: It is no such model.
    """

    def __init__(self, artifact: Artifact) -> None:
        codec = artifact.codec()
        if not isinstance(codec, WaveCodec) or RECONSTRUCT not in artifact.family_config.edits:
            raise UnsupportedError(
                f'"{artifact.name}" finds no sound of a picture',
                expected="a model of the recipe vocoder or wavenet-vocoder",
            )
        self.artifact, self._codec = artifact, codec
        family = artifact.family()
        self._sampler, self._options = family.sampler(codec), family.options()

    @property
    def stated(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"name": self.artifact.name, "hash": self.artifact.hash}

    def check(self, config: HearingConfig) -> None:
        """Refuse pictures that are taken otherwise.

        Raises:
            UnsupportedError: They are.
        """
        own = self._codec.config
        if (own.rate_hz, own.hop, own.mels) != (config.rate_hz, config.hop, config.mels):
            raise UnsupportedError(
                f"a vocoder of {own.rate_hz} Hz, {own.hop} samples a frame and {own.mels} bands",
                expected=f"{config.rate_hz} Hz, {config.hop} samples a frame and {config.mels} bands, as the model has them",
                do=f"train it with --set stages.0.codec.rate_hz={config.rate_hz} --set stages.0.codec.hop={config.hop} "
                f"--set stages.0.codec.mels={config.mels}",
            )

    def play(self, drawn: np.ndarray, config: HearingConfig) -> Sound:
        """Return how a picture sounds.

        Args:
            drawn: uint8 ``[mels, frames]``.
            config: Settings of the codec that it is of.
        """
        own = self._codec.config
        if own.loudest_db != config.loudest_db:
            drawn = picture_of(decibels_of(drawn, loudest=config.loudest_db), loudest=own.loudest_db)
        picture = torch.from_numpy(np.ascontiguousarray(self._codec.to_model(SOURCE, drawn)))
        (made,) = self._sampler.sample(self._options, [{SOURCE: picture}], [SEED])
        return self._codec.decode(made[1])


def played_by(codec: Codec, vocoder: Vocoder) -> Codec:
    """Return a codec whose pictures sound as a vocoder finds.

    Raises:
        UnsupportedError: It is no codec of pictures of sounds, or they are taken otherwise.
    """
    if not isinstance(codec, IsPlayed):
        raise UnsupportedError("a vocoder for a model that makes no pictures of sounds", expected="speech or sound")
    vocoder.check(codec.config)
    played = copy.copy(codec)
    played.player = vocoder.play
    return played


def read_vocoder(options: Mapping[str, Any] | Config | None) -> tuple[Vocoder | None, dict[str, Any] | Config]:
    """Take the vocoder out of the controls.

    Args:
        options: Controls by name, the name or folder of a vocoder among them; or the sampler's own.

    Returns:
        The vocoder, ``None`` where none was given, and the controls that are left.

    Raises:
        ConfigError: It is no name.
        UnsupportedError: The model is no vocoder.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    name = rest.pop(VOCODER, None)
    if name is None:
        return None, rest
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{VOCODER} is {name!r}", expected="the name or folder of a model")
    return Vocoder(load_artifact(name)), rest
