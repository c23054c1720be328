"""/v1/batches: many requests in a file, answered in the background, with the answers in another; a restart goes on where it was.

Requests go through the same routes as any other, eight at a time so that they share a running batch, and whoever asks live gets a turn
between them. Every answer is written down as it comes: after a kill only the requests that were being answered are asked again. One batch
works at a time, the oldest first.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from makar.errors import MakarError, OutOfSpaceError
from makar.serving.background import LOG, Background, together
from makar.serving.batch_lines import (
    WINDOW,
    BatchFields,
    Line,
    answer_line,
    kept_lines,
    read_lines,
    unanswered_line,
)
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, now
from makar.serving.inner import ask_self
from makar.serving.problems import Problem
from makar.serving.shelf import Shelf
from makar.serving.store_fields import checked_metadata
from makar.serving.uploads import page

TOGETHER = 8
WINDOW_SECONDS = 24 * 3600
OPEN = ("validating", "in_progress", "finalizing", "cancelling")
OUTPUT, ERRORS = "output", "error"


class Batches:
    """The batches of a server.

    Args:
        kept: Where they are kept.
        files: Uploaded files; answers become files too.
        folder: Where answers lie while a batch is at work.
    """

    def __init__(self, kept: Shelf, *, files: Shelf, folder: Path) -> None:
        self.kept = kept
        self._files = files
        self._folder = folder
        self._app: FastAPI | None = None
        self._background = Background(self._step)
        self._counts: dict[str, dict[str, int]] = {}

    def start(self, app: FastAPI) -> None:
        """Begin to work; what was at work when the server ended goes on."""
        self._app = app
        self._background.start()

    async def stop(self) -> None:
        """Stop; what is not answered is asked when the server is started again."""
        await self._background.stop()

    def put(self, batch: dict[str, Any]) -> None:
        """Take a new batch."""
        self.kept.put(batch["id"], batch)
        self._background.wake()

    def needs(self, file: str) -> bool:
        """Return whether a batch that is not over reads a file, again where the server is started anew."""
        return any(batch["input_file_id"] == file and batch["status"] in OPEN for batch in self.kept.all())

    def cancel(self, name: str) -> dict[str, Any]:
        """Leave what is not asked yet.

        Raises:
            Problem: There is no such batch, or it is over.
        """
        batch = self.kept.get(name)
        if batch["status"] not in ("validating", "in_progress"):
            raise Problem(
                f"the batch is {batch['status']}", status=409, code="invalid_state", expected="one that is at work"
            )
        self._change(name, status="cancelling", cancelling_at=now())
        self._background.wake()
        if name not in self._counts:
            # Its turn has not come.
            self._finish(name, [], batch["request_counts"])
        return self.kept.get(name)

    def shown(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a batch with what it has done up to now."""
        return batch | {"request_counts": self._counts.get(batch["id"], batch["request_counts"])}

    def _change(self, name: str, **values: Any) -> dict[str, Any]:
        batch = self.kept.get(name) | values
        self.kept.put(name, batch)
        return batch

    async def _step(self) -> bool:
        waiting = [batch for batch in self.kept.all() if batch["status"] in OPEN]
        if not waiting:
            return False
        name = waiting[-1]["id"]
        try:
            await self._work(waiting[-1])
        except OutOfSpaceError:
            # What was answered stays, and the rest is asked when there is room again.
            raise
        except MakarError as error:
            LOG.warning("the batch %s failed: %s", name, error)
            self._fail(name, [{"code": "failed", "line": None, "message": error.came, "param": None}])
        return True

    def _fail(self, name: str, errors: list[dict[str, Any]]) -> None:
        self._change(name, status="failed", failed_at=now(), errors={"object": "list", "data": errors})
        self._drop(name)

    async def _work(self, batch: dict[str, Any]) -> None:
        name = batch["id"]
        content = self._files.content(batch["input_file_id"])
        lines, errors = await asyncio.to_thread(read_lines, content, batch["endpoint"])
        if self.kept.get(name)["status"] not in OPEN:
            # It was cancelled meanwhile.
            return
        if errors:
            self._fail(name, errors)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        answered = {kind: [row["custom_id"] for row in kept_lines(self._path(name, kind))] for kind in (OUTPUT, ERRORS)}
        known = {one for rows in answered.values() for one in rows}
        counts = {"completed": len(answered[OUTPUT]), "failed": len(answered[ERRORS]), "total": len(lines)}
        self._counts[name] = counts
        if self.kept.get(name)["status"] == "validating":
            self._change(name, status="in_progress", in_progress_at=now())
        left = iter([line for line in lines if line.custom_id not in known])
        await together([self._ask(batch, left, counts) for _ in range(TOGETHER)])
        self._finish(name, [line.custom_id for line in left], counts)

    async def _ask(self, batch: dict[str, Any], left: Iterator[Line], counts: dict[str, int]) -> None:
        """Ask what is left, one after the other, as long as that is wanted."""
        assert self._app is not None
        while self.kept.get(batch["id"])["status"] == "in_progress" and now() < batch["expires_at"]:
            line = next(left, None)
            if line is None:
                return
            status, body = await ask_self(self._app, batch["endpoint"], line.body)
            kind = OUTPUT if status < 400 else ERRORS
            self._write(batch["id"], kind, answer_line(line.custom_id, status, body))
            counts["completed" if kind == OUTPUT else "failed"] += 1

    def _finish(self, name: str, left: list[str], counts: dict[str, int]) -> None:
        """Make files of the answers and say how it ended."""
        status = self.kept.get(name)["status"]
        if status not in OPEN:
            return
        end = "cancelled" if status == "cancelling" else "expired" if left else "completed"
        if end == "expired":
            for custom_id in left:
                message = f"it was not answered within {WINDOW}"
                self._write(name, ERRORS, unanswered_line(custom_id, code="batch_expired", message=message))
            counts["failed"] += len(left)
        files = {kind: self._filed(name, kind) for kind in (OUTPUT, ERRORS)}
        self._change(
            name,
            status=end,
            output_file_id=files[OUTPUT],
            error_file_id=files[ERRORS],
            request_counts=counts,
            usage=used(self._path(name, OUTPUT)),
            finalizing_at=now(),
            **{f"{end}_at": now()},
        )
        self._drop(name)

    def _write(self, name: str, kind: str, values: dict[str, Any]) -> None:
        path = self._path(name, kind)
        bytes_before = path.stat().st_size if path.is_file() else 0
        try:
            with path.open("ab") as file:
                file.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
        except OSError:
            # Half a line before the next would make one that cannot be read.
            with contextlib.suppress(OSError):
                os.truncate(path, bytes_before)
            raise

    def _filed(self, name: str, kind: str) -> str | None:
        path = self._path(name, kind)
        if not path.is_file():
            return None
        file, content = self._files.new_id(), path.read_bytes()
        values = {
            "id": file,
            "object": "file",
            "bytes": len(content),
            "created_at": now(),
            "filename": f"{name}_{kind}.jsonl",
            "purpose": "batch_output",
            "status": "processed",
        }
        self._files.put(file, values, content)
        return file

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}.{kind}.jsonl"

    def _drop(self, name: str) -> None:
        self._counts.pop(name, None)
        for kind in (OUTPUT, ERRORS):
            with contextlib.suppress(OSError):
                self._path(name, kind).unlink(missing_ok=True)


def used(path: Path) -> dict[str, Any]:
    """Return the tokens that the answers of a batch took."""
    asked = made = 0
    for row in kept_lines(path):
        usage = row["response"]["body"].get("usage") or {}
        asked += usage.get("prompt_tokens", usage.get("input_tokens", 0))
        made += usage.get("completion_tokens", usage.get("output_tokens", 0))
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + made,
    }


def batches_of(request: Request) -> Batches:
    """Return the batches of the server that a request came to."""
    batches: Batches = request.app.state.batches
    return batches


async def create_batch(request: Request) -> Response:
    """Take a file of requests; it is looked at soon."""
    fields, ignored = read_fields(BatchFields, await read_json(request))
    metadata, batches = checked_metadata(fields.metadata), batches_of(request)
    request.app.state.front.files.get(fields.input_file_id)
    begun = now()
    batch = {
        "id": batches.kept.new_id(),
        "object": "batch",
        "endpoint": fields.endpoint,
        "errors": None,
        "input_file_id": fields.input_file_id,
        "completion_window": fields.completion_window,
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": begun,
        "in_progress_at": None,
        "expires_at": begun + WINDOW_SECONDS,
        "finalizing_at": None,
        "completed_at": None,
        "failed_at": None,
        "expired_at": None,
        "cancelling_at": None,
        "cancelled_at": None,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "usage": None,
        "metadata": metadata,
    }
    batches.put(batch)
    return answer(batch, ignored_header(ignored))


async def list_batches(request: Request) -> Response:
    """List the batches, the newest first."""
    batches = batches_of(request)
    return answer(page([batches.shown(batch) for batch in batches.kept.all()], request))


async def one_batch(request: Request) -> Response:
    """Say how far a batch is."""
    batches = batches_of(request)
    return answer(batches.shown(batches.kept.get(request.path_params["batch"])))


async def cancel_batch(request: Request) -> Response:
    """Leave what is not asked yet; what was answered becomes a file."""
    batches = batches_of(request)
    return answer(batches.shown(batches.cancel(request.path_params["batch"])))
