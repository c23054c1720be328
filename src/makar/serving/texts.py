"""What the routes of texts have in common: work from fields, answers collected from events, likelihoods and usage in OpenAI's shape."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

from makar.serving.fields import TextFields, text_controls
from makar.serving.front import Front, merged
from makar.serving.keeping import NOT_KEPT, Keeping, keep_text
from makar.serving.process import Event, Process

NEUTRAL = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Values that ask for nothing: clients send them unasked, also to models that have no such control."""


@dataclasses.dataclass(kw_only=True)
class Written:
    """One answer in the making.

    Attributes:
        text: What was written.
        tokens: How many tokens.
        likelihoods: How likely they were, where that was asked for.
        begun: What was said before it began.
        end: What was said when it ended.
    """

    text: str = ""
    tokens: int = 0
    likelihoods: list[Event] = dataclasses.field(default_factory=list)
    begun: Event = dataclasses.field(default_factory=dict)
    end: Event = dataclasses.field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take an event."""
        if "begin" in event:
            self.begun = event["begin"]
        elif "end" in event:
            self.end = event["end"]
        else:
            self.text += event["text"]
            self.tokens += len(event["tokens"])
            self.likelihoods += event.get("likelihoods", [])


def text_ask(
    fields: TextFields, process: Process, *, likelihoods: int | None, seed: int, is_kept: bool = False
) -> Event:
    """Return what every piece of work on a text says.

    Args:
        fields: What was asked.
        process: Who is to do it.
        likelihoods: Alternatives of every token; ``None`` for no likelihoods.
        seed: Of this text.
        is_kept: Whether the text is to be kept, for which its manifest is needed.
    """
    known = process.facts["controls"]
    controls = {
        name: value
        for name, value in text_controls(fields).items()
        if name in known or name not in NEUTRAL or value != NEUTRAL[name]
    }
    neutral = ("frequency_penalty", "presence_penalty")
    controls = {name: value for name, value in controls.items() if name not in neutral or value}
    return {"options": controls, "seed": seed, "likelihoods": likelihoods, "manifest": fields.manifest or is_kept}


async def followed(
    front: Front, process: Process, asks: list[Event], *, model: str, keeping: Keeping | None = None
) -> AsyncIterator[tuple[int, Event, list[Written]]]:
    """Do the work for several texts and yield (which, event, all of them so far); what is used is counted.

    Args:
        front: The server.
        process: Who does it.
        asks: The pieces of work.
        model: Name of the model.
        keeping: How each text is kept once it is finished; ``None`` keeps none.

    Raises:
        Problem: One of them failed.
    """
    texts = [Written() for _ in asks]
    started, is_first = time.perf_counter(), True
    try:
        async for number, event in merged(process, asks):
            texts[number].add(event)
            if is_first and event.get("tokens"):
                is_first = False
                front.figures.first_token(model, time.perf_counter() - started)
            if keeping is not None and "manifest" in event.get("end", {}):
                text, seconds = texts[number], time.perf_counter() - started
                await keep_text(front.library, keeping, text.end, number=number, tokens=text.tokens, seconds=seconds)
            yield number, event, texts
    except (asyncio.CancelledError, GeneratorExit):
        front.figures.cancelled()
        raise
    finally:
        count = usage_of(texts)
        front.figures.tokens(model, asked=count["prompt_tokens"], made=count["completion_tokens"])


def usage_of(texts: list[Written], *, each: int = 1) -> dict[str, int]:
    """Return the numbers of tokens.

    Args:
        texts: The answers.
        each: How many of them, side by side, have one prompt.
    """
    asked = made = 0
    for number, text in enumerate(texts):
        service = text.end.get("service", {})
        made += service.get("output_tokens") or text.tokens
        if number % each == 0:
            asked += service.get("input_tokens") or text.begun.get("prompt_tokens", 0)
    return {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}


def said_of(texts: list[Written]) -> dict[str, Any]:
    """Return what Makar says of answers beside OpenAI's fields: assets, seeds, and manifests where they were asked for."""
    found: dict[str, Any] = {
        "assets": [
            {name: text.end[name] for name in ("asset", "sha256", "seed", NOT_KEPT) if name in text.end}
            for text in texts
            if "asset" in text.end
        ]
    }
    manifests = [text.end["manifest"] for text in texts if "manifest" in text.end]
    if manifests:
        found["manifests"] = manifests
    left_out = max((text.begun.get("left_out", 0) for text in texts), default=0)
    return found | ({"left_out_turns": left_out} if left_out else {})


def left_out_headers(texts: list[Written]) -> dict[str, str]:
    """Return headers that say what did not fit into the context."""
    found = {}
    if left_out := max((text.begun.get("left_out", 0) for text in texts), default=0):
        found["x-makar-left-out-turns"] = str(left_out)
    if any(text.begun.get("is_cut") for text in texts):
        found["x-makar-cut"] = "true"
    return found


def token_text(entry: Event) -> str:
    """Return a token as text; bytes that are no whole character are shown as such."""
    part = bytes(entry["bytes"])
    try:
        return part.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in part)


def chat_likelihoods(entries: list[Event]) -> list[dict[str, Any]]:
    """Return likelihoods as chat completions show them."""

    def shown(entry: Event) -> dict[str, Any]:
        return {"token": token_text(entry), "bytes": entry["bytes"], "logprob": entry["logprob"]}

    return [{**shown(entry), "top_logprobs": [shown(one) for one in entry["top"]]} for entry in entries]


def completion_likelihoods(entries: list[Event], start: int) -> dict[str, Any]:
    """Return likelihoods as completions show them.

    Args:
        entries: The tokens in order.
        start: Where the text begins in the whole, in characters.
    """
    tokens = [token_text(entry) for entry in entries]
    offsets, at = [], start
    for entry in entries:
        offsets.append(at)
        at += len(bytes(entry["bytes"]).decode("utf-8", "ignore"))
    return {
        "tokens": tokens,
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [{token_text(one): one["logprob"] for one in entry["top"]} for entry in entries],
        "text_offset": offsets,
    }
