"""A script read aloud by a drawn face: the mouth follows the units that the model was told to speak, so it is never late.

Images that are the same one after the other are kept as one that stays longer. GIF, WebP and animated PNG have no sound: the recording lies
beside as WAV. MP4 (H.264, AAC) and WebM (VP9, Opus) have it inside and need the package av. Eyes blink now and then, by the seed.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from makar.data.sound import Sound, resampled
from makar.errors import MissingExtraError, UnsupportedError
from makar.generation.asset import Asset
from makar.generation.avatar import MARK, Avatar
from makar.generation.mouths import mouth_shapes
from makar.generation.reading_aloud import Reading
from makar.generation.recording import recorded
from makar.provenance.content import Presentation
from makar.provenance.embedding import SOURCE_TYPE

IMAGES_A_SECOND = 25
BLINK_IMAGES, BLINK_SECONDS = 4, (2.0, 5.0)
ANIMATIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    ".gif": ("GIF", {"optimize": False, "disposal": 1}),
    ".webp": ("WEBP", {"quality": 85, "method": 3}),
    ".png": ("PNG", {}),
}
FILMS = {".mp4": ("mp4", "libx264", "aac"), ".webm": ("webm", "libvpx-vp9", "libopus")}
OPUS_RATE_HZ = 48_000
FORMS = (*ANIMATIONS, *FILMS)


def presented_asset(reading: Reading, avatar: Avatar, *, suffix: str, stated: Mapping[str, Any] | None = None) -> Asset:
    """Return the signed film of a face that reads a script.

    Args:
        reading: What is read.
        avatar: The face.
        suffix: Of ``FORMS``.
        stated: What else its manifest says, such as the consent of whoever the picture shows.

    Raises:
        UnsupportedError: There is no such form.
        MissingExtraError: The form needs the package av.
    """
    if suffix not in FORMS:
        raise UnsupportedError(f'a film as "{suffix}"', expected=", ".join(FORMS))
    shown = images_of(reading, avatar)
    wave = recorded(reading.sound, SOURCE_TYPE).wave
    file = _animated(shown, suffix) if suffix in ANIMATIONS else _filmed(shown, reading.sound, suffix)
    content = Presentation(
        file=file,
        suffix=suffix,
        wave=wave if suffix in ANIMATIONS else None,
        images=len(shown),
        seconds=reading.sound.seconds,
    )
    face = {"images_a_second": IMAGES_A_SECOND, "visible_mark": MARK, "size": list(avatar.size)}
    return reading.signed(content, presenter={**face, **(stated or {})})


def images_of(reading: Reading, avatar: Avatar) -> list[np.ndarray]:
    """Return the images of a film, uint8 ``[rows, columns, 3]`` each."""
    images = max(1, int(np.ceil(reading.sound.seconds * IMAGES_A_SECOND)))
    shapes = mouth_shapes(reading.units, images=images, images_a_second=IMAGES_A_SECOND)
    blinking = _blinks(images, reading.seed)
    return [avatar.draw(shape, bool(blink)) for shape, blink in zip(shapes, blinking, strict=True)]


def _blinks(images: int, seed: int) -> np.ndarray:
    draw, found, place = np.random.default_rng(seed), np.zeros(images, bool), 0
    while place < images:
        place += round(draw.uniform(*BLINK_SECONDS) * IMAGES_A_SECOND)
        found[place : place + BLINK_IMAGES] = True
    return found


def _animated(shown: Sequence[np.ndarray], suffix: str) -> bytes:
    # What is drawn comes from a memory of drawings, so that the same image is the same object.
    kept: list[np.ndarray] = []
    counts: list[int] = []
    for image in shown:
        if kept and image is kept[-1]:
            counts[-1] += 1
        else:
            kept.append(image)
            counts.append(1)
    first, *rest = (Image.fromarray(image) for image in kept)
    form, options = ANIMATIONS[suffix]
    file = io.BytesIO()
    durations = [count * 1000 // IMAGES_A_SECOND for count in counts]
    first.save(file, format=form, save_all=True, append_images=rest, duration=durations, loop=0, **options)
    return file.getvalue()


def _filmed(shown: Sequence[np.ndarray], sound: Sound, suffix: str) -> bytes:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", extra="video") from error
    form, pictures, sounds = FILMS[suffix]
    rate = OPUS_RATE_HZ if sounds == "libopus" else sound.rate_hz
    samples = np.ascontiguousarray(resampled(sound, rate).mono()[None])
    file = io.BytesIO()
    with av.open(file, mode="w", format=form) as container:
        container.metadata["comment"] = f"{MARK}; {SOURCE_TYPE}"
        film: Any = container.add_stream(pictures, rate=IMAGES_A_SECOND)
        film.height, film.width = shown[0].shape[:2]
        film.pix_fmt = "yuv420p"
        audio: Any = container.add_stream(sounds, rate=rate)
        audio.layout = "mono"
        for image in shown:
            container.mux(film.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(film.encode())
        heard = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        heard.sample_rate = rate
        heard.pts = 0
        queue = av.AudioFifo()
        queue.write(heard)
        size = audio.codec_context.frame_size or 1024
        while (part := queue.read(size)) is not None or (part := queue.read(size, partial=True)) is not None:
            container.mux(audio.encode(part))
        container.mux(audio.encode())
    return file.getvalue()
