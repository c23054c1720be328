"""Packed products: exact where they promise it, near where they round, and every row as if it were alone."""

import numpy as np
import pytest
import torch

from makar.errors import UnknownNameError
from makar.families.transformer.quantised import PRECISIONS, pack_product, quantise


def matrix(outputs: int, inputs: int) -> torch.Tensor:
    return torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(1)) * 0.05


def test_integers_times_scale_is_within_half_a_step_of_the_weight() -> None:
    weight = matrix(33, 64)
    integers, scale = quantise(weight)
    error = (integers.float() * scale[:, None] - weight).abs()
    # The largest weight of a row may be clamped by what rounding the scale to bfloat16 took: 1/256 of it.
    assert (error <= scale[:, None] * (0.5 + 127 / 256)).all()
    assert (error <= scale[:, None] * 0.5001).float().mean() > 0.98
    assert int(integers.min()) >= -127


def test_a_row_of_zeros_stays_zero() -> None:
    integers, scale = quantise(torch.zeros(2, 8))
    assert (integers == 0).all()
    assert torch.isfinite(scale).all()


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.01), ("int8", 0.02)])
def test_rows_and_blocks_give_the_product(precision: str, tolerance: float) -> None:
    # The second has rows that are no multiple of what the int8 kernel takes at a time.
    for size in (64, 40):
        weight, inputs = matrix(48, size), matrix(5, size) * 20
        product = pack_product(weight, precision=precision)
        out = np.zeros((5, 48), dtype=np.float32)
        product.rows(inputs.numpy(), out)
        wanted = inputs @ weight.T
        assert (torch.from_numpy(out) - wanted).norm() < tolerance * wanted.norm()
        assert (product.block(inputs[None])[0] - wanted).norm() < tolerance * wanted.norm()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("outputs", "inputs"), [(48, 64), (100, 192), (1024, 256), (768, 3072)])
def test_bits_of_a_row_do_not_depend_on_the_other_rows(precision: str, outputs: int, inputs: int) -> None:
    product = pack_product(matrix(outputs, inputs), precision=precision)
    given = matrix(48, inputs).numpy()
    together = np.zeros((48, outputs), dtype=np.float32)
    product.rows(given, together)
    for rows in (1, 3, 8):
        some = np.zeros((48, outputs), dtype=np.float32)
        for start in range(0, 48, rows):
            product.rows(given[start : start + rows], some[start : start + rows])
        assert np.array_equal(some, together)


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="int8"):
        pack_product(matrix(2, 2), precision="int9")
