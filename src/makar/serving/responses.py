"""/v1/responses: answers that are kept, so that a later one can go on from them; whole or as events with numbers.

What is kept is the conversation, in a folder of this machine, with the answer as it was given. ``instructions`` hold for one answer only.
"""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request, Response

from makar.errors import UnsupportedError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.chat import Held, print_of
from makar.serving.fields import stops_of
from makar.serving.front import answer, attended, begun, front_of, leased, new_id, now, seed_of, sse
from makar.serving.messages import Tools, form_of
from makar.serving.process import Event, Process
from makar.serving.response_fields import (
    ResponseFields,
    check_fields,
    check_left_out,
    input_items,
    input_turns,
    output_items,
    response_object,
    response_usage,
    text_part,
)
from makar.serving.texts import Written, followed, said_of, text_ask
from makar.serving.uploads import page


class Responding:
    """One request.

    Args:
        request: The request.
        fields: What was asked.
    """

    def __init__(self, request: Request, fields: ResponseFields) -> None:
        check_fields(fields)
        stops_of(fields)
        self.front = front_of(request)
        self.fields = fields
        self.tools = Tools(fields.tools, fields.tool_choice)
        self.form = self.tools.controls() or form_of((fields.text or {}).get("format"))
        before: list[dict[str, str]] = []
        if fields.previous_response_id is not None:
            before = self.front.responses.get(fields.previous_response_id)["turns"]
        self.turns = [*before, *input_turns(fields.input)]
        told = [{"role": "system", "content": fields.instructions}] if fields.instructions else []
        self.asked = [*self.tools.turns(), *told, *self.turns]
        self.made = response_object(fields, name=self.front.responses.new_id(), created=now())
        self.message = new_id("msg_")

    def ask(self, process: Process) -> Event:
        """Return the work."""
        ask = text_ask(self.fields, process, likelihoods=None, seed=seed_of(self.fields.seed))
        most = self.fields.max_output_tokens or self.fields.max_tokens
        ask["options"] |= self.form | ({"max_tokens": most} if most else {})
        return {"do": "chat", "turns": self.asked, **ask}

    def finished(self, text: Written) -> Event:
        """Return the whole answer, after it was kept where that is wanted."""
        calls = self.tools.calls_in(text.text)
        is_whole = text.end["finish"] != "length"
        made = {
            **self.made,
            "status": "completed" if is_whole else "incomplete",
            "incomplete_details": None if is_whole else {"reason": "max_output_tokens"},
            "output": output_items(text, calls, message=self.message),
            "usage": response_usage(text),
            "completed_at": now(),
            "makar": said_of([text]),
        }
        if self.fields.store:
            turns = [*self.turns, {"role": "assistant", "content": text.text}]
            kept = {"id": made["id"], "response": made, "turns": turns, "input": input_items(self.fields.input)}
            self.front.responses.put(made["id"], kept)
        return made

    async def whole(self) -> Event:
        """Return the answer as one object."""
        text = Written()
        async with leased(self.front, self.fields.model) as (place, process):
            self.made["system_fingerprint"] = print_of(process)
            async for _, _, (text,) in followed(self.front, process, [self.ask(process)], model=place.name):
                check_left_out(self.fields, text)
        return self.finished(text)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the events of the answer."""
        events, text = _Events(self.made, self.message), Written()
        async with leased(self.front, self.fields.model) as (place, process):
            self.made["system_fingerprint"] = print_of(process)
            held = Held(self.tools)
            async for _, event, (text,) in followed(self.front, process, [self.ask(process)], model=place.name):
                if "begin" in event:
                    check_left_out(self.fields, text)
                    yield events.started()
                    continue
                for delta, _, _ in held.take(event, text):
                    if delta.get("content"):
                        yield events.added(delta["content"])
        yield events.ended(self.finished(text))


class _Events:
    """The events of one answer, numbered.

    Args:
        made: The answer before it began.
        message: Id of its message.
    """

    def __init__(self, made: Event, message: str) -> None:
        self._made = made
        self._place = {"item_id": message, "output_index": 0, "content_index": 0}
        self._number = 0
        self._text = ""
        self._is_open = False

    def _event(self, name: str, values: dict[str, Any]) -> bytes:
        kind = f"response.{name}"
        made = sse({"type": kind, "sequence_number": self._number, **values}, event=kind)
        self._number += 1
        return made

    def started(self) -> bytes:
        """Return the events before anything was written."""
        created = self._event("created", {"response": self._made})
        return created + self._event("in_progress", {"response": self._made})

    def added(self, text: str) -> bytes:
        """Return the events of new text."""
        opened = b"" if self._is_open else self._opened()
        self._text += text
        return opened + self._event("output_text.delta", {**self._place, "delta": text, "logprobs": []})

    def _opened(self) -> bytes:
        self._is_open = True
        item = {
            "id": self._place["item_id"],
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        added = self._event("output_item.added", {"output_index": 0, "item": item})
        return added + self._event("content_part.added", {**self._place, "part": text_part("")})

    def ended(self, made: Event) -> bytes:
        """Return the events of the end."""
        events = b""
        for index, item in enumerate(made["output"]):
            if item["type"] == "message":
                events += b"" if self._is_open else self._opened()
                whole = {**self._place, "text": self._text, "logprobs": []}
                events += self._event("output_text.done", whole)
                events += self._event("content_part.done", {**self._place, "part": text_part(self._text)})
            else:
                place = {"item_id": item["id"], "output_index": index}
                begun_item = {**item, "arguments": "", "status": "in_progress"}
                events += self._event("output_item.added", {"output_index": index, "item": begun_item})
                delta = {**place, "delta": item["arguments"]}
                events += self._event("function_call_arguments.delta", delta)
                done = {**place, "arguments": item["arguments"], "name": item["name"]}
                events += self._event("function_call_arguments.done", done)
            events += self._event("output_item.done", {"output_index": index, "item": item})
        return events + self._event(made["status"], {"response": made})


async def create_response(request: Request) -> Response:
    """Answer."""
    fields, ignored = read_fields(ResponseFields, await read_json(request))
    responding, headers = Responding(request, fields), ignored_header(ignored)
    if fields.stream:
        return await begun(responding.pieces(), headers)
    return answer(await attended(request, responding.whole()), headers)


async def one_response(request: Request) -> Response:
    """Give an answer again."""
    return answer(front_of(request).responses.get(request.path_params["response"])["response"])


async def response_input(request: Request) -> Response:
    """Give what was asked."""
    items = front_of(request).responses.get(request.path_params["response"])["input"]
    return answer(page(items, request))


async def delete_response(request: Request) -> Response:
    """Forget an answer."""
    name = request.path_params["response"]
    front_of(request).responses.remove(name)
    return answer({"id": name, "object": "response", "deleted": True})


async def cancel_response(request: Request) -> Response:
    """Refuse: an answer is over when its connection is."""
    front_of(request).responses.get(request.path_params["response"])
    raise UnsupportedError("an answer in the background to cancel", expected="a stream, which ends when it is closed")
