"""A vector is read as four tokens behind those of a caption and added to its whole; zeros say that there is none."""

import torch

from makar.nn.initialisation import initialise_modules
from makar.nn.text_encoder import TextStates
from makar.nn.vector_reader import TOKENS, VectorReader


def reader():
    made = torch.nn.ModuleList([VectorReader(6, 8)])
    initialise_modules(made, torch.Generator().manual_seed(0))
    return made[0]


def test_tokens_stand_behind_those_of_the_caption_and_the_whole_is_the_sum():
    made, vectors = reader(), torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    alone = made(vectors, None)
    text = TextStates(
        tokens=torch.ones(2, 3, 8), exists=torch.tensor([[True, True, False]] * 2), whole=torch.full((2, 8), 2.0)
    )
    joined = made(vectors, text)
    assert alone.tokens.shape == (2, TOKENS, 8) and alone.exists.all()
    assert torch.equal(joined.tokens, torch.cat([text.tokens, alone.tokens], 1))
    assert joined.exists.tolist() == [[True, True, False] + [True] * TOKENS] * 2
    assert torch.equal(joined.whole, text.whole + alone.whole)


def test_the_length_of_a_vector_does_not_count_and_zeros_leave_the_constants():
    made, vectors = reader(), torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(made(3 * vectors, None).whole, made(vectors, None).whole, atol=1e-4)
    none = made(torch.zeros(1, 6), None)
    assert torch.equal(none.whole[0], made.whole.bias) and torch.equal(none.tokens.flatten(), made.tokens.bias)
    assert not torch.allclose(made(vectors, None).whole, none.whole)
