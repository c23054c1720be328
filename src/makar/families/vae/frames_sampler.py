"""Clips by an autoencoder that sees single frames: each frame is made, or rebuilt, as an image of its own.

Nothing in it knows how frames follow each other, so what is made from nothing is a row of unrelated images: what the stage after it, which
learns clips in the latents, has to draw with.
"""

from collections.abc import Iterator

import numpy as np

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.vae.config import VaeConfig
from makar.families.vae.options import VaeOptions
from makar.families.vae.sampler import VaeSampler
from makar.tensor_spec import SOURCE, TARGET

FRAME_SEEDS = 104_729
"""Between the seeds of two frames of a clip."""


class FramesSampler(Sampler):
    """Makes and rebuilds the frames of clips.

    Args:
        images: Makes and rebuilds one image.
        config: Sizes.
    """

    def __init__(self, images: VaeSampler, config: VaeConfig) -> None:
        self._images, self._frames = images, config.frames
        self._shape = config.accepts()[TARGET].sizes

    def sample(
        self, options: VaeOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make the frames of one clip for every seed; those of a clip whose prompt has a ``source`` are rebuilt from its frames.

        Yields:
            (index, {"target": float32 ``[frames * channels, height, width]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: A slot or a control that this model cannot honour, or a clip of another size.
        """
        for index, (prompt, seed) in enumerate(zip(prompts or [{} for _ in seeds], seeds, strict=True)):
            parts = [dict(prompt) for _ in range(self._frames)]
            if SOURCE in prompt:
                if tuple(prompt[SOURCE].shape) != self._shape:
                    raise UnsupportedError(
                        f"a clip of shape {list(prompt[SOURCE].shape)}",
                        expected=f"{list(self._shape)}, that of the model",
                    )
                for part, frame in zip(parts, prompt[SOURCE].chunk(self._frames), strict=True):
                    part[SOURCE] = frame
            own = [seed + FRAME_SEEDS * number for number in range(self._frames)]
            made = [slots[TARGET] for _, slots, _ in self._images.sample(options, parts, own)]
            yield index, {TARGET: np.concatenate(made)}, True
