"""Streams that are shifted against each other come back exactly, and are shifted as MusicGen shifts them."""

import pytest
import torch

from makar.families.transformer.delay import delayed, undelayed


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (4, 3), (3, 9), (2, 3, 4, 6)])
def test_what_was_delayed_comes_back_exactly(shape):
    codes = torch.randint(0, 50, shape, generator=torch.Generator().manual_seed(len(shape)))
    steps = delayed(codes, nothing=50)
    assert steps.shape == (*shape[:-1], shape[-1] + shape[-2] - 1)
    assert torch.equal(undelayed(steps), codes)
    # Every token is there once, and all other places are empty.
    assert int((steps != 50).sum()) == codes.numel()


def test_a_token_stands_later_by_the_number_of_its_codebook():
    codes = torch.arange(12).view(3, 4)
    steps = delayed(codes, nothing=99)
    for number in range(3):
        for moment in range(4):
            assert int(steps[number, moment + number]) == int(codes[number, moment])


def test_the_pattern_is_that_of_musicgen():
    transformers = pytest.importorskip("transformers")
    codebooks, length, nothing = 4, 7, 64
    config = transformers.MusicgenDecoderConfig(
        vocab_size=nothing,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        ffn_dim=8,
        num_codebooks=codebooks,
    )
    model = transformers.MusicgenForCausalLM(config)
    codes = torch.randint(0, nothing, (codebooks, length), generator=torch.Generator().manual_seed(0))
    # Theirs begins with a step of nothing, which is where our text ends.
    begun = torch.cat([torch.full((codebooks, 1), nothing), codes], 1)
    _, mask = model.build_delay_pattern_mask(begun, pad_token_id=nothing, max_length=length + codebooks)
    theirs = model.apply_delay_pattern_mask(torch.full((codebooks, length + codebooks), -1), mask)
    ours = delayed(codes, nothing=nothing)
    # Where theirs says that a token is free, -1, ours has one.
    assert theirs.shape == (codebooks, ours.shape[1] + 1)
    inner = theirs[:, 1:]
    assert torch.equal(inner == nothing, ours == nothing)
    given = inner >= 0
    assert torch.equal(inner[given], ours[given])
