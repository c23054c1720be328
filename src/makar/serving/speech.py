"""POST /v1/audio/speech: a text spoken by a model of speech, or a sound of what is described, as a file.

Decisions. (1) ``voice`` is the name of a voice that the model learned, or ``default`` where it learned one. (2) The answer is MP3 unless
another format is asked for, as in OpenAI's API; WAV needs no package and is the only one whose bytes the manifest signs. (3) The manifest
comes in the header ``x-makar-manifest``, base64 of its JSON: beside the WAV as ``FILE.makar.json`` it can be verified; that of a long text
is in the library, and ``x-makar-manifest-at`` says where. (4) ``pcm`` has the rate of the model, which the header ``x-makar-rate-hz``
says. (5) With ``store`` the WAV file is kept in the library, whatever is sent.
"""

import base64
import dataclasses
import io
import time
from typing import ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.data.sound import resampled
from makar.data.sound_reader import read_sound
from makar.data.wave_file import on_grid
from makar.errors import MissingExtraError, UnsupportedError
from makar.generation.library import CREATE
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import Front, attended, front_of, leased, merged, only_model, seed_of
from makar.serving.keeping import NOT_KEPT, Keeping, keep_file, manifest_headers
from makar.serving.process import Event

DEFAULT_VOICE = "default"
TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "pcm": "application/octet-stream",
}
RATES_HZ = {
    "mp3": (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (8000, 12_000, 16_000, 24_000, 48_000),
}
"""What a form can hold; a sound of another rate gets the next higher one."""

WRITTEN_BY = {"mp3": ("MP3", "MPEG_LAYER_III"), "flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechFields(Config):
    """Body of POST /v1/audio/speech."""

    kind: ClassVar[str] = ""

    model: str | None = setting(None, meaning="name of a model of speech or sound; the only one where there is one")
    input: str = setting(meaning="the text to be spoken; of other models of sound the description or class")
    voice: str = setting(DEFAULT_VOICE, meaning="a voice that the model learned; default where it learned one")
    response_format: str = setting("mp3", meaning="form of the file", choices=tuple(TYPES))
    speed: float = setting(1.0, meaning="2 is twice as fast as the recordings", minimum=0.5, maximum=2.0)
    instructions: str | None = setting(None, meaning="how to speak cannot be said in words here: empty, or none")
    stream_format: str | None = setting(
        None, meaning="the file is sent whole: audio, or none", choices=("audio", "sse")
    )
    seed: int | None = setting(None, meaning="the same seed gives the same recording")
    store: bool = setting(False, meaning="keep it in the library of this server")
    controls: dict | None = setting(
        None, meaning="further controls of the model by their names: pitch, energy, steps, guidance"
    )


async def speech(request: Request) -> Response:
    """Speak a text."""
    fields, ignored = read_fields(SpeechFields, await read_json(request))
    if fields.instructions or fields.stream_format == "sse":
        raise UnsupportedError(
            "instructions how to speak" if fields.instructions else "a stream of events",
            expected="voice and speed; the file comes whole",
        )
    front = front_of(request)
    event = await attended(request, _made(front, fields))
    wave = base64.b64decode(event["wave"])
    # Where it is to be kept and was not, that is said: nobody loses a sound for a list of sounds.
    lost = {"x-makar-not-kept": ascii(event[NOT_KEPT])[1:-1]} if NOT_KEPT in event else {}
    is_kept = fields.store and not lost
    headers = lost | {
        "x-makar-asset": str(event["asset"]),
        "x-makar-seed": str(event["seed"]),
        "x-makar-rate-hz": str(event["rate_hz"]),
        **manifest_headers(event["manifest"], asset=str(event["asset"]), is_kept=is_kept),
    }
    content = converted(wave, fields.response_format)
    return Response(content, media_type=TYPES[fields.response_format], headers=headers | ignored_header(ignored))


async def _made(front: Front, fields: SpeechFields) -> Event:
    name = fields.model or only_model(front, "sound")
    async with leased(front, name) as (place, process):
        started = time.perf_counter()
        options = dict(fields.controls or {})
        voices = process.facts["classes"]
        if fields.voice != DEFAULT_VOICE:
            if fields.voice not in voices:
                raise UnsupportedError(
                    f"the voice {fields.voice[:40]!a}",
                    expected=", ".join(voices) or f'"{DEFAULT_VOICE}": it has one voice',
                )
            options["label"] = fields.voice
        if fields.speed != 1:
            options["speed"] = fields.speed
        ask = {"do": "sound", "prompt": fields.input, "seed": seed_of(fields.seed), "options": options}
        # To the end, because work that is left before it is over is cancelled.
        (event,) = [one async for _, one in merged(process, [ask])]
    if fields.store:
        keeping = Keeping(model=place.name, kind=CREATE, prompts=(fields.input,), shows_manifest=True)
        await keep_file(front.library, keeping, event, seconds=time.perf_counter() - started)
    return event


def converted(wave: bytes, form: str) -> bytes:
    """Return a WAV file in another form.

    Args:
        wave: The file.
        form: Of ``TYPES``.

    Raises:
        MissingExtraError: The form needs the package soundfile.
        UnsupportedError: The form cannot hold the sound at its rate.
    """
    if form == "wav":
        return wave
    sound = read_sound(wave)
    if form == "pcm":
        return (on_grid(sound.samples) * 2**15).astype("<i2").tobytes()
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("soundfile", extra="audio") from error
    if form in RATES_HZ:
        sound = resampled(sound, min((rate for rate in RATES_HZ[form] if rate >= sound.rate_hz), default=48_000))
    file = io.BytesIO()
    container, coding = WRITTEN_BY[form]
    try:
        soundfile.write(file, sound.samples, sound.rate_hz, format=container, subtype=coding)
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise UnsupportedError(
            f"{form} of {sound.rate_hz} samples a second", expected="response_format wav or flac"
        ) from error
    return file.getvalue()
