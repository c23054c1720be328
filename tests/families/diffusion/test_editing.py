"""Changing given images: known pixels stay bit for bit, strength leads away from the source, and correlated values are filled in."""

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, UnsupportedError
from makar.families.asked import Asking
from makar.families.diffusion.condition import Condition
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.editing import back_to_noise, between_noises, image_to_image_start, inpaint
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.diffusion.solvers import SOLVERS
from makar.families.diffusion.time_grid import time_grid
from makar.families.diffusion.wanted import Wanting

SIDE = 8
COVARIANCE = 0.2 * torch.exp(-(((torch.arange(SIDE)[:, None] - torch.arange(SIDE)) / 3.0) ** 2)) + 1e-3 * torch.eye(
    SIDE
)
"""Of the values in a row of a toy image; rows and channels are independent."""


def velocity(points, times, label=None):
    """The exact velocity for images whose rows are normal with that covariance: data minus noise, expected from the point."""
    time = float(times) if not torch.is_tensor(times) else float(times.flatten()[0])
    variances, axes = torch.linalg.eigh(COVARIANCE)
    shrink = time * variances / (time**2 * variances + (1 - time) ** 2)
    data = ((points @ axes) * shrink) @ axes.T
    if time == 1.0:
        return data
    return data - (points - time * data) / (1 - time)


def sampler(classes=0):
    config = DiffusionConfig(height=SIDE, width=SIDE, channels=1, classes=classes)
    counts = {f"class {number}": 1 for number in range(classes)}
    return built(ImageSampler, config, counts)


def built(kind, config, counts):
    """A sampler over the exact velocity."""
    return kind(
        velocity,
        config=config,
        device=torch.device("cpu"),
        condition=lambda label, *rest: Condition(label=label),
        asking=Wanting(config, Asking(config, class_counts=counts, encode_caption=None)),
        noise_deviation=torch.ones(1, 1, 1),
    )


def picture(seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(1, SIDE, SIDE, generator=generator) @ torch.linalg.cholesky(COVARIANCE).T
    return rows.clamp(-1, 1)


def changed(prompt, count=1, source=None, **options):
    made = (source or sampler()).sample(
        ImageOptions(**{"steps": 5, **options}), [dict(prompt) for _ in range(count)], list(range(count))
    )
    return np.stack([slots["target"] for _, slots, _ in made])


def right_half():
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, :, SIDE // 2 :] = 1
    return mask


def test_strength_zero_is_the_source_and_one_does_not_look_at_it():
    assert np.array_equal(changed({"source": picture()}, strength=0.0)[0], picture().numpy())
    whole = changed({"source": picture()}, strength=1.0)
    assert np.allclose(whole, changed({"source": picture(1)}, strength=1.0), atol=1e-5)
    assert np.allclose(whole, changed({}), atol=1e-5)


def test_strength_leads_away_from_the_source_step_by_step():
    distances = [
        float(np.abs(changed({"source": picture()}, count=16, strength=strength) - picture().numpy()).mean())
        for strength in np.linspace(0, 1, 9)
    ]
    assert distances == sorted(distances) and distances[-1] > 4 * distances[1] > 0


def test_without_a_strength_a_middle_one_is_taken():
    assert np.array_equal(changed({"source": picture()}), changed({"source": picture()}, strength=0.6))


def test_the_start_of_image_to_image_lies_on_the_path():
    noise, source = torch.randn(2, 1, SIDE, SIDE), picture()[None].repeat(2, 1, 1, 1)
    point, times = image_to_image_start(noise, source, strength=0.25, times=time_grid(4))
    assert torch.allclose(point, 0.75 * source + 0.25 * noise)
    assert times[0] == 0.75 and times[-1] == 1.0 and len(times) == 5


def test_known_pixels_come_out_bit_for_bit():
    known, mask = picture(), right_half()
    for image in changed({"known": known, "mask": mask}, count=3):
        assert np.array_equal(image[:, :, : SIDE // 2], known.numpy()[:, :, : SIDE // 2])
        assert not np.array_equal(image[:, :, SIDE // 2 :], known.numpy()[:, :, SIDE // 2 :])


def test_what_is_filled_in_fits_what_is_known():
    """Against the closed form: the mean of the unknown values given the known ones, for rows of a normal distribution."""
    known, half = picture(3), SIDE // 2
    inside = COVARIANCE[:half, :half]
    across = COVARIANCE[half:, :half]
    expected = known[0, :, :half] @ torch.linalg.solve(inside, across.T)
    images = changed({"known": known, "mask": right_half()}, count=100, steps=20)[:, 0, :, half:]
    error = float(np.abs(images.mean(0) - expected.numpy()).mean())
    blind = float(expected.abs().mean())
    assert error < 0.5 * blind
    # And the spread is that of what is not known, not that of everything.
    remaining = COVARIANCE[half:, half:] - across @ torch.linalg.solve(inside, across.T)
    assert 0.7 < float(images.std(0).mean()) / float(remaining.diag().sqrt().mean()) < 1.2


def test_replacing_pixels_at_the_end_only_would_not_fit():
    """The twin: images made without looking at the known half are as wrong as a blind guess."""
    known, half = picture(3), SIDE // 2
    expected = known[0, :, :half] @ torch.linalg.solve(COVARIANCE[:half, :half], COVARIANCE[half:, :half].T)
    blind = changed({}, count=100)[:, 0, :, half:].mean(0)
    assert float(np.abs(blind - expected.numpy()).mean()) > 0.8 * float(expected.abs().mean())


def test_inpainting_draws_what_it_is_told_to_and_nothing_else():
    draws = iter(range(1000))

    def draw():
        next(draws)
        return torch.zeros(1, 1, SIDE, SIDE)

    made = inpaint(velocity, draw, known=picture()[None], mask=right_half()[None], steps=3)
    assert made.shape == (1, 1, SIDE, SIDE) and next(draws) == 15


def test_the_way_back_leads_to_the_noise_that_leads_here():
    noise = torch.randn(4, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    images = SOLVERS["heun"](velocity, noise, time_grid(200))
    found = back_to_noise(velocity, images, steps=20)
    assert float((found - noise).abs().mean()) < 0.05


def test_between_two_noises_lies_noise():
    first, last = (torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.allclose(between_noises(first, last, 0.0), first, atol=1e-5)
    assert torch.allclose(between_noises(first, last, 1.0), last, atol=1e-5)
    assert abs(float(between_noises(first, last, 0.5).std()) - 1) < 0.05
    assert float((0.5 * first + 0.5 * last).std()) < 0.8


def test_frames_run_from_one_image_to_the_other():
    first, last = picture(0), picture(1)
    frames = sampler().interpolate_between(ImageOptions(steps=10), first=first, last=last, count=5)
    assert np.abs(frames[0] - first.numpy()).mean() < 0.05 and np.abs(frames[-1] - last.numpy()).mean() < 0.05
    away = [float(np.abs(frame - first.numpy()).mean()) for frame in frames]
    assert away == sorted(away)


def test_two_images_are_led_to_and_from_the_class_that_is_asked_for():
    with pytest.raises(UnsupportedError, match="has none"):
        sampler().interpolate_between(ImageOptions(label="cat"), first=picture(), last=picture(), count=2)
    with pytest.raises(ConfigError):
        sampler().interpolate_between(ImageOptions(), first=picture(), last=picture(), count=1)


def test_an_edit_does_not_depend_on_what_else_is_made():
    prompts = [{"known": picture(seed), "mask": right_half()} for seed in range(3)]
    together = [slots["target"] for _, slots, _ in sampler().sample(ImageOptions(steps=3), prompts, [5, 6, 7])]
    alone = [slots["target"] for _, slots, _ in sampler().sample(ImageOptions(steps=3), prompts[2:], [7])]
    assert np.allclose(together[2], alone[0], atol=1e-5)


def test_an_edit_is_of_no_class_unless_one_is_asked_for():
    labels = []

    class Noting(ImageSampler):
        def _guided(self, guidance, asked, options, given=None):
            labels.append([one.label for one in asked])
            return super()._guided(guidance, asked, options, given)

    config = DiffusionConfig(height=SIDE, width=SIDE, channels=1, classes=3)
    noting = built(Noting, config, {"ant": 1, "bee": 1, "cat": 1})
    changed({"source": picture()}, source=noting)
    changed({"source": picture(), "class": torch.tensor(1)}, source=noting)
    changed({"source": picture()}, source=noting, label="cat")
    assert labels == [[3], [1], [2]]


@pytest.mark.parametrize(
    ("prompt", "options", "part"),
    [
        ({}, {"strength": 0.5}, "without an image"),
        ({"known": picture(), "mask": right_half()}, {"strength": 0.5}, "strength"),
        ({"known": picture(), "mask": right_half()}, {"solver": "heun"}, "solver"),
        ({"known": picture(), "mask": right_half()}, {"shift": 1.0}, "shift"),
        ({"known": picture()}, {}, "known"),
        ({"source": picture(), "mask": right_half()}, {}, "mask, source"),
        ({"source": torch.zeros(1, SIDE, SIDE + 1)}, {}, "shape"),
        ({"known": picture(), "mask": torch.zeros(3, SIDE, SIDE)}, {}, "mask has shape"),
    ],
)
def test_what_cannot_be_honoured_is_refused(prompt, options, part):
    with pytest.raises(UnsupportedError, match=part):
        changed(prompt, **options)


def test_different_edits_in_one_call_are_refused():
    with pytest.raises(UnsupportedError, match="different edits"):
        list(sampler().sample(ImageOptions(), [{"source": picture()}, {}], [0, 1]))
