"""What stands before every route: who may ask, from which page, how much and how often; and it counts what is answered.

Decisions. (1) Without a key the server listens on this machine only, and the header ``Host`` must name it, so that a page of a site whose
name was pointed here (DNS rebinding) gets nothing. (2) A request with an ``Origin`` that is neither the server's own nor named at the
start is refused: browsers send it, programs do not. (3) With a key every route needs it but ``/health`` and
the files of the studio, which have to be there to ask for it; keys are compared in constant
time. (4) A body is cut off at its limit while it comes, whatever it says of its length. (5) Refusals have the shape of every error.
"""

import asyncio
import collections
import dataclasses
import hmac
import logging
import secrets
import time
from pathlib import Path
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from makar.errors import MakarError
from makar.serving.figures import Figures
from makar.serving.inner import INNER
from makar.serving.problems import DENIED, LIMITED, Problem, problem_of, retry_headers

LOG = logging.getLogger("makar.serving")
OPEN_PATHS = ("/health", "/")
OPEN_START = "/studio/"
"""Files of the studio: they are the same for everybody and hold nothing."""

LOOKED_AT = ("/makar/v1/assets/", "/makar/v1/readings/", "/makar/v1/runs", "/v1/videos/")
"""What the studio looks at by the dozen and no model works for: pictures of the gallery, how far something is."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
GONE = 499
"""What a client that has gone is counted as."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODY_SECONDS = 60.0
"""How long a client may take to send a body."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What is allowed.

    Attributes:
        key: What a client has to know; ``None`` where the server listens on this machine only.
        origins: Origins of pages that may ask beside the server's own.
        requests_per_minute: Of one client, but for looking at what there is; 0 is any number.
        most_bytes: Of a body of JSON.
        most_upload_bytes: Of a body with files.
        data_folders: What the studio may read data from, beside what is brought to it.
    """

    key: str | None = None
    origins: tuple[str, ...] = ()
    requests_per_minute: int = 0
    most_bytes: int = 8 << 20
    most_upload_bytes: int = 64 << 20
    data_folders: tuple[Path, ...] = ()


class Guard:
    """The middleware.

    Args:
        app: What it guards.
        rules: What is allowed.
        figures: Counts requests.
    """

    def __init__(self, app: ASGIApp, *, rules: Rules, figures: Figures) -> None:
        self._app = app
        self._rules = rules
        self._figures = figures
        self._asked: dict[str, collections.deque[float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        started, name = time.perf_counter(), f"req_{secrets.token_hex(12)}"
        status = GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = name
                headers["openai-processing-ms"] = str(round(1000 * (time.perf_counter() - started)))
                headers["x-content-type-options"] = "nosniff"
                # A page of another site must not even show what is made here.
                headers["cross-origin-resource-policy"] = "same-origin"
            await send(message)

        body = _Body(receive, most=self._most(scope))
        try:
            if INNER not in scope:
                self._check(scope, body.most)
            await self._app(scope, body.receive, sending)
        except Exception as error:
            if status != GONE:
                raise
            if not isinstance(error, MakarError):
                LOG.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            await self._refuse(error, scope, receive, sending)
        finally:
            route = scope.get("route")
            path = "other" if route is None else route.path
            # Any word may stand there; what is counted must not grow with what strangers send.
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._figures.answered(path, method, status, time.perf_counter() - started)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        problem = problem_of(error)
        headers = retry_headers(problem["status"])
        if problem["status"] == 413:
            headers["connection"] = "close"
        answer = JSONResponse({"error": problem["error"]}, status_code=problem["status"], headers=headers)
        await answer(scope, receive, send)

    def _most(self, scope: Scope) -> int:
        kind = Headers(scope=scope).get("content-type", "")
        is_upload = kind.startswith("multipart/form-data")
        return self._rules.most_upload_bytes if is_upload else self._rules.most_bytes

    def _check(self, scope: Scope, most: int) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        self._check_origin(headers)
        # Before it asks, a browser asks whether a page of another origin may, and leaves the key out.
        is_preflight = scope["method"] == "OPTIONS" and headers.get("origin") in self._rules.origins
        is_open = scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_START)
        if not is_open and not is_preflight:
            self._check_key(headers)
            self._check_rate(headers, scope)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20) or int(length) > most:
            raise too_large(most)

    def _check_host(self, headers: Headers) -> None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname if _is_host(headers.get("host", "")) else None
        if self._rules.key is None and host not in LOOPBACK:
            raise Problem(
                "the header Host names another machine",
                status=403,
                code="foreign_host",
                expected="127.0.0.1, localhost or ::1: without a key the server is for this machine only",
                kind=DENIED,
            )

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or origin in self._rules.origins:
            return
        if origin in (f"http://{headers.get('host', '')}", f"https://{headers.get('host', '')}"):
            return
        raise Problem(
            f"a page of {origin[:100]!r} asks",
            status=403,
            code="foreign_origin",
            expected="a page of this server, or of an --origin named at its start",
            kind=DENIED,
        )

    def _check_key(self, headers: Headers) -> None:
        if self._rules.key is None:
            return
        word, _, given = headers.get("authorization", "").partition(" ")
        if word.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._rules.key.encode()):
            raise Problem(
                "no key, or another one",
                status=401,
                code="invalid_api_key",
                expected="Authorization: Bearer KEY",
                kind=DENIED,
            )

    def _check_rate(self, headers: Headers, scope: Scope) -> None:
        most = self._rules.requests_per_minute
        if not most or (scope["method"] in ("GET", "HEAD") and scope["path"].startswith(LOOKED_AT)):
            return
        client = (scope.get("client") or ("unknown", 0))[0]
        now = time.monotonic()
        if len(self._asked) > 4096:
            self._asked = {who: times for who, times in self._asked.items() if times and times[-1] > now - 60}
        times = self._asked.setdefault(client, collections.deque())
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= most:
            raise Problem(
                f"{len(times)} requests within a minute",
                status=429,
                code="rate_limit_exceeded",
                expected=f"at most {most}",
                do=f"ask again in {60 - (now - times[0]):.0f} s",
                kind=LIMITED,
            )
        times.append(now)


class _Body:
    """Counts what comes, and does not wait for ever."""

    def __init__(self, receive: Receive, *, most: int) -> None:
        self.most = most
        self._receive = receive
        self._read = 0
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next part of the body, or that the client has gone."""
        if self._is_whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), BODY_SECONDS)
        except TimeoutError as error:
            raise Problem("the body does not come", status=408, code="timeout", do="send it faster") from error
        if message["type"] == "http.disconnect":
            # Nobody reads the answer; it is only not to be taken for an error inside.
            raise Problem("the client has gone in the middle of its body", status=GONE, code="gone")
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._read > self.most:
                raise too_large(self.most)
        return message


def too_large(most: int) -> Problem:
    """Return the error of a body beyond its limit."""
    return Problem(
        "the body is too large",
        status=413,
        code="body_too_large",
        expected=f"at most {most} bytes",
        do="start the server with a higher limit",
    )


def _is_host(text: str) -> bool:
    return 0 < len(text) < 256 and text.isascii() and text.isprintable() and not set(text) & set("/?#@\\ ")
