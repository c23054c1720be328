"""Images from seeds: noise drawn for each seed alone, then followed along the velocity in batches, guided where asked.

Guidance (Ho and Salimans 2022, arXiv 2207.12598, eq. 6, with weight w + 1 = ``guidance``) runs both velocities, with what is asked for and
without, in one batch; a negative prompt takes the place of the second. Noise comes from a generator a seed on the CPU, so an image
depends neither on the batch it is made in nor on the device. An image that is given is changed as ``editing`` says; it is of no class
unless one is asked for.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from makar.errors import ConfigError, UnsupportedError
from makar.families.diffusion.ancestral import ancestral
from makar.families.diffusion.condition import Condition
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.distillation import student_times, usual_times
from makar.families.diffusion.editing import (
    back_to_noise,
    between_noises,
    image_to_image_start,
    inpaint,
    inpaint_times,
)
from makar.families.diffusion.filling import given_planes
from makar.families.diffusion.given import STRENGTH, STYLE, Given, read_given
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.solvers import SOLVERS, Velocity
from makar.families.diffusion.style import styled
from makar.families.diffusion.wanted import Wanted, Wanting
from makar.families.diffusion.watching import Finish, Watching
from makar.families.estimates import Watcher
from makar.families.family import Batch, Sampler
from makar.tensor_spec import KNOWN, MASK, REFERENCE, SOURCE, TARGET

BATCH = 64
"""Images made together. More is not faster on a CPU: the activations leave its cache."""

USUAL_STEPS = 10
"""Taken where no number of steps is given."""

VelocityField = Callable[[Tensor, Tensor, Condition], Tensor]


class ImageSampler(Sampler):
    """Makes images.

    Args:
        velocity: From points, times and conditions to velocities.
        config: Sizes of the model.
        device: Where the network is.
        condition: From labels, caption tokens, sources and their noise of a batch to its condition.
        asking: Reads what images are asked to be.
        noise_deviation: Standard deviation of the noise ``[channels, 1, 1]``.
    """

    def __init__(
        self,
        velocity: VelocityField,
        *,
        config: DiffusionConfig,
        device: torch.device,
        condition: Callable[[Tensor | None, Tensor | None, Tensor | None, Tensor | None], Condition],
        asking: Wanting,
        noise_deviation: Tensor,
    ) -> None:
        self._velocity = velocity
        self._config = config
        self._device = device
        self._condition = condition
        self._asking = asking
        self._noise_deviation = noise_deviation.cpu()
        self._watching: Watching | None = None

    def watch(self, watcher: Watcher, *, most: int) -> None:
        """Tell a watcher at some steps what each image is expected to become; see ``makar.families.estimates``."""
        self._watching = Watching(watcher, most=most)

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
        given, rest = self._given(prompts, options)
        drawn = [self._draw(seed) for seed in seeds]
        asked = [
            self._asking.read(options, rest[index] if rest else {}, draw, is_edit=given is not None)
            for index, (_, draw, _) in enumerate(drawn)
        ]
        for start in range(0, len(seeds), BATCH):
            part, wanted = drawn[start : start + BATCH], asked[start : start + BATCH]
            noise = torch.stack([noise for noise, _, _ in part])
            generators = [generator for _, _, generator in part]
            if self._watching is not None:
                self._watching.first = start
            if given is None:
                images = self._follow(options, noise, wanted, generators=generators)
            else:
                images = self._change(options, given.part(start, BATCH), noise, wanted, generators=generators)
            for offset, image in enumerate(images):
                yield start + offset, {TARGET: image}, True

    def _given(self, prompts: list[Batch], options: ImageOptions) -> tuple[Given | None, list[Batch]]:
        if self._config.has_source:
            # The source is no image to begin from but what the network is told, like a class.
            return None, prompts
        return read_given(prompts, options, shape=self._shape, frames=self._config.frames, able=self._config.edits)

    def interpolate(
        self, options: ImageOptions, *, first_seed: int, last_seed: int, count: int, prompt: Batch | None = None
    ) -> np.ndarray:
        """Make images on the great circle between the noises of two seeds, ends included, all of one class and caption.

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
        asked = self._asking.read(options, prompt or {}, draw)
        return self._between(options, (first, last), count, asked)

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
        asked = self._asking.read(options, {}, self._draw(seed)[1], is_edit=True)
        with torch.inference_mode():
            images = given.stacked(SOURCE).to(self._device)
            noises = back_to_noise(self._field(options, [asked, asked]), images, steps=_steps(options)).cpu()
        return self._between(options, (noises[0], noises[1]), count, asked)

    def noise_of(self, seed: int) -> Tensor:
        """Return the noise from which a seed begins ``[channels, height, width]``."""
        return self._draw(seed)[0]

    def from_noises(self, options: ImageOptions, noises: Tensor, prompts: list[Batch]) -> np.ndarray:
        """Make one image from every noise.

        Args:
            options: The controls.
            noises: ``[count, channels, height, width]``.
            prompts: One an image.

        Returns:
            float32 ``[count, channels, height, width]`` in -limit..limit.
        """
        asked = [self._asking.read(options, prompt, torch.zeros(()), is_edit=True) for prompt in prompts]
        parts = range(0, len(noises), BATCH)
        return np.concatenate(
            [self._follow(options, noises[start : start + BATCH], asked[start : start + BATCH]) for start in parts]
        )

    def _between(self, options: ImageOptions, ends: tuple[Tensor, Tensor], count: int, asked: Wanted) -> np.ndarray:
        points = [between_noises(*ends, float(share)) for share in torch.linspace(0, 1, count)]
        batches = [
            self._follow(
                options, torch.stack(points[start : start + BATCH]), [asked] * len(points[start : start + BATCH])
            )
            for start in range(0, count, BATCH)
        ]
        return np.concatenate(batches)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._config.channels, self._config.height, self._config.width

    def _draw(self, seed: int) -> tuple[Tensor, Tensor, torch.Generator]:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(self._shape, generator=generator) * self._noise_deviation
        return noise, torch.rand((), generator=generator), generator

    def _times(self, options: ImageOptions) -> list[float]:
        return usual_times(self._config, _steps(options), shift=options.shift)

    def _follow(
        self,
        options: ImageOptions,
        noise: Tensor,
        asked: list[Wanted],
        *,
        generators: list[torch.Generator] | None = None,
    ) -> np.ndarray:
        config = self._config
        times = student_times(config) if config.distilled else self._times(options)
        # Where a schedule begins a little of the image is left, and the noise is that much smaller.
        start = noise.to(self._device) * math.hypot(times[0], 1 - times[0])
        return self._solved(options, start, asked, times=times, generators=generators)

    def _solved(
        self,
        options: ImageOptions,
        start: Tensor,
        asked: list[Wanted],
        *,
        times: list[float],
        generators: list[torch.Generator] | None,
        reference: Tensor | None = None,
        given: Tensor | None = None,
        whole: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> np.ndarray:
        """Follow the velocity from some points to images; ``whole`` puts back what is known of them."""

        def finish(points: Tensor) -> np.ndarray:
            return self._finished(points) if whole is None else whole(self._finished(points))

        with torch.inference_mode():
            field = self._field(options, asked, given)
            weight = STYLE if options.style is None else options.style
            if reference is not None and weight:
                field = styled(field, reference.to(self._device), weight=weight)
            field = self._watched(field, times, finish)
            if options.solver != "ancestral":
                return finish(SOLVERS[options.solver](field, start, times))
            if generators is None:
                raise UnsupportedError(
                    "an interpolation with new noise in every step", expected="another solver than ancestral"
                )
            draw = self._fresh(generators)
            return finish(ancestral(field, start, times, draw=draw, limit=self._config.limit))

    def _watched(self, field: Velocity, times: list[float], finish: Finish) -> Velocity:
        return field if self._watching is None else self._watching.watched(field, times, finish)

    def _fresh(self, generators: list[torch.Generator]) -> Callable[[], Tensor]:
        def draw() -> Tensor:
            noise = torch.stack([torch.randn(self._shape, generator=generator) for generator in generators])
            return (noise * self._noise_deviation).to(self._device)

        return draw

    def _change(
        self,
        options: ImageOptions,
        given: Given,
        noise: Tensor,
        asked: list[Wanted],
        *,
        generators: list[torch.Generator],
    ) -> np.ndarray:
        if given.edit == "inpaint" and self._config.frames > 1:
            return self._fill(options, given, noise, asked, generators=generators)
        with torch.inference_mode():
            if given.edit == "inpaint":
                known, mask = (given.stacked(slot).to(self._device) for slot in (KNOWN, MASK))

                def finish(points: Tensor) -> np.ndarray:
                    return self._finished(torch.where(mask > 0.5, points, known))

                steps = _steps(options)
                field = self._watched(self._field(options, asked), inpaint_times(steps), finish)
                return finish(inpaint(field, self._fresh(generators), known=known, mask=mask, steps=steps))
            strength = STRENGTH if options.strength is None else options.strength
            source = given.stacked(SOURCE).to(self._device)
            if strength == 0:
                return self._finished(source)
            start, times = image_to_image_start(
                noise.to(self._device), source, strength=strength, times=self._times(options)
            )
            reference = given.stacked(REFERENCE) if given.edit == "restyle" else None
            return self._solved(options, start, asked, times=times, generators=generators, reference=reference)

    def _fill(
        self,
        options: ImageOptions,
        given: Given,
        noise: Tensor,
        asked: list[Wanted],
        *,
        generators: list[torch.Generator],
    ) -> np.ndarray:
        """Make what is not known of clips; what is known is bit for bit what was given."""
        known, is_new = given.stacked(KNOWN), given.stacked(MASK) > 0.5
        is_new = is_new.expand(-1, self._config.frames, -1, -1)
        times = self._times(options)
        every = is_new.repeat_interleave(self._config.frame_channels, 1)
        return self._solved(
            options,
            noise.to(self._device) * math.hypot(times[0], 1 - times[0]),
            asked,
            times=times,
            generators=generators,
            given=given_planes(known, is_new).to(self._device),
            whole=lambda made: torch.where(every, torch.from_numpy(made), known).numpy(),
        )

    def _finished(self, images: Tensor) -> np.ndarray:
        limit = self._config.limit
        return images.clamp(-limit, limit).float().cpu().numpy()

    def _field(
        self, options: ImageOptions, asked: list[Wanted], given: Tensor | None = None
    ) -> Callable[[Tensor, float], Tensor]:
        weight = self._asking.guidance(options, asked)
        return self._guided(weight, asked, options, given)

    def _guided(
        self, guidance: float, asked: list[Wanted], options: ImageOptions, given: Tensor | None = None
    ) -> Callable[[Tensor, float], Tensor]:
        nothing = [self._asking.nothing(one, options.negative_prompt) for one in asked]
        chosen = {1.0: asked, 0.0: nothing}.get(guidance, [*asked, *nothing])
        told = self._asking.rows(chosen, source_noise=options.source_noise)
        if given is not None:
            told = told._replace(source=given.repeat(len(chosen) // len(asked), 1, 1, 1))
        rows = (None if row is None else row.to(self._device) for row in told)
        # Read once, whatever the number of steps.
        condition = self._condition(*rows)

        def field(points: Tensor, time: float) -> Tensor:
            times = torch.full((len(points),), time, device=points.device)
            if len(chosen) == len(asked):
                return self._velocity(points, times, condition)
            both = self._velocity(points.repeat(2, 1, 1, 1), times.repeat(2), condition)
            towards, away = both.chunk(2)
            return away + guidance * (towards - away)

        return field


def _steps(options: ImageOptions) -> int:
    return USUAL_STEPS if options.steps is None else options.steps
