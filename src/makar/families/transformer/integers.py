"""Products with weights of int8, one scale an output, by one of two kernels of torch.

Where the processor has it (x86, FBGEMM), integers meet integers. A row of activations is cut into a coarse integer and what that leaves,
another integer of as many bits; both are rows of one product, which reads the weights once. Together they keep 13 to 15 bits of the largest
value of the row, so that it does not matter which values stand out: with one integer alone a row loses most of itself where one channel is
far larger than the others (Dettmers et al. 2022, arXiv 2208.07339). Sums are integers, so a row has the same bits alone and in company.

How large the integers of activations may be is tried: without VNNI the processor adds products in pairs of 16 bits and cuts off what does
not fit, silently, unless activations keep to 7 bits. Elsewhere the kernel that takes activations of bfloat16 is used, which reads past the
end of rows that are no multiple of 16, falls back to a loop thirty times slower with float32, and has half the speed (docs/log.md,
2026-11-29). torch 2.13 says of the tensors that FBGEMM is given that a later version will not have them; then the other kernel is used.
"""

import functools
import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int8
from torch import Tensor
from torch.nn import functional

from makar.families.transformer.product import Product

KERNEL_INPUTS = 16
"""Inputs that the kernel with bfloat16 activations takes at a time."""
ENGINE = "fbgemm"
LEVELS = (127, 63)
"""Largest integers of activations that are tried, the finer first."""
TRIED_INPUTS = 256
SMALLEST = np.float32(1e-30)


class IntegerProduct(Product):
    """int8 weights, activations of two integers, float32 results; on x86.

    Args:
        weight: What to multiply with, on the CPU.
        levels: Largest integer of activations, from ``activation_levels``.
    """

    is_alike = True

    def __init__(self, weight: Float[Tensor, "outputs inputs"], levels: int) -> None:
        self.outputs = weight.shape[0]
        self._levels = levels
        self._packed = _packed(*quantise(weight))

    def rows(self, inputs: Float32[np.ndarray, "rows inputs"], out: Float32[np.ndarray, "rows outputs"]) -> None:
        # In NumPy: a decoder does this for every product of every token, and each operation of torch costs twice as much.
        levels = np.float32(self._levels)
        parts = np.empty((2, *inputs.shape), dtype=np.float32)
        coarse, rest = parts
        largest = np.abs(inputs, out=rest).max(axis=1, keepdims=True)
        scales = np.maximum(largest, SMALLEST) / levels
        # A row with infinities becomes no numbers, as it would by and by, without a word of NumPy.
        with np.errstate(invalid="ignore"):
            np.divide(inputs, scales, out=coarse)
            np.rint(coarse, out=rest)
            np.subtract(coarse, rest, out=rest)
            np.multiply(rest, 2 * levels, out=rest)
            both = _multiplied(torch.from_numpy(parts.reshape(-1, inputs.shape[1])), self._packed, self._levels)
            high, low = both.numpy().reshape(2, len(inputs), self.outputs)
            np.multiply(low, np.float32(0.5) / levels, out=out)
            np.add(out, high, out=out)
            np.multiply(out, scales, out=out)

    def block(self, inputs: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        flat = inputs.reshape(-1, inputs.shape[-1]).float().contiguous()
        out = torch.empty(len(flat), self.outputs)
        self.rows(flat.numpy(), out.numpy())
        return out.view(*inputs.shape[:-1], self.outputs)


class HalfProduct(Product):
    """int8 weights, bfloat16 activations, float32 results; on every device."""

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


def int8_product(weight: Float[Tensor, "outputs inputs"]) -> Product:
    """Pack a weight matrix in int8, in the order of the faster kernel that its device has."""
    levels = activation_levels() if weight.device.type == "cpu" else 0
    return IntegerProduct(weight, levels) if levels else HalfProduct(weight)


@functools.cache
def activation_levels() -> int:
    """Return the largest integer of activations with which this processor multiplies exactly; 0 where FBGEMM is missing or never exact."""
    if ENGINE not in torch.backends.quantized.supported_engines:
        return 0
    signs = torch.where(torch.arange(TRIED_INPUTS) % 3 > 0, 127, -127).to(torch.int8)
    weight = torch.stack([torch.full_like(signs, 127), torch.full_like(signs, -127), signs])
    try:
        packed = _packed(weight, torch.ones(len(weight)))
    except AttributeError:
        # A torch without tensors of integers.
        return 0
    for levels in LEVELS:
        inputs = levels * torch.stack([torch.ones(TRIED_INPUTS), -torch.ones(TRIED_INPUTS), signs.sign().float()])
        if torch.equal(_multiplied(inputs, packed, levels), inputs @ weight.float().T):
            return levels
    return 0


def quantise(
    weight: Float[Tensor, "outputs inputs"],
) -> tuple[Int8[Tensor, "outputs inputs"], Float32[Tensor, " outputs"]]:
    """Return integers in -127..127 and one scale a row, so that integers * scale is the nearest to the weight.

    The scale is one that bfloat16 holds exactly, because the kernel keeps it so: rounding it afterwards would shift a whole row.
    """
    scale = (weight.float().abs().amax(dim=1) / 127).clamp_min(1e-12).to(torch.bfloat16).float()
    integers = (weight.float() / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
    return integers, scale


def _packed(integers: Int8[Tensor, "outputs inputs"], scale: Float32[Tensor, " outputs"]) -> Any:
    """Return the weights in the order of FBGEMM, in an object of torch's own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*quantized tensor creation functions", category=UserWarning)
        weight = torch._make_per_channel_quantized_tensor(integers, scale.double(), torch.zeros(len(scale)).long(), 0)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = ENGINE
    try:
        return torch.ops.quantized.linear_prepack(weight, None)
    finally:
        torch.backends.quantized.engine = engine


def _multiplied(inputs: Float[Tensor, "rows inputs"], packed: Any, levels: int) -> Float[Tensor, "rows outputs"]:
    """Return the product of rows, each rounded to integers from -levels to levels."""
    multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
    return multiply(inputs, 1.0, levels + 1, packed)
