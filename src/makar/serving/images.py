"""POST /v1/images/generations and /v1/images/edits: pictures as PNG, each with its signed manifest inside.

Decisions. (1) The size is the model's; another one is refused, never scaled. (2) A mask is read as OpenAI means it: made anew is what is
transparent; one without transparency says it by white. (3) An image without a word of what to do with it is begun from, where the model
can do that. (4) No image is fetched from a URL.
(5) Partial images are what the model expects in the middle of its steps, and nothing that is finished is held back or blurred for them; a
model without steps sends none, and says how many it sent with the finished image.
"""

import base64
import collections
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from makar.errors import MakarError, UnsupportedError, UsageError
from makar.generation.library import CREATE, EDIT
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, begun, front_of, leased, merged, now, only_model, seed_of, sse
from makar.serving.image_fields import EDIT_WORDS, MOST_IMAGES, ImageFields, edit_words, form_values, image_controls
from makar.serving.keeping import NOT_KEPT, Keeping, keep_file
from makar.serving.problems import problem_of
from makar.serving.process import Event, Process
from makar.serving.uploads import read_form

USUAL_STRENGTH = 0.6
IMAGES = ("image", "image[]")
OTHERS = ("mask", "reference", "to")
ESTIMATE = "estimate"
"""Beside an image that is not finished: the step in which it was found, and how many there are."""

SAID = ("asset", "seed", "size", ESTIMATE, "novelty", "manifest", NOT_KEPT)
NO_TOKENS = {
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
}
"""Images are not counted in tokens here; the client's types want the numbers."""


class Drawing:
    """One request for images.

    Args:
        request: The request.
        fields: What was asked.
        how: What is to be done with an image, files as base64; ``None`` makes new ones.
    """

    def __init__(self, request: Request, fields: ImageFields, *, how: dict[str, Any] | None) -> None:
        self.request = request
        self.fields = fields
        self.how = how
        self.model = fields.model or only_model(front_of(request), "image")
        self.seed = seed_of(fields.seed)
        self.kind = "image_generation" if how is None else "image_edit"
        self.format = fields.output_format or "png"
        if fields.partial_images and not fields.stream:
            raise UnsupportedError("images in parts without a stream", expected="stream")

    def ask(self, process: Process) -> Event:
        """Return the work."""
        fields, facts = self.fields, process.facts
        check_size(fields.size, facts["size"])
        options = image_controls(fields)
        ask: Event = {
            "do": "images",
            "prompt": fields.prompt or None,
            "count": fields.n,
            "seed": self.seed,
            "options": options,
            "manifest": fields.manifest or fields.store,
            # As in OpenAI's API there are fewer than were asked for where an image is finished sooner; the last event says so.
            "previews": (fields.partial_images or 0) if facts["previews"] else 0,
        }
        if self.how is None:
            return ask
        is_unsaid = not set(self.how) - {"image"} and "strength" not in options | facts["defaults"]
        if is_unsaid and "image-to-image" in facts["edits"]:
            options["strength"] = USUAL_STRENGTH
        return {**ask, "do": "edit", "how": self.how}

    async def pictures(self) -> AsyncIterator[Event]:
        """Yield the images as they are finished, and before each what it was expected to become."""
        front = front_of(self.request)
        async with leased(front, self.model) as (place, process):
            started = time.perf_counter()
            async for _, event in merged(process, [self.ask(process)]):
                if ESTIMATE in event:
                    if not self.fields.manifest:
                        event.pop("manifest", None)
                    yield event
                    continue
                front.figures.images(place.name, 1)
                if self.fields.store:
                    seconds, started = time.perf_counter() - started, time.perf_counter()
                    await keep_file(front.library, self.keeping(place.name), event, seconds=seconds)
                yield event

    def keeping(self, model: str) -> Keeping:
        """Return how the images are kept."""
        kind, fields = CREATE if self.how is None else EDIT, self.fields
        return Keeping(model=model, kind=kind, prompts=(fields.prompt,), shows_manifest=fields.manifest)

    async def whole(self) -> Event:
        """Return the answer as one object."""
        data = [{"b64_json": event["png"], "makar": said_of(event)} async for event in self.pictures()]
        return {"created": now(), "data": data, "output_format": self.format}

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield an event for every image, and for every preview."""
        sent: collections.Counter[int] = collections.Counter()
        async for event in self.pictures():
            seed, is_partial = event["seed"], ESTIMATE in event
            name = f"{self.kind}.{'partial_image' if is_partial else 'completed'}"
            values = {
                "type": name,
                "b64_json": event["png"],
                "created_at": now(),
                "background": "auto",
                "output_format": self.format,
                "quality": "auto",
                "size": "auto",
                "makar": said_of(event),
            }
            if is_partial:
                values["partial_image_index"] = sent[seed]
                sent[seed] += 1
            else:
                values["usage"] = NO_TOKENS
                if self.fields.partial_images:
                    values["makar"]["partial_images"] = sent[seed]
            yield sse(values, event=name)


def said_of(event: Event) -> dict[str, Any]:
    """Return what Makar says of an image beside OpenAI's fields."""
    return {name: event[name] for name in SAID if name in event}


async def drawn_item(request: Request, fields: ImageFields, *, name: str, raises: bool) -> dict[str, Any]:
    """Return an image as an item of an answer of /v1/responses.

    Args:
        request: The request.
        fields: What is drawn.
        name: Id of the item.
        raises: Whether an image that cannot be made is an error, or an item that says so.

    Raises:
        MakarError: It cannot be made, and that is to be an error.
    """
    item = {"id": name, "type": "image_generation_call", "revised_prompt": fields.prompt, "output_format": "png"}
    try:
        # To the end, because work that is left before it is over is cancelled.
        (event,) = [one async for one in Drawing(request, fields, how=None).pictures()]
    except MakarError as error:
        if raises:
            raise
        return {**item, "status": "failed", "result": None, "error": problem_of(error)["error"]}
    return {**item, "status": "completed", "result": event["png"], "makar": said_of(event)}


def check_size(size: str | None, made: list[int] | None) -> None:
    """Refuse another size than the model makes.

    Args:
        size: What was asked for.
        made: Width and height; ``None`` where they are not fixed.

    Raises:
        UnsupportedError: It is another one.
    """
    if size in (None, "auto") or (made is not None and size == f"{made[0]}x{made[1]}"):
        return
    expected = "auto" if made is None else f"auto, or {made[0]}x{made[1]}, which is what the model makes"
    raise UnsupportedError(f"images of size {str(size)[:20]!a}", expected=expected)


async def generations(request: Request) -> Response:
    """Make images."""
    fields, ignored = read_fields(ImageFields, await read_json(request))
    return await _answered(Drawing(request, fields, how=None), ignored)


async def edits(request: Request) -> Response:
    """Change images."""
    texts, files = await read_form(request)
    words = edit_words(texts)
    plain = {name: text for name, text in texts.items() if name not in EDIT_WORDS}
    fields, ignored = read_fields(ImageFields, form_values(ImageFields, plain))
    given = [file for name, file in files if name in IMAGES]
    if len(given) != 1 and (given or "to_seed" not in words):
        raise UsageError(f"{len(given)} images", expected="one file named image, or two seeds to go between")
    if isinstance(words.get("frames"), int) and words["frames"] > MOST_IMAGES:
        raise UsageError(f"{words['frames']} frames", expected=f"at most {MOST_IMAGES} at a time")
    how = words | ({"image": await _encoded(given[0])} if given else {})
    for name, file in files:
        if name in OTHERS:
            how[name] = await _encoded(file)
        elif name not in IMAGES:
            raise UsageError(f"a file named {name[:40]!a}", expected=f"image, {', '.join(OTHERS)}")
    return await _answered(Drawing(request, fields, how=how), ignored)


async def _encoded(file: UploadFile) -> str:
    return base64.b64encode(await file.read()).decode("ascii")


async def _answered(drawing: Drawing, ignored: list[str]) -> Response:
    headers = ignored_header(ignored)
    if drawing.fields.stream:
        return await begun(drawing.request, drawing.pieces(), headers)
    return answer(await attended(drawing.request, drawing.whole()), headers)
