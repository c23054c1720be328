"""Packed products: exact where they promise it, near where they round, and every row as if it were alone."""

import numpy as np
import pytest
import torch

from makar.errors import UnknownNameError
from makar.families.transformer.integers import HalfProduct, IntegerProduct, activation_levels, quantise
from makar.families.transformer.product import Product
from makar.families.transformer.quantised import (
    PRECISIONS,
    BatchedProduct,
    Float32Product,
    pack_product,
    packs_exactly,
)


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


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-5), ("float32-batched", 1e-5), ("bfloat16", 0.01), ("int8", 0.02)]
)
def test_rows_and_blocks_give_the_product(precision: str, tolerance: float) -> None:
    # The second has rows that are no multiple of what the int8 kernel takes at a time.
    for size in (64, 40):
        weight, inputs = matrix(48, size), matrix(5, size) * 20
        wanted = inputs @ weight.T
        for product in int8_products(weight) if precision == "int8" else [pack_product(weight, precision=precision)]:
            out = np.zeros((5, 48), dtype=np.float32)
            product.rows(inputs.numpy(), out)
            assert (torch.from_numpy(out) - wanted).norm() < tolerance * wanted.norm()
            assert (product.block(inputs[None])[0] - wanted).norm() < tolerance * wanted.norm()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("outputs", "inputs"), [(48, 64), (100, 192), (1024, 256), (768, 3072)])
def test_bits_of_a_row_do_not_depend_on_the_other_rows(precision: str, outputs: int, inputs: int) -> None:
    weight = matrix(outputs, inputs)
    given = matrix(48, inputs).numpy()
    for product in int8_products(weight) if precision == "int8" else [pack_product(weight, precision=precision)]:
        together = np.zeros((48, outputs), dtype=np.float32)
        product.rows(given, together)
        for rows in (1, 3, 8):
            some = np.zeros((48, outputs), dtype=np.float32)
            for start in range(0, 48, rows):
                product.rows(given[start : start + rows], some[start : start + rows])
            assert np.array_equal(some, together)


def int8_products(weight: torch.Tensor) -> list[Product]:
    """Both kernels, as far as this processor has them."""
    levels = activation_levels()
    return [HalfProduct(weight), *([IntegerProduct(weight, levels)] if levels else [])]


def test_a_channel_that_stands_out_costs_the_others_nothing() -> None:
    weight, inputs = matrix(48, 256), matrix(4, 256) * 20
    inputs[:, 7] *= 100
    integers, scale = quantise(weight)
    wanted = inputs.double() @ (integers.double() * scale[:, None].double()).T
    for product in int8_products(weight):
        out = np.zeros((4, 48), dtype=np.float32)
        product.rows(inputs.numpy(), out)
        # One integer of 8 bits would be wrong by a tenth of what the small channels bring; what stands out is the same in both.
        error = torch.from_numpy(out).double() - wanted
        small = wanted - inputs[:, 7:8].double() * (integers.double() * scale[:, None].double())[:, 7]
        assert error.norm() < 0.02 * small.norm() + 0.003 * wanted.norm() * isinstance(product, HalfProduct)


@pytest.mark.skipif(not activation_levels(), reason="this processor has no FBGEMM")
def test_integers_are_exact_where_the_processor_would_cut_sums_off() -> None:
    # The largest values of one sign: sums of pairs of products that fit into no 16 bits unless activations keep to fewer.
    weight = torch.full((3, 512), 127.0)
    inputs = torch.stack([torch.ones(512), -torch.ones(512)])
    out = np.zeros((2, 3), dtype=np.float32)
    IntegerProduct(weight, activation_levels()).rows(inputs.numpy(), out)
    assert np.allclose(out, [[127 * 512] * 3, [-127 * 512] * 3], rtol=1e-6)


def test_rows_of_zeros_and_of_numbers_that_are_none() -> None:
    infinite = np.append(np.inf, np.ones(63))
    inputs = np.stack([np.zeros(64), np.full(64, np.nan), np.ones(64), infinite]).astype(np.float32)
    for product in int8_products(matrix(8, 64)):
        out = np.ones((4, 8), dtype=np.float32)
        product.rows(inputs, out)
        assert (out[0] == 0).all()
        assert np.isnan(out[1]).all()
        assert np.isfinite(out[2]).all()
        assert not np.isfinite(out[3]).any()


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="int8"):
        pack_product(matrix(2, 2), precision="int9")


def test_many_texts_have_an_order_of_weights_where_the_processor_computes_it_exactly() -> None:
    # A processor of another kind takes the rows one after the other, which is exact everywhere.
    kind = BatchedProduct if packs_exactly() else Float32Product
    assert isinstance(pack_product(matrix(8, 16), precision="float32-batched"), kind)
    assert torch.backends.mkldnn.is_available() or not packs_exactly()
