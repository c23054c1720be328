"""What turns images into the features that figures are computed from: the own network, or the Inception network from a file.

A figure carries the name of what it was computed with, and compares only with figures of the same name and number of images.
"""

from typing import Protocol

import numpy as np


class Extracts(Protocol):
    """A network that looks at images."""

    @property
    def name(self) -> str:
        """What is put behind the name of a figure, the first eight digits of the hash among it."""

    @property
    def hash(self) -> str:
        """The sha256 of its weights."""

    @property
    def task(self) -> str:
        """What it learned."""

    @property
    def accuracy(self) -> float | None:
        """Share that it told right when it learned; ``None`` where nobody says."""

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return float64 ``[batch, features]`` of uint8 ``[batch, channels, height, width]``."""

    def class_probabilities(self, images: np.ndarray) -> np.ndarray | None:
        """Return p(class | image), float64 ``[batch, classes]``; ``None`` where it did not learn classes."""
