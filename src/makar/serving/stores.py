"""The vector stores of a server: a SQLite index each, over the files that were uploaded, read one after the other in the background.

A file is read by a process of its own (``store_reader``); where the store names an encoder, its passages then get vectors from the process
that holds that model. What was not read when the server ended is read when it is started again. A store whose time is over keeps its
name and loses its index.
"""

import asyncio
import collections
import contextlib
import functools
import json
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from makar.errors import ArtifactError, MakarError
from makar.retrieval.embedder import check_embedder, note_embedder
from makar.retrieval.sqlite_index import SqliteIndex
from makar.serving.background import LOG, Background
from makar.serving.embeddings import embedded
from makar.serving.front import now
from makar.serving.pool import Pool
from makar.serving.problems import Problem
from makar.serving.process import own_environment
from makar.serving.shelf import Shelf
from makar.serving.store_fields import words_of_chunking
from makar.serving.store_files import StoreFile, StoreFiles

MOST_STORES = 1000
MOST_FILES = 10_000
"""Of one store."""

OPEN_INDEXES = 16
THREADS = 2
EMBEDDED_TOGETHER = 64
LONGEST_READING_SECONDS = 900.0
DAY_SECONDS = 86_400
NOTED_EVERY_SECONDS = 60
"""How old the noted time of the last use may be: to write it at every search would be a write at every search."""

Result = TypeVar("Result")


class Stores:
    """The stores.

    Args:
        folder: Where they are kept.
        files: Uploaded files.
        pool: The models, encoders among them.
    """

    def __init__(self, folder: Path, *, files: Shelf, pool: Pool) -> None:
        self.kept = Shelf(folder, kind="vs_", most=MOST_STORES)
        self.batches = Shelf(folder / "batches", kind="vsfb_")
        self.rows = StoreFiles(folder / "files.sqlite")
        self._folder = folder / "indexes"
        self._files = files
        self._pool = pool
        self._indexes: collections.OrderedDict[str, SqliteIndex] = collections.OrderedDict()
        self._threads = ThreadPoolExecutor(THREADS, "retrieval")
        self._background = Background(self._step)

    def start(self) -> None:
        """Begin to read what waits."""
        self._background.start()

    async def stop(self) -> None:
        """Stop reading; what was not finished is begun again the next time."""
        await self._background.stop()
        self._threads.shutdown(wait=True)
        self._indexes.clear()
        self.rows.close()

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Do something that takes a while beside the thread that answers."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def get(self, name: str, *, is_used: bool = False) -> dict[str, Any]:
        """Return a store.

        Args:
            name: Its id.
            is_used: Whether it is used now: its time begins anew, and one whose time is over is refused.

        Raises:
            Problem: There is none, or its time is over.
        """
        store = self.kept.get(name)
        if is_expired(store):
            if not store["is_given_up"]:
                self._forget(name)
                store |= {"is_given_up": True}
                self.kept.put(name, store)
            if is_used:
                raise Problem("the time of this store is over", status=409, code="expired", do="make another one")
        elif is_used and now() - store["last_active_at"] >= NOTED_EVERY_SECONDS:
            store |= {"last_active_at": now()}
            self.kept.put(name, store)
        return store

    def index(self, name: str) -> SqliteIndex:
        """Return the index of a store, which keeps its vectors in memory while it is used."""
        index = self._indexes.pop(name, None) or SqliteIndex.create(self._folder / f"{name}.sqlite")
        self._indexes[name] = index
        while len(self._indexes) > OPEN_INDEXES:
            self._indexes.popitem(last=False)
        return index

    def attach(
        self,
        store: str,
        files: Sequence[tuple[str, dict[str, Any], dict[str, Any]]],
        *,
        batch: str | None = None,
    ) -> list[StoreFile]:
        """Put files into a store, to be read soon.

        Args:
            store: Its id.
            files: Id, attributes and chunking of each.
            batch: The batch that they come with.

        Raises:
            Problem: A file is not there, or they are too many.
        """
        if self.rows.counts(store)["total"] + len(files) > MOST_FILES:
            raise Problem(
                f"{len(files)} more files",
                status=400,
                code="too_many_files",
                expected=f"at most {MOST_FILES} in a store",
            )
        rows = [
            StoreFile(
                store=store,
                file=file,
                batch=batch,
                status="in_progress",
                created=now(),
                filename=str(self._files.get(file)["filename"]),
                attributes=attributes,
                chunking=chunking,
            )
            for file, attributes, chunking in files
        ]
        self.rows.put(rows)
        self._background.wake()
        return rows

    async def detach(self, store: str, file: str) -> None:
        """Take a file out of a store.

        Raises:
            Problem: It is not in it.
        """
        self.rows.get(store, file)
        self.rows.remove(store, file)
        index = self.index(store)
        await self.in_thread(lambda: index.remove(file))

    def remove(self, name: str) -> None:
        """Delete a store; the files stay.

        Raises:
            Problem: There is none.
        """
        self.kept.remove(name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._indexes.pop(name, None)
        self.rows.remove(name)
        for suffix in ("", "-wal", "-shm"):
            (self._folder / f"{name}.sqlite{suffix}").unlink(missing_ok=True)

    async def _step(self) -> bool:
        row = self.rows.waiting()
        if row is None:
            return False
        try:
            error, usage = await self._read(row)
        except (MakarError, OSError) as failure:
            LOG.warning("%s could not be read into %s: %s", row.file, row.store, failure)
            message = failure.came if isinstance(failure, MakarError) else "its index cannot be written"
            error, usage = {"code": "server_error", "message": message}, 0
        await self._finish(row, error, usage)
        return True

    async def _finish(self, row: StoreFile, error: dict[str, str] | None, usage: int) -> None:
        if not self.rows.end(row, error=error, usage=usage) or error is not None:
            # It was taken out, or its batch cancelled, while it was read; or it is half there.
            with contextlib.suppress(MakarError):
                self.kept.get(row.store)
                index = self.index(row.store)
                await self.in_thread(lambda: index.remove(row.file))

    async def _read(self, row: StoreFile) -> tuple[dict[str, str] | None, int]:
        """Read a file into its index; return why that failed, and how much was read."""
        store = self.kept.get(row.store)
        self._files.get(row.file)
        words, overlap = words_of_chunking(row.chunking)
        self.index(row.store)
        told = {
            "index": str(self._folder / f"{row.store}.sqlite"),
            "file": str(self._files.content_path(row.file)),
            "id": row.file,
            "filename": row.filename,
            "words": words,
            "overlap": overlap,
        }
        found = await _read_apart(told)
        if "error" in found:
            return found["error"], 0
        if store["embedding_model"] is not None:
            await self._embed(row.store, store["embedding_model"])
        return None, int(found["characters"])

    async def _embed(self, store: str, model: str) -> None:
        """Give vectors to the passages that have none yet."""
        index, place = self.index(store), self._pool.place(model)
        async with self._pool.lease(model) as process:
            name = encoder_name(place.name, process.facts)
            while True:
                rows = await self.in_thread(lambda: index.without_vectors(name, limit=EMBEDDED_TOGETHER))
                if not rows:
                    return
                numbers, texts = zip(*rows)
                vectors = (await embedded(process, texts, purpose="passage")).vectors()
                await self.in_thread(functools.partial(_add_vectors, index, name, numbers, vectors))

    async def question_vector(self, store: str, model: str, question: str) -> tuple[str, np.ndarray]:
        """Return the name of an encoder and the vector of a question to a store, ``[1, width]``.

        Raises:
            Problem: The model is gone, cannot be loaded, or is not the one that made the vectors of the store.
        """
        place, index = self._pool.place(model), self.index(store)
        async with self._pool.lease(model) as process:
            vector = (await embedded(process, [question], purpose="question")).vectors()
            name = encoder_name(place.name, process.facts)
        try:
            await self.in_thread(lambda: check_embedder(index, name))
        except ArtifactError as error:
            raise Problem(
                error.came, status=409, code="embedding_model_changed", do="put the files into a new store"
            ) from error
        return name, vector

    def searched_files(self, store: str, keeps: Callable[[StoreFile], bool] | None) -> Collection[str] | None:
        """Return the files of a store that a filter lets through; ``None``, which is all of them, without one."""
        if keeps is None:
            return None
        return {row.file for row in self.rows.of_store(store, status="completed") if keeps(row)}


def _add_vectors(index: SqliteIndex, name: str, numbers: Sequence[int], vectors: np.ndarray) -> None:
    note_embedder(index, name)
    index.add_vectors(name, numbers, vectors)


def encoder_name(model: str, facts: dict[str, Any]) -> str:
    """Return what vectors of a model are kept under: they are never compared with those of other weights."""
    return f"{model} {facts['hash'][:16]}"


def expires_at(store: dict[str, Any]) -> int | None:
    """Return when the time of a store is over, in seconds since 1970; ``None`` for never."""
    rule = store["expires_after"]
    return None if rule is None else store["last_active_at"] + rule["days"] * DAY_SECONDS


def is_expired(store: dict[str, Any]) -> bool:
    """Return whether the time of a store is over."""
    end = expires_at(store)
    return store["is_given_up"] or (end is not None and end <= now())


async def _read_apart(told: dict[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "makar.serving.store_reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=own_environment(),
    )
    try:
        said, _ = await asyncio.wait_for(
            process.communicate(json.dumps(told).encode() + b"\n"), LONGEST_READING_SECONDS
        )
        found: dict[str, Any] = json.loads(said)
    except (TimeoutError, ValueError):
        message = "reading it took too long or too much memory"
        return {"error": {"code": "invalid_file", "message": message}}
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return found
