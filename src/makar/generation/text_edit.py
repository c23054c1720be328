"""``edit`` for models of text and code: a file with a hole, filled by the model, or a file that is wrong, repaired.

The words of the verb are one value, as for images; what is to be done follows from them. Every variant is the whole file with a signed
manifest that says which characters the model wrote.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from makar.artifacts.artifact import Artifact
from makar.config import Config, setting
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.families.transformer.config import TransformerConfig
from makar.generation.able import check_edit
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.guards import NoveltyCheck
from makar.generation.hole import find_hole, read_source
from makar.generation.infill import fill, filled_job, longest_hole
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompts import Prompt
from makar.generation.repair import repaired
from makar.generation.request import Request
from makar.provenance.content import describe_content

SURE, VARIED = 0.0, 0.6
"""Temperature of one variant, and of several, which should differ."""


TRIES = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextEditRequest(Config):
    """What is to be done to a file of text."""

    kind: ClassVar[str] = ""

    infill: bool = setting(False, meaning="fill the hole; follows from line and span")
    line: str | None = setting(None, meaning="the hole is this line, or these: 12 or 12-15")
    span: str | None = setting(None, meaning="the hole is LINE:COLUMN-LINE:COLUMN, the end not part of it")
    fix: bool = setting(False, meaning="change one line so that tests pass")
    tests: str | None = setting(None, meaning="with fix: the command that passes when all is well")
    tries: int = setting(TRIES, meaning="with fix: changes to try", minimum=1, maximum=10000)
    diff: bool = setting(False, meaning="with fix: the result is the change, not the whole file")

    @property
    def is_plain(self) -> bool:
        """Whether nothing is set that only a repair reads."""
        return self.tests is None and not self.diff and self.tries == TRIES

    def stated(self) -> dict[str, Any]:
        """Return what a manifest says of the request."""
        given = {name: value for name, value in self.to_dictionary().items() if value not in (None, False)}
        return given if self.fix else {name: value for name, value in given.items() if name != "tries"}


def read_text_request(how: Mapping[str, Any]) -> TextEditRequest:
    """Return a request from plain values; those that ask for nothing are as if they were not there.

    Raises:
        UnsupportedError: Something is asked for that is for images.
    """
    given = {name: value for name, value in how.items() if value not in (None, False, 0)}
    try:
        asked: TextEditRequest = TextEditRequest.from_dictionary(given)
    except UnknownNameError as error:
        raise UnsupportedError(
            f'"{error.name}" for a file of text', expected=f"for text and code: {', '.join(_words())}", do=error.do
        ) from error
    fills = asked.infill or bool(asked.line or asked.span)
    if asked.fix:
        if fills or not asked.tests:
            raise UsageError(
                "a repair of a given place" if fills else "a repair without tests",
                expected="fix and tests: a line is kept only if they pass",
            )
    elif not asked.is_plain:
        raise UsageError("tests, tries or a diff, and no repair", expected="fix with them")
    elif not fills:
        raise UsageError("nothing says what to change", expected=f"for text and code: {', '.join(_words())}")
    return asked


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
    """Fill the hole in a file, or repair it.

    Args:
        artifact: The model.
        source: The file.
        how: What is to be done with it; see ``TextEditRequest``.
        count: Variants.
        seed: Seed of the first variant.
        options: Sampling controls by name.
        novelty: Compares what the model wrote with the training data.

    Yields:
        Signed assets: the whole file, with something in the hole; of a repair one, the whole file or the change.

    Raises:
        MakarError: No change that was tried makes the tests pass.
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
    if asked.fix:
        controls = {name: value for name, value in (options or {}).items() if value is not None}
        if count != 1:
            raise UsageError(f"{count} repairs", expected="one: the first with which the tests pass")
        controls = {"temperature": VARIED} | controls | {"max_tokens": longest_hole(config, controls.get("max_tokens"))}
        request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
        return iter([_repaired(request, asked, Path(source), text, seed=seed)])
    hole = find_hole(text, line=asked.line, span=asked.span)
    controls = {name: value for name, value in (options or {}).items() if value is not None}
    made = longest_hole(config, controls.get("max_tokens"))
    controls = {"temperature": SURE if count == 1 else VARIED} | controls | {"max_tokens": made}
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
    stated = {"operation": "infill", "settings": asked.stated(), "source": describe_content(text)}
    return _assets(request, hole, [seed + number for number in range(count)], made=made, stated=stated)


def _repaired(request: Request, asked: TextEditRequest, path: Path, text: str, *, seed: int) -> Asset:
    assert asked.tests is not None
    patch = repaired(request, path, text, tests=asked.tests, tries=asked.tries, seed=seed)
    stated = {
        "operation": "fix",
        "settings": asked.stated(),
        "source": describe_content(text),
        "line": patch.number,
        "tried": patch.tries,
        "sandbox_could_not_hold": list(patch.not_held),
    }
    job = filled_job(patch.hole, patch.content, seed, stated)
    content = patch.content
    if asked.diff:
        content = patch.diff(path.name)
        job = Job(Prompt(stated=None, slots={}, change=Change(finish=unchanged, stated=stated)), seed)
    return request.asset(job, request.judged(content, patch.line), 0)


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
