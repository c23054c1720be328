"""The models of a server: which there are, which are loaded, and which one has to make room when the memory is full.

A model is loaded when it is asked for first. Before that, those that were used longest ago and that nobody has are unloaded until the new
one fits into the memory that the server may take: what the processes take is measured, what a new one will take follows from its files.
A process that dies is started again at once, unless it dies again and again. Where there is room, a process without a model waits with
everything imported, so that neither a first request nor one after a crash waits for that.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from makar.errors import MakarError, UnknownNameError
from makar.serving.engines import AUTO, Choice, check_runs, choose, named, reason
from makar.serving.places import PROCESS_BYTES, Place, bytes_needed, place_of, saved_names
from makar.serving.problems import BROKEN, LIMITED, Problem
from makar.serving.process import Process, give_model, spawn, stop_process

LOG = logging.getLogger("makar.serving")

QUICK_SECONDS = 10.0
"""A process that lives shorter than this and dies is not started again before somebody asks."""


class Pool:
    """The models.

    Args:
        models: Names or folders; empty for every saved model of this machine, those that come later included.
        options: Controls that hold where a request says nothing.
        memory_bytes: What all processes together may take.
        most_waiting: Requests that may have or wait for a model at a time.
        base_url: Address of the endpoint of models called ``openai:NAME``; ``None`` for that of OpenAI.
        engine: The engine that is to run the models, or ``AUTO``; where no models are named, those that it does not run are left out.
        pace: From the hash of a model and the engine that manifests name to the seconds that a step or token took here; ``None`` where
            nothing was made yet.

    Raises:
        UnsupportedError: A model that is named has another engine.
    """

    def __init__(
        self,
        models: Sequence[str],
        *,
        options: dict[str, Any],
        memory_bytes: int,
        most_waiting: int,
        base_url: str | None = None,
        engine: str = AUTO,
        pace: Callable[[str, str | None], float | None] = lambda *_: None,
    ) -> None:
        self._engine = engine
        self._pace = pace
        self._options = options
        self._memory_bytes = memory_bytes
        self._most_waiting = most_waiting
        self._is_open = not models
        self._left_out: set[str] = set()
        places = [place_of(model, base_url=base_url) for model in models]
        for place in places:
            check_runs(engine, place.engines, place.name)
        self._places = {place.name: place for place in places}
        self._room = asyncio.Lock()
        self._guards: set[asyncio.Task[None]] = set()
        self._spare: asyncio.subprocess.Process | None = None
        self._is_stopping = False
        self.waiting = 0
        """Requests that have or wait for a model."""

    @property
    def places(self) -> list[Place]:
        """Every model, by name."""
        if self._is_open:
            known = set(saved_names())
            for name in known - set(self._places):
                with contextlib.suppress(MakarError):
                    place = place_of(name)
                    if self._engine in (AUTO, *place.engines):
                        self._places[name] = place
                    elif name not in self._left_out:
                        self._left_out.add(name)
                        LOG.info("%s is left out: it runs on %s", name, " or ".join(place.engines))
            for name in set(self._places) - known:
                # Its folder was deleted; a process that holds it still answers until nobody has it.
                if self._places[name].process is None:
                    del self._places[name]
        return sorted(self._places.values(), key=lambda place: place.name)

    def place(self, name: str) -> Place:
        """Return a model by its name.

        Raises:
            Problem: There is none.
        """
        known = {place.name: place for place in self.places}
        if name not in known:
            error = UnknownNameError("model", name, known)
            raise Problem(
                error.came, status=404, code="model_not_found", expected=error.expected, do=error.do, param="model"
            )
        return known[name]

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncIterator[Process]:
        """Have a model loaded and not unloaded meanwhile.

        Raises:
            Problem: There is no such model, it cannot be loaded, or too many wait.
        """
        place = self.place(name)
        if self._is_stopping:
            raise Problem("the server is stopping", status=503, code="stopping", do="ask again later", kind=BROKEN)
        if self.waiting >= self._most_waiting:
            raise Problem(
                f"{self.waiting} requests are being answered or wait already",
                status=429,
                code="too_many_waiting",
                do="ask again in a second",
                kind=LIMITED,
            )
        self.waiting += 1
        try:
            process = await self._loaded(place)
            process.users += 1
            try:
                yield process
            finally:
                process.users -= 1
        finally:
            self.waiting -= 1

    async def load(self, name: str) -> Process:
        """Load a model before anybody asks for it.

        Raises:
            Problem: There is no such model, or it cannot be loaded.
        """
        return await self._loaded(self.place(name))

    async def explained(self, place: Place, process: Process) -> str:
        """Return in one line which engine a loaded model has and why."""
        pace = await self.pace_of(place, process.facts["hash"])
        assert place.choice is not None, "it is loaded"
        return reason(place.choice, process.facts, pace=pace, address=place.base_url)

    async def pace_of(self, place: Place, model_hash: str) -> float | None:
        """Return the seconds that a step or token of a loaded model took on its engine here; ``None`` where that made nothing yet."""
        return await asyncio.to_thread(self._pace, model_hash, named(place.engine, place.engines))

    async def let_go(self, name: str) -> None:
        """Forget the process that holds a model, whose folder has changed; it ends once nobody has it."""
        place = self.place(name)
        async with place.lock:
            gone, place.process = place.process, None
        if gone is not None:
            while gone.users:
                await asyncio.sleep(0.05)
            await gone.stop()

    async def prepare(self) -> None:
        """Start a process that waits for a model, where there is none yet and there is room."""
        if self._spare is None and not self._is_stopping and self._taken() + PROCESS_BYTES <= self._memory_bytes:
            self._spare = await spawn()

    async def stop(self) -> None:
        """Unload everything."""
        self._is_stopping = True
        if self._spare is not None:
            await stop_process(self._spare)
        for guard in list(self._guards):
            guard.cancel()
        running = [place.process for place in self._places.values() if place.process is not None]
        await asyncio.gather(*(process.stop() for process in running))

    async def _loaded(self, place: Place) -> Process:
        async with place.lock:
            if place.process is None or not place.process.is_alive:
                place.process = None
                async with self._room:
                    await self._make_room(place)
                    started = time.monotonic()
                    place.process = await self._started(place)
                    place.starts += 1
                    # Before anything else is waited for: whoever asked may go, and the process stays.
                    guard = asyncio.create_task(self._watch(place, place.process))
                    self._guards.add(guard)
                    guard.add_done_callback(self._guards.discard)
                    await self.prepare()
                took = time.monotonic() - started
                LOG.info("%s loaded in %.1f s; %s", place.name, took, await self.explained(place, place.process))
            return place.process

    async def _started(self, place: Place) -> Process:
        place.choice = await asyncio.to_thread(self._choice, place)
        try:
            return await self._given(place)
        except Problem as problem:
            own = place.engines[0]
            if self._engine != AUTO or place.choice.engine == own:
                raise
            # It was our choice and nobody's wish, so the model's own engine has to do.
            place.choice = Choice(engine=own, why=f"{place.choice.engine} does not: {problem.came}")
            return await self._given(place)

    async def _given(self, place: Place) -> Process:
        waiting, self._spare = self._spare, None
        if waiting is None or waiting.returncode is not None:
            waiting = await spawn()
        return await give_model(waiting, place.source, self._options, engine=place.engine, base_url=place.base_url)

    def _choice(self, place: Place) -> Choice:
        paces: dict[str, float | None] = {}
        if len(place.engines) > 1 and (known := place.hash) is not None:
            paces = {name: self._pace(known, named(name, place.engines)) for name in place.engines}
        return choose(self._engine, place.engines, paces)

    async def _watch(self, place: Place, process: Process) -> None:
        started = time.monotonic()
        await process.ended()
        if self._is_stopping or place.process is not process:
            return
        place.deaths += 1
        LOG.warning("the process of %s died", place.name)
        if time.monotonic() - started < QUICK_SECONDS and place.deaths > 3:
            return
        with contextlib.suppress(MakarError):
            await self._loaded(place)

    async def _make_room(self, place: Place) -> None:
        """Unload what nobody has until a model fits.

        Raises:
            Problem: It cannot fit.
        """
        needed = bytes_needed(place.source)
        if needed > self._memory_bytes:
            raise Problem(
                f"{place.name} takes about {needed >> 20} MB",
                status=503,
                code="no_memory",
                expected=f"at most {self._memory_bytes >> 20} MB",
                do="start the server with more --memory, or on a larger machine",
                kind=BROKEN,
            )
        while self._taken() + needed > self._memory_bytes:
            # One whose lock is held was just loaded, and whoever asked for it does not have it yet.
            idle = [
                one
                for one in self._places.values()
                if one.process is not None and not one.process.users and not one.lock.locked()
            ]
            if not idle:
                # Everything that is loaded is in use: somebody has to finish first.
                await asyncio.sleep(0.05)
                continue
            oldest = min(idle, key=lambda one: one.process.used_seconds if one.process else 0.0)
            gone, oldest.process = oldest.process, None
            LOG.info("%s unloaded", oldest.name)
            if gone is not None:
                await gone.stop()

    def _taken(self) -> int:
        return sum(place.process.memory_bytes() for place in self._places.values() if place.process is not None)
