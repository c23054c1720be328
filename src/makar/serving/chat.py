"""POST /v1/chat/completions: conversations answered, whole or in pieces.

Pieces: the role first, then text, then why it ended, then where it was asked for the numbers of tokens with no choices, then ``[DONE]``.
An answer that could still become a call of a function is held back from its first brace on.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from fastapi import Request, Response

from makar.errors import ConfigError
from makar.generation.library import CHAT
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.fields import ChatFields, longest_answer, stops_of, wants_usage
from makar.serving.front import DONE, answer, attended, begun, front_of, leased, new_id, now, seed_of, sse
from makar.serving.keeping import Keeping
from makar.serving.messages import Tools, form_of, refuse_modalities, turns_of
from makar.serving.places import Place
from makar.serving.process import Event, Process
from makar.serving.texts import (
    Written,
    chat_likelihoods,
    followed,
    left_out_headers,
    said_of,
    text_ask,
    usage_of,
)


class Chatting:
    """One request.

    Args:
        request: The request.
        fields: What was asked.
    """

    def __init__(self, request: Request, fields: ChatFields) -> None:
        refuse_modalities(fields.modalities)
        self.request = request
        self.fields = fields
        self.tools = Tools(fields.tools, fields.tool_choice)
        self.turns = [*self.tools.turns(), *turns_of(fields.messages)]
        self.form = self.tools.controls() or form_of(fields.response_format)
        # What is wrong is said before a model is loaded.
        stops_of(fields)
        self.most = longest_answer(fields, "max_completion_tokens", "max_tokens")
        if fields.top_logprobs and not fields.logprobs:
            raise ConfigError("body.top_logprobs without logprobs", expected="logprobs: true")
        self.seed = seed_of(fields.seed)
        self.head = {"id": new_id("chatcmpl-"), "created": now(), "model": fields.model}

    def asks(self, process: Process) -> list[Event]:
        """Return the work: one piece a choice."""
        fields, is_kept = self.fields, bool(self.fields.store)
        likelihoods = (fields.top_logprobs or 0) if fields.logprobs else None
        asks = []
        for number in range(fields.n):
            ask = text_ask(fields, process, likelihoods=likelihoods, seed=self.seed + number, is_kept=is_kept)
            ask["options"] |= self.form | ({} if self.most is None else {"max_tokens": self.most})
            asks.append({"do": "chat", "turns": self.turns, **ask})
        return asks

    def keeping(self, place: Place) -> Keeping | None:
        """Return how the answers are kept, ``None`` where they are not."""
        if not self.fields.store:
            return None
        asked = next((turn["content"] for turn in reversed(self.turns) if turn["role"] == "user"), "")
        return Keeping(model=place.name, kind=CHAT, prompts=(str(asked),), shows_manifest=self.fields.manifest)

    async def texts(self, place: Place, process: Process) -> AsyncIterator[tuple[int, Event, list[Written]]]:
        """Yield (choice, event, every choice so far)."""
        front = front_of(self.request)
        async for found in followed(front, process, self.asks(process), keeping=self.keeping(place), model=place.name):
            yield found

    async def whole(self) -> tuple[Event, list[Written]]:
        """Return the answer as one object, and the texts that it holds."""
        texts: list[Written] = []
        async with leased(front_of(self.request), self.fields.model) as (place, process):
            async for _, _, texts in self.texts(place, process):  # noqa: B007  the last is the whole
                pass
            fingerprint = print_of(process)
        choices = [self._choice(number, text) for number, text in enumerate(texts)]
        usage = usage_of(texts, each=self.fields.n)
        head = {**self.head, "object": "chat.completion", "system_fingerprint": fingerprint}
        return {**head, "choices": choices, "usage": usage, "makar": said_of(texts)}, texts

    def _choice(self, number: int, text: Written) -> Event:
        calls = self.tools.calls_in(text.text)
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else text.text, "refusal": None}
        finish = text.end["finish"]
        if calls:
            message["tool_calls"], finish = calls, "tool_calls"
        logprobs = {"content": chat_likelihoods(text.likelihoods), "refusal": None} if self.fields.logprobs else None
        return {"index": number, "message": message, "finish_reason": finish, "logprobs": logprobs}

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the events of the answer; the first once the model has been asked."""
        front, fields = front_of(self.request), self.fields
        texts: list[Written] = []
        async with leased(front, fields.model) as (place, process):
            head = {**self.head, "object": "chat.completion.chunk", "system_fingerprint": print_of(process)}
            if wants_usage(fields):
                head["usage"] = None
            held = [Held(self.tools) for _ in range(fields.n)]
            async for number, event, texts in self.texts(place, process):
                for delta, finish, likelihoods in held[number].take(event, texts[number]):
                    logprobs = {"content": chat_likelihoods(likelihoods), "refusal": None} if fields.logprobs else None
                    choice = {"index": number, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
                    last = {"makar": said_of([texts[number]])} if finish else {}
                    yield sse({**head, "choices": [choice], **last})
        if wants_usage(fields):
            yield sse({**head, "choices": [], "usage": usage_of(texts, each=fields.n)})
        yield DONE


class Held:
    """Turns the events of one answer into deltas.

    Args:
        tools: The functions that it may call.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._is_open = not tools.may_be_called and not tools.controls()
        self._waiting = ""
        self._likelihoods: list[Event] = []

    def take(self, event: Event, text: Written) -> list[tuple[dict[str, Any], str | None, list[Event]]]:
        """Return (delta, why it ended, likelihoods) of an event; the text so far tells whether it is a call."""
        if "begin" in event:
            return [({"role": "assistant", "content": "", "refusal": None}, None, [])]
        if "end" not in event:
            self._waiting += event["text"]
            self._likelihoods += event.get("likelihoods", [])
            begins = text.text.lstrip()
            if not self._is_open and begins and not begins.startswith("{") and not self._tools.controls():
                self._is_open = True
            return self._given(None) if self._is_open and self._waiting else []
        calls = self._tools.calls_in(text.text)
        if calls:
            self._waiting = ""
            deltas = [{"index": number, **call} for number, call in enumerate(calls)]
            given = [({"tool_calls": deltas}, None, self._likelihoods)]
            return [*given, ({}, "tool_calls", [])]
        last = self._given(None) if self._waiting else []
        return [*last, ({}, event["end"]["finish"], [])]

    def _given(self, finish: str | None) -> list[tuple[dict[str, Any], str | None, list[Event]]]:
        given = [({"content": self._waiting}, finish, self._likelihoods)]
        self._waiting, self._likelihoods = "", []
        return given


def print_of(process: Process) -> str:
    """Return what tells one model from another."""
    return f"makar-{process.facts['hash'][:16]}"


async def chat_completions(request: Request) -> Response:
    """Answer a conversation."""
    fields, ignored = read_fields(ChatFields, await read_json(request))
    chatting, headers = Chatting(request, fields), ignored_header(ignored)
    if fields.stream:
        return await begun(request, chatting.pieces(), headers)
    found, texts = await attended(request, chatting.whole())
    return answer(found, headers | left_out_headers(texts))
