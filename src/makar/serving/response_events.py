"""The events of one answer of POST /v1/responses, numbered, in the order that OpenAI's stream has.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from typing import Any

from makar.serving.front import sse
from makar.serving.process import Event
from makar.serving.response_fields import text_part

WORK = {
    "file_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
}
"""What is said of work that is no text, while it goes on."""


class ResponseEvents:
    """The events of one answer.

    Args:
        made: The answer before it began.
        message: Id of its message.
    """

    def __init__(self, made: Event, message: str) -> None:
        self._made = made
        self._message = message
        self._number = 0
        self._index = 0
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
        return opened + self._event("output_text.delta", {**self._place(), "delta": text, "logprobs": []})

    def item(self, item: dict[str, Any]) -> bytes:
        """Return the events of an item that is finished, whatever it is."""
        if item["type"] == "message":
            events = self._finished_text(item["content"][0])
        elif item["type"] == "function_call":
            events = self._called(item)
        else:
            events = self._worked(item)
        events += self._event("output_item.done", {"output_index": self._index, "item": item})
        self._index += 1
        return events

    def ended(self, made: Event) -> bytes:
        """Return the event of the end."""
        return self._event(made["status"], {"response": made})

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._message, "output_index": self._index, "content_index": 0}

    def _opened(self) -> bytes:
        self._is_open = True
        item = {"id": self._message, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        added = self._event("output_item.added", {"output_index": self._index, "item": item})
        return added + self._event("content_part.added", {**self._place(), "part": text_part("")})

    def _finished_text(self, part: dict[str, Any]) -> bytes:
        events = b"" if self._is_open else self._opened()
        for number, annotation in enumerate(part["annotations"]):
            values = {**self._place(), "annotation_index": number, "annotation": annotation}
            events += self._event("output_text.annotation.added", values)
        events += self._event("output_text.done", {**self._place(), "text": self._text, "logprobs": []})
        return events + self._event("content_part.done", {**self._place(), "part": part})

    def _called(self, item: dict[str, Any]) -> bytes:
        place = {"item_id": item["id"], "output_index": self._index}
        begun = {**item, "arguments": "", "status": "in_progress"}
        events = self._event("output_item.added", {"output_index": self._index, "item": begun})
        events += self._event("function_call_arguments.delta", {**place, "delta": item["arguments"]})
        done = {**place, "arguments": item["arguments"], "name": item["name"]}
        return events + self._event("function_call_arguments.done", done)

    def _worked(self, item: dict[str, Any]) -> bytes:
        begun = {**item, "status": "in_progress"} | ({"result": None} if "result" in item else {})
        events = self._event("output_item.added", {"output_index": self._index, "item": begun})
        stages = WORK[item["type"]] if item["status"] == "completed" else WORK[item["type"]][:-1]
        for stage in stages:
            events += self._event(f"{item['type']}.{stage}", {"item_id": item["id"], "output_index": self._index})
        return events
