"""What the verbs make is kept in the gallery too, as the studio's Gallery shows it; the result never depends on that.

Decisions. (1) An asset is kept after it was shown and saved, so a gallery that is full, busy or damaged costs a line on stderr and nothing
else. (2) Many are kept in one transaction; what waited some seconds, or is some megabytes, is kept when the next one comes, so that who
looks meanwhile sees most of it and a process that is killed loses little. (3) Only the time of what was made alone says how long the next
one takes; of what was made side by side each has its share.
"""

import dataclasses
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from makar.cli.output import note
from makar.errors import MakarError, UsageError
from makar.home import library_file

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.generation.asset import Asset
    from makar.generation.library import Entry

NoGallery = Annotated[
    bool,
    typer.Option("--no-gallery", envvar="MAKAR_NO_GALLERY", help="Do not keep what is made in the studio's Gallery."),
]

MOST = 1000
"""Of one command: the library keeps so many in all that thousands of one kind must not push everything else out."""

WAITS_SECONDS, WAITS_BYTES = 5.0, 64 << 20
"""How long and how much is collected before it is kept."""


class Gallery:
    """Keeps the assets of one verb; what is made while it is entered took the time since then.

    Args:
        is_off: Whether nothing is kept.
        model: What makes them, loaded; ``None`` where several do, or none.
        kind: How they are made; empty takes what each manifest says.
        is_alone: Whether each is made alone, so that its time says how long the next one takes.
    """

    def __init__(self, *, is_off: bool, model: "Model | None" = None, kind: str = "", is_alone: bool = False) -> None:
        self._is_off = is_off
        self._model = model
        self._kind = kind
        self._is_alone = is_alone
        self._count = 0
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._waits_since = self._begun = 0.0

    def __enter__(self) -> Self:
        """Say that what is added next is begun now."""
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was made before something failed was made.
        self._guarded(self._put)

    def add(self, asset: "Asset", *, prompt: str | None = None) -> None:
        """Keep an asset that was shown and saved.

        Args:
            asset: The asset.
            prompt: What was asked for; ``None`` takes what its manifest says.
        """
        self._guarded(lambda: self._take(asset, prompt))

    def _guarded(self, act: Callable[[], None]) -> None:
        if self._is_off:
            return
        try:
            act()
        except Exception as error:
            # Whatever is wrong with a list of results, no result is lost for it; and it is said once.
            known = error if isinstance(error, MakarError) else MakarError(f"{type(error).__name__}: {error}")
            note(f"[not kept in the gallery: {'; '.join(filter(None, (known.came, known.do)))}]")
            self._is_off = True

    def _take(self, asset: "Asset", prompt: str | None) -> None:
        from makar.generation.library_entry import entry_of

        # A film taken apart is thousands of pictures that nobody made.
        if "frame" in asset.manifest.get("edit", {}):
            return
        if self._count == MOST:
            note(f"[the gallery keeps the first {MOST:,} of one command]")
            self._put()
            self._is_off = True
            return
        work = self._work(asset) if self._is_alone else 0
        try:
            entry = entry_of(asset, kind=self._kind, prompt=prompt, work=work)
        except UsageError as error:
            # It is too large, and the next one may not be.
            note(f"[not kept in the gallery: {error.came}, {error.expected}]")
            return
        if not self._waiting:
            self._waits_since = time.perf_counter()
        self._waiting.append(entry)
        self._count += 1
        self._bytes += len(entry.content)
        is_late = time.perf_counter() - self._waits_since >= WAITS_SECONDS
        if is_late or self._bytes >= WAITS_BYTES:
            self._put()

    def _put(self) -> None:
        from makar.generation.library import Library

        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if waiting:
            seconds = (time.perf_counter() - self._begun) / len(waiting)
            Library(library_file()).keep(*(dataclasses.replace(entry, seconds=seconds) for entry in waiting))
        self._begun = time.perf_counter()

    def _work(self, asset: "Asset") -> int:
        """Return the tokens that a text has, or the steps that were asked for."""
        from makar.generation.library_entry import steps_of
        from makar.generation.prompts import EncodesText

        if not isinstance(asset.content, str):
            return steps_of(asset.manifest)
        if counted := asset.manifest.get("service", {}).get("output_tokens"):
            return int(counted)
        codec = None if self._model is None else self._model.artifact.codec()
        if not isinstance(codec, EncodesText):
            return 0
        # Bytes that are no text are written as several, so there may seem to be more than were made.
        return min(len(codec.encode_text(asset.new_text)), int(asset.manifest["settings"].get("max_tokens", 1 << 62)))
