"""A matrix that is used and never learned: read when it is first needed, and kept in the number format that training asks for.

The exact numbers stay where they came from and can be read again, so that what is merged and exported never suffers from how the matrix
was kept. Nothing of it is a parameter or a buffer: it is neither counted nor saved nor put into checkpoints.
"""

import functools
import threading
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from makar.nn.normal_float import NormalFloat

Form = torch.dtype | Literal["normal-float"]
_READING = threading.Lock()
"""Two threads that compute parts of a batch must not both read a matrix."""


class _Scratch(threading.local):
    """Memory of a thread in which matrices of 4 bits are unpacked, one after the other.

    Asked for anew at every product, it would lie between what is kept, and the holes cost as much as was saved.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def of(self, numbers: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return memory for so many numbers; what was in it is lost."""
        found = self._buffers.get((dtype, device))
        if found is None or len(found) < numbers:
            # Memory that inference asked for could not be written by a training of the same thread.
            with torch.inference_mode(False):
                found = self._buffers[dtype, device] = torch.empty(numbers, dtype=dtype, device=device)
        return found


_SCRATCH = _Scratch()


class FrozenMatrix:
    """A matrix of ``[rows, columns]`` that is read when it is needed.

    Args:
        read: Returns the exact matrix, float32; nobody changes what it returns.
        shape: Its rows and columns.
        gives_up: Whether the exact matrix is given up once it is kept in 4 bits; one that came in memory and not from a file.
    """

    def __init__(self, read: Callable[[], Tensor], shape: tuple[int, int], *, gives_up: bool = False) -> None:
        self.read = read
        self.shape = shape
        self._gives_up = gives_up
        self._form: Form = torch.float32
        self._kept: Tensor | NormalFloat | None = None
        self._device = torch.device("cpu")

    def keep_as(self, form: Form) -> None:
        """Say in which number format it is kept; one that was read already stays as it is."""
        self._form = form

    @property
    def bytes(self) -> int:
        """Memory that it takes now; 0 before it is needed."""
        if isinstance(self._kept, NormalFloat):
            return self._kept.bytes
        return 0 if self._kept is None else self._kept.nbytes

    def product(self, x: Float[Tensor, "positions columns"]) -> Float[Tensor, "positions rows"]:
        """Return ``x @ matrix.T`` in the type of ``x``."""
        return functional.linear(x, self._as(x))

    def back(self, gradient: Float[Tensor, "positions rows"]) -> Float[Tensor, "positions columns"]:
        """Return the gradient of ``x`` from that of the product."""
        return gradient @ self._as(gradient)

    def _as(self, x: Tensor) -> Tensor:
        with _READING:
            if self._kept is None:
                self._kept = self._formed(self.read())
            if x.device != self._device:
                moved = self._kept.to(x.device)
                self._kept = self._kept if moved is None else moved
                self._device = x.device
            kept = self._kept
        if isinstance(kept, NormalFloat):
            return kept.dense(x.dtype, out=_SCRATCH.of(kept.padded, x.dtype, x.device))
        return kept.to(x.dtype)

    def _formed(self, weight: Tensor) -> Tensor | NormalFloat:
        if isinstance(self._form, torch.dtype):
            return weight.to(self._form)
        made = NormalFloat(weight)
        if self._gives_up:
            self.read = functools.partial(made.dense, torch.float32)
        return made
