"""Scripts read aloud in the background, as ``makar speak`` does it: each by a process of its own, with its progress, kept when it is made.

A process may hold several models and is none of the pool; one script is read at a time. What is deleted meanwhile ends it.
"""

import asyncio
import base64
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from makar.data.video_file import TYPES
from makar.errors import UnsupportedError, UsageError
from makar.generation.library import CREATE
from makar.provenance.embedding import sidecar_path
from makar.serving.front import Front
from makar.serving.in_turn import Document, InTurn, Progress
from makar.serving.keeping import NOT_KEPT, SOUND_TYPE, Keeping, keep_content
from makar.serving.places import REMOTE, Place
from makar.serving.pool import Pool
from makar.serving.process import Event, failed, own_environment
from makar.serving.shelf import Shelf

MOST_OPEN = 50
"""Scripts that may wait."""

MOST_READINGS = 1000
"""That are kept; the oldest give way."""

LONGEST_LINE = 1 << 22
"""Bytes of a line from a process: the text of a document."""

FILES = ("drawing", "consent")
"""What may come beside a script."""

MADE = "made"


class Readings:
    """The scripts that a server reads aloud.

    Args:
        kept: Where they are kept.
    """

    def __init__(self, kept: Shelf) -> None:
        self.line = InTurn(kept, self._made, noun="scripts", most_open=MOST_OPEN)

    async def _made(self, front: Front, reading: Document, progress: Progress) -> tuple[Document, bytes]:
        ask, started = reading["ask"], 0.0
        given = {"drawing": self.line.kept.content(reading["id"]) if ask["has_drawing"] else None}
        given["consent"] = None if ask["consent"] is None else base64.b64decode(ask["consent"])
        with tempfile.TemporaryDirectory(prefix="makar-reading-") as place:
            told = {name: ask[name] for name in ("script", "seed", "options", "mouth")}
            told |= {name: _written(Path(place) / name, content) for name, content in given.items()}
            told["voices"] = {name: source_of(front.pool, said)[1] for name, said in ask["voices"].items()}
            if ask["vocoder"] is not None:
                told["options"] = told["options"] | {"vocoder": front.pool.place(ask["vocoder"]).source}
            told |= {"form": f".{reading['form']}", "out": f"{place}/{MADE}.{reading['form']}"}
            made: Path | None = None
            async with contextlib.aclosing(lines_of(told)) as lines:
                async for line in lines:
                    if "step" in line:
                        # What comes before is no part of how fast the voice is.
                        started = started or time.perf_counter()
                        progress.take(line["step"], line["steps"])
                    else:
                        made = Path(line[MADE])
            assert made is not None, "a process that ends well has made it"
            content = await asyncio.to_thread(made.read_bytes)
            signed = json.loads(sidecar_path(made).read_bytes())
        kind = TYPES.get(reading["form"], SOUND_TYPE)
        statement, event = signed["manifest"], {"manifest": signed}
        keeping = Keeping(model=reading["model"], kind=CREATE, prompts=(ask["script"],), shows_manifest=True)
        await keep_content(front.library, keeping, event, content, kind, seconds=time.perf_counter() - started)
        lost = {NOT_KEPT: event[NOT_KEPT]} if NOT_KEPT in event else {}
        said = {
            "asset": statement["id"],
            "type": kind,
            "medium": statement["medium"],
            "seed": ask["seed"],
            "novelty": statement["novelty"],
            "chapters": statement["edit"]["chapters"],
            "is_kept": not lost,
            **lost,
        }
        # What is in the library lies nowhere twice, and the drawing is needed no more.
        return {"makar": said}, content if lost else b""


def source_of(pool: Pool, said: str) -> tuple[Place, str]:
    """Return the model of a voice and what ``makar speak`` calls the voice.

    Args:
        pool: The models of the server.
        said: ``MODEL``, or ``MODEL:LABEL`` for one of its voices.

    Raises:
        Problem: There is no such model.
        UsageError: No label stands behind the colon.
        UnsupportedError: It makes no sound.
    """
    name, colon, label = (said, "", "") if said in {place.name for place in pool.places} else said.rpartition(":")
    place = pool.place(name if colon else said)
    if colon and not label:
        raise UsageError(f"the voice {said[:60]!a}", expected="MODEL, or MODEL:LABEL")
    if place.medium != "sound" or place.source.startswith(REMOTE):
        raise UnsupportedError(
            f"{place.name} as a voice, which makes {place.medium}", expected='a model of the recipe "speech" or a VITS'
        )
    return place, f"{place.source}{colon}{label}"


async def lines_of(told: Event) -> AsyncGenerator[Event]:
    """Yield what a ``speaker`` answers; whoever stops early ends it.

    Args:
        told: What it is told.

    Raises:
        Problem: It was refused, or the process died.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "makar.serving.studio.speaker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=own_environment(),
        limit=LONGEST_LINE,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(told).encode() + b"\n")
        is_over = False
        async for text in process.stdout:
            line = json.loads(text)
            if "error" in line:
                raise failed(line["error"])
            is_over = "step" not in line
            yield line
        if not is_over:
            raise failed(None)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _written(path: Path, content: bytes | None) -> str | None:
    if content is None:
        return None
    path.write_bytes(content)
    return str(path)
