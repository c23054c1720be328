"""Images in as many steps as a distilled model was made for; what was fixed when it was distilled cannot be asked for."""

from collections.abc import Iterator

import numpy as np

from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.given import SLOTS
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.estimates import Watcher
from makar.families.family import Batch, Sampler


class FewStepSampler(Sampler):
    """Makes images in the steps of a distilled model.

    Args:
        images: The sampler of the network.
        config: Sizes of the model.
    """

    def __init__(self, images: ImageSampler, config: DiffusionConfig) -> None:
        self._images = images
        self._config = config

    def watch(self, watcher: Watcher, *, most: int) -> None:
        """Tell a watcher at some steps what each image is expected to become."""
        self._images.watch(watcher, most=most)

    def sample(
        self, options: ImageOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -limit..limit}, True), in order.

        Raises:
            UnsupportedError: A control that a distilled model cannot honour.
        """
        if not self._config.has_source and any(set(prompt) & SLOTS for prompt in prompts):
            raise UnsupportedError(
                "a distilled model cannot change images", expected="its teacher", do="makar edit TEACHER FILE"
            )
        steps, usual = self._config.student_steps, ImageOptions()
        if options.steps not in (None, steps):
            raise UnsupportedError(
                f"{options.steps} steps of a model that was distilled for {steps}",
                expected=f"{steps}, or none named",
                do="distil again with --set stages.0.family.student_steps=NUMBER, or ask the teacher",
            )
        if (options.solver, options.shift) != (usual.solver, usual.shift):
            raise UnsupportedError(
                "a solver or a shift for a distilled model", expected="steps only: it goes its own way"
            )
        if options.negative_prompt is not None or options.guidance not in (None, self._config.guided):
            raise UnsupportedError(
                "guidance or a negative prompt for a distilled model",
                expected=f"none: guidance {self._config.guided:g} was learned from its teacher",
                do="distil again with --set stages.0.family.guided=WEIGHT, or ask the teacher",
            )
        # The guidance is in the weights; led away once more it would be doubled.
        return self._images.sample(options.changed(steps=steps, solver="euler", guidance=1.0), prompts, seeds)
