"""``edit`` for models of text and code: a file with a hole, filled by the model.

The words of the verb are one value, as for images; what is to be done follows from them. Every variant is the whole file with a signed
manifest that says which characters the model wrote.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from makar.artifacts.artifact import Artifact
from makar.config import Config, setting
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.families.transformer.config import TransformerConfig
from makar.generation.able import check_edit
from makar.generation.asset import Asset
from makar.generation.guards import NoveltyCheck
from makar.generation.hole import find_hole, read_source
from makar.generation.infill import fill, filled_job, longest_hole
from makar.generation.request import Request, check_count_and_seed
from makar.provenance.content import describe_content

SURE, VARIED = 0.0, 0.6
"""Temperature of one variant, and of several, which should differ."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextEditRequest(Config):
    """What is to be done to a file of text."""

    kind: ClassVar[str] = ""

    infill: bool = setting(False, meaning="fill the hole; follows from line and span")
    line: str | None = setting(None, meaning="the hole is this line, or these: 12 or 12-15")
    span: str | None = setting(None, meaning="the hole is LINE:COLUMN-LINE:COLUMN, the end not part of it")

    def stated(self) -> dict[str, Any]:
        """Return what a manifest says of the request."""
        return {name: value for name, value in self.to_dictionary().items() if value not in (None, False)}


def read_text_request(how: Mapping[str, Any]) -> TextEditRequest:
    """Return a request from plain values; those that ask for nothing are as if they were not there.

    Raises:
        UnsupportedError: Something is asked for that is for images.
    """
    asked = {name: value for name, value in how.items() if value not in (None, False, 0)}
    try:
        request: TextEditRequest = TextEditRequest.from_dictionary(asked)
    except UnknownNameError as error:
        raise UnsupportedError(
            f'"{error.name}" for a file of text', expected=f"for text and code: {', '.join(_words())}", do=error.do
        ) from error
    if not (request.infill or request.line or request.span):
        raise UsageError("nothing says what to change", expected=f"for text and code: {', '.join(_words())}")
    return request


def _words() -> list[str]:
    return [field.name for field in dataclasses.fields(TextEditRequest)]


def edit_text(
    artifact: Artifact,
    source: Any,
    how: Mapping[str, Any],
    *,
    count: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[Asset]:
    """Fill the hole in a file.

    Args:
        artifact: The model.
        source: The file.
        how: What is to be done with it; see ``TextEditRequest``.
        count: Variants.
        seed: Seed of the first variant.
        options: Sampling controls by name.
        novelty: Compares what the model wrote with the training data.

    Yields:
        Signed assets: the whole file, with something in the hole.

    Raises:
        UsageError: There is no file, no hole, or nothing is asked for.
        UnsupportedError: The model has not learned to fill holes; the message names recipes that do.
    """
    asked = read_text_request(how)
    check_count_and_seed(count, seed)
    config = artifact.recipe.stages[-1].family
    check_edit("infill", config)
    assert isinstance(config, TransformerConfig), "only decoder transformers name this edit"
    if source is None:
        raise UsageError("there is no file to change", expected="a file")
    text = read_source(source)
    hole = find_hole(text, line=asked.line, span=asked.span)
    controls = {name: value for name, value in (options or {}).items() if value is not None}
    made = longest_hole(config, controls.get("max_tokens"))
    controls = {"temperature": SURE if count == 1 else VARIED} | controls | {"max_tokens": made}
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
    stated = {"operation": "infill", "settings": asked.stated(), "source": describe_content(text)}
    return _assets(request, hole, [seed + number for number in range(count)], made=made, stated=stated)


def _assets(request: Request, hole: Any, seeds: list[int], *, made: int, stated: dict[str, Any]) -> Iterator[Asset]:
    waiting: dict[int, str] = {}
    given = 0
    for position, middle in fill(request, [hole] * len(seeds), seeds, made=made):
        waiting[position] = middle
        while given in waiting:
            content = hole.filled(waiting.pop(given))
            new = content[len(hole.before) : len(content) - len(hole.after)]
            yield request.asset(filled_job(hole, content, seeds[given], stated), request.judged(content, new), 0)
            given += 1
