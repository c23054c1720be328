"""Work that a server does beside answering, one piece after the other: begun with it, woken when there is something, stopped with it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

LOG = logging.getLogger("makar.serving")

AGAIN_SECONDS = 30.0
"""After what time a piece that failed is tried again: a disk may be full for a while."""


class Background:
    """One line of work.

    Args:
        step: Does the next piece; returns whether there was one. What goes wrong with a piece is its own to note.
    """

    def __init__(self, step: Callable[[], Awaitable[bool]]) -> None:
        self._step = step
        self._wake = asyncio.Event()
        self._has_failed = False
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._working = asyncio.create_task(self._work())

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    async def stop(self) -> None:
        """Stop in the middle of a piece; it is begun again the next time."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            # Cleared before it is looked, so that what comes meanwhile is not missed.
            self._wake.clear()
            while await self._next():
                pass
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), AGAIN_SECONDS if self._has_failed else None)

    async def _next(self) -> bool:
        self._has_failed = False
        try:
            return await self._step()
        except Exception:
            # A mistake in one piece must not end the work on all that come after it; this one is tried again after a while.
            LOG.exception("work in the background failed")
            self._has_failed = True
            return False


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do several things at once; the first that fails ends the others.

    Raises:
        BaseException: What the first that failed raised.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            for one in work:
                tasks.create_task(one)
    except BaseExceptionGroup as group:
        # One reason is enough, and those who handle errors know no groups.
        raise group.exceptions[0] from group
