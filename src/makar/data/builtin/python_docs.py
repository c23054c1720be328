"""English prose about Python that every Python carries: the language reference (``pydoc_data.topics``) and the docstrings of the
standard library, read from its source without importing it.
"""

import ast
import functools
import hashlib
import sys
import tokenize
from collections.abc import Iterator

from makar.data.builtin.python_code import library_files
from makar.data.document import Document, Found, Skip, Source
from makar.data.text_stream import parts

LICENCE = "PSF-2.0"
LEAST_CHARACTERS = 400


class PythonDocsSource(Source):
    """One document a topic of the reference and one a module."""

    name, medium = "python-docs", "text"

    def __init__(self) -> None:
        from pydoc_data.topics import topics

        self._topics = {f"topics/{name}": text for name, text in sorted(topics.items())}
        version = ".".join(map(str, sys.version_info[:3]))
        self.found = Found(
            files={"topics": len(self._topics)},
            bytes={"topics": sum(len(text.encode()) for text in self._topics.values())},
            licences=[{"licence": LICENCE, "stated_in": f"LICENSE of Python {version}", "how": "built in"}],
            notes=[f"language reference and docstrings of Python {version}"],
        )

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield the topics, then the documentation of each module."""
        del skip
        for name, text in (*self._topics.items(), *self._docstrings().items()):
            yield Document(name=name, read=functools.partial(_parts, text), licence=LICENCE)

    def identity(self) -> Iterator[str]:
        """Yield the sha256 of every document."""
        for name, text in (*self._topics.items(), *self._docstrings().items()):
            yield f"{name}\t{hashlib.sha256(text.encode()).hexdigest()}"

    @functools.cache  # noqa: B019 - one small data set lives as long as the process anyway
    def _docstrings(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, path in library_files():
            # Modules at the top are the documented ones; parsing the packages below too would take ten seconds.
            if "/" not in name:
                try:
                    with tokenize.open(path) as lines:
                        text = module_documentation(lines.read())
                except (OSError, SyntaxError, ValueError) as error:
                    self.found.warn(f"{name} cannot be read: {error}")
                    continue
                if len(text) >= LEAST_CHARACTERS:
                    found[f"docstrings/{name}"] = text
        return found


def module_documentation(source: str) -> str:
    """Return the docstrings of a module, its classes and its functions, each under its name.

    >>> module_documentation('"Top."\\ndef f(x):\\n    "Double."\\n    return 2 * x\\n')
    'Top.\\n\\nf(x)\\n\\nDouble.\\n'
    """
    pieces: list[str] = []
    _collect(ast.parse(source), "", pieces)
    return "\n\n".join(pieces) + "\n" if pieces else ""


def _collect(node: ast.AST, title: str, pieces: list[str]) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node)
        if text:
            pieces += [title, text] if title else [text]
        for child in node.body:
            if isinstance(child, ast.ClassDef):
                _collect(child, f"class {child.name}", pieces)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                _collect(child, f"{child.name}({ast.unparse(child.args)})", pieces)


def _parts(text: str) -> Iterator[str]:
    return parts(iter([text]))
