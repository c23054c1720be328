"""The written-out block is the plain block: same result, same gradients."""

import pytest
import torch

from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.network import Block
from makar.nn.rotary import rotary_table

CONFIGS = [
    TransformerConfig(layout="compact", vocabulary=7, width=32, heads=4),
    TransformerConfig(layout="compact", vocabulary=7, width=32, heads=4, key_value_heads=2),
    TransformerConfig(layout="mainstream", vocabulary=7, width=32, heads=2),
    TransformerConfig(layout="mainstream", vocabulary=7, width=48, heads=4, key_value_heads=1),
]


def outcome(block, x, dtype, *, fast, seed=None):
    config = block.config
    table = rotary_table(torch.arange(x.shape[1]), head_width=config.head_width, base=100.0)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    x = x.clone().requires_grad_()
    result = (block._fast if fast else block._plain)(x, table, dtype, generator)
    weights = torch.linspace(-1, 1, result.numel()).view(result.shape)
    parameters = list(block.parameters())
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), [x, *parameters])]


def drawn_block(config):
    generator = torch.Generator().manual_seed(0)
    block = Block(config)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(mean=float(parameter.ndim == 1), std=0.3, generator=generator)
    return block


@pytest.mark.parametrize("config", CONFIGS, ids=["compact", "compact grouped", "mainstream", "mainstream grouped"])
@pytest.mark.parametrize("length", [1, 5, 150])
def test_fast_block_equals_plain_block_with_gradients(config, length):
    block = drawn_block(config)
    x = torch.randn(2, length, config.width, generator=torch.Generator().manual_seed(1))
    for fast, plain in zip(
        outcome(block, x, torch.float32, fast=True), outcome(block, x, torch.float32, fast=False), strict=True
    ):
        assert torch.allclose(fast, plain, atol=1e-4 * float(plain.abs().max()) + 1e-5)


def test_fast_block_in_bfloat16_is_near_float32():
    block = drawn_block(CONFIGS[0])
    x = torch.randn(2, 70, 32, generator=torch.Generator().manual_seed(1))
    for rough, exact in zip(
        outcome(block, x, torch.bfloat16, fast=True), outcome(block, x, torch.float32, fast=True), strict=True
    ):
        assert 0 < (rough - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[2]], ids=["compact", "mainstream"])
def test_dropout_drops_the_same_channels_in_both(config):
    block = drawn_block(config.changed(dropout=0.5))
    x = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(1))
    pairs = zip(
        outcome(block, x, torch.float32, fast=True, seed=3),
        outcome(block, x, torch.float32, fast=False, seed=3),
        strict=True,
    )
    for fast, plain in pairs:
        assert torch.allclose(fast, plain, atol=1e-4 * float(plain.abs().max()) + 1e-5)
    other = outcome(block, x, torch.float32, fast=True, seed=4)
    assert not torch.allclose(other[0], outcome(block, x, torch.float32, fast=True, seed=3)[0])
