"""Runs in the environment of the clients: llama-index completes, chats, streams and embeds."""

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

PLACE = {"api_base": f"{sys.argv[1]}/v1", "api_key": "none"}


def calls():
    """Yield the name of every call, after it was made."""
    model = OpenAILike(model="talker", is_chat_model=True, max_tokens=8, context_window=512, max_retries=0, **PLACE)
    assert model.chat([ChatMessage(role="user", content="Hello")]).message.content
    yield "chat"
    assert "".join(piece.delta or "" for piece in model.stream_chat([ChatMessage(role="user", content="Hello")]))
    yield "stream chat"
    plain = OpenAILike(model="talker", is_chat_model=False, max_tokens=8, context_window=512, max_retries=0, **PLACE)
    assert plain.complete("Hello").text
    yield "complete"
    assert "".join(piece.delta or "" for piece in plain.stream_complete("Hello"))
    yield "stream complete"
    made = OpenAILikeEmbedding(model_name="finder", **PLACE)
    assert len(made.get_text_embedding("a fox")) == len(made.get_query_embedding("a hat"))
    yield "embed"


print(json.dumps({"calls": list(calls())}))
