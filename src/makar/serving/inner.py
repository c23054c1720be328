"""Requests that the server asks itself: batches and evaluations go through the very routes and are read, counted and answered alike."""

import asyncio
import json
import logging
from typing import Any

from starlette.types import ASGIApp, Message, Scope

LOG = logging.getLogger("makar.serving")
INNER = "makar.inner"
"""What marks such a request; it stands beside what comes from outside and not within it, so nobody outside can set it."""

PATIENCE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""How long is waited before a request that found no room is asked again."""

BUSY = (429, 503)


async def ask_self(app: ASGIApp, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Ask a route with a body of JSON; return status and answer. Where there is no room it is asked again a few times.

    Args:
        app: The application.
        path: The route.
        body: What is asked; no stream.
    """
    status, answer = await _asked(app, path, body)
    for seconds in PATIENCE_SECONDS:
        if status not in BUSY:
            break
        await asyncio.sleep(seconds)
        status, answer = await _asked(app, path, body)
    return status, answer


async def _asked(app: ASGIApp, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    content = json.dumps(body).encode()
    waiting: asyncio.Queue[Message] = asyncio.Queue()
    waiting.put_nowait({"type": "http.request", "body": content, "more_body": False})
    status, parts = 500, list[bytes]()

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())],
        "client": None,
        "server": None,
        "state": {},
        INNER: True,
    }
    # Nothing more comes and nobody goes: whoever waits for that waits as long as the request lasts. What is unforeseen was answered and
    # noted by the application, which raises it once more for whoever serves it.
    try:
        await app(scope, waiting.get, send)
    except Exception as error:
        LOG.warning("%s asked by the server itself failed: %s", path, type(error).__name__)
    answer: dict[str, Any] = json.loads(b"".join(parts) or b"{}")
    return status, answer
