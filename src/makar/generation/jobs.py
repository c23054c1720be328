"""What is to be made, one by one: a prompt and a seed for every asset."""

import collections
import dataclasses

from makar.errors import UsageError
from makar.generation.prompts import Prompt
from makar.provenance import manifest as signing

LARGEST_SEED = 1 << 62


@dataclasses.dataclass(frozen=True)
class Between:
    """Where an asset lies on the way from its seed to another.

    Attributes:
        last_seed: The other seed.
        share: How far along the way, 0 to 1.
    """

    last_seed: int
    share: float


@dataclasses.dataclass(frozen=True)
class Job:
    """One asset to make."""

    prompt: Prompt
    seed: int
    between: Between | None = None


def make_jobs(prompts: list[Prompt], count: int, seed: int) -> list[Job]:
    """Return one job an asset: ``count`` for each prompt, with the seeds from ``seed`` on.

    Raises:
        UsageError: The count or the seed is out of range.
    """
    check_count_and_seed(count, seed)
    jobs = []
    # The same prompt twice asks for two different assets.
    used: collections.Counter[bytes] = collections.Counter()
    for prompt in prompts:
        name = signing.canonical_json(prompt.stated)
        for _ in range(count):
            jobs.append(Job(prompt, seed + used[name]))
            used[name] += 1
    return jobs


def check_count_and_seed(count: int, seed: int) -> None:
    """Refuse a count or a seed that is out of range.

    Raises:
        UsageError: It is.
    """
    if count < 1:
        raise UsageError(f"{count} assets", expected="at least 1")
    if not 0 <= seed < LARGEST_SEED:
        raise UsageError(f"the seed {seed}", expected=f"0 to {LARGEST_SEED - 1}")
