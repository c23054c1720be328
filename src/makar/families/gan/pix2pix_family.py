"""Pix2pix as a family: one image of a pair is made from the other (Isola et al. 2017, arXiv 1611.07004).

The translator lowers what the judge of (image, given image) says and a weighted mean of |made - real| (equation 4). The dropout that the
paper uses as noise is left out: the paper itself found little change from it, and here one image has one translation. The validation
loss is the mean distance between a made image and the real one in fixed features, which counts a lost texture that a pixel-wise mean
would not.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from makar.families.family import Batch, Loss
from makar.families.gan.options import Pix2pixOptions
from makar.families.gan.translation_config import Pix2pixConfig
from makar.families.gan.translation_family import Side, TranslationFamily
from makar.families.gan.translation_sampler import TranslationSampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.tensor_spec import SOURCE, TARGET

UNIT = "distance from the real image in deviations of the data"


class Pix2pixFamily(TranslationFamily):
    """A pix2pix model.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[Pix2pixOptions]] = Pix2pixOptions

    def __init__(self, config: Pix2pixConfig) -> None:
        super().__init__(config, departs=False)
        self.config: Pix2pixConfig = config

    def sides(self, batch: Batch) -> list[Side]:
        """Return the one way: from the source to the target, which the judge sees together."""
        return [Side(number=0, given=batch[SOURCE], real=batch[TARGET], seen=batch[SOURCE])]

    def faithfulness(self, side: Side, made: Tensor) -> Tensor | None:
        """Return the weighted mean difference to the real image."""
        return self.config.difference_here * (made - side.real).abs().mean()

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the mean distance between translations of held-out images and the real ones."""
        del generator
        with torch.no_grad():
            made = self.features(self.translate(0, batch[SOURCE]))
            value = (made - self.features(batch[TARGET])).norm(dim=1).mean()
        return Loss(value=value, count=len(batch[TARGET]), unit=UNIT)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> TranslationSampler:
        """Return a sampler over the current weights."""
        del codec
        refuse_hook(hook)
        return TranslationSampler(self.translate, config=self.config, device=self.margin.device)
