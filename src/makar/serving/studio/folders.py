"""Data that is brought to the studio file by file, and which other places it may read: named folders, what is built in, nothing else.

A name of a file is split at its slashes and checked part by part, so that nothing is ever written outside its folder. What is hidden (a
leading dot) is passed over, as the readers of data do.
"""

import asyncio
import errno
import shutil
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from makar.data.builtin.table import BUILT_IN
from makar.data.feedback.source import FEEDBACK_PREFIX
from makar.data.fingerprint import BUILT_IN_PREFIX
from makar.errors import OutOfSpaceError, UsageError
from makar.serving.bodies import parse_value, read_json, required_text
from makar.serving.front import answer, front_of, now
from makar.serving.problems import DENIED, Problem
from makar.serving.shelf import Shelf
from makar.serving.tuning import ENDED, trainings_of
from makar.serving.uploads import read_form, word_of

MOST_AT_ONCE = 200
"""Files of one request; a folder is sent in several."""

DEEPEST_FOLDER, LONGEST_PART = 16, 200
KIND = "folder-"


class Folders:
    """The folders that were brought.

    Args:
        shelf: Where they are.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def place(self, name: str) -> Path:
        """Return where the files of a folder lie; its last part is the name that it was brought with.

        Raises:
            Problem: There is no such folder.
        """
        return self.shelf.content_path(f"{name}.files") / str(self.shelf.get(name)["name"])

    def add(self, name: str, files: list[tuple[str, bytes]]) -> dict[str, Any]:
        """Put files into a folder.

        Args:
            name: Its id.
            files: Path and content of each.

        Raises:
            UsageError: A path leaves the folder.
            OutOfSpaceError: The disk is full.
        """
        values, root = self.shelf.get(name), self.place(name)
        for path, content in files:
            parts = safe_parts(path)
            if any(part.startswith(".") for part in parts):
                continue
            place = root.joinpath(*parts)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise OutOfSpaceError("the disk is full", do="free some space") from error
                raise UsageError(f"the file {path[:80]!a} cannot be kept", expected="names of files") from error
            values["files"] += 1
            values["bytes"] += len(content)
        self.shelf.put(name, values)
        return values

    def remove(self, name: str) -> None:
        """Delete a folder with all its files.

        Raises:
            Problem: There is no such folder.
        """
        files = self.place(name).parent
        # The document goes first: what is left of the files after a crash is in no list.
        self.shelf.remove(name)
        shutil.rmtree(files, ignore_errors=True)


def safe_parts(path: str) -> list[str]:
    """Return the parts of a path that stays where it is put.

    >>> safe_parts("cats/one.png")
    ['cats', 'one.png']

    Raises:
        UsageError: It does not.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    is_fit = all(part != ".." and part.isprintable() and len(part.encode()) <= LONGEST_PART for part in parts)
    if not parts or not is_fit or len(parts) > DEEPEST_FOLDER or ":" in parts[0]:
        raise UsageError(f"a file called {path[:80]!a}", expected="a path inside the folder")
    return parts


def folders_of(request: Request) -> Folders:
    """Return the folders of the server that a request came to."""
    folders: Folders = request.app.state.folders
    return folders


def source_of(request: Request, source: str) -> str:
    """Return what the shell is to read for a source.

    Args:
        request: The request.
        source: A folder that was brought, ``builtin:NAME``, ``feedback:NAME``, or a path inside a folder that was named at the start.

    Raises:
        Problem: It is none of these.
    """
    if source.startswith((BUILT_IN_PREFIX, FEEDBACK_PREFIX)):
        return source
    if source.startswith(KIND):
        return str(folders_of(request).place(source))
    allowed = front_of(request).rules.data_folders
    # Followed to its end before it is compared, so that no link and no ".." leads out of what is allowed.
    try:
        place = Path(source).expanduser().resolve()
    except (RuntimeError, OSError, ValueError) as error:
        raise UsageError(f"data at {source[:100]!a}", expected="a path that can be one") from error
    if not any(place == folder or folder in place.parents for folder in allowed):
        shown = ", ".join(map(str, allowed)) or "none: start the server with --data FOLDER"
        raise Problem(
            f"data at {source[:100]!a}",
            status=403,
            code="foreign_folder",
            expected=f"a folder that is brought here, builtin:NAME, or a path inside: {shown}",
            kind=DENIED,
        )
    if not place.exists():
        raise Problem(f"there is nothing at {source[:100]!a}", status=404, code="not_found")
    return str(place)


async def create_folder(request: Request) -> Response:
    """Begin a folder; its files follow."""
    given = await read_json(request)
    name = word_of(required_text(given.get("name", "data"), param="name"))
    safe_parts(name)
    shelf = folders_of(request).shelf
    collection = given.get("collection")
    if collection is not None:
        # What is added to a collection later lies beside what was added before: its index sees what is new by that.
        same = (one for one in shelf.all() if one["collection"] == collection)
        if (there := next(same, None)) is not None:
            return answer(there)
        name = required_text(collection, param="collection")
        safe_parts(name)
    folder = shelf.new_id()
    values = {
        "id": folder,
        "object": "folder",
        "name": name,
        "collection": collection,
        "created_at": now(),
        "files": 0,
        "bytes": 0,
    }
    shelf.put(folder, values)
    return answer(values)


async def add_files(request: Request) -> Response:
    """Put files into a folder: parts called file, and paths, a list of their paths in JSON."""
    texts, files = await read_form(request, most_files=MOST_AT_ONCE)
    given: list[UploadFile] = [file for name, file in files if name == "file"]
    try:
        paths = parse_value(texts.get("paths", "null"))
    except Problem as error:
        raise UsageError("paths that are no JSON", expected="a list of the paths of the files") from error
    if not isinstance(paths, list) or len(paths) != len(given) or not all(isinstance(path, str) for path in paths):
        raise UsageError(f"{len(given)} files with other paths", expected="paths: one for each file, in their order")
    contents = [(path, await file.read()) for path, file in zip(paths, given)]
    return answer(folders_of(request).add(request.path_params["folder"], contents))


async def delete_folder(request: Request) -> Response:
    """Delete a folder with all its files, unless a training that is not over learns from it."""
    folders, name = folders_of(request), request.path_params["folder"]
    place = await asyncio.to_thread(folders.place, name)
    jobs = await asyncio.to_thread(trainings_of(request).jobs.all)
    for job in jobs:
        if job["status"] not in ENDED and str(place) in (job.get("words") or ()):
            raise Problem(
                f"{Path(job['output']).name} learns from these files",
                status=409,
                code="in_use",
                do="stop the training first, or wait until it has ended",
            )
    await asyncio.to_thread(folders.remove, name)
    return answer({"id": name, "object": "folder", "deleted": True})


async def places(request: Request) -> Response:
    """Say what there is to read data from."""
    rules = front_of(request).rules
    built_in = [
        {"name": f"{BUILT_IN_PREFIX}{name}", "medium": medium, "meaning": meaning}
        for name, (_, medium, meaning) in BUILT_IN.items()
    ]
    inside = [str(folder) for folder in rules.data_folders]
    found = [
        str(path)
        for folder in rules.data_folders
        for path in sorted(folder.iterdir())[:200]
        if path.is_dir() and not path.name.startswith(".")
    ]
    return answer(
        {"built_in": built_in, "folders": inside, "inside": found, "brought": folders_of(request).shelf.all()}
    )
