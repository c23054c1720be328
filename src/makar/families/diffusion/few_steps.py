"""Images in one to four steps by a distilled model: the end of the path is said at once, and said again from less and less new noise.

Source: Song et al. 2023, arXiv 2303.01469, algorithm 1.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.distillation import DEFAULT_STEPS, STOPS
from makar.families.diffusion.given import SLOTS
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.solvers import Velocity
from makar.families.family import Batch, Sampler


def in_few_steps(
    velocity: Velocity,
    x: Float[Tensor, "batch channels height width"],
    times: Sequence[float],
    *,
    draw: Callable[[], Tensor],
    limit: float,
) -> Float[Tensor, "batch channels height width"]:
    """Return where paths end that begin at some points.

    Args:
        velocity: The mean velocity from a point to the end of its path.
        x: Points at the first time.
        times: Rising times at which the network is asked.
        draw: Fresh noise of the shape of ``x``.
        limit: Images are clipped to this and less it.
    """
    end = (x + (1 - times[0]) * velocity(x, times[0])).clamp(-limit, limit)
    for _, time in itertools.pairwise(times):
        x = time * end + (1 - time) * draw()
        end = (x + (1 - time) * velocity(x, time)).clamp(-limit, limit)
    return end


class FewStepSampler(Sampler):
    """Makes images in one to four steps; what was fixed when the model was distilled cannot be asked for.

    Args:
        images: The sampler of the network.
        config: Sizes of the model.
    """

    def __init__(self, images: Sampler, config: DiffusionConfig) -> None:
        self._images = images
        self._config = config

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
        steps = DEFAULT_STEPS if options.steps is None else options.steps
        usual = ImageOptions()
        if steps not in STOPS:
            raise UnsupportedError(
                f"{steps} steps of a distilled model", expected=f"1 to {max(STOPS)}", do="more steps are its teacher's"
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
        return self._images.sample(options.changed(steps=steps, guidance=1.0), prompts, seeds)
