"""``evaluate NEW --against OLD``: whether a new model may take the place of an old one."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from makar.api.data import Source, data_for
from makar.api.model import load
from makar.api.stores import OnEvent
from makar.data.workplace import workplace
from makar.home import stores_folder
from makar.training.progress import ignore_event

if TYPE_CHECKING:
    from makar.evaluation.promotion import Promotion


def weigh(
    new: str | Path,
    old: str | Path,
    data: Source | None = None,
    *,
    samples: int = 0,
    seed: int = 0,
    on_event: OnEvent = ignore_event,
) -> "Promotion":
    """Compare two models of text on the same items.

    Args:
        new: Name or folder of the model that would take the place.
        old: Name or folder of the model that has it.
        data: What to measure on; ``None`` takes the held-out part of what the new model learned from.
        samples: Number of texts that each writes; 0 takes the usual number.
        seed: Seed of the texts.
        on_event: Called with what is being measured.

    Returns:
        Every check with its interval, and ``.keeps``.

    Raises:
        UnsupportedError: One of them writes no text, or their tokens differ.
        DataError: There is nothing to measure on.
    """
    from makar.evaluation.material import gather
    from makar.evaluation.promotion import weigh as weigh_on

    artifact, other = load(new).artifact, load(old).artifact
    dataset = data_for(artifact, data)
    with nullcontext() if dataset is None else workplace(stores_folder(), prefix="evaluation.") as place:
        material = gather(
            artifact, dataset, folder=Path(), encoded_in=place, seed=seed, samples=samples, inception=None,
            on_event=on_event,
        )  # fmt: skip
        return weigh_on(material, other)
