"""Vectors of texts from an OpenAI-compatible endpoint through the official client: some texts a request, checked before they are used.

Numbers are asked for as numbers: every endpoint gives them so, and not every one as base64. An endpoint that gives fewer vectors than there
are texts, vectors of two widths, or what is no number is told to be broken; nothing is filled up.

Source: https://platform.openai.com/docs/api-reference/embeddings.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from makar.families.remote.asking import client_of, import_client, in_words, nonsense
from makar.families.remote.config import RemoteConfig
from makar.families.remote.options import RemoteOptions

TOGETHER = 32
"""Texts of a request; some servers take no more."""

MOST_CHARACTERS = 200_000
"""Of all texts of a request; those of OpenAI have 300,000 tokens at most."""

PATIENCE = RemoteOptions(timeout_seconds=180.0)
"""A server on one's own machine may have to load its model first."""

VECTORS = "one vector a text, as OpenAI describes embeddings"


def asked_vectors(
    config: RemoteConfig, texts: Sequence[str], *, options: RemoteOptions = PATIENCE
) -> tuple[Float32[np.ndarray, "texts width"], int]:
    """Return the vectors of texts as an endpoint gives them, and how many tokens it says that it read.

    Args:
        config: Which model, and where.
        texts: At least one.
        options: Patience.

    Raises:
        RemoteError: The endpoint is down, slow, refuses, or answers what are no vectors; the message says what to do.
        MissingExtraError: The client is absent.
    """
    import_client()
    import openai

    found, tokens = [], 0
    try:
        with client_of(config, options) as client:
            for some in _parts(texts):
                made: Any = client.embeddings.create(model=config.name, input=some, encoding_format="float")
                rows = sorted(made.data, key=lambda row: row.index)
                if [row.index for row in rows] != list(range(len(some))):
                    raise nonsense(config, f"{len(rows)} vectors for {len(some)} texts", expected=VECTORS)
                found += [np.array(row.embedding, np.float32) for row in rows]
                tokens += 0 if made.usage is None else int(made.usage.prompt_tokens)
    except openai.APIError as error:
        raise in_words(error, config, options, expected=VECTORS, has_controls=False) from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise nonsense(config, str(error), expected=VECTORS) from error
    shapes = {row.shape for row in found}
    if len(shapes) != 1 or not all(len(shape) == 1 and shape[0] for shape in shapes):
        raise nonsense(config, f"vectors of {len(shapes)} widths", expected=VECTORS)
    vectors = np.stack(found)
    if not np.isfinite(vectors).all() or not vectors.any(1).all():
        raise nonsense(config, "vectors that are zero or not finite", expected=VECTORS)
    return vectors, tokens


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield as many texts as go into a request, in order."""
    part: list[str] = []
    for text in texts:
        if part and (len(part) == TOGETHER or sum(map(len, part)) + len(text) > MOST_CHARACTERS):
            yield part
            part = []
        part.append(text)
    yield part
