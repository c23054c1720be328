"""/v1/videos: clips made in the background: asked for, looked at, fetched, listed, deleted, as in OpenAI's API; a restart goes on.

Decisions. (1) The body is a form, as the official client sends it, or JSON. (2) ``seconds`` and ``size`` are what the model makes, or left
out: there is nothing to choose. (3) ``input_reference`` is the first frame. (4) The file is WebM, or GIF where PyAV is not installed, and
is what was signed; the manifest comes in the header ``x-makar-manifest`` of its content, base64 of its JSON. One clip is made at a time;
one that is deleted meanwhile is made no further. While it is made, ``progress`` and ``makar`` say
the step it is at, of how many, and the seconds that are left at the pace so far; none of that outlives the process. (5) With ``store`` it
is kept in the library too, which the studio shows.
"""

import base64
import dataclasses
import time
from typing import Any, ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import UnsupportedError, UsageError
from makar.generation.library import CREATE, EDIT
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import Front, answer, attended, front_of, leased, merged, now, only_model, seed_of
from makar.serving.image_fields import form_values
from makar.serving.images import check_size
from makar.serving.in_turn import InTurn, Progress
from makar.serving.keeping import NOT_KEPT, Keeping, keep_file, manifest_headers
from makar.serving.problems import Problem
from makar.serving.shelf import Shelf
from makar.serving.uploads import page, read_form

MOST_OPEN = 500
"""Clips that may wait; each holds its place until it is made or deleted."""

REFERENCE = "input_reference"
VARIANT = "video"
SAID = ("asset", "seed", "type", "novelty", "manifest", "is_kept", NOT_KEPT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoFields(Config):
    """Body of POST /v1/videos."""

    kind: ClassVar[str] = ""

    model: str | None = setting(None, meaning="name of a model of video; the only one where there is one")
    prompt: str = setting("", meaning="a description, or the name of a class, where the model takes one")
    size: str | None = setting(None, meaning="auto, or the width and height that the model makes, as 32x32")
    seconds: str | None = setting(None, meaning="how long a clip of the model is; none, or exactly that")
    seed: int | None = setting(None, meaning="the same seed gives the same clip")
    steps: int | None = setting(None, meaning="steps from noise to clip", minimum=1, maximum=1000)
    guidance: float | None = setting(None, meaning="how strictly to follow the prompt", minimum=0.0, maximum=20.0)
    negative_prompt: str | None = setting(None, meaning="what the clip must not be")
    controls: dict | None = setting(None, meaning="further controls of the model by their names; of JSON only")
    store: bool = setting(True, meaning="keep the clip in the library of this machine, which the studio shows")


class Videos:
    """The clips that a server makes.

    Args:
        kept: Where they are kept.
    """

    def __init__(self, kept: Shelf) -> None:
        self.line = InTurn(kept, self._made, noun="clips", most_open=MOST_OPEN)

    async def _made(self, front: Front, video: dict[str, Any], progress: Progress) -> tuple[dict[str, Any], bytes]:
        async with leased(front, video["model"]) as (_, process):
            started = time.perf_counter()
            # To the end, because work that is left before it is over is cancelled.
            async for _, event in merged(process, [video["ask"]]):
                if "step" in event:
                    progress.take(event["step"], event["steps"])
        if video["ask"].get("store"):
            kind = CREATE if video["ask"]["reference"] is None else EDIT
            keeping = Keeping(model=video["model"], kind=kind, prompts=(video["prompt"],), shows_manifest=True)
            await keep_file(front.library, keeping, event, seconds=time.perf_counter() - started)
            event["is_kept"] = NOT_KEPT not in event
        return {"makar": {name: event[name] for name in SAID if name in event}}, base64.b64decode(event["file"])


async def create_video(request: Request) -> Response:
    """Ask for a clip."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        texts, files = await read_form(request, most_files=1)
        values = form_values(VideoFields, texts)
        if other := [name for name, _ in files if name != REFERENCE]:
            raise UsageError(f"a file named {other[0][:40]!a}", expected=REFERENCE)
        reference = base64.b64encode(await files[0][1].read()).decode("ascii") if files else None
    else:
        values, reference = await read_json(request), None
    fields, ignored = read_fields(VideoFields, values)
    if other := [one for one in ignored if one.startswith(REFERENCE)]:
        # A clip without its first frame is not what was asked for.
        raise UnsupportedError(other[0][:60], expected=f"a form with a file named {REFERENCE}")
    front = front_of(request)
    name = fields.model or only_model(front, "video")

    async def shape() -> tuple[str, str]:
        async with leased(front, name) as (place, process):
            if place.medium != "video":
                raise UnsupportedError(f"video of {name}, which makes {place.medium}", expected="a model of video")
            return shape_of(fields, process.facts)

    # Whoever goes while the model is loaded wants no clip.
    size, seconds = await attended(request, shape())
    controls = {"steps": fields.steps, "guidance": fields.guidance, "negative_prompt": fields.negative_prompt}
    video = {
        "id": _kept(request).new_id(),
        "object": "video",
        "status": "queued",
        "progress": 0,
        "model": name,
        "prompt": fields.prompt,
        "created_at": now(),
        "completed_at": None,
        "expires_at": None,
        "error": None,
        "remixed_from_video_id": None,
        "seconds": seconds,
        "size": size,
        "ask": {
            "do": "video",
            "prompt": fields.prompt or None,
            "reference": reference,
            "seed": seed_of(fields.seed),
            "store": fields.store,
            "options": {
                **(fields.controls or {}),
                **{control: value for control, value in controls.items() if value is not None},
            },
        },
    }
    _line(request).put(video)
    return answer(_shown(video, request), ignored_header(ignored))


async def list_videos(request: Request) -> Response:
    """List clips, the newest first."""
    found = [_shown(video, request) for video in _kept(request).all()]
    return answer(page(found, request))


async def one_video(request: Request) -> Response:
    """Describe a clip."""
    return answer(_shown(_kept(request).get(request.path_params["video"]), request))


async def video_content(request: Request) -> Response:
    """Give the file of a clip."""
    variant = request.query_params.get("variant", VARIANT)
    if variant != VARIANT:
        raise UnsupportedError(f"the variant {variant[:20]!a}", expected=VARIANT)
    video = _kept(request).get(request.path_params["video"])
    if video["status"] != "completed":
        raise Problem(f"the video is {video['status']}", status=409, code="invalid_state", expected="a finished one")
    made = video["makar"]
    headers = {
        "x-makar-asset": str(made["asset"]),
        **manifest_headers(made["manifest"], asset=str(made["asset"]), is_kept=made.get("is_kept", False)),
    }
    return Response(_kept(request).content(video["id"]), media_type=made["type"], headers=headers)


async def delete_video(request: Request) -> Response:
    """Delete a clip, whether it is made yet or not."""
    name = request.path_params["video"]
    _line(request).remove(name)
    return answer({"id": name, "object": "video.deleted", "deleted": True})


def shape_of(fields: VideoFields, facts: dict[str, Any]) -> tuple[str, str]:
    """Return size and seconds of a clip in words, ``"auto"`` where its controls say them, as those of a pipeline do.

    Args:
        fields: What was asked.
        facts: What is known of the model.

    Raises:
        UnsupportedError: Another size or length was asked for than the model makes.
    """
    check_size(fields.size, facts["size"])
    size = "auto" if facts["size"] is None else "x".join(map(str, facts["size"]))
    seconds = "auto" if facts["seconds"] is None else f"{facts['seconds']:g}"
    if fields.seconds not in (None, seconds):
        raise UnsupportedError(f"clips of {fields.seconds[:20]!a} seconds", expected=f"{seconds}, or no word of it")
    return size, seconds


def _line(request: Request) -> InTurn:
    line: InTurn = request.app.state.videos.line
    return line


def _kept(request: Request) -> Shelf:
    return _line(request).kept


def _shown(video: dict[str, Any], request: Request) -> dict[str, Any]:
    shown = _line(request).shown(video)
    if "makar" in shown:
        shown["makar"] = {name: value for name, value in shown["makar"].items() if name != "manifest"}
    return shown
