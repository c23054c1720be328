"""Translates given images; without an image there is nothing to translate, and it says what makes images from nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnknownNameError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.gan.options import CycleganOptions
from makar.families.gan.translation_config import TranslationConfig
from makar.tensor_spec import CLASS, SOURCE, TARGET

BATCH = 32

Translate = Callable[[int, Tensor], Tensor]


class TranslationSampler(Sampler):
    """Translates images.

    Args:
        translate: From the number of a translator and images to images.
        config: Sizes of the model.
        device: Where the networks are.
        domains: What each translator makes, by its number, where there is a choice.
    """

    def __init__(
        self, translate: Translate, *, config: TranslationConfig, device: torch.device, domains: tuple[str, ...] = ()
    ) -> None:
        self._translate = translate
        self._shape = (config.channels, config.height, config.width)
        self._device = device
        self._domains = domains

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Translate the ``source`` of every prompt; the seeds change nothing.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: A prompt has no ``source``, one of another shape, or something else.
            UnknownNameError: There is no such domain.
        """
        prompts = prompts or [{} for _ in seeds]
        sources = [self._source(prompt) for prompt in prompts]
        numbers = [self._number(options, prompt) for prompt in prompts]
        for start in range(0, len(sources), BATCH):
            part = numbers[start : start + BATCH]
            images = torch.stack(sources[start : start + BATCH]).to(self._device)
            made = torch.zeros_like(images)
            with torch.inference_mode():
                for number in sorted(set(part)):
                    chosen = torch.tensor(
                        [index for index, own in enumerate(part) if own == number], device=self._device
                    )
                    made[chosen] = self._translate(number, images[chosen])
            for offset, image in enumerate(made.clamp(-1, 1).cpu().numpy()):
                yield start + offset, {TARGET: image}, True

    def _source(self, prompt: Batch) -> Tensor:
        unknown = set(prompt) - {SOURCE, *([CLASS] if self._domains else [])}
        if unknown:
            raise UnsupportedError(
                f"this model translates images and cannot use {', '.join(sorted(unknown))}",
                expected="an image to translate",
            )
        if SOURCE not in prompt:
            raise UnsupportedError(
                "this model translates images and makes none from nothing",
                expected="an image to translate: makar edit MODEL FILE --translate",
                do='to make new images, train with the recipe "image"',
            )
        source = prompt[SOURCE]
        if tuple(source.shape) != self._shape:
            raise UnsupportedError(f"an image of shape {tuple(source.shape)}", expected=str(self._shape))
        return source

    def _number(self, options: Any, prompt: Batch) -> int:
        asked = options.direction if isinstance(options, CycleganOptions) else None
        if CLASS in prompt:
            if asked is not None:
                raise UnsupportedError("a direction and a class were both given", expected="one of them")
            # Classes are numbered by name: the second domain is what the first translator makes.
            return 1 - int(prompt[CLASS])
        if asked is None:
            return 0
        if asked not in self._domains:
            raise UnknownNameError("domain", asked, self._domains)
        return self._domains.index(asked)
