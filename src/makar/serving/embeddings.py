"""POST /v1/embeddings: vectors of texts, as numbers or as base64 of float32, which is what the official client asks for."""

import array
import base64
import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import Request, Response
from jaxtyping import Float32

from makar.errors import UnsupportedError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of, leased
from makar.serving.process import Process
from makar.serving.text_fields import EmbeddingFields, listed_texts

if TYPE_CHECKING:
    from makar.generation.embed import Purpose

FLOAT_BYTES = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Embedded:
    """Vectors of texts as a worker gives them.

    Attributes:
        content: Float32 with the smallest byte first, one vector behind the other.
        width: Numbers of a vector.
        tokens: Tokens of all texts.
    """

    content: bytes
    width: int
    tokens: int

    def vectors(self) -> Float32[np.ndarray, "texts width"]:
        """Return them as numbers."""
        return np.frombuffer(self.content, "<f4").reshape(-1, self.width).astype(np.float32)


async def embedded(process: Process, texts: Sequence[str], *, purpose: "Purpose" = "text") -> Embedded:
    """Return the vectors of texts.

    Args:
        process: Holds the model.
        texts: The texts.
        purpose: What they are.

    Raises:
        Problem: The model makes none.
    """
    async with contextlib.aclosing(process.do({"do": "embed", "texts": list(texts), "purpose": purpose})) as events:
        made = await anext(events)
        # Until the work is over it would be cancelled.
        async for _ in events:
            pass
    return Embedded(content=base64.b64decode(made["vectors"]), width=made["width"], tokens=made["tokens"])


async def embeddings(request: Request) -> Response:
    """Give a vector for every text."""
    fields, ignored = read_fields(EmbeddingFields, await read_json(request))
    texts = listed_texts(fields.input)
    return answer(await attended(request, _embedded(request, fields, texts)), ignored_header(ignored))


async def _embedded(request: Request, fields: EmbeddingFields, texts: list[str]) -> dict[str, Any]:
    front = front_of(request)
    async with leased(front, fields.model) as (place, process):
        made = await embedded(process, texts)
    width, content = made.width, made.content
    if fields.dimensions not in (None, width):
        raise UnsupportedError(
            f"vectors of {fields.dimensions} numbers", expected=f"{width}: those of {place.name} are not made to be cut"
        )
    rows = [content[start : start + width * FLOAT_BYTES] for start in range(0, len(content), width * FLOAT_BYTES)]
    data = [
        {"object": "embedding", "index": number, "embedding": _shown(row, fields.encoding_format)}
        for number, row in enumerate(rows)
    ]
    front.figures.tokens(place.name, asked=made.tokens, made=0)
    usage = {"prompt_tokens": made.tokens, "total_tokens": made.tokens}
    return {"object": "list", "data": data, "model": place.name, "usage": usage}


def _shown(row: bytes, form: str) -> str | list[float]:
    if form == "base64":
        return base64.b64encode(row).decode("ascii")
    numbers = array.array("f", row)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
