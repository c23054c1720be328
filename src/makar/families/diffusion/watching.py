"""The image that a path is expected to end in, found at some of its steps.

At time t of the straight path the velocity points to the data ``x_t + (1 - t) v`` (``path``; Lipman et al. 2022, arXiv 2210.02747): the
network's estimate of the finished image, whatever solver follows the path. Early estimates are means over all images that are still
possible, so they are soft; late ones are nearly the image.
"""

import collections
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from makar.families.diffusion.solvers import Velocity
from makar.families.estimates import Estimate, Watcher, told_steps
from makar.tensor_spec import TARGET

Finish = Callable[[Tensor], np.ndarray]


class Watching:
    """Somebody who watches.

    Args:
        watcher: Told of every estimate.
        most: Estimates of every image.
    """

    def __init__(self, watcher: Watcher, *, most: int) -> None:
        self._watcher = watcher
        self._most = most
        self.first = 0
        """Index of the first image of the batch that is being made."""

    def watched(self, velocity: Velocity, times: Sequence[float], finish: Finish) -> Velocity:
        """Return a velocity that tells what it points to.

        Args:
            velocity: From points and a time to the velocity there.
            times: Rising times at which the steps begin, and the last.
            finish: From points at the end of the path to images.
        """
        steps = len(times) - 1
        due = collections.deque(told_steps(steps, self._most))
        first = self.first

        def field(points: Tensor, time: float) -> Tensor:
            found = velocity(points, time)
            # A solver may look ahead: the first who comes there tells.
            if due and time >= times[due[0]]:
                step = due.popleft() + 1
                for offset, image in enumerate(finish(points + (1 - time) * found)):
                    told = Estimate(index=first + offset, slots={TARGET: image}, step=step, steps=steps)
                    self._watcher(told)
            return found

        return field
