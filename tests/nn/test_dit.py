"""The diffusion transformer and the reader of captions: what they promise, checked by hand and against torch's own attention."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from makar.nn.dit import Dit, DitBlock, DitSizes, place_waves
from makar.nn.initialisation import initialise_modules
from makar.nn.text_encoder import TextEncoder, TextStates
from makar.nn.token_attention import TokenAttention
from makar.nn.unet import UNet, UNetSizes


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


def dit(**values: object) -> Dit:
    sizes = {
        "channels": 2,
        "patch": 2,
        "rows": 4,
        "columns": 3,
        "width": 32,
        "blocks": 2,
        "expansion": 4,
        "head_width": 16,
        "embedding_width": 32,
        "classes": 3,
    }
    return Dit(DitSizes(**{**sizes, **values}))


def reader(**values: object) -> TextEncoder:
    sizes = {"vocabulary": 11, "length": 6, "width": 32, "layers": 2, "heads": 2, "padding": 0}
    network = scattered(TextEncoder(**{**sizes, **values}))
    assert isinstance(network, TextEncoder)
    return network


def image(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 2, 7, 6, generator=generator(2))


@pytest.mark.parametrize("others", [False, True])
def test_token_attention_is_that_of_torch_on_normalised_queries_and_keys(others: bool) -> None:
    layer = scattered(TokenAttention(32, 2, context_width=24 if others else 0))
    x = torch.randn(3, 5, 32, generator=generator(3))
    context = torch.randn(3, 7, 24, generator=generator(4)) if others else None
    seen = x if context is None else context
    exists = torch.rand(seen.shape[:2], generator=generator(5)) < 0.7
    exists[:, 0] = True
    queries = layer.queries(x).unflatten(-1, (2, 16)).transpose(1, 2)
    keys, values = (part.unflatten(-1, (2, 16)).transpose(1, 2) for part in layer.keys_values(seen).chunk(2, dim=-1))
    queries = F.layer_norm(queries, (16,)) * (layer.sharpness / 16)[:, None, None]
    expected = F.scaled_dot_product_attention(
        queries, F.layer_norm(keys, (16,)), values, attn_mask=exists[:, None, None], scale=1.0
    )
    expected = layer.out(expected.transpose(1, 2).flatten(2))
    assert torch.allclose(layer(x, context, exists), expected, atol=1e-5)


def test_places_differ_and_their_waves_depend_on_row_or_column_alone() -> None:
    waves = place_waves(5, 6, 16).unflatten(0, (5, 6))
    assert torch.equal(waves[0, :, :8], waves[0, :1, :8].expand(6, 8))
    assert torch.equal(waves[:, 0, 8:], waves[:1, 0, 8:].expand(5, 8))
    distances = torch.cdist(waves.flatten(0, 1), waves.flatten(0, 1)) + 9 * torch.eye(30)
    assert distances.min() > 0.1
    assert place_waves(2, 2, 18)[:, 16:].abs().max() == 0
    assert waves[3, 0, 0] == pytest.approx(math.sin(3.0))


def test_a_new_dit_is_zero_and_its_blocks_are_the_identity() -> None:
    time = torch.tensor([0.2, 0.7])
    assert drawn(dit())(image(), time, torch.tensor([0, 3])).abs().max() == 0
    block = drawn(DitBlock(32, 2, hidden=64, embedding_width=16, text_width=8))
    text = TextStates(
        tokens=torch.randn(2, 3, 8, generator=generator()),
        exists=torch.ones(2, 3, dtype=torch.bool),
        whole=torch.zeros(2, 8),
    )
    x = torch.randn(2, 5, 32, generator=generator())
    assert torch.equal(block(x, torch.randn(2, 16, generator=generator()), text), x)


def test_a_dit_sees_places_time_and_class() -> None:
    network = scattered(dit())
    time, label = torch.tensor([0.2, 0.7]), torch.tensor([0, 3])
    made = network(image(), time, label)
    assert made.shape == (2, 2, 7, 6)
    assert not torch.allclose(made, network(image(), time + 0.1, label), atol=1e-3)
    assert not torch.allclose(made, network(image(), time, torch.tensor([1, 2])), atol=1e-3)
    flat = network(torch.zeros(1, 2, 7, 6), time[:1], label[:1])[0, 0, ::2, ::2]
    assert flat.std() > 1e-3


def test_a_dit_computes_in_bfloat16_nearly_the_same() -> None:
    network = scattered(dit())
    time, label = torch.tensor([0.2, 0.7]), torch.tensor([0, 3])
    exact = network(image(), time, label)
    network.compute_type = torch.bfloat16
    rough = network(image(), time, label)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.03 * exact.abs().mean()


def test_padding_changes_nothing_that_is_read() -> None:
    network = reader()
    short = network(torch.tensor([[3, 4, 5]]))
    long = network(torch.tensor([[3, 4, 5, 0, 0, 0]]))
    assert torch.allclose(short.whole, long.whole, atol=1e-5)
    assert torch.allclose(short.tokens, long.tokens[:, :3], atol=1e-5)
    assert long.exists.tolist() == [[True, True, True, False, False, False]]


def test_words_and_their_order_are_read() -> None:
    network = reader()
    whole = network(torch.tensor([[3, 4, 5], [5, 4, 3], [3, 4, 6]])).whole
    assert (whole[0] - whole[1]).abs().max() > 1e-2
    assert (whole[0] - whole[2]).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["dit", "unet"])
def test_captions_reach_the_image_as_a_whole_and_token_by_token(kind: str) -> None:
    unet = {
        "channels": 2, "patch": 2, "widths": (16, 32), "blocks": 1, "expansion": 1, "attention_levels": (1,),
        "head_width": 16, "embedding_width": 32, "classes": 0, "text_width": 32,
    }  # fmt: skip
    network = scattered(dit(classes=0, text_width=32) if kind == "dit" else UNet(UNetSizes(**unet)))
    time, text = torch.tensor([0.2, 0.7]), reader()(torch.tensor([[3, 4, 5], [5, 1, 0]]))
    made = network(image(), time, None, text)
    other_tokens = TextStates(tokens=text.tokens.flip(1), exists=text.exists.flip(1) | text.exists, whole=text.whole)
    other_whole = TextStates(tokens=text.tokens, exists=text.exists, whole=text.whole.flip(0))
    for other in (other_tokens, other_whole):
        assert not torch.allclose(made, network(image(), time, None, other), atol=1e-3)
    # What does not exist is not looked at.
    noise = torch.randn(text.tokens.shape, generator=generator(7))
    padded = torch.where(text.exists[..., None], text.tokens, noise)
    hidden = TextStates(tokens=padded, exists=text.exists, whole=text.whole)
    assert torch.allclose(made, network(image(), time, None, hidden), atol=1e-5)
