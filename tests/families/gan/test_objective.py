"""The losses at their closed forms, the penalties on functions whose slope is known, and second derivatives that are right."""

import math

import pytest
import torch

from makar.families.gan.objective import discriminator_loss, generator_loss, slope_penalty
from tests.families.gan.models import KINDS, built, config, generator, images, shaken


def test_undecided_networks_pay_the_known_price() -> None:
    zero = torch.zeros(5)
    assert float(discriminator_loss(zero, zero, objective="relativistic")) == pytest.approx(math.log(2))
    assert float(generator_loss(zero, zero, objective="relativistic")) == pytest.approx(math.log(2))
    assert float(discriminator_loss(zero, zero, objective="non-saturating")) == pytest.approx(2 * math.log(2))
    assert float(generator_loss(None, zero, objective="non-saturating")) == pytest.approx(math.log(2))


def test_non_saturating_is_the_cross_entropy_of_real_against_made() -> None:
    real, made = torch.randn(2, 9, generator=generator())
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    expected = entropy(real, torch.ones(9)) + entropy(made, torch.zeros(9))
    assert torch.allclose(discriminator_loss(real, made, objective="non-saturating"), expected)
    assert torch.allclose(generator_loss(None, made, objective="non-saturating"), entropy(made, torch.ones(9)))


def test_relativistic_sees_only_differences() -> None:
    real, made = torch.randn(2, 9, generator=generator())
    for loss in (discriminator_loss, generator_loss):
        assert torch.allclose(
            loss(real, made, objective="relativistic"), loss(real + 3, made + 3, objective="relativistic")
        )
        assert not torch.allclose(
            loss(real, made, objective="relativistic"), loss(real, made + 3, objective="relativistic")
        )


def test_penalty_of_a_linear_function_is_half_its_squared_slope() -> None:
    slope = torch.randn(1, 4, 4, generator=generator())
    found = slope_penalty(lambda points: (points * slope).sum((1, 2, 3)), torch.zeros(3, 1, 4, 4))
    assert torch.allclose(found, 0.5 * slope.square().sum())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_penalty_has_the_gradient_that_differences_show(kind: str, norm: str) -> None:
    if kind == "stylegan" and norm == "batch":
        pytest.skip("this discriminator has no norm")
    values = {"judge_norm": norm} if kind == "dcgan" else {}
    family = shaken(built(config(kind, height=8, width=9, features=4, **values))).double()
    family.discriminator.compute_type = torch.float64
    data = images(4, height=8, width=9).double()
    weight = next(item for name, item in family.discriminator.named_parameters() if item.ndim == 4)

    def penalty() -> torch.Tensor:
        return slope_penalty(lambda points: family.discriminator(points, None), data)

    (found,) = torch.autograd.grad(penalty(), weight)
    direction = torch.randn(weight.shape, generator=generator(2), dtype=torch.float64)
    step = 1e-6
    sides = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * step * direction)
        sides.append(float(penalty().detach()))
        with torch.no_grad():
            weight.sub_(sign * step * direction)
    assert float((found * direction).sum()) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-3, abs=1e-8)
