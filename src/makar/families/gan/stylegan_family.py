"""The StyleGAN as a family: mapping, synthesis and discriminator, learning rates made equal, the mean style that truncation needs.

Equal rates: a step of Adam moves every weight by about the learning rate, whatever its size; so the rate of each tensor is scaled by the
deviation that it begins with, and one learning rate means one relative change for all layers at all widths (Karras et al. 2017, arXiv
1710.10196, section 4.1, where the same is done to the weights). The mapping moves more slowly (2018, arXiv 1812.04948, appendix C).
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from makar.families.family import OnnxPart, ParameterGroup
from makar.families.gan.family import GanFamily
from makar.families.gan.options import StyleganOptions
from makar.families.gan.style_networks import Mapping, ResidualDiscriminator, Synthesis
from makar.families.gan.stylegan_config import StyleganConfig
from makar.families.gan.stylegan_sampler import StyleganSampler
from makar.families.logits_hook import LogitsHook, refuse_hook

MAPPING_RATE = 0.1
"""Learning rate of the mapping, in that of the other layers."""

NOISE_RATE = 0.1
"""The same for the strength of the noise, which begins at zero and would be as large as everything else after a few dozen steps."""

SETTLING_VECTORS = 1024
"""Random vectors a class whose styles the mean style is taken over."""


class StyleganFamily(GanFamily):
    """A StyleGAN.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[StyleganOptions]] = StyleganOptions
    concurrent: ClassVar[bool] = True

    mean_style: Tensor

    def __init__(self, config: StyleganConfig) -> None:
        super().__init__(config, ResidualDiscriminator(config))
        self.config: StyleganConfig = config
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)
        self.register_buffer("mean_style", torch.zeros(max(1, config.classes), config.latent_width))

    def make(self, count: int, label: Tensor | None, generator: torch.Generator) -> Tensor:
        """Return images from normal random vectors and noise, in training some of them with the styles of two vectors."""
        config = self.config
        latent = torch.randn(count, config.latent_width, generator=generator).to(self.device)
        styles = self.mapping(latent, label)[:, None].expand(-1, config.style_layers, -1)
        if self.training and config.mixing > 0:
            other = torch.randn(count, config.latent_width, generator=generator).to(self.device)
            first = torch.randint(1, config.style_layers, (count,), generator=generator)
            first[torch.rand(count, generator=generator) >= config.mixing] = config.style_layers
            is_other = (torch.arange(config.style_layers) >= first[:, None]).to(self.device)
            styles = torch.where(is_other[:, :, None], self.mapping(other, label)[:, None], styles)
        noise = torch.randn(count, config.noise_positions, generator=generator).to(self.device)
        return self.render(styles, noise)

    def render(self, styles: Tensor, noise: Tensor) -> Tensor:
        """Return the images of given styles, one a layer, and given noise."""
        self.synthesis.compute_type = self.compute_type
        images: Tensor = self.synthesis(styles, noise)
        return images

    def generator_groups(self) -> list[ParameterGroup]:
        """Return the parameters of mapping and synthesis at equal rates."""
        return equal_rates(self.mapping, scale=MAPPING_RATE) + equal_rates(self.synthesis)

    def discriminator_groups(self) -> list[ParameterGroup]:
        """Return the discriminator's parameters at equal rates."""
        return equal_rates(self.discriminator)

    def settle(self, generator: torch.Generator) -> None:
        """Measure the mean style, of each class where there are classes."""
        latent = torch.randn(SETTLING_VECTORS, self.config.latent_width, generator=generator).to(self.device)
        for number in range(len(self.mean_style)):
            label = None
            if self.config.classes:
                label = torch.full((SETTLING_VECTORS,), number, device=self.device)
            self.mean_style[number] = self.mapping(latent, label).mean(0)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> StyleganSampler:
        """Return a sampler over the current weights; class names and their frequencies come from the codec."""
        refuse_hook(hook)
        counts: dict[str, int] = codec.class_counts if self.config.classes else {}
        return StyleganSampler(
            self.mapping, self.render, config=self.config, mean_style=self.mean_style, class_counts=counts
        )

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the mapping and the synthesis in float32; between them styles can be mixed and truncated."""
        config = self.config
        parts: list[nn.Module] = []
        for network, own in ((Mapping(config), self.mapping), (Synthesis(config), self.synthesis)):
            network.load_state_dict({name: value.detach().cpu() for name, value in own.state_dict().items()})
            parts.append(network.eval())
        inputs = {"latent": torch.ones(2, config.latent_width)}
        if config.classes:
            inputs["label"] = torch.zeros(2, dtype=torch.int64)
        painting = {
            "styles": torch.zeros(2, config.style_layers, config.latent_width),
            "noise": torch.zeros(2, config.noise_positions),
        }
        return [
            OnnxPart(
                name=name,
                module=module,
                inputs=given,
                outputs=(output,),
                dynamic={key: {0: "batch"} for key in given},
            )
            for name, module, given, output in (
                ("mapping", parts[0], inputs, "style"),
                ("synthesis", parts[1], painting, "image"),
            )
        ]


def equal_rates(network: nn.Module, *, scale: float = 1.0) -> list[ParameterGroup]:
    """Return a network's parameters in groups whose learning rates are the deviations that they begin with.

    Filters and matrices, whose names end in ``weight``, begin with one over the root of what comes in; everything else counts as 1.

    Args:
        network: The network.
        scale: Factor on all rates.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        size = parameter[0].numel() if name.endswith("weight") else 1
        rate = NOISE_RATE if name.endswith("noise_strength") else 1.0
        groups.setdefault(scale * rate / math.sqrt(size), []).append(parameter)
    return [ParameterGroup(parameters=found, learning_rate_scale=rate) for rate, found in groups.items()]
