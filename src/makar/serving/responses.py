"""/v1/responses: answers that are kept, so that a later one can go on from them; whole or as events with numbers.

What is kept is the conversation, in a folder of this machine, with the answer as it was given. ``instructions`` hold for one answer only.
An answer from documents is held back until it is whole, because every sentence is checked before it is given.
"""

import json
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request, Response

from makar.errors import UnsupportedError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.chat import Held, print_of
from makar.serving.citing import Cited, Sources, search_item, sources_of
from makar.serving.fields import longest_answer, stops_of
from makar.serving.front import answer, attended, begun, front_of, leased, new_id, now, seed_of
from makar.serving.images import drawn_item
from makar.serving.messages import form_of
from makar.serving.process import Event, Process
from makar.serving.response_events import ResponseEvents
from makar.serving.response_fields import (
    ResponseFields,
    call_item,
    check_fields,
    check_left_out,
    input_items,
    input_turns,
    message_item,
    response_object,
    response_usage,
)
from makar.serving.response_tools import DOCUMENTS, DRAW, tools_of
from makar.serving.texts import Written, followed, said_of, text_ask
from makar.serving.uploads import page
from makar.serving.vector_stores import stores_of


class Responding:
    """One request.

    Args:
        request: The request.
        fields: What was asked.
    """

    def __init__(self, request: Request, fields: ResponseFields) -> None:
        check_fields(fields)
        stops_of(fields)
        self.most = longest_answer(fields, "max_output_tokens", "max_tokens")
        self.request = request
        self.front = front_of(request)
        self.fields = fields
        self.given = tools_of(fields.tools, fields.tool_choice, fields.include)
        self.tools = self.given.functions
        self.form = self.tools.controls() or form_of((fields.text or {}).get("format"))
        before: list[dict[str, str]] = []
        if fields.previous_response_id is not None:
            before = self.front.responses.get(fields.previous_response_id)["turns"]
        self.turns = [*before, *input_turns(fields.input)]
        self.made = response_object(fields, name=self.front.responses.new_id(), created=now())
        self.message = new_id("msg_")
        self.text = Written()
        self.result: Event = {}

        asked = [place for place, turn in enumerate(self.turns) if turn["role"] == "user"]
        self.question = self.turns[asked[-1]]["content"] if asked else ""
        """The last thing that was said by whoever asks."""
        self._before = self.turns[: asked[-1]] if asked else []

    def ask(self, process: Process, sources: Sources | None) -> Event:
        """Return the work.

        Args:
            process: Who is to do it.
            sources: What the answer is written from; ``None`` for what the model knows.
        """
        ask = text_ask(self.fields, process, likelihoods=None, seed=seed_of(self.fields.seed))
        ask["options"] |= {} if self.most is None else {"max_tokens": self.most}
        told = [{"role": "system", "content": self.fields.instructions}] if self.fields.instructions else []
        if sources is not None:
            system, asked = sources.turns()
            known = process.facts["controls"]
            usual = {name: value for name, value in sources.options().items() if name in known}
            ask["options"] = usual | ask["options"]
            turns = [system, *told, *self._before, asked]
            return {"do": "chat", "turns": turns, "shorter": sources.shorter(), **ask}
        ask["options"] |= self.form
        return {"do": "chat", "turns": [*self.tools.turns(), *told, *self.turns], **ask}

    async def whole(self) -> Event:
        """Return the answer as one object."""
        async for _ in self.pieces():
            pass
        return self.result

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the events of the answer; the first when the model has begun, so that what is refused has its own status."""
        events, items = ResponseEvents(self.made, self.message), list[dict[str, Any]]()
        sources, cited = None, None
        if self.given.search is not None:
            sources, finds, queries = await sources_of(stores_of(self.request), self.given.search, self.question)
            items.append(search_item(self.given.search, finds, queries, name=new_id("fs_")))
            if not sources.is_found and self.tools.may_be_called:
                sources = None
        if sources is not None and (not sources.is_found or self.fields.model == DOCUMENTS):
            cited = sources.extract()
            yield self._started(events, items)
        elif self._is_drawn_directly():
            items.append(await self._drawn(self.question, name=new_id("ig_"), is_asked_directly=True))
            yield self._started(events, items)
            yield self._ended(events, items, None)
            return
        else:
            async for piece in self._written(events, items, sources):
                yield piece
            cited = None if sources is None else sources.check(self.text.text, by=self.fields.model)
        if cited is not None:
            yield events.added(cited.text)
            left_out = self.text.begun.get("left_out_sources", 0)
            self.made["makar"] = {"unsupported": cited.unsupported} | (
                {"left_out_sources": left_out} if left_out else {}
            )
            items.append(message_item(self.text, cited.text, cited.annotations, message=self.message))
            yield events.item(items[-1])
        else:
            async for piece in self._answered(events, items):
                yield piece
        yield self._ended(events, items, cited)

    async def _written(
        self, events: ResponseEvents, items: list[dict[str, Any]], sources: Sources | None
    ) -> AsyncGenerator[bytes]:
        async with leased(self.front, self.fields.model) as (place, process):
            self.made["system_fingerprint"] = print_of(process)
            held, ask = Held(self.tools), self.ask(process, sources)
            async for _, event, texts in followed(self.front, process, [ask], model=place.name):
                self.text = texts[0]
                if "begin" in event:
                    check_left_out(self.fields, self.text)
                    yield self._started(events, items)
                    continue
                for delta, _, _ in held.take(event, self.text) if sources is None else ():
                    if delta.get("content"):
                        yield events.added(delta["content"])

    async def _answered(self, events: ResponseEvents, items: list[dict[str, Any]]) -> AsyncGenerator[bytes]:
        """Yield the events of what was written: calls, images that were called for, or a text."""
        for call in self.tools.calls_in(self.text.text):
            if self.given.drawing is not None and call["function"]["name"] == DRAW:
                prompt = str(json.loads(call["function"]["arguments"]).get("prompt", ""))
                items.append(await self._drawn(prompt, name=new_id("ig_"), is_asked_directly=False))
            else:
                items.append(call_item(call))
            yield events.item(items[-1])
        if all(item["type"] == "file_search_call" for item in items):
            items.append(message_item(self.text, self.text.text, [], message=self.message))
            yield events.item(items[-1])

    def _is_drawn_directly(self) -> bool:
        return self.given.drawing is not None and self.front.pool.place(self.fields.model).medium == "image"

    async def _drawn(self, prompt: str, *, name: str, is_asked_directly: bool) -> dict[str, Any]:
        """Return an image as an item; one that a model asked for in vain says why."""
        assert self.given.drawing is not None
        fields = self.given.drawing.changed(prompt=prompt)
        if is_asked_directly:
            fields = fields.changed(model=self.fields.model)
        return await drawn_item(self.request, fields, name=name, raises=is_asked_directly)

    def _started(self, events: ResponseEvents, items: list[dict[str, Any]]) -> bytes:
        return events.started() + b"".join(events.item(item) for item in items)

    def _ended(self, events: ResponseEvents, items: list[dict[str, Any]], cited: Cited | None) -> bytes:
        """Return the last event, after the answer was kept where that is wanted."""
        text = self.text
        is_whole = text.end.get("finish") != "length"
        self.result = {
            **self.made,
            "status": "completed" if is_whole else "incomplete",
            "incomplete_details": None if is_whole else {"reason": "max_output_tokens"},
            "output": items,
            "usage": response_usage(text),
            "completed_at": now(),
            "makar": {**said_of([text]), **self.made.get("makar", {})},
        }
        if self.fields.store:
            said = text.text if cited is None else cited.text
            turns = [*self.turns, {"role": "assistant", "content": said}]
            kept = {
                "id": self.made["id"],
                "response": self.result,
                "turns": turns,
                "input": input_items(self.fields.input),
            }
            self.front.responses.put(self.made["id"], kept)
        return events.ended(self.result)


async def create_response(request: Request) -> Response:
    """Answer."""
    fields, ignored = read_fields(ResponseFields, await read_json(request))
    responding = Responding(request, fields)
    headers = ignored_header([*ignored, *responding.given.ignored])
    if fields.stream:
        return await begun(request, responding.pieces(), headers)
    return answer(await attended(request, responding.whole()), headers)


async def one_response(request: Request) -> Response:
    """Give an answer again."""
    return answer(front_of(request).responses.get(request.path_params["response"])["response"])


async def response_input(request: Request) -> Response:
    """Give what was asked."""
    items = front_of(request).responses.get(request.path_params["response"])["input"]
    return answer(page(items[::-1], request))


async def delete_response(request: Request) -> Response:
    """Forget an answer."""
    name = request.path_params["response"]
    front_of(request).responses.remove(name)
    return answer({"id": name, "object": "response", "deleted": True})


async def cancel_response(request: Request) -> Response:
    """Refuse: an answer is over when its connection is."""
    front_of(request).responses.get(request.path_params["response"])
    raise UnsupportedError("an answer in the background to cancel", expected="a stream, which ends when it is closed")
