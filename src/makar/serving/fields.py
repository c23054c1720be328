"""What the routes read of a body: one class a route, each field with type, range and meaning; the API's description is made of them.

Source: OpenAI's reference, https://platform.openai.com/docs/api-reference, and the types of its Python client (2.x and 3.x). Fields beyond it
(``top_k``, ``min_p``, ``repetition_penalty``, ``manifest``, for images ``seed``, ``steps``, ``guidance``, ``negative_prompt``) are Makar's;
the client sends them with ``extra_body``.
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

    @property
    def stops(self) -> list[str]:
        """The texts that end the answer.

        Raises:
            ConfigError: They are no such texts.
        """
        found = [self.stop] if isinstance(self.stop, str) else ([] if self.stop is None else self.stop)
        if not isinstance(found, list) or len(found) > MOST_STOPS or not all(isinstance(x, str) and x for x in found):
            raise ConfigError("body.stop is no text", expected=f"a text, or a list of at most {MOST_STOPS}")
        return found

    @property
    def wants_usage(self) -> bool:
        """Whether the last chunk is to say the numbers of tokens."""
        return bool((self.stream_options or {}).get("include_usage"))

    def controls(self) -> dict[str, Any]:
        """Return what was said of how text is drawn, by the names of our controls."""
        names = (
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "repetition_penalty",
            "frequency_penalty",
            "presence_penalty",
        )
        given = {name: getattr(self, name) for name in names}
        found: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if self.stops:
            found["stop"] = self.stops
        if self.logit_bias:
            found["logit_bias"] = self.logit_bias
        return found


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFields(Config):
    """Body of POST /v1/images/generations."""

    model: str | None = setting(None, meaning="name of a model of images; the only one where there is one")
    prompt: str = setting(meaning="a description, or the name of a class; empty for a model that takes neither")
    n: int = setting(1, meaning="images", minimum=1, maximum=MOST_CHOICES)
    size: str | None = setting(None, meaning='"auto", or the size that the model makes')
    response_format: str | None = setting(None, meaning="how an image is sent", choices=("b64_json",))
    output_format: str | None = setting(None, meaning="PNG, which holds the manifest", choices=("png",))
    stream: bool = setting(False, meaning="send each image as soon as it is finished")
    partial_images: int | None = setting(None, meaning="only 0", minimum=0, maximum=0)
    seed: int | None = setting(None, meaning="the same seed gives the same image")
    steps: int | None = setting(None, meaning="steps of the solver", minimum=1, maximum=1000)
    guidance: float | None = setting(None, meaning="how strictly the prompt is followed", minimum=0.0, maximum=100.0)
    negative_prompt: str | None = setting(None, meaning="what it must not be")
    strength: float | None = setting(None, meaning="edits: how far the image may change", minimum=0.0, maximum=1.0)
    manifest: bool = setting(False, meaning="send the signed manifest beside every image too")

    def controls(self) -> dict[str, Any]:
        """Return what was said of how images are drawn, by the names of our controls."""
        names = ("steps", "guidance", "negative_prompt", "strength")
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}
