"""What multiplies rows by one fixed matrix."""

import abc

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor


class Product(abc.ABC):
    """Multiplies rows by one matrix."""

    outputs: int
    is_alike = False
    """Whether ``block`` gives a row the same bits alone and in any company, on the CPU."""

    @abc.abstractmethod
    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        """Write the product of each row into ``out``; on the CPU; each row as if it were alone."""

    @abc.abstractmethod
    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Return the product of many rows at once, float32; fast for prompts and on other devices."""
