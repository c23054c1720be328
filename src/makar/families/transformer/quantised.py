"""Products with a fixed weight matrix, packed for decoding: float32, bfloat16, or int8 weights with bfloat16 activations.

Decoding multiplies one vector by every matrix of the model, so its speed is the rate at which weights are read. Measured on an AMD
Zen 4 core, 2816 x 512 out of the cache: ``torch.nn.functional.linear`` 10 GB/s (its MKL takes a slow path on AMD), NumPy's OpenBLAS on
the transposed matrix 25 GB/s and 39 GB/s with two threads, which it uses and MKL does not. In cache 75 against 32 GB/s. So float32
rows go through NumPy. bfloat16 halves the memory; its weights are packed once in the order of oneDNN, which then reads them once for
many rows: 16 rows of 768 x 3072 take 2.1 times as long as one (float32 6.6 times, int8 5.1), so it is the precision of many requests
at once. int8 (one scale a row of the weight, symmetric,
rounded to nearest) reads a quarter: 5.4 times the speed of float32 ``linear``; its kernel in torch wants bfloat16 activations and
falls back to a loop thirty times slower with float32 ones.

Each row is computed on its own, so that its bits do not depend on how many rows are computed with it. The kernels of int8 and of packed
bfloat16 keep that promise by themselves (tested).
"""

import abc
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int8
from torch import Tensor
from torch.nn import functional

from makar.errors import UnknownNameError

KERNEL_INPUTS = 16
"""Inputs that the int8 kernel of torch takes at a time."""
PRECISIONS = ("float32", "bfloat16", "int8")

PACKED_ROWS = 8
"""Rows that the order of packed bfloat16 weights is made for; any other number is computed too."""


class Product(abc.ABC):
    """Multiplies rows by one matrix."""

    outputs: int

    @abc.abstractmethod
    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        """Write the product of each row into ``out``; on the CPU; each row as if it were alone."""

    @abc.abstractmethod
    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Return the product of many rows at once, float32; fast for prompts and on other devices."""


class Float32Product(Product):
    """float32 weights, kept as [inputs, outputs]."""

    def __init__(self, weight: Float[Tensor, "outputs inputs"]) -> None:
        self.outputs = weight.shape[0]
        self.transposed = weight.float().t().contiguous()
        self._array: Any = self.transposed.numpy() if weight.device.type == "cpu" else None

    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        for given, result in zip(inputs, out):
            given.dot(self._array, result)

    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return inputs @ self.transposed


class BFloat16Product(Product):
    """bfloat16 weights and activations, float32 results."""

    def __init__(self, weight: Float[Tensor, "outputs inputs"]) -> None:
        self.outputs = weight.shape[0]
        weight = weight.to(torch.bfloat16).contiguous()
        self._is_packed = weight.device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, PACKED_ROWS) if self._is_packed else weight

    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        given, results = torch.from_numpy(inputs).to(torch.bfloat16), torch.from_numpy(out)
        if self._is_packed:
            # One row alone would take another kernel, which sums in another order.
            results.copy_(self._packed(given.expand(2, -1))[:1] if len(given) == 1 else self._packed(given))
            return
        for row in range(len(inputs)):
            results[row] = torch.mv(self.weight, given[row])

    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        given = inputs.to(torch.bfloat16)
        if self._is_packed:
            return self._packed(given).float()
        return torch.nn.functional.linear(given, self.weight).float()

    def _packed(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, None, "none", [], "")


class Int8Product(Product):
    """int8 weights with one scale an output, bfloat16 activations, float32 results."""

    def __init__(self, weight: Float[Tensor, "outputs inputs"]) -> None:
        self.outputs = weight.shape[0]
        # The kernel reads past the end of rows that are no multiple of 16, and says nothing.
        self._lacking = -weight.shape[1] % KERNEL_INPUTS
        self.weight, scale = quantise(functional.pad(weight, (0, self._lacking)))
        self.scale = scale.to(torch.bfloat16)

    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        given = functional.pad(torch.from_numpy(inputs).to(torch.bfloat16), (0, self._lacking))
        torch.from_numpy(out).copy_(torch._weight_int8pack_mm(given, self.weight, self.scale))

    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        given = functional.pad(inputs.to(torch.bfloat16), (0, self._lacking))
        if given.device.type == "cpu":
            flat = torch._weight_int8pack_mm(given.reshape(-1, given.shape[-1]), self.weight, self.scale)
            return flat.view(*given.shape[:-1], self.outputs).float()
        return (torch.nn.functional.linear(given, self.weight.to(torch.bfloat16)) * self.scale).float()


def quantise(
    weight: Float[Tensor, "outputs inputs"],
) -> tuple[Int8[Tensor, "outputs inputs"], Float32[Tensor, " outputs"]]:
    """Return integers in -127..127 and one scale a row, so that integers * scale is the nearest to the weight.

    The scale is one that bfloat16 holds exactly, because the kernel keeps it so: rounding it afterwards would shift a whole row.
    """
    scale = (weight.float().abs().amax(dim=1) / 127).clamp_min(1e-12).to(torch.bfloat16).float()
    integers = (weight.float() / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
    return integers, scale


def pack_product(weight: Float[Tensor, "outputs inputs"], *, precision: str) -> Product:
    """Pack a weight matrix in a precision.

    Raises:
        UnknownNameError: There is no such precision.
    """
    if precision == "float32":
        return Float32Product(weight)
    if precision == "bfloat16":
        return BFloat16Product(weight)
    if precision == "int8":
        return Int8Product(weight)
    raise UnknownNameError("precision", precision, PRECISIONS)
