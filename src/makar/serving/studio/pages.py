"""The files of the studio, read once, sent with a policy under which a page can load nothing from elsewhere and run nothing inline.

They need no key, because the page has to be there to ask for it; what they show comes from routes that do. Sources: Content Security
Policy Level 3 (W3C), RFC 9110 (entity tags).
"""

import dataclasses
import gzip
import hashlib
import re
from pathlib import Path

from fastapi import Request, Response

from makar.serving.problems import Problem

FOLDER = Path(__file__).parents[1] / "pages"
INDEX = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
COMMENT = re.compile(rb"^[ \t]*(//.*|/\*.*\*/)$", re.MULTILINE)
"""One on a line of its own, of JavaScript or CSS: a tenth of what would be sent."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(self), geolocation=()",
    # Asked for again every time and mostly answered with 304: a newer Makar is never shown with older pages.
    "cache-control": "no-cache",
    "vary": "accept-encoding",
}


@dataclasses.dataclass(frozen=True)
class Page:
    """One file.

    Attributes:
        content: Its bytes.
        packed: The same, with gzip.
        kind: Its media type.
        tag: Changes with the content.
    """

    content: bytes
    packed: bytes
    kind: str
    tag: str


def read_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """Return the files of a folder by their paths, without their comments."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in TYPES:
            # An empty line stands for a comment, so that what the browser says of line 9 is line 9 here.
            content = COMMENT.sub(b"", path.read_bytes())
            tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            page = Page(content, gzip.compress(content, mtime=0), TYPES[path.suffix], tag)
            found[path.relative_to(folder).as_posix()] = page
    return found


async def index(request: Request) -> Response:
    """Give the page that shows all others."""
    return sent(request, INDEX)


async def file(request: Request) -> Response:
    """Give a file of the studio."""
    return sent(request, request.path_params["file"])


def sent(request: Request, name: str) -> Response:
    """Return a file, or that the browser has it already.

    Raises:
        Problem: There is none of that name.
    """
    pages: dict[str, Page] = request.app.state.pages
    page = pages.get(name)
    if page is None:
        raise Problem(f"the studio has no file {name[:60]!a}", status=404, code="not_found")
    headers = HEADERS | {"etag": page.tag}
    if page.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(page.packed, media_type=page.kind, headers=headers | {"content-encoding": "gzip"})
    return Response(page.content, media_type=page.kind, headers=headers)
