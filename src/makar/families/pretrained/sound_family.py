"""A checkpoint of sound as a family: it hears or makes sounds as it came, and nothing of it is trained.

The networks are those of transformers; their tensors stay in their folder and are none of the family's own. What a checkpoint is not for
is refused with the name of its class and what it does.
"""

import abc
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.as_it_came import AsItCame
from makar.families.pretrained.checkpoint_config import SoundCheckpointConfig
from makar.families.pretrained.checkpoint_folder import CheckpointFolder
from makar.families.pretrained.memory import free_bytes_of
from makar.families.pretrained.sound_config import HEARING, LETTERS, WORDS, ListenerConfig
from makar.families.pretrained.sound_opening import describe_sound
from makar.families.pretrained.text_config import fitting_precision
from makar.families.pretrained.text_opening import checkpoint_of, open_network
from makar.families.recogniser.options import RecogniserOptions
from makar.nn.device import working_device


class SoundCheckpoint(AsItCame, abc.ABC):
    """A checkpoint of transformers whatever it is for; subclasses hear or make sounds.

    Args:
        config: Names the folder by its hash.

    Raises:
        ArtifactError: The folder is not on this machine, or another one.
        MissingExtraError: transformers is absent.
    """

    config: SoundCheckpointConfig

    def __init__(self, config: SoundCheckpointConfig) -> None:
        super().__init__(config)
        self.folder: CheckpointFolder = checkpoint_of(config, describe=describe_sound)
        device = working_device().type
        self._precision = fitting_precision(config.weights, device=device, free_bytes=free_bytes_of(device))
        network, self._unused = open_network(self.folder, precision=self._precision)
        self.network = network

    @property
    def computing(self) -> dict[str, Any]:
        """The number format of the weights, and the tensors of the folder that the network has no place for."""
        return {"precision": self._precision, "unused_tensors": list(self._unused)}


class ListeningCheckpoint(SoundCheckpoint, abc.ABC):
    """A checkpoint that writes down what it hears."""

    options: ClassVar[type[RecogniserOptions]] = RecogniserOptions
    creates: ClassVar[bool] = False
    config: ListenerConfig

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler that says what this checkpoint is for."""
        del codec
        refuse_hook(hook)
        return ListeningSampler(self)


class ListeningSampler(Sampler):
    """Says what a checkpoint that hears can do, and what makes sounds.

    Args:
        family: The checkpoint.
    """

    def __init__(self, family: ListeningCheckpoint) -> None:
        self._family = family

    def sample(
        self, options: RecogniserOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Refuse.

        Raises:
            UnsupportedError: Always.
        """
        del options, prompts, seeds
        config, folder = self._family.config, self._family.folder
        raise UnsupportedError(
            f"{folder.path.name} is a {config.architecture}, which {HEARING[config.task]}; a new sound was asked for",
            expected="a checkpoint that makes sounds",
            do=f"makar predict {folder.path} RECORDING",
        )


def listener_of(config: ListenerConfig) -> ListeningCheckpoint:
    """Return the family of a checkpoint that hears: how it writes decides which."""
    from makar.families.pretrained.letters import LetterCheckpoint
    from makar.families.pretrained.whisper import WhisperCheckpoint

    kinds: dict[str, type[ListeningCheckpoint]] = {WORDS: WhisperCheckpoint, LETTERS: LetterCheckpoint}
    return kinds[config.task](config)
