"""/v1/videos: clips made in the background: asked for, looked at, fetched, listed, deleted, as in OpenAI's API; a restart goes on.

Decisions. (1) The body is a form, as the official client sends it, or JSON. (2) ``seconds`` and ``size`` are what the model makes, or left
out: there is nothing to choose. (3) ``input_reference`` is the first frame. (4) The file is WebM, or GIF where PyAV is not installed, and
is what was signed; the manifest comes in the header ``x-makar-manifest`` of its content, base64 of its JSON. One clip is made at a time;
one that is deleted meanwhile is made no further. While it is made, ``progress`` and ``makar`` say
the step it is at, of how many, and the seconds that are left at the pace so far; none of that outlives the process. (5) With ``store`` it
is kept in the library too, which the studio shows.
"""

import asyncio
import base64
import dataclasses
import time
from typing import Any, ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import MakarError, UnsupportedError, UsageError
from makar.serving.background import LOG, Background
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import Front, answer, attended, front_of, leased, merged, now, only_model, seed_of
from makar.serving.image_fields import form_values
from makar.serving.images import check_size
from makar.serving.keeping import CREATE, EDIT, NOT_KEPT, Keeping, keep_file, manifest_headers
from makar.serving.problems import LIMITED, Problem, problem_of
from makar.serving.shelf import Shelf
from makar.serving.uploads import page, read_form

OPEN = ("queued", "in_progress")
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
        self.kept = kept
        self._front: Front | None = None
        self._background = Background(self._step)
        self._making: tuple[str, asyncio.Task[dict[str, Any]]] | None = None
        self._progress = Progress()

    def start(self, front: Front) -> None:
        """Begin to work; what was being made when the server ended is made anew."""
        self._front = front
        self._background.start()

    async def stop(self) -> None:
        """Stop; what is not made is made when the server is started again."""
        await self._background.stop()

    def put(self, video: dict[str, Any]) -> None:
        """Take a new clip.

        Raises:
            Problem: Too many wait to be made.
        """
        if sum(one["status"] in OPEN for one in self.kept.all()) >= MOST_OPEN:
            raise Problem(
                f"{MOST_OPEN} clips wait", status=429, code="too_many_waiting", do="ask again later", kind=LIMITED
            )
        self.kept.put(video["id"], video)
        self._background.wake()

    def progress(self, name: str) -> dict[str, Any]:
        """Return what is to be said of a clip that is being made; empty of every other."""
        return self._progress.said() if self._making is not None and self._making[0] == name else {}

    def remove(self, name: str) -> None:
        """Delete a clip, and stop making it.

        Raises:
            Problem: There is none.
        """
        self.kept.remove(name)
        if self._making is not None and self._making[0] == name:
            self._making[1].cancel()

    async def _step(self) -> bool:
        waiting = [video for video in self.kept.all() if video["status"] in OPEN]
        if not waiting:
            return False
        video = waiting[-1]
        self.kept.put(video["id"], video | {"status": "in_progress"})
        self._progress = Progress()
        work = asyncio.create_task(self._made(video))
        self._making = video["id"], work
        try:
            event = await work
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # It is the server that stops, and not somebody who deleted the clip.
                raise
            return True
        except Exception as error:
            # Whatever it is, one clip must not stand in the way of those that come after it.
            is_foreseen = isinstance(error, MakarError)
            LOG.warning("the video %s failed: %s", video["id"], error, exc_info=None if is_foreseen else error)
            said = problem_of(error)["error"]
            self._keep(video, {"status": "failed", "error": {"code": said["code"], "message": said["message"]}})
            return True
        finally:
            self._making = None
        done = {
            "status": "completed",
            "progress": 100,
            "completed_at": now(),
            "makar": {name: event[name] for name in SAID if name in event},
        }
        self._keep(video, done, base64.b64decode(event["file"]))
        return True

    def _keep(self, video: dict[str, Any], changed: dict[str, Any], content: bytes | None = None) -> None:
        # It may have been deleted while it was made.
        if video["id"] in self.kept.names():
            self.kept.put(video["id"], {**video, **changed, "ask": None}, content)

    async def _made(self, video: dict[str, Any]) -> dict[str, Any]:
        assert self._front is not None
        async with leased(self._front, video["model"]) as (_, process):
            started = time.perf_counter()
            # To the end, because work that is left before it is over is cancelled.
            async for _, event in merged(process, [video["ask"]]):
                if "step" in event:
                    self._progress.take(event["step"], event["steps"])
        if video["ask"].get("store"):
            kind = CREATE if video["ask"]["reference"] is None else EDIT
            keeping = Keeping(model=video["model"], kind=kind, prompts=(video["prompt"],), shows_manifest=True)
            await keep_file(self._front.library, keeping, event, seconds=time.perf_counter() - started)
            event["is_kept"] = NOT_KEPT not in event
        return event


class Progress:
    """How far a clip is."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._step, self._steps, self._seconds = 0, 0, 0.0

    def take(self, step: int, steps: int) -> None:
        """Note the step that is taken, from 1, and how many there are."""
        self._step, self._steps, self._seconds = step, steps, time.monotonic()
        if self._first is None:
            self._first = step, self._seconds

    def said(self) -> dict[str, Any]:
        """Return ``progress`` in percent, 100 only when it is finished, and what is known beside."""
        if self._first is None:
            return {}
        step, seconds = self._first
        left = None
        if self._step > step:
            pace = (self._seconds - seconds) / (self._step - step)
            left = max(0.0, round(pace * (self._steps - self._step) - (time.monotonic() - self._seconds), 1))
        known = {"step": self._step, "steps": self._steps, "seconds_left": left}
        return {"progress": min(99, 100 * self._step // self._steps), "makar": known}


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
    request.app.state.videos.put(video)
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
    request.app.state.videos.remove(name)
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


def _kept(request: Request) -> Shelf:
    kept: Shelf = request.app.state.videos.kept
    return kept


def _shown(video: dict[str, Any], request: Request) -> dict[str, Any]:
    videos: Videos = request.app.state.videos
    progress = videos.progress(video["id"]) if video["status"] in OPEN else {}
    shown = {name: value for name, value in video.items() if name != "ask"} | progress
    if "makar" in shown:
        shown["makar"] = {name: value for name, value in shown["makar"].items() if name != "manifest"}
    return shown
