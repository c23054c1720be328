"""Labelled samples for a training set in Python, each given with its file as soon as it is there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.api.data import Source, dataset_of

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.generation.asset import Asset


def augment_each(
    model: "Model",
    data: Source,
    *,
    count: int,
    folder: str | Path,
    spread: str = "balance",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Iterator[tuple["Asset", Path]]:
    """Make labelled samples; see ``Model.augment``.

    Args:
        model: The model.
        data: The training set.
        count: Samples in all.
        folder: Where they go.
        spread: ``"balance"`` or ``"even"``.
        seed: Seed of the first sample of every class.
        options: Sampling controls by name.

    Yields:
        Every new sample with its file.
    """
    from makar.generation.augmentation import LABELLED_MEDIA, AugmentRequest, augment

    root = Path(data) if isinstance(data, str | Path) else None
    asked = AugmentRequest(count=count, folder=Path(folder), spread=spread, seed=seed, root=root)
    dataset = dataset_of(data, medium=model.medium if model.medium in LABELLED_MEDIA else "image")
    return augment(model.artifact, dataset, asked, options=options, novelty=model.novelty_index())
