"""Things that are made in the background, one after the other: asked for, looked at, deleted; a restart goes on with what was not made.

A document says what was asked for (``ask``, forgotten when it is over), its ``status`` and what came of it; bytes may lie beside it.
One that is deleted meanwhile is made no further. How far one is does not outlive the process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from makar.errors import MakarError
from makar.serving.background import LOG, Background
from makar.serving.front import Front, now
from makar.serving.problems import LIMITED, Problem, problem_of
from makar.serving.shelf import Shelf

OPEN = ("queued", "in_progress")
Document = dict[str, Any]


class Progress:
    """How far something is."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._step, self._steps, self._seconds = 0, 0, 0.0

    def take(self, step: int, steps: int) -> None:
        """Note the step that is taken and how many there are."""
        self._step, self._steps, self._seconds = step, steps, time.monotonic()
        if self._first is None:
            self._first = step, self._seconds

    def said(self) -> dict[str, Any]:
        """Return ``progress`` in percent, 100 only when it is finished, and what is known beside."""
        if self._first is None:
            return {}
        step, seconds = self._first
        left = None
        if self._step > step:
            pace = (self._seconds - seconds) / (self._step - step)
            left = max(0.0, round(pace * (self._steps - self._step) - (time.monotonic() - self._seconds), 1))
        known = {"step": self._step, "steps": self._steps, "seconds_left": left}
        return {"progress": min(99, 100 * self._step // self._steps), "makar": known}


class InTurn:
    """What a server makes of one kind.

    Args:
        kept: Where the documents are.
        make: Makes one, of its document, with the server around it; returns what its document says from then on, and the bytes that lie
            beside it or ``None``.
        noun: What they are called.
        most_open: Those that may wait; each holds its place until it is made or deleted.
    """

    def __init__(
        self,
        kept: Shelf,
        make: Callable[[Front, Document, Progress], Awaitable[tuple[Document, bytes | None]]],
        *,
        noun: str,
        most_open: int,
    ) -> None:
        self.kept = kept
        self._make = make
        self._noun = noun
        self._most_open = most_open
        self._background = Background(self._step)
        self._front: Front | None = None
        self._making: tuple[str, asyncio.Task[tuple[Document, bytes | None]]] | None = None
        self._progress = Progress()

    def start(self, front: Front) -> None:
        """Begin to work; what was being made when the server ended is made anew."""
        self._front = front
        self._background.start()

    async def stop(self) -> None:
        """Stop; what is not made is made when the server is started again."""
        await self._background.stop()

    def put(self, document: Document, content: bytes | None = None) -> None:
        """Take a new one.

        Args:
            document: What it says.
            content: What is needed to make it, until something is made.

        Raises:
            Problem: Too many wait to be made.
        """
        if sum(one["status"] in OPEN for one in self.kept.all()) >= self._most_open:
            came = f"{self._most_open} {self._noun} wait"
            raise Problem(came, status=429, code="too_many_waiting", do="ask again later", kind=LIMITED)
        self.kept.put(document["id"], document, content)
        self._background.wake()

    def shown(self, document: Document) -> Document:
        """Return what may be seen of a document, with how far it is where it is being made."""
        shown = {name: value for name, value in document.items() if name != "ask"}
        is_made = self._making is not None and self._making[0] == document["id"]
        return shown | (self._progress.said() if is_made and document["status"] in OPEN else {})

    def remove(self, name: str) -> None:
        """Delete one, and stop making it.

        Raises:
            Problem: There is none.
        """
        self.kept.remove(name)
        if self._making is not None and self._making[0] == name:
            self._making[1].cancel()

    async def _step(self) -> bool:
        waiting = [one for one in self.kept.all() if one["status"] in OPEN]
        if not waiting:
            return False
        document = waiting[-1]
        self.kept.put(document["id"], document | {"status": "in_progress"})
        self._progress = Progress()
        assert self._front is not None, "nothing is made before it is started"
        work = asyncio.ensure_future(self._make(self._front, document, self._progress))
        self._making = document["id"], work
        try:
            changed, content = await work
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # It is the server that stops, and not somebody who deleted it.
                raise
            return True
        except Exception as error:
            # Whatever it is, one of them must not stand in the way of those that come after it.
            is_foreseen = isinstance(error, MakarError)
            LOG.warning("%s failed: %s", document["id"], error, exc_info=None if is_foreseen else error)
            said = problem_of(error)["error"]
            self._keep(document, {"status": "failed", "error": {"code": said["code"], "message": said["message"]}})
            return True
        finally:
            self._making = None
        done = {"status": "completed", "progress": 100, "completed_at": now(), **changed}
        self._keep(document, done, content)
        return True

    def _keep(self, document: Document, changed: Document, content: bytes | None = None) -> None:
        # It may have been deleted while it was made.
        if document["id"] in self.kept.names():
            self.kept.put(document["id"], {**document, **changed, "ask": None}, content)
