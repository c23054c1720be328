"""Encoder and decoder of images: levels of the stated sizes, odd sides, blocks that start as the identity."""

import pytest
import torch

from makar.families.autoencoder_size import level_sizes
from makar.nn.autoencoder import DenseBlock, ImageDecoder, ImageEncoder, ResidualBlock
from makar.nn.initialisation import initialise_modules


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("height", "width", "patch", "levels"), [(28, 28, 4, 2), (17, 30, 2, 3), (16, 16, 1, 1)])
def test_features_and_images_have_the_stated_sizes(height: int, width: int, patch: int, levels: int) -> None:
    sizes, widths = level_sizes(height, width, patch=patch, levels=levels), [8 * (n + 1) for n in range(levels)]
    encoder = ImageEncoder(channels=3, patch=patch, widths=widths, blocks=1)
    decoder = ImageDecoder(outputs=5, patch=patch, widths=widths, sizes=sizes, blocks=1)
    for part in (encoder, decoder):
        initialise_modules(part, generator())
    features = encoder(torch.randn(2, 3, height, width, generator=generator()))
    assert [tuple(x.shape) for x in features] == [(2, *size, channels) for size, channels in zip(sizes, widths)]
    state = features[-1]
    for level in reversed(range(levels)):
        if level < levels - 1:
            state = decoder.rise(level, state)
        assert state.shape == features[level].shape
        state = decoder.refine(level, state)
    assert decoder.finish(state, height=height, width=width).shape == (2, 5, height, width)


def test_sizes_halve_and_round_up() -> None:
    assert level_sizes(28, 28, patch=4, levels=3) == ((7, 7), (4, 4), (2, 2))
    assert level_sizes(17, 30, patch=2, levels=2) == ((9, 15), (5, 8))


@pytest.mark.parametrize("block", [ResidualBlock(6, 6), DenseBlock(6)])
def test_blocks_start_as_the_identity_and_do_not_stay_it(block: torch.nn.Module) -> None:
    initialise_modules(torch.nn.Sequential(block), generator())
    x = torch.randn(2, 3, 4, 6, generator=generator())
    assert torch.equal(block(x), x)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1)
    assert not torch.allclose(block(x), x)
