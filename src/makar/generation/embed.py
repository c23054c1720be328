"""Vectors of texts: many at once, those of like lengths together, long ones in windows whose vectors are averaged."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.artifacts.artifact import Artifact
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.generation.given_texts import given_texts
from makar.nn.threads import threads_for

VECTOR = "vector"
TOKENS_TOGETHER = 1 << 13
"""Tokens of a batch, those that fill rows up included."""


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


class Vectors(NamedTuple):
    """Vectors of texts, float32 ``[texts, width]``, each of length 1, and how many windows each was read in."""

    values: np.ndarray
    windows: np.ndarray


def embed(artifact: Artifact, texts: Sequence[str]) -> Vectors:
    """Return vectors of texts.

    Args:
        artifact: A model of the recipe ``embed``.
        texts: The texts; one without a word has no direction and is refused.

    Raises:
        UnsupportedError: The model makes no vectors.
        UsageError: A text is empty.
    """
    family, codec = artifact.family(), artifact.codec()
    if not isinstance(family, MakesVectors) or not isinstance(codec, CutsWindows):
        raise UnsupportedError(
            f"{artifact.name} makes no vectors of texts",
            expected='a model of the recipe "embed"',
            do="makar train TEXTS --recipe embed",
        )
    for number, text in enumerate(texts):
        if not text.strip():
            raise UsageError(f"text {number} of {len(texts)} is empty", expected="at least one word in each")
    parts = [codec.windows(text) for text in texts]
    windows = np.array([len(part) for part in parts], np.int64)
    width, padding = family.vector_width, family.padding_token
    if not parts:
        return Vectors(np.zeros((0, width), np.float32), windows)
    rows, owner = np.concatenate(parts), np.repeat(np.arange(len(parts)), windows)
    lengths = (rows != padding).sum(1)
    found = np.zeros((len(parts), width), np.float32)
    device = next(family.parameters()).device
    with threads_for(artifact.family_config.computed_weights()):
        for chosen in _batches(lengths):
            tokens = torch.from_numpy(rows[chosen]).to(device)
            np.add.at(found, owner[chosen], family.vectors(tokens).cpu().numpy())
    return Vectors(found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12), windows)


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
        artifact: A model of the recipe ``embed``.
        inputs: Texts, files or folders of text, or several of these.
        query: A text; the texts then come in the order in which they are like it, with their similarity instead of vectors.

    Raises:
        EmptyDataError: There is no text.
        UsageError: A text is empty.
    """
    given = list(given_texts(inputs))
    if not given:
        raise EmptyDataError("there is no text to look at", expected="a text, a file, or a folder that has some")
    made = embed(artifact, [text for _, text in given])
    if query is None:
        for (name, _), vector, count in zip(given, made.values.tolist(), made.windows.tolist(), strict=True):
            yield {"input": name, "what": VECTOR, VECTOR: vector, **({"windows": count} if count > 1 else {})}
        return
    similar = made.values @ embed(artifact, [query]).values[0]
    for rank, place in enumerate(np.argsort(-similar, kind="stable").tolist(), start=1):
        yield {
            "input": given[place][0],
            "what": "similarity",
            "query": query,
            "similarity": float(similar[place]),
            "rank": rank,
        }
