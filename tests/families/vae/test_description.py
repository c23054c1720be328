"""Descriptions of training images: moments of batches, distances that know them, latents drawn like them."""

import pytest
import torch

from makar.families.vae.description import DIRECTIONS, MEMORY, Description, error_cells, outlines


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def correlated(count: int, seed: int) -> torch.Tensor:
    values = torch.randn(count, 5, generator=generator(seed))
    mixing = torch.eye(5) + 0.8 * torch.diag(torch.ones(4), 1)
    return values @ mixing + torch.arange(5.0)


def test_moments_of_few_batches_are_those_of_all_values_together() -> None:
    description, parts = Description(3, 2), [correlated(50, seed) for seed in range(6)]
    for part in parts:
        description.update(part, torch.full((50, 3), 0.2))
    together = torch.cat(parts)
    assert torch.allclose(description.mean, together.mean(0), atol=1e-4)
    assert torch.allclose(description.covariance, torch.cov(together.T, correction=0), atol=1e-3)
    assert torch.allclose(description.posterior_variance, torch.full((3,), 0.2))


def test_moments_follow_when_what_is_described_changes() -> None:
    description = Description(3, 2)
    for step in range(4 * MEMORY):
        description.update(correlated(20, step) + (100.0 if step < MEMORY else 0.0), torch.ones(20, 3))
    assert float((description.mean - torch.arange(5.0)).abs().max()) < 8


def test_usual_values_are_near_and_unusual_combinations_far() -> None:
    description = Description(3, 2)
    description.update(correlated(4000, 1), torch.ones(4000, 3))
    usual = description.distance(correlated(500, 2))
    assert float(usual.mean()) == pytest.approx(1.0, abs=0.2)
    # Each value alone is usual; that neighbours move apart is not.
    apart = torch.arange(5.0) + torch.tensor([1.2, -1.2, 1.2, -1.2, 1.2])
    together = torch.arange(5.0) + torch.full((5,), 1.2)
    far, near = description.distance(torch.stack([apart, together]))
    assert far > 2 * near


def test_before_anything_was_seen_the_prior_is_what_is_usual() -> None:
    description, values = Description(3, 2), torch.randn(4, 5, generator=generator())
    assert torch.allclose(description.distance(values), values.square().mean(1))
    assert torch.equal(description.fitted(values[:, :3]), values[:, :3])


def test_fitted_latents_have_the_moments_of_the_latents_of_the_data() -> None:
    description = Description(3, 2)
    description.update(correlated(4000, 1), torch.full((4000, 3), 0.1))
    drawn = description.fitted(torch.randn(20_000, 3, generator=generator()))
    expected = description.covariance[:3, :3] + 0.1 * torch.eye(3)
    assert torch.allclose(drawn.mean(0), description.mean[:3], atol=0.05)
    assert torch.allclose(torch.cov(drawn.T), expected, atol=0.08)


def test_reset_forgets() -> None:
    description = Description(3, 2)
    description.update(correlated(50, 1), torch.ones(50, 3))
    description.reset()
    for name, value in Description(3, 2).named_buffers():
        assert torch.equal(dict(description.named_buffers())[name], value), name


def test_errors_are_averaged_over_cells() -> None:
    error = torch.zeros(2, 3, 16, 24)
    error[1, :, :2, :3] = 1.0
    cells = error_cells(error)
    assert cells.shape == (2, 64)
    assert int(cells[1].argmax()) == 0
    assert cells[0].unique().numel() == 1
    assert error_cells(torch.zeros(1, 1, 5, 9)).shape == (1, 40)


def test_outlines_tell_which_way_edges_go_and_not_how_bright_an_image_is():
    ramp = torch.linspace(-1, 1, 16)
    across, down = ramp[None, None, None].expand(1, 1, 16, 16), ramp[None, None, :, None].expand(1, 1, 16, 16)
    found = [outlines(image, cells=2)[0].view(DIRECTIONS, 4) for image in (across, down)]
    assert [int(values.sum(1).argmax()) for values in found] == [0, DIRECTIONS // 4]
    darker = outlines(across * 0.5 - 0.3, cells=2)[0]
    assert torch.nn.functional.cosine_similarity(darker, found[0].flatten(), dim=0) > 0.999
    assert (outlines(torch.zeros(1, 3, 16, 16), cells=2) < 0.01).all()


def test_an_outline_turned_by_a_quarter_is_far_from_usual_ones():
    stripes = torch.sin(torch.arange(16.0) * 1.3)[None, None, None].expand(64, 1, 16, 16)
    images = stripes + 0.2 * torch.randn(64, 1, 16, 16, generator=generator())
    description = Description(0, 4 * DIRECTIONS, ridge=0.3)
    description.update(outlines(images, cells=2), torch.ones(64, 0))
    usual, turned = (description.distance(outlines(one, cells=2)).mean() for one in (images, images.transpose(2, 3)))
    assert 0.2 < usual < 2 and turned > 5 * usual
