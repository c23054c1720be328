"""Quantisers: nearest codes, running means, restarts of dead codes, finite scalars as digits, gradients that pass."""

import math

import pytest
import torch

from makar.nn.quantiser import Codebook, FiniteScalars, perplexity


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def codebook(codes: int = 8, width: int = 4, *, decay: float = 0.5, restart_share: float = 0.0) -> Codebook:
    made = Codebook(codes, width, decay=decay, restart_share=restart_share)
    made.initialise(generator())
    return made


def test_tokens_are_the_nearest_codes() -> None:
    quantiser, x = codebook(), torch.randn(5, 3, 4, generator=generator(1))
    distances = torch.cdist(quantiser.normed(x).reshape(-1, 4), quantiser.vectors)
    assert torch.equal(quantiser.tokens(x).flatten(), distances.argmin(1))
    quantised, tokens, _ = quantiser(x)
    assert torch.equal(tokens, quantiser.tokens(x))
    assert torch.allclose(quantised, quantiser.lookup(tokens), atol=1e-6)


def test_the_gradient_passes_the_codebook_as_if_it_were_not_there() -> None:
    quantiser = codebook()
    x = torch.randn(6, 4, generator=generator(1), requires_grad=True)
    weights = torch.randn(6, 4, generator=generator(2))
    (quantiser(x)[0] * weights).sum().backward()
    through = x.grad
    x.grad = None
    (quantiser.normed(x) * weights).sum().backward()
    assert through is not None
    assert torch.allclose(through, x.grad)


def test_commitment_is_the_mean_square_to_the_code_and_moves_the_vectors_only() -> None:
    quantiser = codebook()
    x = torch.randn(6, 4, generator=generator(1), requires_grad=True)
    quantised, _, commitment = quantiser(x)
    expected = (quantiser.normed(x) - quantised).detach().square().mean()
    assert float(commitment.detach()) == pytest.approx(float(expected))
    commitment.backward()
    assert x.grad is not None
    assert not quantiser.vectors.requires_grad


def test_codes_are_running_means_of_what_chose_them() -> None:
    quantiser = codebook(codes=2, decay=0.5)
    quantiser.vectors.copy_(torch.tensor([[1.0, 1, -1, -1], [-1, -1, 1, 1]]))
    x = torch.tensor([[2.0, 3, 0, 0], [3.0, 1, -1, 0]])
    before, normed = quantiser.vectors.clone(), quantiser.normed(x)
    quantiser.watch(x, quantiser.tokens(x), generator())
    quantiser.update()
    # Counts were 1 each: n = 0.5 + 0.5 * 2, m = 0.5 * code + 0.5 * sum.
    assert torch.allclose(quantiser.counts, torch.tensor([1.5, 0.5]))
    assert torch.allclose(quantiser.vectors[0], (0.5 * before[0] + 0.5 * normed.sum(0)) / 1.5)
    assert torch.allclose(quantiser.vectors[1], before[1])


def test_two_halves_of_a_batch_move_the_codes_like_the_whole() -> None:
    whole, halves = codebook(), codebook()
    x = torch.randn(10, 4, generator=generator(1))
    whole.watch(x, whole.tokens(x), generator())
    for part in (x[:5], x[5:]):
        halves.watch(part, halves.tokens(part), generator())
    whole.update()
    halves.update()
    assert torch.allclose(whole.vectors, halves.vectors, atol=1e-6)
    assert torch.equal(whole.counts, halves.counts)


@pytest.mark.parametrize("restart_share", [0.0, 0.5])
def test_dead_codes_are_moved_onto_vectors_of_the_batch_only_when_asked(restart_share: float) -> None:
    quantiser = codebook(codes=16, decay=0.5, restart_share=restart_share)
    quantiser.vectors[8:] = 100.0
    x = torch.randn(64, 4, generator=generator(1))
    for step in range(6):
        quantiser.watch(x, quantiser.tokens(x), generator(step))
        quantiser.update()
    is_far = bool((quantiser.vectors > 50).any())
    assert is_far == (restart_share == 0.0)


def test_update_without_a_batch_changes_nothing() -> None:
    quantiser = codebook(restart_share=0.5)
    before = quantiser.vectors.clone()
    quantiser.update()
    assert torch.equal(quantiser.vectors, before)


def test_first_codes_are_vectors_of_the_data() -> None:
    quantiser, x = codebook(codes=7), torch.randn(5, 4, generator=generator(1))
    quantiser.start_from(x, generator())
    distances = torch.cdist(quantiser.vectors, quantiser.normed(x))
    assert float(distances.min(1).values.max()) < 1e-3
    assert len(distances.argmin(1).unique()) == 5


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (3, 4), (2, 2, 6)])
def test_every_token_of_finite_scalars_is_the_number_of_its_digits(levels: tuple[int, ...]) -> None:
    quantiser = FiniteScalars(levels)
    tokens = torch.arange(math.prod(levels))
    vectors = quantiser.lookup(tokens)
    assert vectors.abs().max() <= 1
    assert len(vectors.unique(dim=0)) == len(tokens)
    # Values far inside the range of a level come back as that level.
    half = torch.floor(quantiser.levels / 2)
    digits = torch.round(vectors * half + half).long()
    assert torch.equal((digits * quantiser.bases).sum(-1), tokens)


@pytest.mark.parametrize("levels", [(8, 5), (2, 3), (7,)])
def test_wide_values_reach_every_level_and_no_other(levels: tuple[int, ...]) -> None:
    quantiser = FiniteScalars(levels)
    x = 4 * torch.randn(4000, len(levels), generator=generator())
    quantised, tokens, commitment = quantiser(x)
    assert sorted(tokens.unique().tolist()) == list(range(math.prod(levels)))
    assert torch.allclose(quantised, quantiser.lookup(tokens), atol=1e-5)
    assert float(commitment) == 0


def test_an_input_of_zero_is_in_the_middle_of_the_levels() -> None:
    assert torch.allclose(FiniteScalars((8, 5, 3)).bounded(torch.zeros(3)), torch.zeros(3), atol=1e-5)


def test_the_gradient_passes_the_rounding() -> None:
    quantiser, x = FiniteScalars((8, 5)), torch.randn(6, 2, generator=generator(), requires_grad=True)
    quantiser(x)[0].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().min() > 0


def test_perplexity_counts_codes_in_even_use() -> None:
    assert perplexity(torch.arange(16).repeat(3), 64) == pytest.approx(16.0)
    assert perplexity(torch.zeros(2, 9, dtype=torch.int64), 64) == pytest.approx(1.0)
    assert 1 < perplexity(torch.tensor([0, 0, 0, 1]), 64) < 2
