"""Images from seeds: noise drawn for each seed alone, then followed along the velocity in batches, guided where asked.

Guidance (Ho and Salimans 2022, arXiv 2207.12598, eq. 6, with weight w + 1 = ``guidance``) runs both velocities, with what is asked for and
without, in one batch; a negative prompt takes the place of the second. Noise comes from a generator a seed on the CPU, so an image
depends neither on the batch it is made in nor on the device.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.diffusion.ancestral import ancestral
from makar.families.diffusion.condition import Condition
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.noise_schedule import schedule_grid
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.solvers import SOLVERS
from makar.families.diffusion.time_grid import time_grid
from makar.families.family import Batch, Sampler
from makar.tensor_spec import CAPTION, CLASS, NO_CAPTION_TOKEN, PADDING_TOKEN, TARGET

BATCH = 64
"""Images made together. More is not faster on a CPU: the activations leave its cache."""

FLOW_SHIFT, DDPM_SHIFT = 2.0, 1.0
PROMPT_GUIDANCE = 3.0
"""Controls that are taken where none is given."""

VelocityField = Callable[[Tensor, Tensor, Condition], Tensor]
Drawn = tuple[Tensor, Tensor, torch.Generator]
Asked = tuple[int | None, Tensor | None]
"""Number of the class, and tokens of the caption."""


class ImageSampler(Sampler):
    """Makes images.

    Args:
        velocity: From points, times and conditions to velocities.
        config: Sizes of the model.
        device: Where the network is.
        class_counts: Training images of each class by name, in the order of the class numbers.
        condition: From labels and caption tokens of a batch to its condition.
        encode_caption: From text to caption tokens; ``None`` where the model has no captions.
    """

    def __init__(
        self,
        velocity: VelocityField,
        *,
        config: DiffusionConfig,
        device: torch.device,
        class_counts: dict[str, int],
        condition: Callable[[Tensor | None, Tensor | None], Condition],
        encode_caption: Callable[[str], np.ndarray] | None,
    ) -> None:
        self._velocity = velocity
        self._config = config
        self._device = device
        self._names = list(class_counts)
        self._shares = torch.tensor([float(count) for count in class_counts.values()])
        self._condition = condition
        self._encode_caption = encode_caption

    def sample(
        self, options: ImageOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -limit..limit}, True), in order.

        Raises:
            UnsupportedError: Guidance, a label, a prompt or another slot that this model cannot honour.
            UnknownNameError: The label is not a class of the model.
        """
        drawn = [self._draw(seed) for seed in seeds]
        asked = [self._asked(options, prompts[index] if prompts else {}, one[1]) for index, one in enumerate(drawn)]
        for start in range(0, len(seeds), BATCH):
            images = self._follow(
                options,
                torch.stack([noise for noise, _, _ in drawn[start : start + BATCH]]),
                asked[start : start + BATCH],
                generators=[generator for _, _, generator in drawn[start : start + BATCH]],
            )
            for offset, image in enumerate(images):
                yield start + offset, {TARGET: image}, True

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

        Raises:
            UnsupportedError: The solver draws more noise than that between which images lie.

        Source:
            Shoemake 1985, spherical interpolation: on the straight line the middle would have too little variance to be noise.
        """
        if count < 2:
            raise ConfigError(f"an interpolation of {count} images", expected="at least 2")
        if options.solver == "ancestral":
            raise UnsupportedError(
                "an interpolation with new noise in every step", expected="another solver than ancestral"
            )
        (first, draw, _), (last, _, _) = self._draw(first_seed), self._draw(last_seed)
        asked = self._asked(options, prompt or {}, draw)
        cosine = torch.dot(first.flatten(), last.flatten()) / (first.norm() * last.norm())
        angle = torch.acos(cosine.clamp(-1, 1))
        points = []
        for share in torch.linspace(0, 1, count):
            if angle < 1e-4:
                points.append(first)
            else:
                points.append(
                    (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * last) / torch.sin(angle)
                )
        batches = [
            self._follow(
                options,
                torch.stack(points[start : start + BATCH]),
                [asked] * len(points[start : start + BATCH]),
                generators=[],
            )
            for start in range(0, count, BATCH)
        ]
        return np.concatenate(batches)

    def _draw(self, seed: int) -> Drawn:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(self._shape, generator=generator), torch.rand((), generator=generator), generator

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._config.channels, self._config.height, self._config.width

    def _asked(self, options: ImageOptions, prompt: Batch, draw: Tensor) -> Asked:
        """Return what one image is asked to be: the class and the caption given, else a class drawn as often as it is in the data."""
        config = self._config
        takes = {CLASS: "a class", CAPTION: "a caption"}
        usable = {name for name, size in ((CLASS, config.classes), (CAPTION, config.caption_length)) if size}
        unknown = set(prompt) - set(takes)
        if unknown:
            raise UnsupportedError(
                f"this image model cannot use {', '.join(sorted(unknown))}", expected="a class or a caption at most"
            )
        if CAPTION not in usable and (CAPTION in prompt or options.negative_prompt is not None):
            raise UnsupportedError(
                "a caption was given, and this model knows none", do='train with the recipe "image-text"'
            )
        if CLASS not in usable and (CLASS in prompt or options.label is not None):
            raise UnsupportedError(
                "a class was asked for, and this model has none", do='train with the recipe "image-class"'
            )
        if not usable and options.guidance not in (None, 1.0):
            raise UnsupportedError(
                f"guidance {options.guidance:g} on a model without classes",
                expected="guidance 1",
                do='train with the recipe "image-class" or "image-text" to have something to guide towards',
            )
        return self._label(options, prompt, draw) if CLASS in usable else None, prompt.get(CAPTION)

    def _label(self, options: ImageOptions, prompt: Batch, draw: Tensor) -> int:
        if options.label is not None:
            if CLASS in prompt:
                raise UnsupportedError("a label and a class were both given", expected="one of them")
            if options.label not in self._names:
                raise UnknownNameError("label", options.label, self._names)
            return self._names.index(options.label)
        if CLASS in prompt:
            label = int(prompt[CLASS])
            if not 0 <= label < self._config.classes:
                raise UnsupportedError(f"class {label}", expected=f"0 to {self._config.classes - 1}")
            return label
        edges = torch.cumsum(self._shares / self._shares.sum(), 0)
        return min(int((draw >= edges).sum()), self._config.classes - 1)

    def _guidance(self, options: ImageOptions, asked: list[Asked]) -> float:
        """Return the weight of guidance; a caption model that is asked for nothing has nothing to be guided to."""
        if not self._config.classes and not options.negative_prompt and all(caption is None for _, caption in asked):
            if options.guidance not in (None, 1.0):
                raise UnsupportedError(f"guidance {options.guidance:g} without a prompt", expected="a prompt")
            return 1.0
        weight = options.guidance
        if weight is None:
            weight = PROMPT_GUIDANCE if self._config.caption_length else 1.0
        if options.negative_prompt is not None and weight <= 1.0:
            raise UnsupportedError(
                f"a negative prompt with guidance {weight:g}", expected="guidance above 1, which leads away from it"
            )
        return weight

    def _follow(
        self, options: ImageOptions, noise: Tensor, asked: list[Asked], *, generators: list[torch.Generator]
    ) -> np.ndarray:
        times = self._times(options)
        with torch.inference_mode():
            field = self._guided(self._guidance(options, asked), asked, negative=options.negative_prompt)
            # Where a schedule begins, a little of the image is left and the noise is that much smaller.
            points = noise.to(self._device) * math.hypot(times[0], 1 - times[0])
            if options.solver == "ancestral":
                images = ancestral(
                    field,
                    points,
                    times,
                    draw=lambda: torch.stack(
                        [torch.randn(self._shape, generator=generator) for generator in generators]
                    ).to(self._device),
                    limit=self._config.limit,
                )
            else:
                images = SOLVERS[options.solver](field, points, times)
        return images.clamp(-self._config.limit, self._config.limit).float().cpu().numpy()

    def _times(self, options: ImageOptions) -> list[float]:
        if self._config.objective == "ddpm":
            return schedule_grid(options.steps, shift=DDPM_SHIFT if options.shift is None else options.shift)
        return time_grid(options.steps, shift=FLOW_SHIFT if options.shift is None else options.shift)

    def _guided(
        self, guidance: float, asked: list[Asked], *, negative: str | None = None
    ) -> Callable[[Tensor, float], Tensor]:
        config = self._config
        nothing: list[Asked] = [(config.classes, None if negative is None else self._tokens(negative))] * len(asked)
        if guidance == 1.0:
            condition = self._condition_of(asked)
        elif guidance == 0.0:
            condition = self._condition_of(nothing)
        else:
            condition = self._condition_of([*asked, *nothing])

        def field(points: Tensor, time: float) -> Tensor:
            times = torch.full((len(points),), time, device=points.device)
            if guidance in (0.0, 1.0):
                return self._velocity(points, times, condition)
            both = self._velocity(points.repeat(2, 1, 1, 1), times.repeat(2), condition)
            towards, away = both.chunk(2)
            return away + guidance * (towards - away)

        return field

    def _condition_of(self, asked: list[Asked]) -> Condition:
        label = caption = None
        if self._config.classes:
            label = torch.tensor([number for number, _ in asked], dtype=torch.int64, device=self._device)
        if self._config.caption_length:
            caption = torch.full((len(asked), self._config.caption_length), PADDING_TOKEN, dtype=torch.int64)
            caption[:, 0] = NO_CAPTION_TOKEN
            for row, (_, tokens) in zip(caption, asked):
                if tokens is not None:
                    row.copy_(tokens)
            caption = caption.to(self._device)
        return self._condition(label, caption)

    def _tokens(self, text: str) -> Tensor:
        assert self._encode_caption is not None
        return torch.from_numpy(np.asarray(self._encode_caption(text), np.int64))
