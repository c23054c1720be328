"""Vectors of texts: many at once, those of like lengths together, long ones in windows whose vectors are averaged.

They come from a model of the recipe ``embed``, from a sentence encoder of others, or from an endpoint. Some of these read a question
otherwise than what is looked through for it, so whoever looks for something says which is which.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.artifacts.artifact import Artifact
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.families.family import Family
from makar.generation.given_texts import given_texts
from makar.nn.threads import threads_for

VECTOR = "vector"
TOKENS_TOGETHER = 1 << 13
"""Tokens of a batch, those that fill rows up included."""

Purpose = Literal["text", "question", "passage"]
"""What a text is: nothing in particular, what is looked for, or what is looked through."""


@runtime_checkable
class MakesVectors(Protocol):
    """A family that makes vectors of texts."""

    vector_width: int
    padding_token: int

    def vectors(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch width"]:
        """Return vectors of length 1."""


@runtime_checkable
class CutsWindows(Protocol):
    """A codec that reads texts of any length."""

    def windows(self, text: str) -> np.ndarray:
        """Return a text as rows of tokens ``[windows, length]``."""


@runtime_checkable
class CutsItself(Protocol):
    """A family that knows what its tokenizer does not: how long its rows are, and what stands before a question."""

    def rows_of(self, text: str, codec: Any, *, is_question: bool, is_passage: bool) -> list[np.ndarray]:
        """Return a text as rows of tokens, each ``[length]``."""


@runtime_checkable
class AsksForVectors(Protocol):
    """A family whose vectors are made elsewhere."""

    def asked_vectors(self, texts: Sequence[str]) -> tuple[np.ndarray, int]:
        """Return vectors, float32 ``[texts, width]``, and how many tokens were read."""


class Vectors(NamedTuple):
    """Vectors of texts, float32 ``[texts, width]``, each of length 1, in how many windows each was read, and the tokens of all."""

    values: np.ndarray
    windows: np.ndarray
    tokens: int


def embed(artifact: Artifact, texts: Sequence[str], *, purpose: Purpose = "text") -> Vectors:
    """Return vectors of texts.

    Args:
        artifact: A model of the recipe ``embed``, a sentence encoder, or ``openai:NAME``.
        texts: The texts; one without a word has no direction and is refused.
        purpose: What they are.

    Raises:
        UnsupportedError: The model makes no vectors.
        UsageError: A text is empty.
        RemoteError: The endpoint does not answer, or with what are no vectors.
    """
    family = artifact.family()
    cut = None if isinstance(family, AsksForVectors) else _cutter(artifact, family, purpose)
    for number, text in enumerate(texts):
        if not text.strip():
            raise UsageError(f"text {number + 1} of {len(texts)} is empty", expected="at least one word in each")
    if isinstance(family, AsksForVectors):
        asked, count = family.asked_vectors(texts) if texts else (np.zeros((0, 0), np.float32), 0)
        return Vectors(_of_length_1(asked), np.ones(len(texts), np.int64), count)
    assert isinstance(family, MakesVectors) and cut is not None, "what makes vectors"
    parts = [cut(text) for text in texts]
    windows = np.array([len(part) for part in parts], np.int64)
    rows, owner = [row for part in parts for row in part], np.repeat(np.arange(len(parts)), windows)
    lengths = np.array([(row != family.padding_token).sum() for row in rows], np.int64)
    found = np.zeros((len(parts), family.vector_width), np.float32)
    device = next(artifact.family().parameters()).device
    with threads_for(artifact.family_config.computed_weights()):
        for chosen in _batches(lengths):
            given = [torch.from_numpy(rows[place]) for place in chosen]
            tokens = torch.nn.utils.rnn.pad_sequence(given, batch_first=True, padding_value=family.padding_token)
            np.add.at(found, owner[chosen], family.vectors(tokens.to(device)).cpu().numpy())
    return Vectors(_of_length_1(found), windows, int(lengths.sum()))


def _cutter(artifact: Artifact, family: Family, purpose: Purpose) -> Callable[[str], Sequence[np.ndarray]]:
    """Return what turns a text into rows of tokens.

    Raises:
        UnsupportedError: The model makes no vectors.
    """
    codec = artifact.codec()
    if isinstance(family, MakesVectors) and isinstance(family, CutsItself):
        is_question, is_passage = purpose == "question", purpose == "passage"
        return lambda text: family.rows_of(text, codec, is_question=is_question, is_passage=is_passage)
    if isinstance(family, MakesVectors) and isinstance(codec, CutsWindows):
        return lambda text: list(codec.windows(text))
    raise UnsupportedError(
        f"{artifact.name} makes no vectors of texts",
        expected='a model of the recipe "embed", a sentence encoder, or openai:NAME',
        do="makar train TEXTS --recipe embed",
    )


def _of_length_1(found: Float[np.ndarray, "texts width"]) -> Float[np.ndarray, "texts width"]:
    made: np.ndarray = (found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)).astype(np.float32)
    return made


def _batches(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the places of rows that are read together, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        # As many as fit when all are as long as the longest of them.
        after = start + 1
        while after < len(order) and (after + 1 - start) * lengths[order[after]] <= TOKENS_TOGETHER:
            after += 1
        yield order[start:after]
        start = after


def vectors_of(artifact: Artifact, inputs: Sequence[Any] | Any, *, query: str | None) -> Iterator[dict[str, Any]]:
    """Yield the vector of each text.

    Args:
        artifact: A model that makes vectors.
        inputs: Texts, files or folders of text, or several of these.
        query: A text; the texts then come in the order in which they are like it, with their similarity instead of vectors.

    Raises:
        EmptyDataError: There is no text.
        UsageError: A text is empty.
    """
    given = list(given_texts(inputs))
    if not given:
        raise EmptyDataError("there is no text to look at", expected="a text, a file, or a folder that has some")
    made = embed(artifact, [text for _, text in given], purpose="text" if query is None else "passage")
    if query is None:
        for (name, _), vector, count in zip(given, made.values.tolist(), made.windows.tolist(), strict=True):
            yield {"input": name, "what": VECTOR, VECTOR: vector, **({"windows": count} if count > 1 else {})}
        return
    similar = made.values @ embed(artifact, [query], purpose="question").values[0]
    for rank, place in enumerate(np.argsort(-similar, kind="stable").tolist(), start=1):
        yield {
            "input": given[place][0],
            "what": "similarity",
            "query": query,
            "similarity": float(similar[place]),
            "rank": rank,
        }
