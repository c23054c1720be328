"""Many requests at once: what threads ask of one model meanwhile shares one running batch."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makar.api.model import Model


def together(model: "Model") -> AbstractContextManager[None]:
    """Let requests of several threads share one running batch while the context lasts, and keep the packed weights.

    Each text is the one that it would be alone; what a prompt begins with in common with an earlier one is not read again.

    Raises:
        UnsupportedError: The model has no running batch.
    """
    from makar.generation.request import running_batch

    return running_batch(model.artifact)
