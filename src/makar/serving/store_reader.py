"""A process that reads one file into an index: ``python -m makar.serving.store_reader``, told by one line of JSON, answering by one.

A file that somebody uploaded is a program for its parser: it may loop, or ask for more memory than there is. Here it costs a process with
limits and nothing else. No network is used, nothing of the file is executed.

    told      {"index": "...", "file": "...", "id": "file-...", "filename": "notes.pdf", "words": 160, "overlap": 0.15}
    answers   {"passages": 12, "characters": 8211}   or   {"error": {"code": "unsupported_file", "message": "..."}}
"""

import contextlib
import hashlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

from makar.data.entries import Entry
from makar.data.sniffing import HEAD_BYTES, sniff, suffix_of
from makar.errors import DataError, MakarError
from makar.retrieval.chunking import passages
from makar.retrieval.office import OFFICE
from makar.retrieval.reading import read_entry
from makar.retrieval.sqlite_index import SqliteIndex

MOST_MEMORY_BYTES = 4 << 30
MOST_SECONDS = 600
READ = ("text", "code", "table")
LONGEST_MESSAGE = 500


def read_into(told: dict[str, Any]) -> dict[str, Any]:
    """Read a file into an index, in the place of what was there under its id.

    Args:
        told: What the front said.
    """
    path, name = Path(told["file"]), str(told["filename"])
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    kind = sniff(name, head)
    entry = Entry(name=name, kind=kind, size_bytes=path.stat().st_size, head=head, stream=None, path=path)
    is_known = kind.group in READ or head[:5] == b"%PDF-" or suffix_of(name) in {"pdf", *OFFICE}
    index = SqliteIndex.open(Path(told["index"]))
    with contextlib.closing(index):
        try:
            # A row of a table that cannot be read is passed over; the others are there.
            found = passages(read_entry(entry, lambda where, why: None), words=told["words"], overlap=told["overlap"])
            if not found:
                raise DataError("no text")
        except DataError as error:
            message = "; do: ".join(filter(None, [error.came, error.do]))[:LONGEST_MESSAGE]
            return {"error": {"code": "invalid_file" if is_known else "unsupported_file", "message": message}}
        title = " ".join(Path(name).stem.replace("_", " ").replace("-", " ").split())
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        size = entry.size_bytes
        index.replace(told["id"], found, title=title, size=size, modified=0, sha256=sha256, form=kind.form)
    return {"passages": len(found), "characters": sum(len(passage.text) for passage in found)}


def limit_itself() -> None:
    """Keep this process within what reading a file may take."""
    for which, most in ((resource.RLIMIT_AS, MOST_MEMORY_BYTES), (resource.RLIMIT_CPU, MOST_SECONDS)):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    """Read the file that the line on stdin names."""
    limit_itself()
    told = json.loads(sys.stdin.readline())
    try:
        found = read_into(told)
    except MakarError as error:
        found = {"error": {"code": "server_error", "message": error.came[:LONGEST_MESSAGE]}}
    except MemoryError:
        found = {"error": {"code": "invalid_file", "message": "reading it takes more memory than a file may"}}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
