"""Images to sources: the sampler of a model that makes nothing from nothing, and therefore has no way from seed to seed."""

from collections.abc import Iterator

import numpy as np

from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.estimates import Watcher
from makar.families.family import Batch, Sampler


class SourceSampler(Sampler):
    """Makes an image to the source of every prompt.

    Args:
        images: Makes images from whatever the prompts hold.
    """

    def __init__(self, images: ImageSampler) -> None:
        self._images = images

    def watch(self, watcher: Watcher, *, most: int) -> None:
        """Tell a watcher at some steps what each image is expected to become."""
        self._images.watch(watcher, most=most)

    def sample(
        self, options: ImageOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed from the ``source`` of its prompt.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -limit..limit}, True), in order.

        Raises:
            UnsupportedError: There is no source, it has another size, or a control that this model cannot honour.
            UnknownNameError: The label is not a class of the model.
        """
        return self._images.sample(options, prompts, seeds)
