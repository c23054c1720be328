"""How a verb shows and saves what it makes: texts printed, paths of files, a note of how new it is; and that the gallery has it too."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.cli.gallery import Gallery
from makar.cli.output import note, print_json, remarks_of

if TYPE_CHECKING:
    from makar.generation.asset import Asset


def show_each(assets: "Iterable[tuple[Asset, Path | None]]", *, gallery: Gallery, json: bool) -> None:
    """Show assets as they are made, or all of them as JSON at the end, and keep them in the gallery."""
    rows = []
    with gallery:
        for asset, path in assets:
            if json:
                rows.append(row_of(asset, path))
            else:
                show_asset(asset, path)
            gallery.add(asset)
        if json:
            print_json(rows)


def save_asset(asset: "Asset", place: Path | None) -> Path | None:
    """Save to a file, or in a folder under the next free number, so that nothing is overwritten."""
    if place is None:
        return None
    if not place.suffix:
        place.mkdir(parents=True, exist_ok=True)
    return asset.save(place)


def show_asset(asset: "Asset", path: Path | None) -> None:
    """Print a text, or the path of an image; what is known of it goes to stderr."""
    if isinstance(asset.content, str):
        print(asset.content)
    else:
        print(path)
    sys.stdout.flush()
    note_on(asset, path)


def note_on(asset: "Asset", path: Path | None) -> None:
    """Say on stderr where an asset lies, how new it is, and what else a person is told of it."""
    parts = [f"saved to {path}"] if path else []
    if asset.novelty is not None:
        parts.append(_novelty_text(asset.novelty))
    parts += remarks_of(asset.manifest)
    if parts:
        note("[" + "; ".join(parts) + "]")


def _novelty_text(novelty: dict[str, Any]) -> str:
    if novelty["is_copy"]:
        nearest: dict[str, Any] = next(iter(novelty.get("nearest") or []), {})
        return f"TOO CLOSE to the training data ({nearest.get('source', 'source unknown')})"
    rest = f"; not compared with {novelty['uncovered']}" if novelty["uncovered"] else ""
    if novelty["measure"] == "distance_ratio":
        return f"new: {novelty['value']:.2f}, a copy is below {novelty['threshold']:.2f}{rest}"
    if novelty["measure"] == "rmsd":
        return f"new: {novelty['value']:.2f} A from the nearest, a copy is within {novelty['threshold']:.2f}{rest}"
    if novelty["measure"] == "same":
        return f"new: no training item is the same{rest}"
    spans = f"{novelty['longest_span']} words, {novelty['share_13']:.0%} in spans of 13 or more"
    return f"new: longest verbatim span {spans}{rest}"


def row_of(asset: "Asset", path: Path | None) -> dict[str, Any]:
    """Return what ``--json`` says of an asset."""
    return {
        "content": asset.content if isinstance(asset.content, str) else None,
        "path": None if path is None else str(path),
        "novelty": asset.novelty,
        "manifest": asset.manifest,
    }
