"""A pipeline of diffusers as it came, and one call of it."""

import abc
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from makar.errors import IntegrityError, UnsupportedError
from makar.families.pretrained.as_it_came import AsItCame
from makar.families.pretrained.checkpoint_config import AsItCameConfig
from makar.families.pretrained.drawing import drawn_from
from makar.families.pretrained.folder import PipelineFolder
from makar.families.pretrained.memory import free_bytes_of
from makar.families.pretrained.opening import from_folder, known_folder, quiet
from makar.families.pretrained.text_config import fitting_precision
from makar.nn.device import working_device


class PipelineAsItCame(AsItCame, abc.ABC):
    """A pipeline, opened in the number format that fits into the memory.

    Args:
        config: Names the folder by its hash.
        weights: Weights of all its parts.
        describe: Gives the configuration of a folder.

    Raises:
        ArtifactError: The folder is not on this machine, or diffusers cannot open it.
        IntegrityError: It is another one, or the configuration describes another.
    """

    def __init__(
        self, config: AsItCameConfig, *, weights: int, describe: Callable[[PipelineFolder], AsItCameConfig]
    ) -> None:
        super().__init__(config)
        folder = known_folder(config.base, pipeline=config.architecture)
        if describe(folder) != config:
            raise IntegrityError(
                "the configuration describes another pipeline than its base", do="do not trust this model"
            )
        self.device_name = working_device().type
        self.free_bytes = free_bytes_of(self.device_name)
        self._precision = fitting_precision(weights, device=self.device_name, free_bytes=self.free_bytes)
        self.pipeline = from_folder(folder, precision=self._precision)
        # Known to this module, they go where it goes.
        self.networks = nn.ModuleList(
            [part for part in self.pipeline.components.values() if isinstance(part, nn.Module)]
        )

    @property
    def computing(self) -> dict[str, Any]:
        """The number format of the weights."""
        return {"precision": self._precision}


def made_by(pipeline: Any, words: str, call: Mapping[str, Any], *, seed: int) -> Any:
    """Return what a pipeline makes of words with the noise of a seed, drawn on the CPU for this seed alone.

    Args:
        pipeline: As it was opened.
        words: What it is to make.
        call: The further arguments of its call.
        seed: Of the noise.

    Raises:
        UnsupportedError: The pipeline says that it cannot do what it is asked for.
    """
    generator = torch.Generator().manual_seed(seed)
    try:
        with quiet(), drawn_from(seed), torch.inference_mode():
            return pipeline(prompt=words, generator=generator, **call)
    except (ValueError, TypeError) as error:
        raise UnsupportedError(f"{type(pipeline).__name__} cannot do this: {error}") from error
