"""A script read aloud by a drawn face: the mouth follows the units that the model was told to speak, so it is never late.

WebM, MP4 and MKV have the sound inside and need the package av; GIF, WebP and animated PNG have none: the recording lies beside as WAV.
Eyes blink now and then, by the seed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from makar.data.video_file import ANIMATIONS, FORMS
from makar.errors import UnsupportedError
from makar.generation.asset import Asset
from makar.generation.avatar import MARK, Avatar
from makar.generation.filming import film_of
from makar.generation.mouths import mouth_shapes
from makar.generation.reading_aloud import Reading
from makar.provenance.embedding import SOURCE_TYPE

IMAGES_A_SECOND = 25
BLINK_IMAGES, BLINK_SECONDS = 4, (2.0, 5.0)
FILMS = tuple(f".{form}" for form in FORMS)
"""Suffixes of a film; those of ``SILENT`` have the recording beside them."""

SILENT = tuple(f".{form}" for form in ANIMATIONS)


def presented_asset(reading: Reading, avatar: Avatar, *, suffix: str, stated: Mapping[str, Any] | None = None) -> Asset:
    """Return the signed film of a face that reads a script.

    Args:
        reading: What is read.
        avatar: The face.
        suffix: Of ``FILMS``.
        stated: What else its manifest says, such as the consent of whoever the picture shows.

    Raises:
        UnsupportedError: There is no such form.
        MissingExtraError: The form needs the package av.
    """
    if suffix not in FILMS:
        raise UnsupportedError(f'a film as "{suffix}"', expected=", ".join(FILMS))
    if not reading.is_timed:
        raise UnsupportedError(
            "a face for a voice of others, which does not say when each sound is spoken",
            expected='models of the recipes "speech" or "tacotron"',
            do="name a .wav file: the recording alone can be made",
        )
    content = film_of(
        images_of(reading, avatar),
        suffix.removeprefix("."),
        rate_hz=IMAGES_A_SECOND,
        source_type=SOURCE_TYPE,
        sound=reading.sound,
        said=f"{MARK};",
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
