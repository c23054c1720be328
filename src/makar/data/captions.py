"""Captions and labels of image files: a text file beside the image, a metadata table, or the names of folders.

* ``cat.png`` with ``cat.txt`` beside it: the text is the caption; so is ``cat.lab`` where it holds no times.
* ``metadata.csv`` or ``metadata.jsonl`` with a column ``file_name``: the image-folder layout of Hugging Face.
* ``metadata.csv`` of rows ``name|text`` or ``name|text|text in words`` with ``wavs/name.wav``: the layout of LJSpeech.
* Two or more folders of images side by side, none named after a split: their names are the labels.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from makar.data.folder_pairs import FolderPairs
from makar.data.label_lines import holds_times
from makar.data.split_names import WORDS, split_and_domain, split_of_value
from makar.data.table_columns import CAPTION_NAMES, LABEL_NAMES, LICENCE_NAMES, SPLIT_NAMES, text_of

CAPTION_LIMIT_BYTES = 8192
CAPTIONS_LIMIT_BYTES = 256 << 20
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.tsv")
IN_FOLDERS = 0.95


@dataclasses.dataclass(kw_only=True, slots=True)
class About:
    """What is said about one image."""

    caption: str | None = None
    label: str | None = None
    licence: str | None = None
    consent: str | None = None
    official: str | None = None


class Captions:
    """Everything that is said about image files, gathered in the first pass and looked up in the later ones."""

    def __init__(self) -> None:
        self.rows: dict[str, About] = {}
        self.texts: dict[str, str] = {}
        self.text_bytes = 0
        self.folders: dict[str, int] = {}
        self.stems: set[int] = set()
        self.has_sidecars = False
        self.class_depth: int | None = None
        self.pairs: FolderPairs | None = None

    def see_image(self, name: str) -> None:
        """Count an image file by its folder and remember its stem."""
        folder, _, _ = name.rpartition("/")
        self.folders[folder] = self.folders.get(folder, 0) + 1
        self.stems.add(hash(_stem(name)))

    def see_text(self, name: str, content: bytes) -> None:
        """Keep a text that cannot be looked up later as the caption of what has this name but for its suffix."""
        if self.text_bytes + len(content) <= CAPTIONS_LIMIT_BYTES:
            self.text_bytes += len(content)
            self.texts[_stem(name)] = content.decode("utf-8", "replace").strip()

    def see_row(self, folder: str, row: dict[str, Any]) -> bool:
        """Keep a row of a metadata table; False when it names no file."""
        file = row.get("file_name")
        if not isinstance(file, str) or not file:
            return False
        lower = {str(key).lower(): value for key, value in row.items() if value not in (None, "")}
        caption = next((text for key in CAPTION_NAMES if (text := text_of(lower.get(key)))), None)
        label = next((lower[key] for key in LABEL_NAMES if isinstance(lower.get(key), str | int)), None)
        licence = next((lower[key] for key in LICENCE_NAMES if isinstance(lower.get(key), str)), None)
        official = next((split for key in SPLIT_NAMES if (split := split_of_value(lower.get(key)))), None)
        self.rows[folder + file] = About(
            caption=caption,
            label=None if label is None else str(label),
            licence=licence,
            consent=str(lower["consent"]) if "consent" in lower else None,
            official=official,
        )
        return True

    def is_sidecar(self, name: str) -> bool:
        """Whether a text file has the stem of an image."""
        return hash(_stem(name)) in self.stems

    def settle(self) -> None:
        """Decide, once every file has been seen, whether folder names are labels."""
        listed = {folder: folder.split("/") if folder else [] for folder in self.folders}
        if not listed:
            return
        shared = _shared_depth(listed.values())
        inner = {folder: _without_splits(parts[shared:]) for folder, parts in listed.items()}
        classes = {parts[0] for parts in inner.values() if len(parts) == 1}
        inside = sum(self.folders[folder] for folder, parts in inner.items() if len(parts) == 1)
        if len(classes) >= 2 and inside >= IN_FOLDERS * sum(self.folders.values()):
            self.class_depth = shared
            if len(classes) == 2:
                first, second = sorted(classes)
                self.pairs = FolderPairs(first, second, depth=shared)

    def about(self, name: str, path: Path | None) -> About:
        """Return what is said about one image.

        Args:
            name: Its name below the source.
            path: The file, ``None`` inside an archive.
        """
        found = self.rows.get(name)
        about = dataclasses.replace(found) if found else About()
        if about.caption is None:
            about.caption = self.texts.get(_stem(name)) or self._beside(path)
        if about.label is None and self.class_depth is not None:
            parts = _without_splits(name.split("/")[:-1][self.class_depth :])
            about.label = parts[0] if len(parts) == 1 else None
        return about

    def _beside(self, path: Path | None) -> str | None:
        if path is None or not self.has_sidecars:
            return None
        for suffix in (".txt", ".lab"):
            try:
                with path.with_suffix(suffix).open("rb") as stream:
                    content = stream.read(CAPTION_LIMIT_BYTES)
            except OSError:
                continue
            if suffix == ".txt" or not holds_times(content):
                return content.decode("utf-8", "replace").strip() or None
        return None


def _stem(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{PurePosixPath(file).stem}"


def _without_splits(folders: list[str]) -> list[str]:
    return [split_and_domain(part)[1] for part in folders if part.lower() not in WORDS]


def _shared_depth(folders: Iterable[list[str]]) -> int:
    listed = list(folders)
    shortest = min(len(parts) for parts in listed)
    depth = 0
    while depth < shortest and len({parts[depth] for parts in listed}) == 1:
        depth += 1
    return depth
