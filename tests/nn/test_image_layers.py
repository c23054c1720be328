"""The layers of the U-Net: that they are what they say, checked against torch's own and by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from makar.nn.convolution import Convolution, Pointwise, fold, unfold
from makar.nn.initialisation import initialise_modules
from makar.nn.spatial_attention import SpatialAttention
from makar.nn.time_embedding import FREQUENCIES, HIGHEST_FREQUENCY, TimeEmbedding, time_waves
from makar.nn.unet import UNet, UNetBlock, UNetSizes


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(layer: nn.Module) -> nn.Module:
    initialise_modules(layer, generator())
    return layer


def scattered(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in drawn(layer).parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(1)))
    return layer


def unet(**values: object) -> UNet:
    sizes = {
        "channels": 2,
        "patch": 2,
        "widths": (16, 32),
        "blocks": 1,
        "expansion": 1,
        "attention_levels": (1,),
        "head_width": 16,
        "embedding_width": 32,
        "classes": 3,
    }
    network = scattered(UNet(UNetSizes(**{**sizes, **values})))
    assert isinstance(network, UNet)
    return network


def test_convolution_is_that_of_torch_in_another_layout() -> None:
    layer = scattered(Convolution(5, 7))
    x = torch.randn(2, 6, 4, 5, generator=generator())
    expected = F.conv2d(x.permute(0, 3, 1, 2), layer.weight, layer.bias, padding=1).permute(0, 2, 3, 1)
    assert torch.allclose(layer(x), expected)


def test_pointwise_is_a_convolution_of_one_pixel() -> None:
    layer = scattered(Pointwise(5, 7))
    x = torch.randn(2, 6, 4, 5, generator=generator())
    expected = F.conv2d(x.permute(0, 3, 1, 2), layer.weight[:, :, None, None], layer.bias).permute(0, 2, 3, 1)
    assert torch.allclose(layer(x), expected, atol=1e-6)


@pytest.mark.parametrize("layer", [Pointwise(64, 96), Convolution(64, 96)])
def test_layers_keep_the_variance_and_compute_in_the_type_of_their_input(layer: nn.Module) -> None:
    x = torch.randn(4, 16, 16, 64, generator=generator(2))
    inner = drawn(layer)(x).detach()[:, 1:-1, 1:-1]
    assert float(inner.var()) == pytest.approx(1.0, rel=0.1)
    assert layer(x.bfloat16()).dtype == torch.bfloat16


def test_folding_is_reversed_by_unfolding_and_keeps_patches_together() -> None:
    x = torch.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    folded = fold(x, 2)
    assert folded.shape == (2, 2, 3, 12)
    assert torch.equal(unfold(folded, 2), x)
    assert torch.equal(folded[0, 1, 2], x[0, 2:4, 4:6].flatten())


def test_attention_is_the_softmax_of_normalised_products() -> None:
    layer = scattered(SpatialAttention(8, 2))
    x = torch.randn(1, 2, 3, 8, generator=generator(3))
    packed = F.layer_norm(x, (8,)).reshape(6, 8) @ layer.queries_keys_values.weight.T
    mixed = []
    for head in range(2):
        query, key, value = (packed[:, 8 * part + 4 * head : 8 * part + 4 * head + 4] for part in range(3))
        query, key = F.layer_norm(query, (4,)), F.layer_norm(key, (4,))
        mixed.append(torch.softmax(layer.sharpness[head] / 4 * query @ key.T, -1) @ value)
    expected = x + (torch.cat(mixed, -1) @ layer.out.weight.T + layer.out.bias).reshape(x.shape)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_attention_reaches_every_position_and_starts_as_the_identity() -> None:
    x = torch.randn(1, 4, 4, 8, generator=generator(3))
    assert torch.equal(drawn(SpatialAttention(8, 2))(x), x)
    layer, moved = scattered(SpatialAttention(8, 2)), x.clone()
    moved[0, 0, 0, :4] += 1
    assert ((layer(moved) - layer(x)).abs().sum(-1) > 0).all()


def test_time_waves_are_sines_of_known_frequencies() -> None:
    waves = time_waves(torch.tensor([0.0, 1.0]))
    assert waves.shape == (2, 2 * FREQUENCIES)
    assert torch.equal(waves[0], torch.cat([torch.ones(FREQUENCIES), torch.zeros(FREQUENCIES)]))
    assert float(waves[1, 0]) == pytest.approx(math.cos(1.0), abs=1e-5)
    assert float(waves[1, -1]) == pytest.approx(math.sin(HIGHEST_FREQUENCY), abs=1e-3)


def test_embedding_tells_times_and_classes_apart() -> None:
    layer = drawn(TimeEmbedding(16, 3))
    times, labels = torch.tensor([0.2, 0.2, 0.7]), torch.tensor([0, 3, 0])
    first, none, later = layer(times, labels)
    assert not torch.allclose(first, none)
    assert not torch.allclose(first, later)


def test_block_starts_as_the_identity() -> None:
    x = torch.randn(2, 4, 4, 16, generator=generator())
    assert torch.equal(drawn(UNetBlock(16, 16, 8))(x, torch.randn(2, 8, generator=generator())), x)


def test_untrained_network_returns_zeros() -> None:
    network = unet()
    initialise_modules(network, generator())
    image = torch.randn(2, 2, 12, 12, generator=generator())
    assert torch.equal(network(image, torch.tensor([0.1, 0.9]), torch.tensor([0, 3])), torch.zeros_like(image))


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (5, 3)])
@pytest.mark.parametrize("patch", [1, 2, 4])
def test_any_size_goes_through_and_every_pixel_counts(size: tuple[int, int], patch: int) -> None:
    network = unet(patch=patch)
    image = torch.randn(1, 2, *size, generator=generator()).requires_grad_()
    out = network(image, torch.tensor([0.5]), torch.tensor([1]))
    assert out.shape == image.shape
    out.square().sum().backward()
    assert (image.grad.abs() > 0).all()


def test_examples_do_not_see_each_other() -> None:
    network = unet()
    image = torch.randn(3, 2, 8, 8, generator=generator())
    time, label = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0, 1, 3])
    together = network(image, time, label)
    alone = torch.cat([network(image[n : n + 1], time[n : n + 1], label[n : n + 1]) for n in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_bfloat16_is_near_to_float32_and_returns_float32() -> None:
    network = unet()
    image = torch.randn(2, 2, 8, 8, generator=generator())
    time, label = torch.tensor([0.1, 0.5]), torch.tensor([0, 1])
    exact = network(image, time, label)
    network.compute_type = torch.bfloat16
    rounded = network(image, time, label)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.1 * exact.abs().max()
