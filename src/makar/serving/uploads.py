"""Forms with files: /v1/files, and the images of edits. A form is read with limits on its parts, and names of files are only words."""

import re
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from makar.errors import ConfigError, UsageError
from makar.serving.bodies import check_text, ignored_header
from makar.serving.front import answer, front_of, now
from makar.serving.problems import Problem

MOST_FILES, MOST_FIELDS = 16, 64
LONGEST_FIELD = 1 << 20
LONGEST_NAME = 255
PURPOSES = ("fine-tune", "batch", "assistants", "evals", "user_data", "vision")
MOST_LISTED = 10_000


async def read_form(
    request: Request, *, most_files: int = MOST_FILES
) -> tuple[dict[str, str], list[tuple[str, UploadFile]]]:
    """Return the texts of a form by name, and its files with their names.

    Args:
        request: The request.
        most_files: Files that it may have.

    Raises:
        Problem: It is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Problem(
            f'a body of type "{kind[:80]}"', status=415, code="unsupported_type", expected="multipart/form-data"
        )
    try:
        form = await request.form(max_files=most_files, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD)
    except (HTTPException, UnicodeDecodeError, KeyError) as error:
        raise Problem(
            "the form cannot be read", status=400, code="invalid_body", expected="a form with files"
        ) from error
    texts: dict[str, str] = {}
    files: list[tuple[str, UploadFile]] = []
    for name, value in form.multi_items():
        check_text(name)
        if isinstance(value, UploadFile):
            files.append((name, value))
        else:
            check_text(value)
            texts[name] = value
    return texts, files


def word_of(name: str | None) -> str:
    """Return the name of an uploaded file as a word that is shown and never used as a path."""
    last = re.split(r"[/\\]", name or "")[-1]
    return "".join(letter for letter in last if letter.isprintable())[:LONGEST_NAME] or "file"


async def create_file(request: Request) -> Response:
    """Keep a file."""
    texts, files = await read_form(request)
    if [name for name, _ in files] != ["file"]:
        raise UsageError(f"{len(files)} files", expected="one file named file")
    purpose = texts.get("purpose", "")
    if purpose not in PURPOSES:
        raise Problem(
            f"the purpose {purpose[:40]!a}",
            status=400,
            code="invalid_value",
            expected=", ".join(PURPOSES),
            param="purpose",
        )
    content = await files[0][1].read()
    shelf = front_of(request).files
    name = shelf.new_id()
    values = {
        "id": name,
        "object": "file",
        "bytes": len(content),
        "created_at": now(),
        "filename": word_of(files[0][1].filename),
        "purpose": purpose,
        "status": "processed",
    }
    shelf.put(name, values, content)
    return answer(values, ignored_header(sorted(set(texts) - {"purpose"})))


async def list_files(request: Request) -> Response:
    """List the files that were uploaded, the newest first."""
    purpose = request.query_params.get("purpose")
    found = [one for one in front_of(request).files.all() if purpose in (None, one["purpose"])]
    return answer(page(found, request))


def page(found: list[dict[str, Any]], request: Request, *, usual: str = "desc") -> dict[str, Any]:
    """Return a page of a list, as ``limit``, ``after``, ``before`` and ``order`` ask for it.

    Args:
        found: Everything, the newest first.
        request: What asks.
        usual: The order where none is asked for.

    Raises:
        UsageError: The limit is no number, or the order is none.
    """
    asked = request.query_params
    limit, order = asked.get("limit", str(MOST_LISTED)), asked.get("order", usual)
    count = limit_of(limit, most=MOST_LISTED)
    if order not in ("asc", "desc"):
        raise UsageError(f"the order {order[:20]!a}", expected="asc or desc")
    rows = found if order == "desc" else found[::-1]
    places = {one["id"]: place for place, one in enumerate(rows)}
    after = asked.get("after", "")
    start = places[after] + 1 if after in places else _behind(after, list(places), order)
    if asked.get("before", "") in places:
        end = places[asked["before"]]
        start = max(start, end - count)
    else:
        end = len(rows)
    shown = rows[start : min(end, start + count)]
    return {
        "object": "list",
        "data": shown,
        "has_more": start + len(shown) < end,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def _behind(after: str, ids: list[str], order: str) -> int:
    """Return where a list goes on behind what is not in it any more, which somebody who deletes what he was shown asks for."""
    if not after or ids != sorted(ids, reverse=order == "desc"):
        return 0
    return next((place for place, one in enumerate(ids) if (one < after) == (order == "desc")), len(ids))


def filter_of(request: Request, name: str, known: tuple[str, ...]) -> str | None:
    """Return what a list is narrowed to, ``None`` where nothing asks for that.

    Raises:
        ConfigError: It is not one of those that are known.
    """
    asked = request.query_params.get(name)
    if asked is not None and asked not in known:
        raise ConfigError(f"{name} is {asked[:40]!a}", expected=", ".join(known))
    return asked


def limit_of(text: str, *, most: int) -> int:
    """Return how many a list is to show at most.

    Raises:
        UsageError: It is no such number.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= most):
        raise UsageError(f"the limit {text[:20]!a}", expected=f"1 to {most}")
    return int(text)


async def one_file(request: Request) -> Response:
    """Describe a file."""
    return answer(front_of(request).files.get(request.path_params["file"]))


async def file_content(request: Request) -> Response:
    """Give a file back, as bytes that no browser takes for a page."""
    content = front_of(request).files.content(request.path_params["file"])
    headers = {"content-disposition": "attachment"}
    return Response(content, media_type="application/octet-stream", headers=headers)


async def delete_file(request: Request) -> Response:
    """Delete a file."""
    name = request.path_params["file"]
    if request.app.state.batches.needs(name):
        raise Problem(
            "a batch reads it", status=409, code="invalid_state", do="cancel the batch, or wait until it is over"
        )
    front_of(request).files.remove(name)
    return answer({"id": name, "object": "file", "deleted": True})
