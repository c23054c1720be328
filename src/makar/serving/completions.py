"""POST /v1/completions: texts gone on with, holes filled, tokens in and likelihoods out.

A suffix asks the model to fill what lies between prompt and suffix, which it must have learned (recipe ``code``): what code editors send.
"""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request, Response

from makar.errors import ConfigError, UnsupportedError
from makar.generation.library import CREATE
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.chat import print_of
from makar.serving.fields import MOST_CHOICES, CompletionFields, stops_of, wants_usage
from makar.serving.front import DONE, answer, attended, begun, front_of, leased, new_id, now, seed_of, sse
from makar.serving.keeping import Keeping
from makar.serving.places import Place
from makar.serving.process import Event, Process
from makar.serving.texts import Written, completion_likelihoods, followed, left_out_headers, said_of, text_ask, usage_of

USUAL_TOKENS = 16
"""Longest answer where nothing is said, as of OpenAI."""


class Completing:
    """One request.

    Args:
        request: The request.
        fields: What was asked.
    """

    def __init__(self, request: Request, fields: CompletionFields) -> None:
        self.request = request
        self.fields = fields
        self.prompts = prompts_of(fields.prompt)
        if len(self.prompts) * fields.n > MOST_CHOICES:
            raise ConfigError(
                f"body.prompt asks for {len(self.prompts) * fields.n} answers", expected=f"at most {MOST_CHOICES}"
            )
        if fields.best_of not in (None, fields.n):
            raise UnsupportedError(f"the best of {fields.best_of}", expected="best_of equal to n, or none")
        if fields.suffix is not None and (fields.echo or fields.logprobs is not None):
            raise UnsupportedError("a suffix with echo or logprobs", expected="one of them")
        if fields.suffix is not None and not all(isinstance(prompt, str) for prompt in self.prompts):
            raise UnsupportedError("a suffix behind tokens", expected="a prompt that is a text")
        if fields.max_tokens == 0 and not fields.echo:
            raise ConfigError("body.max_tokens is 0", expected="at least 1, or echo")
        # What is wrong is said before a model is loaded.
        stops_of(fields)
        self.seed = seed_of(fields.seed)
        self.head = {"id": new_id("cmpl-"), "created": now(), "model": fields.model, "object": "text_completion"}

    def asks(self, process: Process) -> list[Event]:
        """Return the work: one piece a choice, prompt after prompt."""
        fields, is_kept = self.fields, bool(self.fields.store)
        asks = []
        for prompt in self.prompts:
            for number in range(fields.n):
                ask = text_ask(fields, process, likelihoods=fields.logprobs, seed=self.seed + number, is_kept=is_kept)
                facts, options = process.facts, ask["options"]
                if fields.max_tokens is not None:
                    options["max_tokens"] = fields.max_tokens
                elif "max_tokens" in facts["controls"] and "max_tokens" not in options | facts["defaults"]:
                    options["max_tokens"] = USUAL_TOKENS
                if fields.suffix is None:
                    asks.append({"do": "complete", "prompt": prompt, "echo": fields.echo, **ask})
                else:
                    asks.append({"do": "infill", "prompt": prompt, "suffix": fields.suffix, **ask})
        return asks

    def keeping(self, place: Place) -> Keeping | None:
        """Return how the texts are kept, ``None`` where they are not."""
        fields = self.fields
        if not fields.store:
            return None
        shown = tuple(prompt if isinstance(prompt, str) else "" for prompt in self.prompts for _ in range(fields.n))
        return Keeping(model=place.name, kind=CREATE, prompts=shown, shows_manifest=fields.manifest)

    async def whole(self) -> tuple[Event, list[Written]]:
        """Return the answer as one object, and its texts."""
        front, texts = front_of(self.request), list[Written]()
        async with leased(front, self.fields.model) as (place, process):
            async for _, _, texts in followed(  # noqa: B007  the last is the whole
                front, process, self.asks(process), keeping=self.keeping(place), model=place.name
            ):
                pass
            fingerprint = print_of(process)
        choices = [self._choice(number, text) for number, text in enumerate(texts)]
        usage = usage_of(texts, each=self.fields.n)
        head = {**self.head, "system_fingerprint": fingerprint}
        return {**head, "choices": choices, "usage": usage, "makar": said_of(texts)}, texts

    def _choice(self, number: int, text: Written) -> Event:
        before = text.begun.get("text", "") if self.fields.echo else ""
        logprobs = None
        if self.fields.logprobs is not None:
            entries = [*text.begun.get("likelihoods", []), *text.likelihoods]
            logprobs = completion_likelihoods(entries, 0 if "likelihoods" in text.begun else len(before))
        whole = before + text.text
        return {"index": number, "text": whole, "finish_reason": text.end["finish"], "logprobs": logprobs}

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the events of the answer."""
        front, fields = front_of(self.request), self.fields
        texts: list[Written] = []
        async with leased(front, fields.model) as (place, process):
            head: dict[str, Any] = {**self.head, "system_fingerprint": print_of(process)}
            if wants_usage(fields):
                head["usage"] = None
            async for number, event, texts in followed(
                front, process, self.asks(process), keeping=self.keeping(place), model=place.name
            ):
                logprobs, finish, text = None, None, event.get("text", "")
                if "begin" in event:
                    text = event["begin"].get("text", "") if fields.echo else ""
                    entries = event["begin"].get("likelihoods", [])
                elif "end" in event:
                    finish, entries = event["end"]["finish"], []
                else:
                    entries = event.get("likelihoods", [])
                if fields.logprobs is not None:
                    written = len(texts[number].begun.get("text", "")) + len(texts[number].text) - len(text)
                    logprobs = completion_likelihoods(entries, 0 if "begin" in event else written)
                choice = {"index": number, "text": text, "finish_reason": finish, "logprobs": logprobs}
                last = {"makar": said_of([texts[number]])} if finish else {}
                yield sse({**head, "choices": [choice], **last})
        if wants_usage(fields):
            yield sse({**head, "choices": [], "usage": usage_of(texts, each=fields.n)})
        yield DONE


def prompts_of(prompt: Any) -> list[str | list[int]]:
    """Return the prompts of a request.

    Args:
        prompt: A text, tokens, or a list of either.

    Raises:
        ConfigError: It is none of these.
    """
    if isinstance(prompt, str) or _are_tokens(prompt):
        return [prompt]
    if isinstance(prompt, list) and prompt and all(isinstance(one, str) or _are_tokens(one) for one in prompt):
        return prompt
    raise ConfigError("body.prompt is no prompt", expected="a text, a list of tokens, or a list of either")


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is int and item >= 0 for item in value)


async def completions(request: Request) -> Response:
    """Go on with texts."""
    fields, ignored = read_fields(CompletionFields, await read_json(request))
    completing, headers = Completing(request, fields), ignored_header(ignored)
    if fields.stream:
        return await begun(request, completing.pieces(), headers)
    found, texts = await attended(request, completing.whole())
    return answer(found, headers | left_out_headers(texts))
