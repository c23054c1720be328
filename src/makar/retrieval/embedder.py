"""Remembers which embedder made the vectors of an index: vectors of two are never compared, and nobody is told less for it silently.

Kept are its name, which holds the hash of its weights, or of name and address of an endpoint, and of an endpoint also the vector of one
text, ``PROBE``: what is served under a name may change, and its answers tell.
"""

import hashlib
import json

import numpy as np
from jaxtyping import Float

from makar.errors import ArtifactError
from makar.retrieval.index import Index

MADE_BY, PROBED = "vectors made by", "vector of the probe"
"""Names that an index notes it under."""

PROBE = "What does this text mean, and what is it like?"
ALIKE = 0.99
"""Least cosine of two vectors of the probe that one model made: endpoints round, and compute in other orders."""

AGAIN = "makar index DOCUMENTS -o INDEX --encoder MODEL --change-encoder makes all vectors again"


def check_embedder(index: Index, name: str, probe: Float[np.ndarray, " width"] | None = None) -> None:
    """Refuse an embedder that is not the one whose vectors an index has; anything goes where it has none.

    Args:
        index: The index.
        name: Of the embedder, with its hash.
        probe: Its vector of ``PROBE``; ``None`` where its weights are known by their hash.

    Raises:
        ArtifactError: It is another one.
    """
    made_by = index.about(MADE_BY)
    if made_by is None:
        return
    if made_by != name:
        raise ArtifactError(
            f"the vectors of this index were made by {made_by}, its encoder is now {name}", expected=made_by, do=AGAIN
        )
    before = np.array(json.loads(index.about(PROBED) or "[]"), np.float64)
    if probe is None or not len(before):
        return
    is_as_wide = len(probe) == len(before)
    alike = float(probe @ before / (np.linalg.norm(probe) * np.linalg.norm(before))) if is_as_wide else 0.0
    if alike < ALIKE:
        how = f"cosine {alike:.3f}" if is_as_wide else f"{len(probe)} numbers, and {len(before)} before"
        raise ArtifactError(
            f"{name} says something else of the same text than when it made the vectors of this index: {how}",
            expected="the model that made them",
            do=AGAIN,
        )


def note_embedder(
    index: Index, name: str, probe: Float[np.ndarray, " width"] | None = None, *, is_changed: bool = False
) -> None:
    """Remember the embedder of an index.

    Args:
        index: The index.
        name: See ``check_embedder``.
        probe: See there.
        is_changed: Whether it takes the place of another one on purpose.

    Raises:
        ArtifactError: It is another one than that of the vectors that the index has, and not on purpose.
    """
    if not is_changed:
        check_embedder(index, name, probe)
        if index.about(MADE_BY) is not None:
            return
    with index.together():
        index.note(MADE_BY, name)
        index.note(PROBED, json.dumps([] if probe is None else [round(float(one), 5) for one in probe]))


def kept_under(index: Index, name: str) -> str:
    """Return what the vectors of an index are kept under.

    For an endpoint that is its name with a hash of what was noted of it: where another model answers under the same name, and that was
    agreed to, the vectors from before are not taken for its own.
    """
    probed = index.about(PROBED) or "[]"
    return name if probed == "[]" else f"{name} {hashlib.sha256(probed.encode()).hexdigest()[:8]}"
