"""A model behind an endpoint as a family: it answers, and nothing of it is here to be trained, measured or exported."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Family, Loss, OnnxPart, Phase, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.remote.config import RemoteConfig
from makar.families.remote.options import RemoteOptions
from makar.families.remote.sampler import Pace, RemoteSampler
from makar.families.remote.vectors import asked_vectors


class RemoteFamily(Family):
    """A model that others run.

    Args:
        config: Which model, and where.
    """

    options: ClassVar[type[RemoteOptions]] = RemoteOptions

    def __init__(self, config: RemoteConfig) -> None:
        super().__init__()
        self.config: RemoteConfig = config
        # One for all samplers: every request makes its own, and the limit is that of the endpoint.
        self._pace = Pace()

    def initialise(self, generator: torch.Generator) -> None:
        """Draw nothing: there are no weights here."""
        del generator

    def phases(self) -> list[Phase]:
        """Refuse: the weights are elsewhere."""
        raise self._elsewhere("trained")

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Refuse: an endpoint does not say how likely a text is."""
        del batch, generator
        raise self._elsewhere("measured as a language model")

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return what asks it."""
        refuse_hook(hook)
        return RemoteSampler(self.config, codec, self._pace)

    def asked_vectors(self, texts: Sequence[str]) -> tuple[Float32[np.ndarray, "texts width"], int]:
        """Return vectors of texts and how many tokens were read; of a model that makes such.

        Raises:
            RemoteError: The endpoint does not answer, or with what are no vectors.
        """
        return asked_vectors(self.config, texts)

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing."""
        return {}

    def onnx_parts(self) -> list[OnnxPart]:
        """Refuse: the weights are elsewhere."""
        raise self._elsewhere("exported")

    def _elsewhere(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.config.name} at {self.config.base_url} cannot be {what}: it is not on this machine",
            expected="a model of one's own, or a checkpoint",
        )
