"""``predict`` for models that read text: one row a text; nothing is made, so nothing is signed.

What an input stands for says ``given_texts``.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from makar.artifacts.artifact import Artifact
from makar.codecs.codec import Codec
from makar.errors import EmptyDataError, UnsupportedError
from makar.generation.given_texts import given_texts
from makar.nn.threads import threads_for


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
    texts = list(given_texts(inputs))
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
