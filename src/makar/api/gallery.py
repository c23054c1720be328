"""The gallery in Python: what is put there lies in the library of this machine, which the studio shows.

makar.keep(model.generate("a red fox", count=8))
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from makar.home import library_file

if TYPE_CHECKING:
    from makar.generation.asset import Asset


def keep(assets: "Asset | Iterable[Asset]") -> int:
    """Keep assets in the gallery of this machine, all or none; without it what Python makes is in no gallery.

    Args:
        assets: One or several, of any medium and model; how each was made and what was asked for is read in its manifest.

    Returns:
        How many were not there before.

    Raises:
        UsageError: One is larger than what is kept.
        OutOfSpaceError: The disk is full.
        LibraryError: The library is busy, damaged or of a later version, or cannot be written.
    """
    from makar.generation.asset import Asset
    from makar.generation.library import Library
    from makar.generation.library_entry import entry_of

    entries = [entry_of(asset) for asset in ([assets] if isinstance(assets, Asset) else assets)]
    return Library(library_file()).keep(*entries) if entries else 0
