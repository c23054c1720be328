"""The process that holds one model: ``python -m makar.serving.worker``, asked by lines of JSON on stdin, answering by lines on stdout.

    front   {"model": "poe", "options": {...}, "base_url": null, "engine": "torch"}   once: which model
    worker  {"facts": {...}}  or  {"error": {...}}                                it is loaded, or why not
    front   {"id": "7", "do": "chat", ...}   {"cancel": "7"}                      work, and that nobody wants it any more
    worker  {"id": "7", "event": {...}} ... {"id": "7", "done": true}  or  {"id": "7", "error": {...}}

Every piece of work is a generator, and one thread asks each of them in turn for its next event. Texts of our own models share one running
batch meanwhile (``makar.api.together``): whoever is asked first computes the step for all, and the others find theirs done, so nobody
waits for a lock and nobody is left behind. Work that nobody wants any more is closed between two events; work that is busy inside one (an
image) is interrupted by a signal that only it can receive. When stdin ends, so does the process.
"""

import contextlib
import functools
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

from makar.api.engines import use_engine
from makar.api.model import Model, load
from makar.api.together import together
from makar.errors import MakarError
from makar.serving.engines import BESIDE
from makar.serving.problems import problem_of
from makar.serving.work import begin, facts_of

Line = dict[str, Any]


class Unwanted(BaseException):
    """Raised in the middle of work that was cancelled; no handler of errors may take it for one."""


class Worker:
    """Does the work for one model.

    Args:
        model: The loaded model.
        defaults: Controls that hold where a request says nothing.
        out: Where lines go.
    """

    def __init__(self, model: Model, defaults: dict[str, Any], out: TextIO) -> None:
        self._model = model
        self._defaults = defaults
        self._out = out
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._work: dict[str, Iterator[Line]] = {}
        self._busy_with: str | None = None
        self._unwanted: set[str] = set()

    def run(self, lines: TextIO) -> None:
        """Work until the lines end."""
        signal.signal(signal.SIGUSR1, self._interrupt)
        threading.Thread(target=self._read, args=(lines, threading.get_ident()), daemon=True).start()
        with together(self._model) if runs_together(self._model) else contextlib.nullcontext():
            while self._take():
                for name in list(self._work):
                    self._advance(name)

    def _read(self, lines: TextIO, worker: int) -> None:
        for text in lines:
            line: Line = json.loads(text)
            if "cancel" in line:
                self._unwanted.add(line["cancel"])
                signal.pthread_kill(worker, signal.SIGUSR1)
            self._lines.put(line)
        self._lines.put(None)

    def _interrupt(self, number: int, frame: Any) -> None:
        del number, frame
        # Texts are closed between two steps: a batch that is left in the middle of one would be of no use to the others.
        if self._busy_with in self._unwanted and not runs_together(self._model):
            raise Unwanted

    def _take(self) -> bool:
        """Take what was asked meanwhile; waits while there is nothing to do. Returns whether there is more to come."""
        while not self._work or not self._lines.empty():
            line = self._lines.get()
            if line is None:
                return False
            if "cancel" in line:
                work = self._work.pop(line["cancel"], None)
                if work is not None:
                    work.close()  # type: ignore[attr-defined]
                self._unwanted.discard(line["cancel"])
            else:
                name = line["id"]
                ask = {**line, "defaults": self._defaults}
                self._work[name] = begin(self._model, ask, functools.partial(self._tell, name))
        return True

    def _advance(self, name: str) -> None:
        try:
            self._busy_with = name
            event = next(self._work[name], None)
            self._busy_with = None
        except Unwanted:
            self._drop(name)
            return
        except Exception as error:
            # Whatever goes wrong belongs to this piece of work; the others go on.
            self._drop(name)
            self._say({"id": name, "error": problem_of(error)})
            return
        if event is None:
            self._drop(name)
        self._say({"id": name, "done": True} if event is None else {"id": name, "event": event})

    def _tell(self, name: str, event: Line) -> None:
        """Say something in the middle of work that nobody may be tired of meanwhile: half a line would be of no use to anybody."""
        self._busy_with = None
        self._say({"id": name, "event": event})
        self._busy_with = name
        if name in self._unwanted and not runs_together(self._model):
            raise Unwanted

    def _drop(self, name: str) -> None:
        self._busy_with = None
        del self._work[name]

    def _say(self, line: Line) -> None:
        self._out.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")
        self._out.flush()


def runs_together(model: Model) -> bool:
    """Return whether the requests of a model can share a running batch: texts, in pieces; other work is whole and can be broken off."""
    from makar.generation.request import RunsTogether

    # The family first: its weights are read before there is work, which may be interrupted at any place.
    return isinstance(model.artifact.family(), RunsTogether) and model.makes_text


def main() -> None:
    """Load the model that the first line names and do what the others ask."""
    # What any library prints must not end up between the lines.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Ctrl-C reaches the whole group of processes; the front says when this one is to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = json.loads(sys.stdin.readline() or "{}")
    if not asked:
        return
    try:
        model = load(asked["model"], base_url=asked["base_url"])
        if asked["engine"] in BESIDE:
            use_engine(model, asked["engine"], precision=asked["options"].get("precision", "float32"))
        facts = facts_of(model, asked["options"])
    except (MakarError, OSError, MemoryError) as error:
        out.write(json.dumps({"error": problem_of(error)}) + "\n")
        out.flush()
        return
    worker = Worker(model, asked["options"], out)
    worker._say({"facts": facts | {"together": runs_together(model)}})
    # The front has gone when nobody reads any more.
    with contextlib.suppress(BrokenPipeError):
        worker.run(sys.stdin)


if __name__ == "__main__":
    main()
