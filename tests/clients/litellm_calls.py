"""Runs in the environment of the clients: litellm chats, streams, calls tools, embeds."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it fetches prices from the network

import litellm

PLACE = {"api_base": f"{sys.argv[1]}/v1", "api_key": "none"}
HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
    "additionalProperties": False,
}


def calls():
    """Yield the name of every call, after it was made."""
    litellm.telemetry = False
    asked = {"model": "openai/talker", "messages": HELLO, "seed": 1, "max_tokens": 8, **PLACE}
    said = litellm.completion(**asked)
    assert said.choices[0].message.content and said.usage.completion_tokens == 8
    yield "completion"
    text = "".join(piece.choices[0].delta.content or "" for piece in litellm.completion(stream=True, **asked))
    assert text == said.choices[0].message.content
    yield "stream"
    tool = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
    called = litellm.completion(**{**asked, "max_tokens": 120, "tools": [tool], "tool_choice": "required"})
    assert isinstance(json.loads(called.choices[0].message.tool_calls[0].function.arguments)["count"], int)
    yield "tools"
    form = {"type": "json_schema", "json_schema": {"name": "counted", "schema": SCHEMA, "strict": True}}
    made = litellm.completion(**{**asked, "max_tokens": 60, "response_format": form})
    assert isinstance(json.loads(made.choices[0].message.content)["count"], int)
    yield "schema"
    assert (
        litellm.text_completion(model="text-completion-openai/talker", prompt="Hello", max_tokens=8, **PLACE)
        .choices[0]
        .text
    )
    yield "text completion"
    assert len(litellm.embedding(model="openai/finder", input=["a fox"], **PLACE).data[0]["embedding"]) > 2
    yield "embedding"
    try:
        litellm.completion(**{**asked, "model": "openai/nobody"})
    except litellm.NotFoundError:
        yield "an unknown model"


print(json.dumps({"calls": list(calls())}))
