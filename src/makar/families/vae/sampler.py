"""Images from seeds, from other images, and between two of them.

All latents of an image are one point drawn from a standard normal by the generator of its seed, on the CPU, so an
image depends neither on its batch nor on the device. A given image (``source``) puts the means of its posterior in
the place of that draw, for all levels or for the coarsest ones only; the rest is then drawn anew. Taking noise away
is the same: the encoder has met noisy images, the decoder never.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from makar.errors import ConfigError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.vae.network import Posterior, VaeNetwork
from makar.families.vae.options import VaeOptions
from makar.nn.likelihood import image_draw, image_mean
from makar.tensor_spec import SOURCE, TARGET

BATCH = 64
"""Images made together. More is not faster on a CPU: the activations leave its cache."""

Latents = list[Tensor]
"""``[batch, rows, columns, channels]`` for every level, the coarsest first."""

See = Callable[[Tensor, torch.Generator], Tensor]


class VaeSampler(Sampler):
    """Makes and rebuilds images.

    Args:
        network: The network.
        seen: From images and a generator to what the encoder may see of them (black and white with Bernoulli).
    """

    def __init__(self, network: VaeNetwork, *, seen: See) -> None:
        self._network = network
        self._config = network.config
        self._seen = seen
        self._shapes = [(rows, columns, channels) for channels, rows, columns in self._config.latent_shapes]

    def sample(
        self, options: VaeOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed; an image whose prompt has a ``source`` is rebuilt from that.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: A slot or a control that this model cannot honour.
        """
        sources = [self._source(prompt) for prompt in (prompts or [{} for _ in seeds])]
        self._check(options, sources)
        for start in range(0, len(seeds), BATCH):
            part = slice(start, start + BATCH)
            for offset, image in enumerate(self._make(options, sources[part], seeds[part])):
                yield start + offset, {TARGET: image}, True

    def interpolate(self, options: VaeOptions, *, first_seed: int, last_seed: int, count: int) -> np.ndarray:
        """Make images on the great circle between the latents of two seeds, ends included.

        Args:
            options: The controls.
            first_seed: Seed of the first image.
            last_seed: Seed of the last image.
            count: Number of images, at least 2.

        Returns:
            float32 ``[count, channels, height, width]`` in -1..1.
        """
        self._check(options, [None])
        ends = [self._drawn([seed])[0] for seed in (first_seed, last_seed)]
        points = self._fitted(options, _between(ends, count))
        return self._shown(options, points, seed=first_seed)

    def interpolate_between(
        self, options: VaeOptions, *, first: Tensor, last: Tensor, count: int, seed: int = 0
    ) -> np.ndarray:
        """Make images between the latents of two given images, which are rebuilt at the ends.

        Args:
            options: The controls.
            first: Image ``[channels, height, width]``, -1 to 1.
            last: Another.
            count: Number of images, at least 2.
            seed: Of what is drawn.

        Returns:
            float32 ``[count, channels, height, width]`` in -1..1.
        """
        given = [self._source({SOURCE: image}) for image in (first, last)]
        self._check(options, given)
        noise, _ = self._drawn([seed, seed])
        together = self._kept(options, given, [seed, seed], self._split(self._fitted(options, noise)))
        ends = torch.cat([level.flatten(1) for level in together], dim=1)
        return self._shown(options, _between([ends[:1], ends[1:]], count), seed=seed)

    def _shown(self, options: VaeOptions, points: Tensor, *, seed: int) -> np.ndarray:
        """Return the images of points ``[count, latents]``, all with the same draws for their pixels."""
        latents, count = self._split(points), len(points)
        uniform = torch.rand(self._image_shape, generator=torch.Generator().manual_seed(seed)).expand(count, -1, -1, -1)
        made = [
            self._decoded(options, [level[start : start + BATCH] for level in latents], uniform[start : start + BATCH])
            for start in range(0, count, BATCH)
        ]
        return np.concatenate(made)

    def _make(self, options: VaeOptions, sources: list[Tensor | None], seeds: list[int]) -> np.ndarray:
        noise, uniform = self._drawn(seeds)
        latents = self._split(self._fitted(options, noise))
        given = [number for number, source in enumerate(sources) if source is not None]
        if given:
            kept = self._kept(
                options,
                [sources[number] for number in given],
                [seeds[number] for number in given],
                [level[given] for level in latents],
            )
            for level, values in zip(latents, kept):
                level[given] = values
        return self._decoded(options, latents, uniform)

    def _fitted(self, options: VaeOptions, noise: Tensor) -> Tensor:
        """Return latents from standard normal draws ``[count, latents]``."""
        noise = options.temperature * noise
        described = self._network.description.latents
        if options.prior == "standard" or not described:
            return noise
        fitted = self._network.description.fitted(noise[:, :described].to(self._device)).cpu()
        return torch.cat([fitted, noise[:, described:]], dim=1)

    def _drawn(self, seeds: list[int]) -> tuple[Tensor, Tensor]:
        """Return standard normal draws ``[count, latents]`` and uniform draws for the pixels, each from the generator of its seed."""
        total = self._config.latent_count
        points, uniform = [], []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            points.append(torch.randn(total, generator=generator))
            uniform.append(torch.rand(self._image_shape, generator=generator))
        return torch.stack(points), torch.stack(uniform)

    def _kept(self, options: VaeOptions, sources: list[Tensor | None], seeds: list[int], drawn: Latents) -> Latents:
        """Return latents that follow the sources where levels are kept and the draw elsewhere."""
        seen = torch.cat(
            [
                self._seen(source[None], torch.Generator().manual_seed(seed))
                for source, seed in zip(sources, seeds)
                if source is not None
            ]
        )
        most = options.kept_levels or len(self._shapes)
        found: Latents = []

        def choose(number: int, posterior: Posterior | None) -> Tensor:
            assert posterior is not None, f"level {number} saw no image"
            chosen = posterior[0] if number < most else drawn[number].to(posterior[0].device)
            found.append(chosen)
            return chosen

        with torch.inference_mode():
            self._network.unroll(len(seen), self._network.look(seen.to(self._device)), choose)
        return [level.cpu().clone() for level in found]

    def _decoded(self, options: VaeOptions, latents: Latents, uniform: Tensor) -> np.ndarray:
        def given(number: int, posterior: Posterior | None) -> Tensor:
            del posterior
            return latents[number].to(self._device)

        kind = self._config.likelihood
        with torch.inference_mode():
            location, log_scale = self._network.unroll(len(uniform), None, given)
            if options.draw:
                images = image_draw(kind, location, log_scale, uniform.to(self._device))
            else:
                images = image_mean(kind, location)
        return images.float().cpu().numpy()

    def _split(self, points: Tensor) -> Latents:
        sizes = [rows * columns * channels for rows, columns, channels in self._shapes]
        parts = points.split(sizes, dim=1)
        return [part.reshape(len(points), *shape) for part, shape in zip(parts, self._shapes)]

    def _source(self, prompt: Batch) -> Tensor | None:
        unknown = set(prompt) - {SOURCE}
        if unknown:
            raise UnsupportedError(
                f"this autoencoder cannot use {', '.join(sorted(unknown))}",
                expected="nothing, or an image to rebuild",
                do='for classes, train with the recipe "image-class"',
            )
        source = prompt.get(SOURCE)
        if source is not None and tuple(source.shape) != self._image_shape:
            raise UnsupportedError(f"an image of shape {tuple(source.shape)}", expected=str(self._image_shape))
        return source

    def _check(self, options: VaeOptions, sources: list[Tensor | None]) -> None:
        """Refuse controls that would change nothing."""
        levels = len(self._shapes)
        if options.kept_levels and all(source is None for source in sources):
            raise UnsupportedError("kept_levels without an image", expected="an image whose latents are kept")
        if options.kept_levels > levels:
            raise UnsupportedError(f"{options.kept_levels} kept levels", expected=f"at most {levels}")
        all_kept = options.kept_levels in (0, levels)
        is_changed = options.temperature != 1.0 or options.prior != "fitted"
        if is_changed and all_kept and any(source is not None for source in sources):
            raise UnsupportedError(
                "a temperature or prior where nothing is drawn: all latents are those of the image",
                expected="the defaults, or kept_levels from 1 on that leave levels to draw",
            )

    @property
    def _image_shape(self) -> tuple[int, int, int]:
        return self._config.channels, self._config.height, self._config.width

    @property
    def _device(self) -> torch.device:
        return self._network.data_mean.device


def _between(ends: list[Tensor], count: int) -> Tensor:
    """Return points ``[count, latents]`` on the great circle between two ``[1, latents]``, ends included."""
    if count < 2:
        raise ConfigError(f"an interpolation of {count} images", expected="at least 2")
    first, last = (end.flatten() for end in ends)
    cosine = torch.dot(first, last) / (first.norm() * last.norm()).clamp(min=1e-12)
    angle = torch.acos(cosine.clamp(-1, 1))
    shares = torch.linspace(0, 1, count)[:, None]
    if torch.sin(angle) < 1e-4:
        return (1 - shares) * first + shares * last
    return (torch.sin((1 - shares) * angle) * first + torch.sin(shares * angle) * last) / torch.sin(angle)
