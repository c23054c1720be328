"""Products with a fixed weight matrix, packed for decoding in float32 (for one text or for many), bfloat16 or int8.

Decoding multiplies one vector by every matrix of the model, so its speed is the rate at which weights are read. Measured on an AMD Zen 4
core, 2816 x 512 out of the cache: ``torch.nn.functional.linear`` 10 GB/s (its MKL takes a slow path on AMD), NumPy's OpenBLAS on the
transposed matrix 25 GB/s and 39 GB/s with two threads, which it uses and MKL does not. In cache 75 against 32 GB/s. So float32 rows go
through NumPy, one after the other, which is best for one text. ``float32-batched`` keeps the weights in the order of oneDNN, which reads
them once for many rows: on a Zen 3 core 32 rows of 768 x 3072 take 3.4 times as long as one, of NumPy's 24 times; but one alone takes 1.3
to 1.8 times as long as NumPy's, so it is for a server of many (docs/log.md, 2026-11-30). bfloat16 halves the memory; its weights are
packed once in the order of oneDNN, which then reads them once for many rows: 16 rows of 768 x 3072 take 2.1 times as long as one (float32
6.6 times), so it is the precision of many requests at once where the processor has it. int8 reads a quarter
(``makar.families.transformer.integers``).

Each row is computed on its own, so that its bits do not depend on how many rows are computed with it. The kernels of int8 and of packed
bfloat16 keep that promise by themselves (tested); that of packed float32 is tried at the first use.
"""

import functools
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from makar.errors import UnknownNameError
from makar.families.transformer.integers import int8_product
from makar.families.transformer.product import Product

BATCHED = "float32-batched"
PRECISIONS = ("float32", BATCHED, "bfloat16", "int8")

PACKED_ROWS = 8
"""Rows that the order of packed bfloat16 weights is made for; any other number is computed too."""
BATCHED_ROWS = 32
TRIED_SIZES = ((64, 192), (384, 96))
TRIED_ROWS = (1, 2, 7, 16, 33)


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


class BatchedProduct(Product):
    """float32 weights in the order of oneDNN, on the CPU; ``packs_exactly`` says whether this processor has it."""

    is_alike = True

    def __init__(self, weight: Float[Tensor, "outputs inputs"]) -> None:
        self.outputs = weight.shape[0]
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.float().contiguous(), BATCHED_ROWS)

    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        out[:] = _packed_product(torch.from_numpy(inputs), self._weight).numpy()

    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return _packed_product(inputs, self._weight)


@functools.cache
def packs_exactly() -> bool:
    """Return whether oneDNN has float32 here and computes a row to the same bits alone and in company."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    for inputs, outputs in TRIED_SIZES:
        product = BatchedProduct(torch.randn(outputs, inputs, generator=generator))
        given = torch.randn(max(TRIED_ROWS), inputs, generator=generator)
        together = product.block(given)
        if not all(torch.equal(product.block(given[:rows]), together[:rows]) for rows in TRIED_ROWS):
            return False
    return True


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
            both = given.expand(2, -1) if len(given) == 1 else given
            results.copy_(_packed_product(both, self.weight)[: len(given)])
            return
        for row in range(len(inputs)):
            results[row] = torch.mv(self.weight, given[row])

    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        given = inputs.to(torch.bfloat16)
        if self._is_packed:
            return _packed_product(given, self.weight).float()
        return torch.nn.functional.linear(given, self.weight).float()


def pack_product(weight: Float[Tensor, "outputs inputs"], *, precision: str) -> Product:
    """Pack a weight matrix in a precision.

    Raises:
        UnknownNameError: There is no such precision.
    """
    if precision == BATCHED and weight.device.type == "cpu" and packs_exactly():
        return BatchedProduct(weight)
    if precision in ("float32", BATCHED):
        return Float32Product(weight)
    if precision == "bfloat16":
        return BFloat16Product(weight)
    if precision == "int8":
        return int8_product(weight)
    raise UnknownNameError("precision", precision, PRECISIONS)


def _packed_product(inputs: Tensor, weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, None, "none", [], "")
