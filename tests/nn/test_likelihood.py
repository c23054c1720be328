"""How likely images are: probabilities that add up to one, agreement with torch's distributions, means and draws."""

import math

import pytest
import torch

from makar.nn.likelihood import (
    STEP,
    bernoulli_nats,
    gaussian_nats,
    image_draw,
    image_mean,
    image_nats,
    logistic_nats,
)

VALUES = torch.arange(256) * STEP - 1


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 2, 4, 5, generator=generator(seed)) * 2 - 1


@pytest.mark.parametrize(("mean", "log_scale"), [(0.1, -1.0), (-1.0, -4.0), (1.3, -2.0), (0.0, -7.0), (0.5, 1.0)])
def test_probabilities_of_all_pixel_values_add_up_to_one(mean: float, log_scale: float) -> None:
    pixels = VALUES.double().reshape(256, 1, 1, 1)
    shape = (256, 1, 1, 1)
    nats = logistic_nats(torch.full(shape, mean).double(), torch.full(shape, log_scale).double(), pixels)
    assert float(torch.exp(-nats).sum()) == pytest.approx(1.0, abs=1e-6)


def test_logistic_is_the_difference_of_the_distribution_function() -> None:
    mean, scale, pixel = 0.2, 0.05, float(VALUES[140])
    plain = torch.sigmoid(torch.tensor((pixel + STEP / 2 - mean) / scale).double()) - torch.sigmoid(
        torch.tensor((pixel - STEP / 2 - mean) / scale).double()
    )
    one = torch.full((1, 1, 1, 1), 1.0)
    found = logistic_nats(mean * one, math.log(scale) * one, pixel * one)
    assert float(found) == pytest.approx(-math.log(float(plain)), rel=1e-4)


def test_far_away_pixels_have_finite_nats_and_a_gradient() -> None:
    mean = torch.full((1, 1, 1, 1), -1.0, requires_grad=True)
    nats = logistic_nats(mean, torch.full((1, 1, 1, 1), -7.0), torch.full((1, 1, 1, 1), 0.9))
    nats.sum().backward()
    assert torch.isfinite(nats).all()
    assert mean.grad is not None
    assert float(mean.grad) < -100


def test_gaussian_is_torchs_density_times_the_step() -> None:
    image, mean = images(), images(seed=1)
    log_deviation = torch.tensor([-1.0, 0.3]).reshape(1, 2, 1, 1)
    expected = torch.distributions.Normal(mean, log_deviation.exp()).log_prob(image) + math.log(STEP)
    assert torch.allclose(gaussian_nats(mean, log_deviation, image), -expected.flatten(1).sum(1), rtol=1e-5)


def test_deviation_that_is_best_for_the_gaussian_is_the_root_of_the_mean_square() -> None:
    image = images()
    best = torch.log(image.square().mean().sqrt())
    nats = [
        float(
            gaussian_nats(torch.zeros_like(image), (best + shift).reshape(1, 1, 1, 1).expand(1, 2, 1, 1), image).sum()
        )
        for shift in (-0.05, 0.0, 0.05)
    ]
    assert nats[1] < min(nats[0], nats[2])


def test_bernoulli_is_torchs_and_linear_in_grey() -> None:
    logits = images() * 4
    white = torch.where(images(seed=1) > 0, 1.0, -1.0)
    expected = torch.distributions.Bernoulli(logits=logits).log_prob((white + 1) / 2)
    assert torch.allclose(bernoulli_nats(logits, white), -expected.flatten(1).sum(1), rtol=1e-5)
    grey = bernoulli_nats(logits, torch.zeros_like(logits))
    assert torch.allclose(
        grey, (bernoulli_nats(logits, torch.ones_like(logits)) + bernoulli_nats(logits, -torch.ones_like(logits))) / 2
    )


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "logistic"])
def test_draws_have_the_stated_mean(kind: str) -> None:
    location = torch.full((4000, 1, 1, 1), 0.2)
    log_scale = None if kind == "bernoulli" else torch.full((1, 1, 1, 1), -2.5)
    uniform = torch.rand(4000, 1, 1, 1, generator=generator())
    drawn = image_draw(kind, location, log_scale, uniform)
    assert float(drawn.mean()) == pytest.approx(float(image_mean(kind, location).mean()), abs=0.05)
    assert drawn.abs().max() <= 1
    assert len(drawn.unique()) > 100 or kind == "bernoulli"


def test_the_kind_chooses_the_likelihood() -> None:
    image, scale = images(), torch.full((1, 2, 1, 1), -1.0)
    gaussian, logistic = (image_nats(kind, image * 0, scale, image) for kind in ("gaussian", "logistic"))
    assert torch.equal(gaussian, gaussian_nats(image * 0, scale, image))
    assert torch.equal(logistic, logistic_nats(image * 0, scale, image))
    assert torch.equal(image_nats("bernoulli", image, None, image), bernoulli_nats(image, image))
