"""Several codebooks, one after the other: the more the nearer, any first few are enough, dead codes come back."""

import torch

from makar.nn.initialisation import initialise_modules
from makar.nn.residual_quantiser import ResidualCodebooks


def vectors(seed=0, batch=8):
    return torch.randn(batch, 40, 6, generator=torch.Generator().manual_seed(seed))


def fitted(*, steps=20, restart_share=0.1):
    quantiser = ResidualCodebooks(3, 16, 6, decay=0.9, restart_share=restart_share)
    generator = torch.Generator().manual_seed(0)
    initialise_modules(quantiser, generator)
    quantiser.start_from(vectors().flatten(0, 1), generator)
    for step in range(steps):
        quantised = quantiser(vectors(step), torch.full((8,), 3))
        quantiser.watch(quantised, generator)
        quantiser.update()
    return quantiser


def test_every_codebook_comes_nearer_and_the_first_few_are_enough():
    quantiser, x = fitted(), vectors(99)
    tokens = quantiser.tokens(x)
    assert tokens.shape == (8, 3, 40) and tokens.min() >= 0 and tokens.max() < 16
    errors = [(quantiser.lookup(tokens[:, :count]) - quantiser.normed(x)).square().mean() for count in (1, 2, 3)]
    assert errors[2] < 0.8 * errors[1] < 0.8 * 0.8 * errors[0]


def test_fewer_codebooks_give_what_their_tokens_give_and_gradients_pass():
    quantiser, x = fitted(), vectors(99).requires_grad_()
    used = torch.tensor([1, 2, 3, 1, 2, 3, 1, 2])
    quantised = quantiser(x, used)
    for row, count in enumerate(used.tolist()):
        expected = quantiser.lookup(quantised.tokens[row : row + 1, :count])[0]
        assert torch.allclose(quantised.vectors[row], expected, atol=1e-5)
    # The rounding is passed as if it were not there: the gradient is that of the norm.
    (through,) = torch.autograd.grad(quantised.vectors.square().sum(), x, retain_graph=True)
    (plain,) = torch.autograd.grad((quantiser.normed(x) * quantised.vectors.detach() * 2).sum(), x)
    assert torch.allclose(through, plain, atol=1e-4)


def test_later_codebooks_keep_the_length_of_what_is_left():
    quantiser = fitted()
    lengths = [codebook.vectors.norm(dim=1).mean() for codebook in quantiser.codebooks]
    assert lengths[0] > 1.3 * lengths[1] > 1.3 * lengths[2]


def test_dead_codes_are_moved_where_vectors_are_and_without_it_stay_dead():
    used = {}
    for share in (0.0, 0.1):
        quantiser = ResidualCodebooks(2, 16, 6, decay=0.5, restart_share=share)
        generator = torch.Generator().manual_seed(0)
        initialise_modules(quantiser, generator)
        with torch.no_grad():
            quantiser.codebooks[0].vectors[4:] += 100
        for step in range(12):
            quantiser.watch(quantiser(vectors(step), torch.full((8,), 2)), generator)
            quantiser.update()
        used[share] = len(quantiser.tokens(vectors(99))[:, 0].unique())
    assert used[0.0] <= 4 and used[0.1] >= 12
