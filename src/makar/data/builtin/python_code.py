"""Source code that every Python carries: the modules of its standard library, without tests and third-party packages."""

import functools
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from makar.data.document import Document, Found, Skip, Source
from makar.data.text_stream import decoded, parts

LICENCE = "PSF-2.0"
LEFT_OUT = frozenset(
    (
        "test",
        "tests",
        "idle_test",
        "site-packages",
        "dist-packages",
        "lib2to3",
        "__pycache__",
        "pydoc_data",
        "turtledemo",
    )
)


def library_files() -> Iterator[tuple[str, Path]]:
    """Yield name and path of every module of the standard library, sorted."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if not LEFT_OUT.intersection(inside.parts) and not inside.parts[0].startswith("config-"):
            yield inside.as_posix(), path


class PythonCodeSource(Source):
    """One document a module."""

    name, medium = "python-code", "code"

    def __init__(self) -> None:
        listed = list(library_files())
        version = ".".join(map(str, sys.version_info[:3]))
        self.found = Found(
            files={"python": len(listed)},
            bytes={"python": sum(path.stat().st_size for _, path in listed)},
            licences=[{"licence": LICENCE, "stated_in": f"LICENSE of Python {version}", "how": "built in"}],
            notes=[f"standard library of Python {version}"],
        )

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield the modules."""
        del skip
        for name, path in library_files():
            yield Document(name=name, read=functools.partial(_read, path), licence=LICENCE, language="python")

    def identity(self) -> Iterator[str]:
        """Yield the sha256 of every module."""
        for name, path in library_files():
            yield f"{name}\t{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _read(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        yield from parts(decoded(stream))
