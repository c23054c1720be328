"""A film on its way out: as the file that leaves, in the form that was asked for, with its sound, marked by how it came about."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from makar.config import Config
from makar.data.clip import Clip
from makar.data.sound import Sound
from makar.data.structure_reader import structure_library
from makar.data.structure_writer import FORMS as STRUCTURE_FORMS
from makar.data.video_file import CODINGS, FORMS, film_bytes, usual_form
from makar.data.video_reader import video_library
from makar.errors import UsageError
from makar.generation.recording import recorded
from makar.provenance.content import Film

FORMAT = "format"
"""Control that names the form."""


def filmed(clip: Clip, source_type: str, form: str | None, *, sound: Sound | None = None) -> Film:
    """Return a clip with its file.

    Args:
        clip: The clip.
        source_type: The IPTC word for how it came about; it stands in the file too, where the form has room for it.
        form: Of ``makar.data.video_file.FORMS``; ``None`` takes the usual one.
        sound: What is heard.
    """
    film = film_of(clip.frames, form or usual_form(), rate_hz=clip.rate_hz, source_type=source_type, sound=sound)
    return dataclasses.replace(film, held=clip.frames)


def film_of(
    frames: Iterable[np.ndarray],
    form: str,
    *,
    rate_hz: float,
    source_type: str,
    sound: Sound | None = None,
    said: str = "Makar",
) -> Film:
    """Return frames with their file; they are taken one by one.

    Args:
        frames: uint8 ``[height, width, channels]`` each, at least one.
        form: Of ``makar.data.video_file.FORMS``.
        rate_hz: Frames a second.
        source_type: The IPTC word for how it came about.
        sound: What is heard; beside the film where its form has no room for it.
        said: What the file says of itself before that word.
    """
    sizes: list[tuple[int, int]] = []

    def counted() -> Iterator[np.ndarray]:
        for frame in frames:
            sizes.append((frame.shape[0], frame.shape[1]))
            yield frame

    inside = sound if form in CODINGS else None
    file = film_bytes(counted(), form, rate_hz=rate_hz, comment=f"{said} {source_type}", sound=inside)
    wave = None if sound is None or inside is not None else recorded(sound, source_type).wave
    height, width = sizes[0]
    return Film(file=file, form=form, count=len(sizes), height=height, width=width, rate_hz=rate_hz, wave=wave)


def read_film_form(options: Mapping[str, Any] | Config | None) -> tuple[str | None, dict[str, Any] | Config]:
    """Take the form of the file out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.

    Returns:
        The form, ``None`` where none is asked for, and the controls that are left.

    Raises:
        UsageError: There is no such form.
        MissingExtraError: The form needs a package that is not installed.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    form = rest.pop(FORMAT, None)
    if form is None:
        return None, rest
    known = (*FORMS, *STRUCTURE_FORMS)
    if form not in known:
        raise UsageError(f"the format {str(form)[:40]!a}", expected=", ".join(known))
    if form in CODINGS:
        # Before anything is drawn, so that no work is lost.
        video_library()
    if form == "cif":
        structure_library()
    return str(form), rest
