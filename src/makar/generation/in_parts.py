"""One asset from several images that the model makes: tiles of an enlargement, frames of a wide picture."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.image_slots import source_of
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import SOURCE

Make = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def made_in_parts(
    request: Request, jobs: Sequence[Job], *, whole: Callable[[Make], np.ndarray], stated: dict[str, Any]
) -> Iterator[Asset]:
    """Make one asset a job.

    Args:
        request: The request in force.
        jobs: What to make; all parts of one are made with its seed and its prompt.
        whole: From a function that turns sources into what the model makes of them to the content of the asset.
        stated: What the manifest says of the edit.

    Yields:
        Signed assets in the order of the jobs.
    """
    for job in jobs:

        def make(sources: Sequence[np.ndarray], job: Job = job) -> list[np.ndarray]:
            parts = [
                Job(Prompt(stated=job.prompt.stated, slots={**job.prompt.slots, SOURCE: slot}), job.seed)
                for slot in (source_of(pixels, request.codec, request.family) for pixels in sources)
            ]
            made: dict[int, np.ndarray] = {}
            for position, slots in request.draw(parts, 0):
                made[position] = request.codec.decode(slots)
            return [made[position] for position in range(len(parts))]

        content = whole(make)
        change = Change(finish=unchanged, stated=stated)
        finished = Job(Prompt(stated=job.prompt.stated, slots={}, change=change), job.seed)
        yield request.asset(finished, request.judged(content, content), 0)
