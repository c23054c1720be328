"""``predict`` for models that read text: one row a text; nothing is made, so nothing is signed.

An input that is the name of a file is the text in that file, a folder stands for its text files, ``-`` for the lines of the standard input;
everything else is itself the text.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from makar.artifacts.artifact import Artifact
from makar.codecs.codec import Codec
from makar.errors import DataError, EmptyDataError, UnsupportedError
from makar.nn.threads import threads_for

SUFFIXES = (".txt", ".md", ".text")
LARGEST_BYTES = 64 << 20
STDIN = "-"


@runtime_checkable
class ReadsText(Protocol):
    """A family that says something of a text."""

    def read_text(self, text: str, codec: Any, *, query: str | None) -> dict[str, Any]:
        """Return plain values.

        Args:
            text: The text, or the passage that an answer is looked for in.
            codec: The codec of the model.
            query: The question, where an answer is wanted.
        """


def predict_text(artifact: Artifact, inputs: Sequence[Any] | Any, *, query: str | None) -> Iterator[dict[str, Any]]:
    """Say something of each text.

    Args:
        artifact: A model that reads text.
        inputs: Texts, files or folders of text, or several of these.
        query: A question that each text is to answer.

    Yields:
        One dictionary a text: ``input`` (its file, or the text itself), ``what``, and what the model says.

    Raises:
        UnsupportedError: The model says nothing of texts; the message names what it can.
        UsageError: There is a question where none is wanted, or none where one is.
        EmptyDataError: There is no text.
    """
    family, codec = artifact.family(), artifact.codec()
    if not isinstance(family, ReadsText):
        raise UnsupportedError(
            f"{artifact.name} says nothing of texts",
            expected="a checkpoint with a head that labels texts, marks entities, finds answers or fills in words",
        )
    texts = list(listed_texts(inputs))
    if not texts:
        raise EmptyDataError("there is no text to look at", expected="a text, a file, or a folder that has some")
    return _rows(artifact, family, codec, texts, query)


def _rows(
    artifact: Artifact, family: ReadsText, codec: Codec, texts: list[tuple[str, str]], query: str | None
) -> Iterator[dict[str, Any]]:
    config = artifact.family_config
    asked = {} if query is None else {"query": query}
    for name, text in texts:
        with threads_for(config.computed_weights()):
            said = family.read_text(text, codec, query=query)
        yield {"input": name, "what": config.predictions[0], **asked, **said}


def listed_texts(inputs: Sequence[Any] | Any) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every input; the name of a text that came by itself is the text.

    Raises:
        DataError: A file is not there, is too large, or is no text.
    """
    for item in [inputs] if isinstance(inputs, str | Path) else inputs:
        if str(item) == STDIN:
            yield from ((line.strip(), line.strip()) for line in sys.stdin if line.strip())
        elif _is_there(item):
            found = [Path(item)]
            if found[0].is_dir():
                found = sorted(
                    path for path in found[0].rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
                )
            yield from ((str(path), _read(path)) for path in found)
        elif isinstance(item, Path):
            raise DataError(f"there is no file {item}", expected="a file of text, or a text")
        else:
            yield str(item), str(item)


def _is_there(item: Any) -> bool:
    try:
        return Path(item).exists()
    except (OSError, ValueError):
        # A long text is no name that a file could have.
        return False


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"{path} has {path.stat().st_size} bytes", expected=f"at most {LARGEST_BYTES}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error.reason}", do="convert it first") from error
