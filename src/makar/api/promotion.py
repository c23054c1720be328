"""``evaluate NEW --against OLD``: whether a new model may take the place of an old one."""

import dataclasses
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
    suites: str | Path | None = None,
    samples: int = 0,
    seed: int = 0,
    on_event: OnEvent = ignore_event,
) -> "Promotion":
    """Compare two models of text on the same items.

    Args:
        new: Name or folder of the model that would take the place.
        old: Name or folder of the model that has it.
        data: What to measure on; ``None`` takes the held-out part of what the new model learned from.
        suites: Folder of tables of bias and safety that both are asked; without it these are unknown.
        samples: Number of texts that each writes, and most items of each test in the suites; 0 takes the usual number.
        seed: Seed of the texts.
        on_event: Called with what is being measured.

    Returns:
        Every check with its interval, and ``.keeps``.

    Raises:
        UnsupportedError: One of them writes no text, or their tokens differ.
        DataError: There is nothing to measure on, or nothing of the suites in their folder.
    """
    from makar.evaluation.material import gather
    from makar.evaluation.promotion import weigh as weigh_on
    from makar.evaluation.promotion_suites import read_suites, suite_checks

    artifact, other = load(new).artifact, load(old).artifact
    asked = None if suites is None else read_suites(Path(suites), samples=samples, seed=seed)
    dataset = data_for(artifact, data)
    with nullcontext() if dataset is None else workplace(stores_folder(), prefix="evaluation.") as place:
        material = gather(
            artifact, dataset, folder=Path(), encoded_in=place, seed=seed, samples=samples, inception=None,
            on_event=on_event,
        )  # fmt: skip
        found = weigh_on(material, other)
        checks = suite_checks(artifact, other, asked, seed=seed, on_event=on_event)
        return dataclasses.replace(found, checks=(*found.checks, *checks))
