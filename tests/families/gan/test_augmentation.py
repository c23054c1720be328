"""What the discriminator is shown: nothing changed at share 0, moves that are moves, gradients that pass, same draws same changes."""

import pytest
import torch

from makar.families.gan.augmentation import _shifts, augmented, cut_by_lot
from tests.families.gan.models import generator, images


def test_share_zero_changes_nothing_and_share_one_nearly_every_image() -> None:
    data = images(40, channels=3)
    assert augmented(data, share=0.0, generator=generator()) is data
    changed = (augmented(data, share=1.0, generator=generator()) != data).flatten(1).any(1)
    assert changed.all()
    few = (augmented(data, share=0.2, generator=generator()) != data).flatten(1).any(1)
    # One of three changes with a chance of 0.2 each: 0.49 in all.
    assert 10 < int(few.sum()) < 30


def test_same_draws_give_the_same_changes() -> None:
    data = images(8)
    first, again, other = (augmented(data, share=1.0, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_move_takes_rows_from_further_on_and_repeats_the_edge() -> None:
    column = torch.arange(5.0)[:, None]
    moved = _shifts(5, torch.tensor([2, -1, 0])) @ column
    assert moved[:, :, 0].tolist() == [[2, 3, 4, 4, 4], [0, 0, 1, 2, 3], [0, 1, 2, 3, 4]]


def test_gradients_pass_through_and_those_of_an_unchanged_image_are_one() -> None:
    data = images(6).requires_grad_()
    augmented(data, share=1.0, generator=generator()).square().sum().backward()
    assert data.grad is not None and data.grad.abs().flatten(1).sum(1).min() > 0
    plain = images(200).requires_grad_()
    out = augmented(plain, share=0.1, generator=generator())
    untouched = (out == plain).flatten(1).all(1)
    out.sum().backward()
    assert plain.grad is not None and untouched.any()
    assert plain.grad[untouched].sub(1).abs().max() < 1e-5


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_cut_blanks_at_most_a_quarter_of_the_image(channels: int) -> None:
    data = torch.ones(50, channels, 16, 16)
    blank = (augmented(data, share=1.0, generator=generator()) == 0).all(1).float().mean((1, 2))
    assert blank.max() <= 0.25 and blank.mean() > 0.1


def test_pairs_are_cut_at_the_same_place_and_of_what_is_there() -> None:
    ramp = torch.linspace(-1, 1, 32).expand(16, 1, 32, 32).contiguous()
    cut = cut_by_lot({"one": ramp, "other": 2 * ramp[:, :, :16].contiguous()}, 0.25, generator())
    wide = cut["one"].flatten(1).max(1).values - cut["one"].flatten(1).min(1).values
    # Enlarged by a quarter, four fifths of the ramp are seen, at different places.
    assert torch.allclose(wide, torch.full((16,), 1.6), atol=0.08)
    means = cut["one"].mean((1, 2, 3))
    assert means.std() > 0.02 and torch.allclose(2 * means, cut["other"].mean((1, 2, 3)), atol=1e-4)
    still = cut_by_lot({"one": ramp}, 0.0, generator())["one"]
    assert torch.allclose(still, ramp, atol=1e-6)
