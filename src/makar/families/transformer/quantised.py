"""Products with a fixed weight matrix, packed for decoding in float32, bfloat16 or int8.

Decoding multiplies one vector by every matrix of the model, so its speed is the rate at which weights are read. Measured on an AMD
Zen 4 core, 2816 x 512 out of the cache: ``torch.nn.functional.linear`` 10 GB/s (its MKL takes a slow path on AMD), NumPy's OpenBLAS on
the transposed matrix 25 GB/s and 39 GB/s with two threads, which it uses and MKL does not. In cache 75 against 32 GB/s. So float32
rows go through NumPy. bfloat16 halves the memory; its weights are packed once in the order of oneDNN, which then reads them once for
many rows: 16 rows of 768 x 3072 take 2.1 times as long as one (float32 6.6 times), so it is the precision of many requests at once where
the processor has it. int8 reads a quarter (``makar.families.transformer.integers``).

Each row is computed on its own, so that its bits do not depend on how many rows are computed with it. The kernels of int8 and of packed
bfloat16 keep that promise by themselves (tested).
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from makar.errors import UnknownNameError
from makar.families.transformer.integers import int8_product
from makar.families.transformer.product import Product

PRECISIONS = ("float32", "bfloat16", "int8")

PACKED_ROWS = 8
"""Rows that the order of packed bfloat16 weights is made for; any other number is computed too."""


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
        return int8_product(weight)
    raise UnknownNameError("precision", precision, PRECISIONS)
