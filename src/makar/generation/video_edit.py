"""``edit`` for models of clips: a picture comes to life, a clip goes on, what lies between or in a hole is made, a clip becomes another.

All but the last are one thing: of a clip some frames, or parts of them, are known, and the model makes the rest, as it was trained to
(``makar.families.diffusion.filling``). What is longer than the model's own clips is made window after window, each knowing what the one
before made. Pixels outside a mask or box come out bit for bit, at the size they came with; whole new frames have the size of the model,
and so have the frames that stay beside them. Every clip is taken at the rate of the model. Its sound stays, unless another or none is
asked for.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.codecs.video import VideoCodec
from makar.config import Config, setting
from makar.data.clip import Clip
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.clip_slots import as_model, clips_of, hole_as_model
from makar.generation.edit_request import EditRequest
from makar.generation.filming import read_film_form
from makar.generation.finishing import Finishing
from makar.generation.flickering import flicker_beside
from makar.generation.generate import make_assets
from makar.generation.given_clip import LARGEST_SIDE, LEAST_SIDE, GivenClip, read_given_clip
from makar.generation.given_image import read_mask
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.placement import place_frame, put_back, see, see_mask
from makar.generation.prompts import Prompt, Prompts, read_prompts
from makar.generation.request import Request
from makar.generation.soundtrack import KEEP, REMOVE, own_sound, soundtrack
from makar.tensor_spec import KNOWN, MASK, SOURCE

STRENGTH = "strength"
WINDOW_SEEDS = 1_000_003
"""Between the seeds of windows of one clip: the same noise again would show."""

Make = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From frames uint8 ``[frames, height, width, channels]``, and where they are new, bool ``[frames, height, width]``, to what is made."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoEditRequest(Config):
    """What is to be done to a clip; without a word a picture comes to life."""

    kind: ClassVar[str] = ""

    to: Any = setting(None, meaning="a second picture: what lies between the two is made")
    mask: Any = setting(
        None, meaning="fill in: a picture of the size of the clip, white where every frame is made anew"
    )
    box: tuple[int, int, int, int] | None = setting(
        None, meaning="fill in: left, top, right, bottom of what is made anew in every frame", unit="pixels"
    )
    from_second: float | None = setting(None, meaning="fill in: where the hole begins", unit="seconds", minimum=0.0)
    to_second: float | None = setting(None, meaning="fill in: where the hole ends", unit="seconds", minimum=0.0)
    go_on: bool = setting(False, meaning="go on where the clip ends, for half of what the model makes at once")
    sound: Any = setting(None, meaning=f'"{KEEP}", which none is too, "{REMOVE}", or a file in place of it')


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Filling:
    """A clip with what is to be made of it.

    Attributes:
        frames: uint8 ``[frames, rows, columns, channels]``; what is new may hold anything.
        is_new: bool ``[frames, rows, columns]``.
    """

    frames: np.ndarray
    is_new: np.ndarray


def edit_video(
    artifact: Artifact,
    how: EditRequest | Mapping[str, Any],
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[Asset]:
    """Bring a picture to life, go on with a clip, make what lies between two pictures or in a hole, or begin from a clip.

    Args:
        artifact: The model.
        how: The clip or picture (``image``) and what is to be done with it; see ``VideoEditRequest``.
        prompts: What it is to become: a class or a description, where the model takes one.
        count: Variants for each prompt.
        seed: Seed of the first variant; the next has ``seed + 1``.
        options: Sampling controls by name, ``strength`` and ``format`` among them.
        novelty: Compares what the model made with the training data.

    Yields:
        Signed assets.

    Raises:
        UsageError: There is no file, nothing or contradicting things are asked for, or a hole is not in the clip.
        UnsupportedError: Something is asked for that is for another medium.
        DataError: The file is no video and no picture.
    """
    asked, source = _read_request(how)
    check_count_and_seed(count, seed)
    form, controls = read_film_form({name: value for name, value in (options or {}).items() if value is not None})
    assert isinstance(controls, dict)
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False, finishing=Finishing(form=form))
    codec = clips_of(request.codec)
    # Around a hole every pixel stays as it is; everything else is drawn at the size of the model.
    is_hole = asked.mask is not None or asked.box is not None
    side = LARGEST_SIDE if is_hole else max(LEAST_SIDE, 2 * codec.config.height, 2 * codec.config.width)
    given = read_given_clip(source, rate_hz=codec.config.played_hz, largest_side=side)
    operation = _operation(asked, given, has_strength=STRENGTH in controls)
    stated: dict[str, Any] = {"operation": operation, "settings": _settings(asked), "source": given.stated}
    chosen = read_prompts(prompts, codec, request.family)
    jobs = [Job(prompt, seed + number) for prompt in chosen for number in range(count)]
    if operation == "image-to-image":
        slots = {SOURCE: as_model(codec.planes(_whole(given, codec)), request.codec)}
        change = _with_sound(stated, asked, source, seconds=codec.config.seconds)
        change = dataclasses.replace(
            change, measured=flicker_beside(_fitted(given.clip.held_to(codec.config.frames).frames, codec))
        )
        changed = [
            Job(Prompt(stated=job.prompt.stated, slots={**job.prompt.slots, **slots}, change=change), job.seed)
            for job in jobs
        ]
        return make_assets(request, changed)
    filling = _filling(operation, asked, given, codec, stated)
    change = _with_sound(stated, asked, source, seconds=len(filling.frames) / codec.config.played_hz)
    if operation == "inpaint":
        change = dataclasses.replace(change, measured=flicker_beside(filling.frames, filling.is_new[0]))
    return _filled(request, jobs, filling, change)


def _with_sound(stated: dict[str, Any], asked: VideoEditRequest, source: Any, *, seconds: float) -> Change:
    own = own_sound(source) if asked.sound in (None, KEEP) else None
    track = soundtrack(asked.sound, own, seconds=seconds)
    remarks = {"remarks": list(track.remarks)} if track.remarks else {}
    return Change(finish=unchanged, stated={**stated, "sound": track.stated, **remarks}, sound=track.sound)


def _filled(request: Request, jobs: list[Job], filling: Filling, change: Change) -> Iterator[Asset]:
    codec = clips_of(request.codec)
    for job in jobs:
        made: list[Clip] = []

        def make(frames: np.ndarray, is_new: np.ndarray, job: Job = job, made: list[Clip] = made) -> np.ndarray:
            known = as_model(codec.planes(frames), request.codec)
            slots = {KNOWN: known, MASK: hole_as_model(is_new, request.codec)}
            part = Job(
                Prompt(stated=job.prompt.stated, slots={**job.prompt.slots, **slots}),
                job.seed + WINDOW_SEEDS * len(made),
            )
            ((_, found),) = request.draw([part], 0)
            made.append(request.codec.decode(found))
            return made[-1].frames

        frames = fill(filling, make, codec)
        finished = Job(Prompt(stated=job.prompt.stated, slots={}, change=change), job.seed)
        content = Clip(frames, codec.config.played_hz)
        yield request.asset(finished, request.judged(content, made[-1]), 0)


def fill(filling: Filling, make: Make, codec: VideoCodec) -> np.ndarray:
    """Make what is new of a clip, window after window.

    Args:
        filling: The clip.
        make: Makes one window.
        codec: Says the size and the number of frames of a window.

    Returns:
        uint8 ``[frames, rows, columns, channels]``; what was known is the same, bit for bit.
    """
    config = codec.config
    height, width, window, fit = config.height, config.width, config.frames, str(config.fit)
    frames, left = filling.frames.copy(), filling.is_new.copy()
    rows, columns = frames.shape[1:3]
    place = place_frame(rows, columns, height=height, width=width, fit=fit, cover=np.asarray(left.any(0)))
    while left.any():
        first = int(np.flatnonzero(left.any((1, 2)))[0])
        # As much before as after, so that a window goes on from what is known; the clip's own end where it is near.
        start = max(0, min(first - window // 2, len(frames) - window))
        shown = range(start, min(start + window, len(frames)))
        seen = np.zeros((window, height, width, frames.shape[3]), np.uint8)
        hidden = np.ones((window, height, width), bool)
        for number, frame in enumerate(shown):
            seen[number] = see(frames[frame], place, height=height, width=width, fit=fit)
            hidden[number] = see_mask(left[frame], place, height=height, width=width, is_new_beyond=False)
        made = make(seen, hidden)
        for number, frame in enumerate(shown):
            if left[frame].any():
                frames[frame] = put_back(frames[frame], made[number], left[frame], frame=place)
        left[shown.start : shown.stop] = False
    return frames


def _filling(
    operation: str, asked: VideoEditRequest, given: GivenClip, codec: VideoCodec, stated: dict[str, Any]
) -> Filling:
    """Return the clip that is to be filled in; what a manifest says of a mask or a second picture is added to ``stated``."""
    if operation == "inpaint":
        frames = given.clip.frames
        rows, columns = frames.shape[1:3]
        mask, stated_mask = _mask(asked, rows=rows, columns=columns)
        if stated_mask:
            stated["mask"] = stated_mask
        return Filling(frames=frames, is_new=np.repeat(mask[None], len(frames), 0))
    known, count = _fitted(given.clip.frames, codec), codec.config.frames
    if operation == "go on":
        count = len(known) + codec.config.frames // 2
    elif operation == "fill a gap":
        count = len(known)
    frames = np.zeros((count, *known.shape[1:]), np.uint8)
    is_new = np.ones(frames.shape[:3], bool)
    frames[: len(known)], is_new[: len(known)] = known, False
    if operation == "interpolate":
        other = read_given_clip(asked.to, rate_hz=codec.config.played_hz)
        if not other.is_picture:
            raise UsageError("a clip to lead to", expected="a picture")
        stated["to"] = other.stated
        frames[-1], is_new[-1] = _fitted(other.clip.frames, codec)[0], False
    if operation == "fill a gap":
        is_new[_gap(asked, given.clip)] = True
    return Filling(frames=frames, is_new=is_new)


def _operation(asked: VideoEditRequest, given: GivenClip, *, has_strength: bool) -> str:
    words = {
        "a mask": ("inpaint", asked.mask is not None),
        "a box": ("inpaint", asked.box is not None),
        "a hole in time": ("fill a gap", asked.from_second is not None or asked.to_second is not None),
        "go_on": ("go on", asked.go_on),
        "a second picture": ("interpolate", asked.to is not None),
        "strength": ("image-to-image", has_strength),
    }
    said = [name for name, (_, is_asked) in words.items() if is_asked]
    if len(said) > 1:
        raise UsageError(f"{' and '.join(said)} ask for different things", expected="one of them")
    if not said:
        if not given.is_picture:
            raise UsageError(
                "nothing says what to do with the clip",
                expected="a mask, a box, a hole from one second to another, go_on, or a strength",
            )
        return "image-to-video"
    if said[0] in ("a hole in time", "go_on", "strength") and given.is_picture:
        raise UsageError(f"{said[0]} for a picture", expected="a clip; a picture alone, or two, are brought to life")
    if said[0] == "a second picture" and not given.is_picture:
        raise UsageError("a clip that leads to a picture", expected="two pictures, or a clip and go_on")
    return words[said[0]][0]


def _mask(asked: VideoEditRequest, *, rows: int, columns: int) -> tuple[np.ndarray, dict[str, Any]]:
    if asked.mask is not None:
        mask, stated = read_mask(asked.mask, rows=rows, columns=columns)
    else:
        assert asked.box is not None
        left, top, right, bottom = asked.box
        if not (0 <= left < right <= columns and 0 <= top < bottom <= rows):
            raise UsageError(
                f"the box {left},{top},{right},{bottom} in a clip of {columns} x {rows} pixels",
                expected="left,top,right,bottom inside it, left below right and top below bottom",
            )
        mask, stated = np.zeros((rows, columns), bool), {}
        mask[top:bottom, left:right] = True
    if not mask.any() or mask.all():
        raise UsageError(
            f"the mask covers {'all' if mask.all() else 'nothing'} of the clip", expected="a part of it that stays"
        )
    return mask, stated


def _gap(asked: VideoEditRequest, clip: Clip) -> slice:
    start = asked.from_second or 0.0
    end = clip.seconds if asked.to_second is None else asked.to_second
    # Infinity is no place: both are brought into the clip before they are counted in frames.
    first, last = (min(round(min(place, clip.seconds) * clip.rate_hz), len(clip.frames)) for place in (start, end))
    if not 0 <= first < last or last - first >= len(clip.frames):
        raise UsageError(
            f"a hole from {start:g} to {end:g} seconds in a clip of {clip.seconds:.3f}",
            expected=f"one of at least one frame ({1 / clip.rate_hz:.3f} seconds) that leaves some of the clip",
        )
    return slice(first, last)


def _fitted(frames: np.ndarray, codec: VideoCodec) -> np.ndarray:
    """Return frames at the size and with the channels of the model."""
    channels = codec.config.channels
    planes = codec.planes(frames)
    return np.ascontiguousarray(planes.reshape(len(frames), channels, *planes.shape[1:]).transpose(0, 2, 3, 1))


def _whole(given: GivenClip, codec: VideoCodec) -> np.ndarray:
    count = codec.config.frames
    if len(given.clip.frames) > count:
        raise UnsupportedError(
            f"a clip of {len(given.clip.frames)} frames for a model of {count}",
            expected=f"at most {codec.config.seconds:.2f} seconds",
            do="cut it, or fill in a part of it",
        )
    return given.clip.held_to(count).frames


def _settings(asked: VideoEditRequest) -> dict[str, Any]:
    """Return what a manifest says of the request: plain values; pictures are stated by their hashes."""
    given = {field.name: getattr(asked, field.name) for field in dataclasses.fields(asked)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if name not in ("to", "mask", "sound") and value not in (None, False)
    }


def _read_request(how: EditRequest | Mapping[str, Any]) -> tuple[VideoEditRequest, Any]:
    words = (
        {field.name: getattr(how, field.name) for field in dataclasses.fields(how)}
        if isinstance(how, EditRequest)
        else dict(how)
    )
    source = words.pop("image", None)
    # Of a picture 0 means nothing; of a clip it is a place.
    places = ("from_second", "to_second")
    pictures = {name: words.pop(name) for name in ("to", "mask", "sound") if words.get(name) is not None}
    given = {
        name: value
        for name, value in words.items()
        if value is not None and (name in places or (value is not False and value != 0))
    }
    try:
        asked: VideoEditRequest = VideoEditRequest.from_dictionary(given)
    except UnknownNameError as error:
        raise UnsupportedError(
            f'"{error.name}" for a clip',
            expected="for clips: to, mask, box, from_second, to_second, go_on, strength, sound",
        ) from error
    if source is None:
        raise UsageError("there is nothing to change", expected="a video or a picture")
    return dataclasses.replace(asked, **pictures), source
