"""Sampling of a StyleGAN: styles that are drawn, moved towards another seed's, truncated and mixed; noise that belongs to the seed.

Truncation moves a style towards the mean of its class: w' = mean + psi (w - mean) (Karras et al. 2018, arXiv 1812.04948, appendix B).
Mixing takes the styles of the finer layers from another seed (section 3.1). Between two seeds it is the styles that are
interpolated, in straight lines, because their space is the one that training straightened (section 4.1); the noise stays.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from makar.errors import UnsupportedError
from makar.families.gan.options import StyleganOptions
from makar.families.gan.sampler import GanSampler, drawing
from makar.families.gan.stylegan_config import StyleganConfig

Render = Callable[[Tensor, Tensor], Tensor]

USUAL_MIX = 2
"""First layer of the other seed where none is named: the coarsest level stays."""


class StyleganSampler(GanSampler):
    """Makes images.

    Args:
        mapping: From random vectors and labels to styles.
        render: From styles, one a layer, and noise to images.
        config: Sizes of the model.
        mean_style: Mean style of every class, or one for all.
        class_counts: Training images of each class by name, in the order of the class numbers.
    """

    def __init__(
        self,
        mapping: nn.Module,
        render: Render,
        *,
        config: StyleganConfig,
        mean_style: Tensor,
        class_counts: dict[str, int],
    ) -> None:
        super().__init__(config=config, device=mean_style.device, class_counts=class_counts)
        self._layers, self._noise = config.style_layers, config.noise_positions
        self._mapping = mapping
        self._render = render
        self._mean_style = mean_style

    def make(self, options: StyleganOptions, seeds: list[int], labels: list[int | None], shares: list[float]) -> Tensor:
        """Return one image a seed."""
        label = self._labels(labels)
        style = self._mapping(self._latents(seeds), label)
        if options.towards_seed is not None:
            other = self._mapping(self._latents([options.towards_seed] * len(seeds)), label)
            style = torch.lerp(style, other, torch.tensor(shares, device=style.device)[:, None])
        styles = style[:, None].repeat(1, self._layers, 1)
        if options.mix_seed is not None:
            other = self._mapping(self._latents([options.mix_seed] * len(seeds)), label)
            first = min(USUAL_MIX, self._layers - 1) if options.mix_from is None else options.mix_from
            styles[:, first:] = other[:, None]
        mean = self._mean_style[label if label is not None else torch.zeros(len(seeds), dtype=torch.int64)][:, None]
        if options.truncation_psi != 1.0:
            styles = mean + options.truncation_psi * (styles - mean)
        noise = torch.stack([torch.randn(self._noise, generator=drawing(seed, "noise")) for seed in seeds])
        return self._render(styles, noise.to(self._device))

    def _check(self, options: StyleganOptions) -> None:
        super()._check(options)
        if options.mix_from is not None and options.mix_seed is None:
            raise UnsupportedError("mix_from without another seed to mix with", expected="mix_seed as well")
        if options.mix_from is not None and options.mix_from >= self._layers:
            raise UnsupportedError(
                f"mixing from layer {options.mix_from}, which this model does not have",
                expected=f"mix_from 0 to {self._layers - 1}",
            )
