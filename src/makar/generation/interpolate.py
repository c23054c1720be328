"""Assets on the way from one seed to another, for families whose sampler knows such a way.

They go through the same choke point as everything else: guards judge each, and each is signed; its manifest says between which seeds it
lies. An asset on the way has no second draw, so what a guard refuses ends the whole.
"""

from typing import Any

from makar.artifacts.artifact import Artifact
from makar.config import Config
from makar.errors import CopyRefusedError, UsageError
from makar.generation.asset import Asset
from makar.generation.guards import NoveltyCheck, first_refusal
from makar.generation.jobs import Between, Job
from makar.generation.prompts import Prompt
from makar.generation.request import Interpolates, Request

NOTHING = Prompt(stated=None, slots={})


def can_interpolate(artifact: Artifact) -> bool:
    """Return whether the model knows a way from one seed to another."""
    return isinstance(artifact.family().sampler(artifact.codec()), Interpolates)


def interpolate(
    artifact: Artifact,
    *,
    first_seed: int,
    last_seed: int,
    count: int,
    options: dict[str, Any] | Config | None = None,
    novelty: NoveltyCheck | None = None,
) -> list[Asset]:
    """Make what lies between two seeds.

    Args:
        artifact: The model.
        first_seed: Seed of the first asset.
        last_seed: Seed of the last asset.
        count: Number of assets, at least 2, ends included.
        options: Sampling controls by name, or an instance of the family's options.
        novelty: Compares each asset with the training data.

    Returns:
        Signed assets in order.

    Raises:
        UnsupportedError: The model knows no such way, or cannot honour a control.
        CopyRefusedError: A guard refused one of them.
    """
    if count < 2:
        raise UsageError(f"an interpolation of {count}", expected="at least 2")
    request = Request(artifact, options=options, novelty=novelty, refuse_copies=False)
    assets = []
    for number, slots in enumerate(request.draw_between(first_seed, last_seed, count)):
        draft = request.draft(NOTHING, slots)
        refusal = first_refusal(request.guards, draft)
        if refusal is not None:
            raise CopyRefusedError(
                f"what lies between the seeds {first_seed} and {last_seed} was refused: {refusal}",
                expected="content that passes every guard",
                do="use other seeds",
            )
        job = Job(NOTHING, first_seed, Between(last_seed=last_seed, share=number / (count - 1)))
        assets.append(request.asset(job, draft, 0))
    return assets
