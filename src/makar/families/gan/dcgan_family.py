"""The DCGAN as a family: Radford et al. 2015 (arXiv 1511.06434) with the objective, penalties and average that its settings name."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from makar.families.family import OnnxPart, ParameterGroup
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.dcgan_networks import BatchNorm, DcganDiscriminator, DcganGenerator
from makar.families.gan.dcgan_sampler import DcganSampler
from makar.families.gan.family import GanFamily
from makar.families.gan.options import DcganOptions
from makar.families.logits_hook import LogitsHook, refuse_hook

SETTLING_IMAGES = 256
"""Images whose batch statistics the generator's norms keep."""


class DcganFamily(GanFamily):
    """A DCGAN.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[DcganOptions]] = DcganOptions

    def __init__(self, config: DcganConfig) -> None:
        super().__init__(config, DcganDiscriminator(config))
        self.config: DcganConfig = config
        self.generator = DcganGenerator(config)

    def make(self, count: int, label: Tensor | None, generator: torch.Generator) -> Tensor:
        """Return images from normal random vectors."""
        latent = torch.randn(count, self.config.latent_width, generator=generator).to(self.device)
        return self.render(latent, label)

    def render(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Return the images of given random vectors."""
        self.generator.compute_type = self.compute_type
        images: Tensor = self.generator(latent, label)
        return images

    def generator_groups(self) -> list[ParameterGroup]:
        """Return the generator's parameters, at one learning rate as published."""
        return [ParameterGroup(parameters=list(self.generator.parameters()))]

    def discriminator_groups(self) -> list[ParameterGroup]:
        """Return the discriminator's parameters, at one learning rate as published."""
        return [ParameterGroup(parameters=list(self.discriminator.parameters()))]

    def settle(self, generator: torch.Generator) -> None:
        """Measure the statistics of the generator's norms for the weights that are in place."""
        norms = [part for part in self.generator.modules() if isinstance(part, BatchNorm)]
        label = None
        if self.config.classes:
            label = torch.randint(self.config.classes, (SETTLING_IMAGES,), generator=generator).to(self.device)
        for norm in norms:
            norm.measures = True
        self.generator.train()
        try:
            self.make(SETTLING_IMAGES, label, generator)
        finally:
            self.generator.train(self.training)
            for norm in norms:
                norm.measures = False

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> DcganSampler:
        """Return a sampler over the current weights; class names and their frequencies come from the codec."""
        refuse_hook(hook)
        counts: dict[str, int] = codec.class_counts if self.config.classes else {}
        return DcganSampler(self.render, config=self.config, device=self.device, class_counts=counts)

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the generator in float32: random vector and, with classes, label to image."""
        config = self.generator.config
        network = DcganGenerator(config).eval()
        network.load_state_dict({name: value.detach().cpu() for name, value in self.generator.state_dict().items()})
        inputs = {"latent": torch.zeros(2, config.latent_width)}
        if config.classes:
            inputs["label"] = torch.zeros(2, dtype=torch.int64)
        dynamic = {name: {0: "batch"} for name in inputs}
        return [OnnxPart(name="generator", module=network, inputs=inputs, outputs=("image",), dynamic=dynamic)]
