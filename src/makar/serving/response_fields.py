"""What POST /v1/responses reads, its input as turns, and its answer as one object; see ``fields``."""

import dataclasses
import json
from typing import Any

from makar.config import setting
from makar.errors import UnsupportedError
from makar.serving.fields import MOST_TOKENS, TextFields
from makar.serving.front import new_id
from makar.serving.messages import turns_of, wrong
from makar.serving.problems import Problem
from makar.serving.store_fields import checked_metadata
from makar.serving.texts import Written, usage_of

HOSTED = ("file_search", "image_generation")
"""Tools that are no functions."""

DONE_BEFORE = ("file_search_call", "image_generation_call", "reasoning")
"""Items of an earlier answer that say nothing to the model; clients send them back with the rest."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResponseFields(TextFields):
    """Body of POST /v1/responses."""

    input: Any = setting(meaning="a text, or a list of messages, calls of functions and their results")
    instructions: str | None = setting(None, meaning="what the model is told before; not carried on to later answers")
    previous_response_id: str | None = setting(None, meaning="an answer that this one goes on from")
    store: bool | None = setting(True, meaning="keep the answer, so that a later one can go on from it")
    max_output_tokens: int | None = setting(None, meaning="longest answer in tokens", minimum=1, maximum=MOST_TOKENS)
    text: dict | None = setting(None, meaning="the form of the answer: text, json_object or json_schema")
    tools: list | None = setting(None, meaning="functions that may be called, file_search, image_generation")
    tool_choice: Any = setting(None, meaning="none, auto, required, or one tool by name")
    truncation: str | None = setting(
        None, meaning="whether old turns may be left out: with disabled that is an error", choices=("auto", "disabled")
    )
    include: list | None = setting(None, meaning="what is shown beside the answer: file_search_call.results")
    background: bool = setting(False, meaning="answers are given at once: only false")
    metadata: dict | None = setting(None, meaning="kept with the answer")


def check_fields(fields: ResponseFields) -> None:
    """Refuse what is not done.

    Raises:
        UnsupportedError: Several answers, or one in the background, are asked for.
        ConfigError: The metadata are no texts.
    """
    if fields.n != 1:
        raise UnsupportedError(f"{fields.n} answers", expected="one; /v1/chat/completions gives several")
    if fields.background:
        raise UnsupportedError("an answer in the background", expected="background false, or a stream")
    checked_metadata(fields.metadata)


def input_turns(given: Any) -> list[dict[str, str]]:
    """Return the input as turns.

    Raises:
        UsageError: It is no input.
    """
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise wrong("an input that is neither text nor a list", "a text, or a list of messages")
    return turns_of(
        [_message(item) for item in given if not (isinstance(item, dict) and item.get("type") in DONE_BEFORE)]
    )


def _message(item: Any) -> Any:
    kind = item.get("type", "message") if isinstance(item, dict) else "message"
    if kind == "message":
        return item
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments", "{}")}
        return {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": function}]}
    if kind == "function_call_output":
        output = item.get("output")
        return {"role": "tool", "content": output if isinstance(output, str | list) else json.dumps(output)}
    raise UnsupportedError(
        f"an input of type {str(kind)[:40]!a}", expected="message, function_call or function_call_output"
    )


def input_items(given: Any) -> list[dict[str, Any]]:
    """Return the input as a list of items with ids."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    items = []
    for item in given:
        kind = item.get("type", "message")
        content = item.get("content")
        if kind == "message" and isinstance(content, str):
            word = "output_text" if item.get("role") == "assistant" else "input_text"
            part: dict[str, Any] = {"type": word, "text": content}
            content = [part | ({"annotations": []} if word == "output_text" else {})]
        made = {"id": new_id("item_"), "type": kind, "status": "completed", **item}
        items.append(made | ({"content": content} if kind == "message" else {}))
    return items


def message_item(text: Written, said: str, annotations: list[dict[str, Any]], *, message: str) -> dict[str, Any]:
    """Return a text that was answered as an item.

    Args:
        text: How it was written.
        said: What is given of it.
        annotations: Its citations.
        message: Id of the message.
    """
    is_whole = text.end.get("finish") != "length"
    return {
        "id": message,
        "type": "message",
        "role": "assistant",
        "status": "completed" if is_whole else "incomplete",
        "content": [{**text_part(said), "annotations": annotations}],
    }


def text_part(text: str) -> dict[str, Any]:
    """Return a text as part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call of a function as an item."""
    function = call["function"]
    return {
        "id": f"fc_{call['id'].removeprefix('call_')}",
        "type": "function_call",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": function["arguments"],
        "status": "completed",
    }


def response_object(fields: ResponseFields, *, name: str, created: int) -> dict[str, Any]:
    """Return an answer that has not begun.

    Args:
        fields: What was asked.
        name: Its id.
        created: Seconds since 1970.
    """
    tools = [
        {"strict": False, "parameters": {}, **tool.get("function", {}), **tool} if tool["type"] == "function" else tool
        for tool in fields.tools or []
    ]
    return {
        "id": name,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": fields.instructions,
        "metadata": fields.metadata or {},
        "model": fields.model,
        "output": [],
        "parallel_tool_calls": False,
        "temperature": fields.temperature,
        "tool_choice": shown_choice(fields.tool_choice),
        "tools": tools,
        "top_p": fields.top_p,
        "max_output_tokens": fields.max_output_tokens,
        "previous_response_id": fields.previous_response_id,
        "store": fields.store,
        "text": fields.text or {"format": {"type": "text"}},
        "truncation": fields.truncation or "auto",
        "usage": None,
    }


def shown_choice(choice: Any) -> Any:
    """Return a choice of tools as answers show it."""
    if isinstance(choice, dict):
        if choice.get("type") in HOSTED:
            return {"type": choice["type"]}
        function = choice.get("function", choice)
        return {"type": "function", "name": function.get("name")}
    return choice or "auto"


def response_usage(text: Written) -> dict[str, Any]:
    """Return the numbers of tokens as this route shows them."""
    usage = usage_of([text])
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


def check_left_out(fields: ResponseFields, text: Written) -> None:
    """Refuse an answer to less than was asked, where that was not to be.

    Raises:
        Problem: Turns were left out.
    """
    if fields.truncation == "disabled" and (text.begun.get("left_out") or text.begun.get("is_cut")):
        raise Problem(
            "the conversation does not fit into the context of the model",
            status=400,
            code="context_length_exceeded",
            expected="fewer turns, or truncation auto, which leaves the oldest out",
            param="input",
        )
