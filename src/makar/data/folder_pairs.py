"""Pairs of image files: two folders side by side in which files bear the same name.

``A/train/1.png`` belongs to ``B/train/1.jpg``, ``trainA/1.png`` to ``trainB/1.png``: the names are the same but for the two folders and the
suffix. The later folder by name holds what is to be made, the other what it is made from. Whether the two mean one thing is the user's to
say by the recipe: two classes whose files are only numbered look the same, and a recipe without pairs reads them as classes.
Folders are listed when they are needed and the last few kept, so a million names cost no memory. Members of archives come one after the
other and cannot be looked up; they have no pairs.
"""

import functools
from pathlib import Path, PurePosixPath

from makar.data.sniffing import IMAGE_SUFFIXES
from makar.data.split_names import split_and_domain

LISTED_FOLDERS = 8


class FolderPairs:
    """Finds the other image of a pair.

    Args:
        first: Name of the folder of images to make from.
        second: Name of the folder of images to be made.
        depth: Folders above both, below the source.
    """

    def __init__(self, first: str, second: str, *, depth: int) -> None:
        self.first, self.second = first, second
        self._depth = depth

    def partner(self, name: str, path: Path | None) -> Path | None:
        """Return the file of the same name in the other folder, ``None`` where there is none.

        Args:
            name: Name below the source.
            path: The file, ``None`` inside an archive.
        """
        folders = name.split("/")[:-1]
        place = self._place(folders)
        if path is None or place is None:
            return None
        split_word, domain = split_and_domain(folders[place])
        prefix = folders[place].removesuffix(domain) if split_word else ""
        parts = list(path.parts[:-1])
        parts[len(parts) - len(folders) + place] = prefix + (self.second if domain == self.first else self.first)
        other = Path(*parts)
        file = _images_in(other).get(PurePosixPath(path.name).stem)
        return None if file is None else other / file

    def is_first(self, name: str) -> bool:
        """Whether a file lies in the folder of images to make from."""
        folders = name.split("/")[:-1]
        place = self._place(folders)
        return place is not None and split_and_domain(folders[place])[1] == self.first

    def group(self, name: str) -> str | None:
        """Return what both images of a pair are called, ``None`` outside the two folders."""
        parts = name.split("/")
        place = self._place(parts[:-1])
        if place is None:
            return None
        split_word, _ = split_and_domain(parts[place])
        return "/".join([*parts[:place], split_word or "", *parts[place + 1 : -1], PurePosixPath(parts[-1]).stem])

    def _place(self, folders: list[str]) -> int | None:
        for place in range(self._depth, len(folders)):
            if split_and_domain(folders[place])[1] in (self.first, self.second):
                return place
        return None


@functools.lru_cache(maxsize=LISTED_FOLDERS)
def _images_in(folder: Path) -> dict[str, str]:
    """Return the image files of a folder by stem, the first by name where two share it."""
    try:
        names = sorted((child.name for child in folder.iterdir() if child.is_file()), reverse=True)
    except OSError:
        return {}
    return {
        PurePosixPath(name).stem: name
        for name in names
        if PurePosixPath(name).suffix[1:].lower() in IMAGE_SUFFIXES and not name.startswith(".")
    }
