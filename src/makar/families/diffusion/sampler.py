"""Images from seeds: noise drawn for each seed alone, then followed along the velocity in batches, guided where asked.

Guidance (Ho and Salimans 2022, arXiv 2207.12598, eq. 6, with weight w + 1 = ``guidance``) runs both velocities, with and without the
class, in one batch. Noise comes from a generator a seed on the CPU, so an image depends neither on the batch it is made in nor on the
device. An image that is given is changed as ``editing`` says; it is of no class unless one is asked for.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.editing import back_to_noise, between_noises, image_to_image_start, inpaint
from makar.families.diffusion.given import STRENGTH, Given, read_given
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.solvers import SOLVERS
from makar.families.diffusion.time_grid import time_grid
from makar.families.family import Batch, Sampler
from makar.tensor_spec import CLASS, KNOWN, MASK, SOURCE, TARGET

BATCH = 64
"""Images made together. More is not faster on a CPU: the activations leave its cache."""

VelocityField = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class ImageSampler(Sampler):
    """Makes images.

    Args:
        velocity: From points, times and labels to velocities.
        config: Sizes of the model.
        device: Where the network is.
        class_counts: Training images of each class by name, in the order of the class numbers.
    """

    def __init__(
        self,
        velocity: VelocityField,
        *,
        config: DiffusionConfig,
        device: torch.device,
        class_counts: dict[str, int],
    ) -> None:
        self._velocity = velocity
        self._config = config
        self._device = device
        self._names = list(class_counts)
        self._shares = torch.tensor([float(count) for count in class_counts.values()])

    def sample(
        self, options: ImageOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed, from nothing or from what its prompt hands in.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -limit..limit}, True), in order.

        Raises:
            UnsupportedError: Guidance, a label, an edit or another slot that this model cannot honour.
            UnknownNameError: The label is not a class of the model.
        """
        given, asked = read_given(prompts, options, shape=self._shape)
        drawn = [self._draw(seed) for seed in seeds]
        labels = [
            self._label(options, asked[index] if asked else {}, draw, is_edit=given is not None)
            for index, (_, draw, _) in enumerate(drawn)
        ]
        for start in range(0, len(seeds), BATCH):
            part = drawn[start : start + BATCH]
            noise = torch.stack([noise for noise, _, _ in part])
            if given is None:
                images = self._follow(options, noise, labels[start : start + BATCH])
            else:
                generators = [generator for _, _, generator in part]
                images = self._change(
                    options, given.part(start, BATCH), noise, labels[start : start + BATCH], generators=generators
                )
            for offset, image in enumerate(images):
                yield start + offset, {TARGET: image}, True

    def interpolate(
        self, options: ImageOptions, *, first_seed: int, last_seed: int, count: int, prompt: Batch | None = None
    ) -> np.ndarray:
        """Make images on the great circle between the noises of two seeds, ends included, all of one class.

        Args:
            options: The controls; without a label, the class is the one drawn for the first seed.
            first_seed: Seed of the first image.
            last_seed: Seed of the last image.
            count: Number of images, at least 2.
            prompt: Slots that hold for all images.

        Returns:
            float32 ``[count, channels, height, width]`` in -limit..limit.

        Source:
            Shoemake 1985, spherical interpolation: on the straight line the middle would have too little variance to be noise.
        """
        if count < 2:
            raise ConfigError(f"an interpolation of {count} images", expected="at least 2")
        (first, draw, _), (last, _, _) = self._draw(first_seed), self._draw(last_seed)
        label = self._label(options, prompt or {}, draw)
        return self._between(options, (first, last), count, label)

    def interpolate_between(
        self, options: ImageOptions, *, first: Tensor, last: Tensor, count: int, seed: int = 0
    ) -> np.ndarray:
        """Make images on the great circle between the noises from which two given images come; the ends are nearly those images.

        Args:
            options: The controls; without a label, the images are of no class.
            first: Image ``[channels, height, width]`` in the range of the model.
            last: Another.
            count: Number of images, at least 2.
            seed: Of draws; there are none.

        Returns:
            float32 ``[count, channels, height, width]`` in -limit..limit.
        """
        if count < 2:
            raise ConfigError(f"an interpolation of {count} images", expected="at least 2")
        given, _ = read_given([{SOURCE: first}, {SOURCE: last}], options, shape=self._shape)
        assert given is not None
        label = self._label(options, {}, self._draw(seed)[1], is_edit=True)
        with torch.inference_mode():
            images = given.stacked(SOURCE).to(self._device)
            noises = back_to_noise(self._field(options, [label, label]), images, steps=options.steps).cpu()
        return self._between(options, (noises[0], noises[1]), count, label)

    def _between(self, options: ImageOptions, ends: tuple[Tensor, Tensor], count: int, label: int | None) -> np.ndarray:
        points = [between_noises(*ends, float(share)) for share in torch.linspace(0, 1, count)]
        batches = [
            self._follow(
                options, torch.stack(points[start : start + BATCH]), [label] * len(points[start : start + BATCH])
            )
            for start in range(0, count, BATCH)
        ]
        return np.concatenate(batches)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._config.channels, self._config.height, self._config.width

    def _draw(self, seed: int) -> tuple[Tensor, Tensor, torch.Generator]:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(self._shape, generator=generator), torch.rand((), generator=generator), generator

    def _label(self, options: ImageOptions, prompt: Batch, draw: Tensor, *, is_edit: bool = False) -> int | None:
        """Return the class of one image: the one asked for, else one drawn as often as it is in the data, of an edit none."""
        unknown = set(prompt) - {CLASS}
        if unknown:
            raise UnsupportedError(
                f"this image model cannot use {', '.join(sorted(unknown))}", expected="a class at most"
            )
        if not self._config.classes:
            if options.guidance != 1.0:
                raise UnsupportedError(
                    f"guidance {options.guidance:g} on a model without classes",
                    expected="guidance 1",
                    do='train with the recipe "image-class" to have classes to guide towards',
                )
            if options.label is not None or prompt:
                raise UnsupportedError(
                    "a class was asked for, and this model has none", do='train with the recipe "image-class"'
                )
            return None
        if options.label is not None:
            if prompt:
                raise UnsupportedError("a label and a class were both given", expected="one of them")
            if options.label not in self._names:
                raise UnknownNameError("label", options.label, self._names)
            return self._names.index(options.label)
        if prompt:
            label = int(prompt[CLASS])
            if not 0 <= label < self._config.classes:
                raise UnsupportedError(f"class {label}", expected=f"0 to {self._config.classes - 1}")
            return label
        if is_edit:
            return self._config.classes
        edges = torch.cumsum(self._shares / self._shares.sum(), 0)
        return min(int((draw >= edges).sum()), self._config.classes - 1)

    def _follow(self, options: ImageOptions, noise: Tensor, labels: list[int | None]) -> np.ndarray:
        field = self._field(options, labels)
        times = time_grid(options.steps, shift=options.shift)
        with torch.inference_mode():
            images = SOLVERS[options.solver](field, noise.to(self._device), times)
        return self._finished(images)

    def _change(
        self,
        options: ImageOptions,
        given: Given,
        noise: Tensor,
        labels: list[int | None],
        *,
        generators: list[torch.Generator],
    ) -> np.ndarray:
        field = self._field(options, labels)
        with torch.inference_mode():
            if given.edit == "inpaint":
                images = inpaint(
                    field,
                    lambda: torch.stack([torch.randn(self._shape, generator=generator) for generator in generators]).to(
                        self._device
                    ),
                    known=given.stacked(KNOWN).to(self._device),
                    mask=given.stacked(MASK).to(self._device),
                    steps=options.steps,
                )
                return self._finished(images)
            strength = STRENGTH if options.strength is None else options.strength
            source = given.stacked(SOURCE).to(self._device)
            if strength == 0:
                return self._finished(source)
            times = time_grid(options.steps, shift=options.shift)
            start, times = image_to_image_start(noise.to(self._device), source, strength=strength, times=times)
            return self._finished(SOLVERS[options.solver](field, start, times))

    def _finished(self, images: Tensor) -> np.ndarray:
        limit = self._config.limit
        return images.clamp(-limit, limit).float().cpu().numpy()

    def _field(self, options: ImageOptions, labels: list[int | None]) -> Callable[[Tensor, float], Tensor]:
        label = None
        if self._config.classes:
            label = torch.tensor(labels, dtype=torch.int64, device=self._device)
        return self._guided(options.guidance, label)

    def _guided(self, guidance: float, label: Tensor | None) -> Callable[[Tensor, float], Tensor]:
        def field(points: Tensor, time: float) -> Tensor:
            count = len(points)
            times = torch.full((count,), time, device=points.device)
            if label is None or guidance == 1.0:
                return self._velocity(points, times, label)
            none = torch.full_like(label, self._config.classes)
            if guidance == 0.0:
                return self._velocity(points, times, none)
            both = self._velocity(points.repeat(2, 1, 1, 1), times.repeat(2), torch.cat([label, none]))
            with_class, without_class = both.chunk(2)
            return without_class + guidance * (with_class - without_class)

        return field
