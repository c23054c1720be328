"""Folders of numbered pictures as videos: ``walk/0001.png``, ``walk/0002.png`` ... is the video ``walk``, told by the folder around it.

Only where videos are asked for: a folder of images is otherwise one of images. A text ``walk.txt`` beside the folder is its caption, and
folders of such folders are classes, as with files.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from makar.data.video_reader import LEAST_FRAMES

NUMBERED = re.compile(r"(\d+)\.[^.]+$")


@dataclasses.dataclass(kw_only=True)
class FrameFolders:
    """Numbered pictures by folder, gathered in the first pass."""

    pictures: dict[str, list[tuple[int, Path, int]]] = dataclasses.field(default_factory=dict)

    def see(self, name: str, path: Path | None, size_bytes: int) -> None:
        """Keep a picture whose name ends in a number and that is an ordinary file in a folder."""
        folder, _, file = name.rpartition("/")
        numbered = NUMBERED.search(file)
        if numbered is not None and path is not None:
            self.pictures.setdefault(folder, []).append((int(numbered[1]), path, size_bytes))

    def settled(self) -> Iterator[tuple[str, int]]:
        """Drop what is a single picture; yield name and bytes of every other folder."""
        self.pictures = {name: sorted(found) for name, found in self.pictures.items() if len(found) >= LEAST_FRAMES}
        for name, found in self.pictures.items():
            yield name or ".", sum(size for _, _, size in found)

    def holds(self, name: str) -> bool:
        """Whether a picture is a frame of one of the videos."""
        folder, _, file = name.rpartition("/")
        return folder in self.pictures and NUMBERED.search(file) is not None

    def videos(self) -> Iterator[tuple[str, list[Path]]]:
        """Yield name and pictures of every video, in the order of names."""
        for name in sorted(self.pictures):
            yield name or ".", [path for _, path, _ in self.pictures[name]]
