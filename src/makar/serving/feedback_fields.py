"""What the routes of feedback read of a body and of a query; see ``fields``."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from fastapi import Request

from makar.api.feedback import signed_item, text_item
from makar.config import Config, setting
from makar.data.feedback.judgement import (
    EDIT,
    KINDS,
    MOST_ITEMS,
    PAIR,
    RANKING,
    Judged,
    Judgement,
    from_base64,
    turns_from,
)
from makar.data.feedback.sessions import VALUES
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.errors import ConfigError, IntegrityError, UsageError
from makar.provenance.embedding import png_manifest, png_pixel_hash
from makar.provenance.manifest import read_strict_json

MOST_ROUNDS, MOST_SCORED = 1000, 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeedbackFields(Config):
    """Body of POST /makar/v1/feedback."""

    # The word of the table; what kind of configuration this is, nobody asks of a body.
    kind: str = setting(meaning="what is said", choices=KINDS)  # type: ignore[misc]
    items: list = setting(
        meaning="what is judged, each as an object: text, png or file (a sound or a piece; base64), with manifest (signed) or model; "
        "or the hash of something that was judged before"
    )
    value: Any = setting(
        None, meaning="a thumb 0 or 1, stars 1 to 5, or the place of each, 1 the best; none: the best one first"
    )
    rater: str = setting(meaning="who says it")
    consent: bool = setting(meaning="whether models may learn from it")
    prompt: Any = setting(None, meaning="what was asked: a text or messages; none takes what the manifest says")
    note: str = setting("", meaning="words beside it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreFields(Config):
    """Body of POST /makar/v1/feedback/scores."""

    kind: ClassVar[str] = ""

    rater: str = setting(meaning="whose taste, or all")
    items: list = setting(meaning="things of one medium, as in feedback")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionFields(Config):
    """Body of POST /makar/v1/feedback/sessions."""

    kind: ClassVar[str] = ""

    models: list = setting(meaning="names of two or more models of one medium")
    prompts: list = setting(meaning="what they are asked; empty asks for anything", factory=list)
    rounds: int = setting(1, meaning="answers to each prompt", minimum=1, maximum=MOST_ROUNDS)
    seed: int = setting(0, meaning="of the first answers", minimum=0)
    options: dict | None = setting(None, meaning="controls of the models by name")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrawFields(Config):
    """Body of POST /makar/v1/feedback/sessions/ID/pairs."""

    kind: ClassVar[str] = ""

    rater: str = setting(meaning="who is to compare")


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerdictFields(Config):
    """Body of POST /makar/v1/feedback/pairs/ID."""

    kind: ClassVar[str] = ""

    said: str = setting(meaning="which is better", choices=tuple(VALUES))
    consent: bool = setting(meaning="whether models may learn from it")
    note: str = setting("", meaning="words beside it")


def judgement_of(fields: FeedbackFields) -> Judgement:
    """Return what a request says.

    Raises:
        ConfigError: An item or the value is none.
        UsageError: The value does not fit the items.
    """
    read = items_of(fields.items, most=MOST_ITEMS)
    stated = next((asked for _, asked in read if asked), "")
    value = fields.value
    if value is None and fields.kind in (PAIR, RANKING, EDIT):
        value = [2, 1] if fields.kind == EDIT else list(range(1, len(read) + 1))
    value = value if isinstance(value, list) else [value]
    if not all(isinstance(one, int) for one in value):
        raise ConfigError("body.value is no number", expected="a number, or one for each item")
    return Judgement(
        kind=fields.kind,
        medium=read[0][0].judged_as,
        items=tuple(item for item, _ in read),
        value=tuple(value),
        rater=fields.rater,
        consent=fields.consent,
        prompt=turns_from(stated if fields.prompt is None else fields.prompt),
        note=fields.note,
    )


def items_of(given: list[Any], *, most: int) -> list[tuple[Judged, str]]:
    """Return what is judged, each with what it was made for.

    Args:
        given: Of a body.
        most: How many there may be.

    Raises:
        ConfigError: One is none, or not what its manifest says.
    """
    if not 1 <= len(given) <= most:
        raise ConfigError(f"body.items has {len(given)}", expected=f"1 to {most}")
    try:
        return [_item(item, number) for number, item in enumerate(given)]
    except IntegrityError as error:
        # Of a model it would be a conflict; here the body is wrong.
        raise ConfigError(f"body.items cannot be used: {error.came}", expected=error.expected, do=error.do) from error


def _item(given: Any, number: int) -> tuple[Judged, str]:
    """Return what is judged, and what it was made for."""
    what = f"body.items of number {number}"
    if not isinstance(given, Mapping):
        raise ConfigError(f"{what} is no object", expected="an object with text, png, file or hash")
    content = [name for name in ("text", "png", "file", "hash") if given.get(name) is not None]
    if len(content) != 1 or not isinstance(given[content[0]], str):
        raise ConfigError(
            f"{what} has {', '.join(content) or 'nothing'}", expected="one text of text, png, file or hash"
        )
    manifest, model = given.get("manifest"), given.get("model") or ""
    if not isinstance(model, str) or not (manifest is None or isinstance(manifest, Mapping)):
        raise ConfigError(f"{what} has a model or manifest of another type", expected="a name; a signed manifest")
    if content == ["hash"]:
        return FeedbackTable().content(given["hash"]), ""
    if content == ["text"]:
        return signed_item(manifest, text=given["text"]) if manifest else (text_item(given["text"], model=model), "")
    if content == ["file"]:
        file = from_base64(given["file"])
        if manifest:
            return signed_item(manifest, file=file)
        return Judged(hash=hashlib.sha256(file).hexdigest(), file=file, model=model), ""
    png = from_base64(given["png"])
    inside = png_manifest(png)
    if inside is not None:
        return signed_item(read_strict_json(inside), png=png)
    return Judged(hash=png_pixel_hash(png), png=png, model=model), ""


def session_words(fields: SessionFields) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the models and the prompts of a session.

    Raises:
        ConfigError: One of them is no text.
    """
    for name in ("models", "prompts"):
        if not all(isinstance(one, str) for one in getattr(fields, name)):
            raise ConfigError(f"body.{name} holds something else", expected="texts")
    return tuple(fields.models), tuple(fields.prompts) or ("",)


def wanted_of(request: Request) -> Wanted:
    """Return which judgements the query of a request asks for."""
    query = request.query_params
    names = ("rater", "model", "kind", "medium", "session")
    given = {name: query.get(name, "")[:200] for name in names}
    if query.get("consent") not in (None, "true", "false"):
        raise UsageError("consent is neither true nor false", expected="true or false")
    return Wanted(**given, consent=query.get("consent") == "true")
