"""One question to an OpenAI-compatible endpoint through the official client, its answer as a stream, and what goes wrong in words.

The client retries what may be retried (a connection that fails, 408, 409, 429, 5xx), waits longer each time, and as long as ``Retry-After``
says. The key is read from the environment at every call, handed to the client and kept nowhere. What an endpoint sends is taken for
text and numbers of limited size and for nothing else.

Source: the public descriptions of the chat completions of OpenAI and of the compatible endpoints of Anthropic and Google.
"""

import dataclasses
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

from makar.errors import MissingExtraError, RemoteError, UnsupportedError
from makar.families.remote.config import RemoteConfig
from makar.families.remote.options import RemoteOptions

LARGEST_ANSWER = 4_000_000
"""Characters."""
CHAT = "a stream of chat completions, as OpenAI describes it"
NO_KEY = "none"
SHOWN = 300


@dataclasses.dataclass(kw_only=True)
class Usage:
    """What the endpoint says of an answer, filled in as it comes.

    Attributes:
        input_tokens: Tokens that were sent; ``None`` where it does not say.
        output_tokens: Tokens of the answer.
        model: The model that answered, by its whole name.
        finish: Why it ended.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str = ""
    finish: str = ""


def ask(
    config: RemoteConfig, messages: list[dict[str, str]], *, options: RemoteOptions, seed: int, usage: Usage
) -> Iterator[str]:
    """Ask a model and give its answer piece by piece.

    Args:
        config: Which model, and where.
        messages: The turns, the last one to be answered.
        options: Controls and patience.
        seed: Sent along where the options say so.
        usage: Is filled in as the answer comes.

    Raises:
        RemoteError: The endpoint is down, slow, refuses, or answers what is no answer; the message says what to do.
        MissingExtraError: The client is absent.
    """
    import_client()
    import openai

    client = client_of(config, options)
    length = 0
    try:
        with client:
            stream: Any = client.chat.completions.create(**_request(config, messages, options, seed))
            for chunk in stream:
                piece = _piece(chunk, usage)
                length += len(piece)
                if length > LARGEST_ANSWER:
                    raise nonsense(config, f"more than {LARGEST_ANSWER} characters")
                if piece:
                    yield piece
    except openai.APIError as error:
        raise in_words(error, config, options) from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise nonsense(config, str(error)) from error
    if not length and not usage.finish:
        raise nonsense(config, "nothing")
    if not length and usage.finish == "content_filter":
        raise RemoteError(
            f"{config.base_url} gives no answer of {config.name}: its filter kept it back",
            expected="a request that its rules allow",
            do="word it otherwise, or ask another model",
        )
    if not length and usage.finish == "length":
        raise RemoteError(
            f"{config.name} used all {options.max_tokens} tokens before it answered: it thinks first",
            expected="room for its thoughts and for an answer",
            do=f"--max-tokens {8 * options.max_tokens}",
        )


def import_client() -> None:
    """Make sure that the official client is there.

    Raises:
        MissingExtraError: It is absent.
    """
    if importlib.util.find_spec("openai") is None:
        raise MissingExtraError("openai", extra="remote")


def client_of(config: RemoteConfig, options: RemoteOptions) -> Any:
    """Return the client for an endpoint, which retries what may be retried."""
    import openai

    return openai.OpenAI(
        api_key=key_of(config),
        base_url=config.base_url,
        timeout=options.timeout_seconds,
        max_retries=options.retries,
        organization=None,
        project=None,
    )


def key_of(config: RemoteConfig) -> str:
    """Return the key for an endpoint from the environment.

    Raises:
        RemoteError: There is none, and the endpoint is on another machine of a company that wants one.
        UnsupportedError: It would go over the network unencrypted.
    """
    key = os.environ.get(config.key_name, "")
    if not key:
        if config.key_name != "MAKAR_REMOTE_KEY":
            raise RemoteError(
                f"{config.base_url} wants a key, and {config.key_name} is not set",
                expected="the key in the environment: it is stored nowhere",
                do=f"export {config.key_name}=...",
            )
        return NO_KEY
    if not (config.is_encrypted or config.is_local):
        raise UnsupportedError(
            f"a key would be sent to {config.base_url} unencrypted",
            expected="https, or an endpoint on this machine",
            do=f"unset {config.key_name}, if it needs none",
        )
    return key


def _request(config: RemoteConfig, messages: list[dict[str, str]], options: RemoteOptions, seed: int) -> dict[str, Any]:
    # Newer models of OpenAI refuse the old name, other endpoints do not know the new one.
    length = "max_completion_tokens" if config.key_name == "OPENAI_API_KEY" else "max_tokens"
    request: dict[str, Any] = {
        "model": config.name,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        length: options.max_tokens,
    }
    given = {"temperature": options.temperature, "top_p": options.top_p, "stop": list(options.stop) or None}
    request |= {name: value for name, value in given.items() if value is not None}
    return request | ({"seed": seed} if options.sends_seed else {})


def _piece(chunk: Any, usage: Usage) -> str:
    """Return the text of one part of a stream, and note what it says besides."""
    counts = chunk.usage
    if counts is not None:
        usage.input_tokens, usage.output_tokens = int(counts.prompt_tokens), int(counts.completion_tokens)
    usage.model = str(chunk.model or usage.model)[:SHOWN]
    if not chunk.choices:
        return ""
    choice = chunk.choices[0]
    usage.finish = str(choice.finish_reason or usage.finish)[:SHOWN]
    text = choice.delta.content
    if text is None:
        return ""
    if not isinstance(text, str):
        raise ValueError(f"a piece of type {type(text).__name__}")
    return text


def nonsense(config: RemoteConfig, what: str, *, expected: str = CHAT) -> RemoteError:
    """Return the error of an answer that is none."""
    return RemoteError(
        f"{config.base_url} answered what is no answer: {what[:SHOWN]}",
        expected=expected,
        do="check the address: it often ends in /v1",
    )


def in_words(
    error: Any, config: RemoteConfig, options: RemoteOptions, *, expected: str = CHAT, has_controls: bool = True
) -> RemoteError:
    """Return what the client says of a failure as an error with what to do.

    Args:
        error: Of the client.
        config: Which model, and where.
        options: Controls and patience.
        expected: What should have been answered.
        has_controls: Whether whoever asked can set controls.
    """
    import openai

    said = str(error.message)[:SHOWN]
    place, name = config.base_url, config.name
    if isinstance(error, openai.APITimeoutError):
        return RemoteError(
            f"{place} was silent for {options.timeout_seconds:g} s, {_times(options)}",
            expected="an answer, or a piece of one, within that time",
            do="--set timeout_seconds=300, or ask later" if has_controls else "ask later",
        )
    if isinstance(error, openai.APIConnectionError):
        return RemoteError(
            f"{place} cannot be reached: {said}",
            expected="an endpoint that is running",
            do="check the address and the network",
        )
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return RemoteError(
            f"{place} refuses the key: {said}", expected=f"a valid key in {config.key_name}", do="check or renew it"
        )
    if isinstance(error, openai.NotFoundError):
        return RemoteError(
            f'{place} has no model "{name}", or is no such endpoint: {said}', do="check name and address"
        )
    if isinstance(error, openai.RateLimitError):
        return RemoteError(
            f"{place} limits the rate, {_times(options)}: {said}",
            do=("--set requests_per_minute=10, or ask later" if has_controls else "ask later")
            + "; an account without credit is told the same",
        )
    if isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
        return RemoteError(
            f"{place} cannot honour the request: {said}",
            expected="controls that this model knows"
            if has_controls
            else "a model that makes vectors, of texts of this length",
            do="leave controls out; --set sends_seed=false where the seed is refused"
            if has_controls
            else "name another",
        )
    if isinstance(error, openai.APIStatusError):
        return RemoteError(f"{place} broke, {_times(options)}: {error.status_code} {said}", do="ask later")
    return nonsense(config, said, expected=expected)


def _times(options: RemoteOptions) -> str:
    return "once" if options.retries == 0 else f"{options.retries + 1} times"
