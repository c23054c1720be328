"""A judge for a student of few steps: it learns to tell the student's images from real ones, and the student to be taken for real.

The paths of a teacher say which image belongs to which noise. A student of two steps only comes near them: what is left is a blur, and
its teacher's own mistakes are the best it can reach. A judge of real and made images sees both (adversarial diffusion distillation, Sauer
et al. 2023, arXiv 2311.17042, section 3; here the judge looks at the images, not at features of a network that would have to be brought
along). It is the discriminator of a DCGAN without norms; the objective is relativistic with penalties on both slopes
(``makar.families.gan``).

Which weights are kept is chosen as in every adversarial family, by an energy distance of made and held-out images in fixed features: the
error on the paths does not see what the judge adds.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.size_judge import judge_of
from makar.families.family import Batch
from makar.families.gan.dcgan_networks import DcganDiscriminator
from makar.families.gan.distance import energy_distance, spread
from makar.families.gan.features import FixedFeatures
from makar.families.gan.objective import discriminator_loss, generator_loss, slope_penalty
from makar.tensor_spec import TARGET

REFERENCE_IMAGES = 1024
"""Images in which the scale of the features is measured."""

Images = Float[Tensor, "batch channels height width"]


class StudentJudge(nn.Module):
    """Tells made images from real ones.

    Args:
        config: Of the student, bound to what the codec makes.
    """

    data_spread: Tensor

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.sizes = judge_of(config)
        self.limit = config.limit
        self.network = DcganDiscriminator(self.sizes)
        self.features = FixedFeatures(config.channels)
        self.register_buffer("data_spread", torch.ones(()))

    def fit(self, batches: Iterable[Batch]) -> None:
        """Measure the scale of the fixed features in the first batches of the data."""
        found, count = [], 0
        for batch in batches:
            found.append(self.features.measure(batch[TARGET].cpu() / self.limit))
            count += len(found[-1])
            if count >= REFERENCE_IMAGES:
                break
        raw = torch.cat(found)[:REFERENCE_IMAGES] if found else torch.zeros(0, 0)
        if len(raw) >= 2:
            self.features.fit(raw)
            self.data_spread.copy_(spread(self.features.scaled(raw)))

    def judging_loss(self, real: Images, made: Images, label: Tensor | None) -> Float[Tensor, ""]:
        """Return what the judge lowers, in nats."""
        return discriminator_loss(
            self._answers(real, label), self._answers(made, label), objective=self.sizes.objective
        )

    def penalty(self, real: Images, made: Images, label: Tensor | None) -> Float[Tensor, ""]:
        """Return the squared slopes at real and at made images, weighed for being due every few steps only."""
        slopes = [
            slope_penalty(lambda points: self.network(points, label), images / self.limit) for images in (real, made)
        ]
        return self.sizes.penalty * self.sizes.penalty_every * torch.stack(slopes).sum()

    def making_loss(self, real: Images, made: Images, label: Tensor | None) -> Float[Tensor, ""]:
        """Return what the student lowers, in nats."""
        with torch.no_grad():
            answers = self._answers(real, label)
        return generator_loss(answers, self._answers(made, label), objective=self.sizes.objective)

    def distance(self, real: Images, made: Images) -> Float[Tensor, ""]:
        """Return the energy distance of two sets of images."""
        first, second = (self.features(images / self.limit) for images in (made, real))
        return energy_distance(first, second, self.data_spread)

    def _answers(self, images: Tensor, label: Tensor | None) -> Tensor:
        answers: Tensor = self.network(images / self.limit, label)
        return answers
