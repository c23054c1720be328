"""``makar.verify``: what made a file, whether it is intact, back to the training data."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.provenance.verification import Verification


def verify(path: str | Path) -> "Verification":
    """Say what made a file and whether it is intact, back to the training data.

    Args:
        path: An image, a file with its sidecar, or the folder or name of a model.

    Returns:
        Every check: ``.is_intact``, ``.is_complete``, ``.first_broken``, ``.checks``.
    """
    from makar.artifacts.load import find_model, model_names
    from makar.provenance.chain import verify as check

    if str(path) in model_names() and not Path(path).is_file():
        path = find_model(path)
    elif not Path(path).exists() and len(Path(path).parts) == 1:
        near = get_close_matches(str(path), model_names(), n=1, cutoff=0.5)
        if near:
            raise UsageError(
                f"there is no file and no model {path}",
                expected="a generated file, the folder of a model, or its name",
                do=f'did you mean the model "{near[0]}"?',
            )
    return check(path, fingerprint=_fingerprint_of)


def _fingerprint_of(place: str, stated: Mapping[str, Any]) -> str:
    from makar.data.fingerprint import HELD_OUT_SHARE, fingerprint_of

    share = stated.get("held_out_share", HELD_OUT_SHARE)
    columns = str(stated.get("columns", ""))
    return fingerprint_of(place, medium=str(stated.get("medium")), held_out_share=share, columns=columns)
