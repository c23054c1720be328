"""``edit`` for models of sounds: a hole is filled in, a sound goes on where it ends, or it becomes another that begins from it.

The model sees as much as it learned at once, around the hole. What stood in the hole is not looked at: it may be a crackle or silence.
At its edges the sound goes on by linear prediction (``makar.data.linear_prediction``), so that windows that reach a little into the hole
are still known; the others are made anew. The phases of what is new are then found together with the samples that stay, and begin with
those of the prediction (``makar.codecs.griffin_lim``), so that the sound goes on without a jump. Samples outside the hole come out bit
for bit, at the rate and with the channels that they came with.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.sound import SoundCodec
from makar.config import Config, setting
from makar.data.linear_prediction import edges
from makar.data.sound import Sound, resampled
from makar.data.spectrogram import OVERLAP
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.families.family import Batch
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.edit_request import EditRequest
from makar.generation.generate import make_assets
from makar.generation.given_sound import read_given_sound
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompts import Prompt, Prompts, read_prompts
from makar.generation.request import Request
from makar.generation.resounding import is_resounding, resound
from makar.generation.token_sound_edit import GO_ON, RECONSTRUCT, token_edit, writes_tokens
from makar.tensor_spec import KNOWN, MASK, SOURCE, TARGET

FADE_SECONDS = 0.010
"""At each end of what is new it is mixed with what the sound beside it leads to."""

STRENGTH = "strength"
OPERATIONS = ("control", "vary", RECONSTRUCT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundEditRequest(Config):
    """What is to be done to a sound."""

    kind: ClassVar[str] = ""

    from_second: float | None = setting(None, meaning="fill in: where the hole begins", unit="seconds", minimum=0.0)
    to_second: float | None = setting(None, meaning="fill in: where the hole ends", unit="seconds", minimum=0.0)
    go_on: bool = setting(False, meaning="go on where the sound ends, for half of what the model hears at once")
    operation: str | None = setting(
        None,
        meaning="of models of tokens: control plays its melody anew, vary gives others like it, reconstruct encodes and decodes; none "
        "takes the one that the model can do",
        choices=OPERATIONS,
    )


def edit_sound(
    artifact: Artifact,
    how: EditRequest | Mapping[str, Any],
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[Asset]:
    """Fill in a hole of a sound, go on with it, or begin from it.

    Args:
        artifact: The model.
        how: The file (``image``) and what is to be done with it; see ``SoundEditRequest``.
        prompts: What it is to become: a class or a description, where the model takes one.
        count: Variants for each prompt.
        seed: Seed of the first variant; the next has ``seed + 1``.
        options: Sampling controls by name, ``strength`` among them.
        novelty: Compares what the model made with the training data.

    Yields:
        Signed assets.

    Raises:
        UsageError: There is no file, nothing or contradicting things are asked for, or the hole is not in the sound.
        UnsupportedError: Something is asked for that is for another medium, or the hole is longer than what the model hears.
        DataError: The file is no sound.
    """
    if is_resounding(artifact):
        if prompts is not None:
            raise UnsupportedError("a prompt of a model that finds how pictures sound", expected="no prompt")
        return resound(artifact, how, count=count, seed=seed, options=options, novelty=novelty)
    if not isinstance(artifact.codec().plain, SoundCodec):
        raise UnsupportedError(
            "a model of speech speaks texts and changes nothing, and one of samples makes them",
            expected="a model of the recipe sound",
        )
    asked, source = _read_request(how)
    check_count_and_seed(count, seed)
    controls = {name: value for name, value in (options or {}).items() if value is not None}
    is_hole = asked.from_second is not None or asked.to_second is not None
    config = artifact.recipe.stages[-1].family
    if writes_tokens(config) or RECONSTRUCT in config.edits:
        if is_hole or STRENGTH in controls or (asked.go_on and asked.operation):
            raise UnsupportedError(
                "a hole, a strength, or two things at once, of a model that writes sounds from beginning to end",
                expected=f"one of: {', '.join(('go_on', *config.edits) if writes_tokens(config) else config.edits)}",
                do='for holes train with the recipe "sound"',
            )
        operation = GO_ON if asked.go_on else asked.operation or next(iter(config.edits), GO_ON)
        content, sound = read_given_sound(source)
        request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
        slots, change = token_edit(
            request.codec, config, sound, operation=operation, stated=_stated(asked, content, sound)
        )
        return make_assets(request, _jobs(request, prompts, slots, change, seeds=range(seed, seed + count)))
    _check_operation(asked)
    if is_hole + asked.go_on + (STRENGTH in controls) != 1:
        raise UsageError(
            "nothing, or more than one thing, is asked for",
            expected="a hole (from_second and to_second), go_on, or a strength",
        )
    content, sound = read_given_sound(source)
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
    codec = request.codec
    assert isinstance(codec, SoundCodec), "sounds have one codec"
    stated = _stated(asked, content, sound)
    if STRENGTH in controls:
        if sound.seconds > codec.config.seconds:
            raise UnsupportedError(
                f"a sound of {sound.seconds:.2f} seconds for a model of {codec.config.seconds:.2f}",
                expected="a shorter one",
                do="cut it, or fill in a part of it",
            )
        slots = {SOURCE: _as_model(codec.picture(sound), codec)}
        change = Change(finish=unchanged, stated={"operation": "image-to-image", **stated})
    else:
        hole = _end(sound, codec) if asked.go_on else _hole(asked, sound)
        slots, change = filling(sound, hole, codec, stated | {"operation": "go on" if asked.go_on else "inpaint"})
    return make_assets(request, _jobs(request, prompts, slots, change, seeds=range(seed, seed + count)))


def _check_operation(asked: SoundEditRequest) -> None:
    """Refuse operations that only models of tokens know.

    Raises:
        UnsupportedError: One is asked for.
    """
    if asked.operation is not None:
        raise UnsupportedError(
            f'"{asked.operation}" of a model that fills in and goes on',
            expected="a hole, go_on, or a strength",
            do='train with the recipe "musicgen" or "sound-vqvae"',
        )


def _jobs(request: Request, prompts: Prompts, slots: Batch, change: Change, *, seeds: range) -> list[Job]:
    return [
        Job(Prompt(stated=prompt.stated, slots={**prompt.slots, **slots}, change=change), seed)
        for prompt in read_prompts(prompts, request.codec, request.family)
        for seed in seeds
    ]


def _stated(asked: SoundEditRequest, content: bytes, sound: Sound) -> dict[str, Any]:
    return {
        "settings": {name: value for name, value in asked.to_dictionary().items() if value not in (None, False)},
        "source": {"kind": "sound", "sha256": hashlib.sha256(content).hexdigest(), "seconds": round(sound.seconds, 6)},
    }


def filling(
    sound: Sound, hole: tuple[float, float], codec: SoundCodec, stated: dict[str, Any]
) -> tuple[dict[str, torch.Tensor], Change]:
    """Return the slots and the change of filling in a hole, which may begin where the sound ends.

    Args:
        sound: The sound; what stands in the hole is not looked at.
        hole: Its first second and its last.
        codec: The codec of the model.
        stated: What the manifest says of the edit.

    Raises:
        UnsupportedError: It is as long as what the model hears at once.
    """
    config = codec.config
    rate, hop, frames = config.rate_hz, config.hop, config.frames
    start, end = (round(place * rate) for place in hole)
    # A quarter of a window may reach into the hole: what is predicted of so little is right.
    first = max(0, start // hop)
    last = -(-end // hop) + 1
    if last - first >= frames:
        raise UnsupportedError(
            f"a hole of {hole[1] - hole[0]:.2f} seconds for a model that hears {config.seconds:.2f} at once",
            expected="a shorter one, so that something that is known is left",
        )
    whole = resampled(sound, rate).mono()
    total = max(-(-len(whole) // hop), -(-end // hop))
    begin = min(max(0, (first + last - frames) // 2), max(0, total - frames))
    around = np.zeros(frames * hop, np.float32)
    part = whole[begin * hop : begin * hop + len(around)]
    around[: len(part)] = part
    left, right = max(0, start - begin * hop), min(len(around), end - begin * hop)
    is_new = np.zeros(len(around), bool)
    is_new[left:right] = True
    around[left:right] = edges(
        around[:left], around[right : len(part)], right - left, rate_hz=rate, seconds=OVERLAP * hop / rate
    )
    drawn = codec.picture(Sound(around[:, None], rate))
    mask = np.zeros((1, config.mels, frames), np.float32)
    mask[:, :, first - begin : last - begin] = 1
    slots = {KNOWN: _as_model(drawn, codec), MASK: torch.from_numpy(mask)}

    def finish(made: np.ndarray) -> Sound:
        # Frames that were given come back through the model nearly, the samples themselves are better.
        filled = np.where(mask[0] > 0, made[:, :, 0], drawn[:, :, 0])
        new = codec.sound(filled, known=around, is_new=is_new)
        return _put_back(sound, resampled(new, sound.rate_hz), hole, begin * hop / rate)

    return slots, Change(finish=finish, stated=stated, decode=codec.pictures.decode)


def _put_back(sound: Sound, new: Sound, hole: tuple[float, float], begin: float) -> Sound:
    """Return a sound with what is new in its hole, which what is beside the hole fades into; all other samples are the same."""
    rate = sound.rate_hz
    start, end = (round(place * rate) for place in hole)
    samples = np.zeros((max(len(sound.samples), end), sound.samples.shape[1]), np.float32)
    samples[: len(sound.samples)] = sound.samples
    offset = round(begin * rate)
    part = new.samples[start - offset : end - offset]
    fade = min(round(FADE_SECONDS * rate), len(part) // 2)
    slope = (np.arange(fade, dtype=np.float32) + 1) / (fade + 1)
    weight = np.ones(len(part), np.float32)
    if start > 0:
        weight[:fade] = slope
    if end < len(sound.samples):
        weight[len(part) - fade :] = slope[::-1]
    for channel in samples.T:
        beside = edges(channel[:start], channel[end:], len(part), rate_hz=rate, seconds=2 * FADE_SECONDS)
        channel[start : start + len(part)] = weight * part[:, 0] + (1 - weight) * beside
    return Sound(samples, rate)


def _hole(asked: SoundEditRequest, sound: Sound) -> tuple[float, float]:
    start, end = asked.from_second or 0.0, sound.seconds if asked.to_second is None else asked.to_second
    if not 0 <= start < end <= sound.seconds + 1e-6 or (start == 0 and end >= sound.seconds):
        raise UsageError(
            f"a hole from {start:g} to {end:g} seconds in a sound of {sound.seconds:.3f}",
            expected="one that ends after it begins, inside the sound, and leaves some of it",
        )
    return start, min(end, sound.seconds)


def _end(sound: Sound, codec: SoundCodec) -> tuple[float, float]:
    return sound.seconds, sound.seconds + codec.config.seconds / 2


def _as_model(drawn: np.ndarray, codec: SoundCodec) -> torch.Tensor:
    values = codec.to_model(TARGET, np.ascontiguousarray(drawn.transpose(2, 0, 1)))
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def _read_request(how: EditRequest | Mapping[str, Any]) -> tuple[SoundEditRequest, Any]:
    words = dict(how.to_dictionary() if isinstance(how, EditRequest) else how)
    source = words.pop("image", None)
    # Of an image 0 means nothing; of a sound it is a place.
    places = ("from_second", "to_second")
    given = {name: value for name, value in words.items() if value is not None and (value or name in places)}
    try:
        asked: SoundEditRequest = SoundEditRequest.from_dictionary(given)
    except UnknownNameError as error:
        raise UnsupportedError(
            f'"{error.name}" for a sound', expected="for sounds: from_second, to_second, go_on, strength"
        ) from error
    if source is None:
        raise UsageError("there is no sound to change", expected="a sound file")
    return asked, source
