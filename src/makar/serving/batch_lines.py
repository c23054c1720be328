"""The file of a batch: lines of JSON that are requests, read with every mistake by its line, and the lines of its answers."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.serving.bodies import parse_object
from makar.serving.front import new_id
from makar.serving.problems import Problem

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/images/generations",
)
MOST_REQUESTS = 50_000
MOST_ERRORS = 100
LONGEST_ID = 512
WINDOW = "24h"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchFields(Config):
    """Body of POST /v1/batches."""

    kind: ClassVar[str] = ""

    input_file_id: str = setting(meaning="id of an uploaded file of requests, one a line")
    endpoint: str = setting(meaning="the route that all of them ask", choices=ENDPOINTS)
    completion_window: str = setting(meaning="what is not answered by then is given up", choices=(WINDOW,))
    metadata: dict | None = setting(None, meaning="kept with it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A request of a batch.

    Attributes:
        custom_id: What its answer is told by.
        body: What is asked.
    """

    custom_id: str
    body: dict[str, Any]


def read_lines(content: bytes, endpoint: str) -> tuple[list[Line], list[dict[str, Any]]]:
    """Return the requests of a file, and what is wrong with it.

    Args:
        content: The file.
        endpoint: The route that every request has to ask.
    """
    lines, errors, known = list[Line](), list[dict[str, Any]](), set[str]()
    for number, row in enumerate(content.splitlines(), 1):
        if not row.strip():
            continue
        try:
            line = _line(row, endpoint)
            if line.custom_id in known:
                raise _wrong(f'the custom_id "{line.custom_id[:60]}" comes twice', "duplicate_custom_id", "custom_id")
        except Problem as problem:
            message = "; expected: ".join(filter(None, [problem.came, problem.expected]))
            errors.append({"code": problem.code, "line": number, "message": message, "param": problem.param})
            if len(errors) == MOST_ERRORS:
                break
            continue
        known.add(line.custom_id)
        lines.append(line)
        if len(lines) > MOST_REQUESTS:
            message = f"more than {MOST_REQUESTS:,} requests"
            return [], [{"code": "too_many_requests", "line": number, "message": message, "param": None}]
    if not lines and not errors:
        errors.append({"code": "empty_file", "line": None, "message": "there are no requests in it", "param": None})
    return lines, errors


def _line(row: bytes, endpoint: str) -> Line:
    values = parse_object(row)
    name, body = values.get("custom_id"), values.get("body")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        raise _wrong("a request without custom_id", "invalid_custom_id", "custom_id", "a text that no other has")
    if values.get("method") != "POST":
        raise _wrong(f"the method {str(values.get('method'))[:20]!a}", "invalid_method", "method", "POST")
    if values.get("url") != endpoint:
        raise _wrong(f"the url {str(values.get('url'))[:60]!a}", "mismatched_endpoint", "url", endpoint)
    if not isinstance(body, dict):
        raise _wrong("a request without body", "invalid_body", "body", "an object")
    if body.get("stream"):
        raise _wrong("a stream", "invalid_body", "body.stream", "none: nobody listens")
    return Line(custom_id=name, body=body)


def _wrong(came: str, code: str, param: str, expected: str = "") -> Problem:
    return Problem(came, status=400, code=code, param=param, expected=expected)


def answer_line(custom_id: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a request as a line of a file."""
    response = {"status_code": status, "request_id": new_id("req_"), "body": body}
    error = body.get("error") if status >= 400 else None
    told = None if not isinstance(error, dict) else {"code": error.get("code"), "message": error.get("message")}
    return {"id": new_id("batch_req_"), "custom_id": custom_id, "response": response, "error": told}


def unanswered_line(custom_id: str, *, code: str, message: str) -> dict[str, Any]:
    """Return that a request was never asked as a line of a file."""
    return {
        "id": new_id("batch_req_"),
        "custom_id": custom_id,
        "response": None,
        "error": {"code": code, "message": message},
    }


def kept_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a file that is written to; what a kill has left of the last one is cut off."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    for row in whole.splitlines():
        yield json.loads(row)
