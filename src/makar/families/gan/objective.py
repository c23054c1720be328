"""What the two networks play for: the adversarial losses, and the penalties on the slope of the discriminator.

* ``relativistic`` (Jolicoeur-Martineau 2018, arXiv 1807.00734, with pairs): the discriminator lowers softplus(D(made) - D(real)),
  the generator softplus(D(real) - D(made)). Judged in pairs there is no bad minimum in which a whole mode is given up (Sun et al.
  2020, arXiv 2011.04926); it converges only together with both penalties (Huang et al. 2025, arXiv 2501.05441, proposition 2).
* ``non-saturating`` (Goodfellow et al. 2014, arXiv 1406.2661, section 3): softplus(-D(real)) + softplus(D(made)), and softplus(-D(made)).

R1 = gamma / 2 E |grad D|^2 at real images (Mescheder et al. 2018, arXiv 1801.04406, equation 9), R2 the same at made ones. They may be due
every k-th step only and weigh k times as much (Karras et al. 2019, arXiv 1912.04958, section 3.1).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def discriminator_loss(
    real: Float[Tensor, " batch"], made: Float[Tensor, " batch"], *, objective: str
) -> Float[Tensor, ""]:
    """Return what the discriminator lowers, in nats, mean over the batch.

    Args:
        real: Answers for real images.
        made: Answers for made images; for ``relativistic`` the pairs are those of the same position.
        objective: ``"relativistic"`` or ``"non-saturating"``.
    """
    if objective == "relativistic":
        return F.softplus(made - real).mean()
    return F.softplus(-real).mean() + F.softplus(made).mean()


def generator_loss(
    real: Float[Tensor, " batch"] | None, made: Float[Tensor, " batch"], *, objective: str
) -> Float[Tensor, ""]:
    """Return what the generator lowers, in nats, mean over the batch.

    Args:
        real: Answers for real images; only ``relativistic`` needs them.
        made: Answers for made images.
        objective: ``"relativistic"`` or ``"non-saturating"``.
    """
    if objective == "relativistic":
        assert real is not None, "judged in pairs"
        return F.softplus(real - made).mean()
    return F.softplus(-made).mean()


def slope_penalty(
    judge: Callable[[Tensor], Tensor], images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, ""]:
    """Return E |grad D|^2 / 2 at the images, with a graph behind it, so that it can be lowered.

    Args:
        judge: From images to one answer each; every operation in it must have a second derivative.
        images: Where the slope is taken, as the discriminator sees them.
    """
    points = images.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(judge(points).sum(), points, create_graph=True)
    return 0.5 * slope.square().sum((1, 2, 3)).mean()
