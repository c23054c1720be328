"""What the routes read of a body: one class a route, each field with type, range and meaning; the API's description is made of them.

Source: OpenAI's reference, https://platform.openai.com/docs/api-reference, and the types of its Python client (2.x and 3.x). Beyond it are
``top_k``, ``min_p``, ``repetition_penalty``, ``controls``, ``store`` and ``manifest``, and for images ``seed``, ``steps``, ``guidance``,
``negative_prompt`` and ``strength``; the client sends them with ``extra_body``.
"""

import dataclasses
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError

MOST_CHOICES = 64
MOST_TOKENS = 131_072
MOST_STOPS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextFields(Config):
    """What every route of texts reads."""

    kind: ClassVar[str] = ""

    model: str = setting(meaning="name of a model, as /v1/models lists them")
    temperature: float | None = setting(None, meaning="0 takes the likeliest token always", minimum=0.0, maximum=2.0)
    top_p: float | None = setting(
        None, meaning="keep the fewest likeliest tokens with this probability", minimum=0.0, maximum=1.0
    )
    top_k: int | None = setting(None, meaning="keep only the k likeliest tokens; 0 is off", minimum=0)
    min_p: float | None = setting(
        None, meaning="keep tokens at least this likely relative to the likeliest", minimum=0.0, maximum=1.0
    )
    repetition_penalty: float | None = setting(None, meaning="above 1 avoids what was said", minimum=0.01, maximum=10.0)
    frequency_penalty: float | None = setting(
        None, meaning="lowers what was written, for every time it was", minimum=-2.0, maximum=2.0
    )
    presence_penalty: float | None = setting(None, meaning="lowers what was written at all", minimum=-2.0, maximum=2.0)
    logit_bias: dict | None = setting(None, meaning="number of a token to what is added to its logit, -100 to 100")
    max_tokens: int | None = setting(None, meaning="longest answer in tokens", minimum=0, maximum=MOST_TOKENS)
    n: int = setting(1, meaning="answers", minimum=1, maximum=MOST_CHOICES)
    stop: Any = setting(None, meaning="a text, or up to 16, that end the answer and are no part of it")
    seed: int | None = setting(None, meaning="the same seed gives the same answer")
    stream: bool = setting(False, meaning="send pieces as they come, as server-sent events")
    stream_options: dict | None = setting(None, meaning='{"include_usage": true} sends the number of tokens at the end')
    manifest: bool = setting(False, meaning="send the signed manifest of every answer with it")
    controls: dict | None = setting(None, meaning="further controls of the model by their names")
    store: bool | None = setting(None, meaning="keep the answer in the library of this machine, which the studio shows")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatFields(TextFields):
    """Body of POST /v1/chat/completions."""

    messages: list = setting(meaning="the conversation: role and content")
    max_completion_tokens: int | None = setting(
        None, meaning="longest answer in tokens", minimum=1, maximum=MOST_TOKENS
    )
    logprobs: bool = setting(False, meaning="say how likely every token was")
    top_logprobs: int | None = setting(
        None, meaning="with logprobs: alternatives of every token", minimum=0, maximum=20
    )
    response_format: dict | None = setting(None, meaning="text, json_object or json_schema; the answer keeps it")
    tools: list | None = setting(None, meaning="functions that may be called")
    tool_choice: Any = setting(None, meaning="none, auto, required, or one function by name")
    modalities: list | None = setting(None, meaning='only ["text"]')


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompletionFields(TextFields):
    """Body of POST /v1/completions."""

    prompt: Any = setting(meaning="a text, tokens, or a list of either")
    suffix: str | None = setting(None, meaning="text behind what is written: the model fills the hole")
    echo: bool = setting(False, meaning="give the prompt back before what is written")
    logprobs: int | None = setting(None, meaning="alternatives of every token", minimum=0, maximum=20)
    best_of: int | None = setting(None, meaning="only n", minimum=1, maximum=MOST_CHOICES)


def stops_of(fields: TextFields) -> list[str]:
    """Return the texts that end the answer.

    Raises:
        ConfigError: They are no such texts.
    """
    stop = fields.stop
    found = [stop] if isinstance(stop, str) else ([] if stop is None else stop)
    if not isinstance(found, list) or len(found) > MOST_STOPS or not all(isinstance(x, str) and x for x in found):
        raise ConfigError("body.stop is no text", expected=f"a text, or a list of at most {MOST_STOPS}")
    return found


def longest_answer(fields: Config, *names: str) -> int | None:
    """Return how many tokens an answer may have: the first of some fields that says so, ``None`` where none does.

    Raises:
        ConfigError: It is none.
    """
    given = {name: value for name in names if (value := fields.to_dictionary()[name]) is not None}
    if 0 in given.values():
        raise ConfigError(f"body.{next(name for name in given if given[name] == 0)} is 0", expected="at least 1")
    return next(iter(given.values()), None)


def text_controls(fields: TextFields) -> dict[str, Any]:
    """Return what was said of how text is drawn, by the names of our controls."""
    given = {
        "temperature": fields.temperature,
        "top_p": fields.top_p,
        "top_k": fields.top_k,
        "min_p": fields.min_p,
        "repetition_penalty": fields.repetition_penalty,
        "frequency_penalty": fields.frequency_penalty,
        "presence_penalty": fields.presence_penalty,
        "logit_bias": fields.logit_bias or None,
        "stop": stops_of(fields) or None,
    }
    return {**(fields.controls or {}), **{name: value for name, value in given.items() if value is not None}}


def wants_usage(fields: TextFields) -> bool:
    """Return whether the last piece is to say the numbers of tokens."""
    return bool((fields.stream_options or {}).get("include_usage"))
