"""Views and refinement undo what was done to a copy, and correlation is that of numpy."""

import numpy as np
import torch

from makar.novelty.alignment import best_views, blurred, grids_of, sampled, view_parameters, work_images, work_size
from makar.novelty.refinement import refined_correlations
from tests.novelty.samples import smooth_images

IDENTITY = torch.tensor([[1.0, 0.0, 0.0, 1.0]])


def images(count, channels=1):
    pixels = smooth_images(np.random.default_rng(0), count, channels=channels)
    return blurred(work_images(pixels.transpose(0, 3, 1, 2), (28, 28)))


def test_the_identity_view_changes_nothing():
    some = images(2)
    grid, mask = grids_of(IDENTITY, 28, 28)
    assert torch.allclose(sampled(some, grid.expand(2, -1, -1, -1)), some, atol=1e-5)
    assert mask[0, 2:-2, 2:-2].sum() == mask.sum() == 24 * 24


def test_correlation_of_the_best_view_is_that_of_numpy():
    one, other = images(2)
    value, view = best_views(one, other[None])
    grid, mask = grids_of(view, 28, 28)
    inside = mask[0].bool().numpy()
    expected = np.corrcoef(sampled(one[None], grid)[0, 0].numpy()[inside], other[0].numpy()[inside])[0, 1]
    assert abs(float(value[0]) - expected) < 2e-3


def test_gain_offset_and_mirror_are_undone():
    some = images(3, channels=3)
    for changed in (some * 0.5 + 0.2, some.flip(3)):
        values, _ = best_views(changed[1], some)
        assert values.argmax() == 1
        assert values[1] > 0.998
        assert values[0] < 0.9


def test_refinement_finds_a_shift_that_no_view_has():
    some = images(2)
    moved = torch.tensor([[0.97, 0.013, -0.027, 1.0]])
    # The query shows less of the original, from another place: sampling undoes the view, so the query is made by the inverse.
    inverse = torch.tensor([[1 / 0.97, -0.013 / 0.97, 0.027 / 0.97, 1.0]])
    grid, _ = grids_of(inverse, 28, 28)
    query = sampled(some[:1], grid)[0]
    start = view_parameters(((1.0, (0.0,)),))[:1].expand(2, -1)
    plain, _ = grids_of(moved, 28, 28)
    assert torch.nn.functional.mse_loss(sampled(query[None], plain)[0, 0, 4:-4, 4:-4], some[0, 0, 4:-4, 4:-4]) < 1e-3
    values = refined_correlations(query, some, start)
    assert values[0] > 0.998
    assert values[1] < 0.95


def test_an_even_image_matches_nothing():
    some = images(2)
    values, _ = best_views(torch.full_like(some[0], 0.5), some)
    assert values.abs().max() < 0.01


def test_large_images_are_reduced_with_their_aspect():
    assert work_size(64, 128) == (16, 32)
    assert work_size(28, 28) == (28, 28)
    reduced = work_images(np.full((1, 4, 64, 64), 255, np.uint8), (32, 32))
    assert reduced.shape == (1, 3, 32, 32)
    assert torch.allclose(reduced, torch.ones(()))
