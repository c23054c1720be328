"""A file in an answer, whole or the part of it that was asked for: without parts no browser moves about in a sound or a film.

One part at a time is given; what asks for several, or in another way, gets the whole, as RFC 9110 (section 14.2) allows.
"""

import re

from fastapi import Request, Response

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def part_of(asked: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last of what a header ``Range`` asks for, ``None`` for the whole.

    >>> part_of("bytes=2-", 10), part_of("bytes=-3", 10), part_of("bytes=2-4", 10), part_of("bytes=0-1,5-6", 10)
    ((2, 10), (7, 10), (2, 5), None)
    """
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    end = min(size, int(found[2]) + 1) if found[2] else size
    return (int(found[1]), end) if not found[2] or int(found[2]) >= int(found[1]) else None


def file_answer(request: Request, content: bytes, kind: str, headers: dict[str, str] | None = None) -> Response:
    """Return a file, or the part of it that is asked for.

    Args:
        request: What asks.
        content: The file.
        kind: Its media type.
        headers: More headers.
    """
    more = {"accept-ranges": "bytes", **(headers or {})}
    part = part_of(request.headers.get("range", ""), len(content))
    if part is None:
        return Response(content, media_type=kind, headers=more)
    start, end = part
    if start >= end:
        return Response(status_code=416, headers=more | {"content-range": f"bytes */{len(content)}"})
    more["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
    return Response(content[start:end], status_code=206, media_type=kind, headers=more)
