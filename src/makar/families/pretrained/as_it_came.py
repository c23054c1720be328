"""What families of folders of others that are used as they came have in common: nothing is drawn, learned, saved or written anew."""

import abc

import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Family, Loss, OnnxPart, Phase
from makar.families.pretrained.checkpoint_config import AsItCameConfig


class AsItCame(Family, abc.ABC):
    """A checkpoint or pipeline, whoever opened it.

    Args:
        config: Names the folder by its hash.
    """

    def __init__(self, config: AsItCameConfig) -> None:
        super().__init__()
        self.config: AsItCameConfig = config

    def initialise(self, generator: torch.Generator) -> None:
        """Draw nothing: the weights came with the folder."""
        del generator

    def phases(self) -> list[Phase]:
        """Refuse: what came as it is learns nothing."""
        raise UnsupportedError(
            f"a {self.config.architecture} as it came has nothing to learn",
            expected="a model of ours",
            do="makar train DATA",
        )

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Refuse: nothing of it is learned."""
        del batch, generator
        raise UnsupportedError(f"a loss of a {self.config.architecture} as it came", expected="a model of ours")

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: the tensors stay in their folder."""
        return {}

    def onnx_parts(self) -> list[OnnxPart]:
        """Refuse: the folder is in a standard format already."""
        raise UnsupportedError(
            f"a {self.config.architecture} is in the format of {self.config.engine} already", expected="a model of ours"
        )
