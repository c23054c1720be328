"""What looks at every draft before it may become an asset: an ordered list, of which each may refuse with a reason.

A refused draft is drawn again from a seed derived from the first one, so the same request still gives the same answer. The list is
the place of later guards (safety filters); the first real one refuses copies of the training data.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, Protocol


class NoveltyFinding(Protocol):
    """How close a draft is to the training data."""

    @property
    def is_copy(self) -> bool:
        """Whether it is closer than the calibrated threshold."""

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for the manifest."""


class NoveltyCheck(Protocol):
    """Compares content with the training data."""

    def check(self, content: Any) -> NoveltyFinding:
        """Return how close the content is."""


MOST_ATTEMPTS = 8
"""Draws for one asset, the first among them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """What a sampler made, before it is an asset.

    Attributes:
        content: The whole content.
        new_content: What the model made of it: for text without the prompt.
        novelty: How close ``new_content`` is to the training data; ``None`` when that is not checked.
        stated: What the sampler has to say of it: tokens and cost of a model behind an endpoint.
    """

    content: Any
    new_content: Any
    novelty: NoveltyFinding | None
    stated: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Guard(Protocol):
    """Looks at a draft."""

    name: str

    def refusal(self, draft: Draft) -> str | None:
        """Return why the draft must not become an asset, ``None`` when it may."""


class CopyGuard:
    """Refuses what is too close to the training data."""

    name = "copies"

    def refusal(self, draft: Draft) -> str | None:
        """Return the reason when the draft is a copy."""
        if draft.novelty is not None and draft.novelty.is_copy:
            return "it is too close to the training data"
        return None


def first_refusal(guards: tuple[Guard, ...], draft: Draft) -> str | None:
    """Return the reason of the first guard that refuses, ``None`` when none does."""
    for guard in guards:
        reason = guard.refusal(draft)
        if reason is not None:
            return f"{guard.name}: {reason}"
    return None


def seed_of_attempt(seed: int, attempt: int) -> int:
    """Return the seed of the n-th draw for one asset; the first is the seed itself.

    Returns:
        A number below 2^63, the same for the same arguments everywhere.
    """
    if attempt == 0:
        return seed
    digest = hashlib.sha256(f"makar draw {seed} {attempt}".encode("ascii")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def shareable_novelty(novelty: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a manifest says of the novelty: the figures and the licences of what is near, and no name or passage of the data.

    The manifest travels with the asset; names of training files are shown on the machine where the index is, and stay there.
    """
    if novelty is None:
        return None
    figures = {name: value for name, value in novelty.items() if not isinstance(value, list | tuple)}
    near = [item for item in novelty.get("nearest", ()) if isinstance(item, dict)]
    licences = sorted({str(item["licence"]) for item in near if "licence" in item})
    return {**figures, "licences_nearby": licences} if near else figures
