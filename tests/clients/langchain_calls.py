"""Runs in the environment of the clients: langchain-openai asks, streams, wants a form, calls tools, embeds."""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

PLACE = {"base_url": f"{sys.argv[1]}/v1", "api_key": "none", "max_retries": 0}


class Counted(BaseModel):
    """A number of things."""

    count: int


@tool
def look(count: int) -> str:
    """Look at some things."""
    return str(count)


def calls():
    """Yield the name of every call, after it was made."""
    chat = ChatOpenAI(model="talker", max_tokens=8, seed=1, temperature=1.0, **PLACE)
    said = chat.invoke("Hello")
    assert said.content and said.usage_metadata["output_tokens"] == 8
    yield "invoke"
    assert "".join(piece.content for piece in chat.stream("Hello")) == said.content
    yield "stream"
    assert [one.content for one in chat.batch(["Hello", "Hello"])] == [said.content] * 2
    yield "batch"
    long = ChatOpenAI(model="talker", max_tokens=120, seed=1, temperature=1.0, **PLACE)
    for method in ("json_schema", "function_calling"):
        assert isinstance(long.with_structured_output(Counted, method=method).invoke("How many?"), Counted)
        yield f"structured output by {method}"
    called = long.bind_tools([look], tool_choice="look").invoke("Look")
    assert isinstance(called.tool_calls[0]["args"]["count"], int)
    yield "tools"
    result = {"role": "tool", "tool_call_id": called.tool_calls[0]["id"], "content": "3"}
    assert chat.invoke([{"role": "user", "content": "Look"}, called, result]).content
    yield "result of a tool"
    kept = ChatOpenAI(
        model="talker", max_tokens=8, temperature=1.0, use_responses_api=True, extra_body={"seed": 1}, **PLACE
    )
    answered = kept.invoke("Hello")
    assert answered.content_blocks[0]["text"] == said.content, answered
    yield "responses"
    assert OpenAI(model="talker", max_tokens=8, **PLACE).invoke("Hello")
    yield "completions"
    # Otherwise it fetches a table of tokens from the network, to count what it sends.
    made = OpenAIEmbeddings(model="finder", check_embedding_ctx_length=False, **PLACE).embed_documents(
        ["a fox", "a hat"]
    )
    assert len(made) == 2 and made[0] != made[1]
    yield "embeddings"


print(json.dumps({"calls": list(calls())}))
