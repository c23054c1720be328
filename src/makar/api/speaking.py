"""``makar.speak``: a script read aloud by one or several models of speech, as a recording with chapters or by a drawn face."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.data.image_reader import read_image
from makar.errors import ConsentError, UnsupportedError, UsageError
from makar.generation.avatar import Anchor, Avatar, is_drawing
from makar.generation.presenting import FILMS, presented_asset
from makar.generation.reading_aloud import Reading, Voice, read_aloud, spoken_asset
from makar.provenance.consent import check_consent, read_consent

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.generation.asset import Asset

WAVE = ".wav"
NARRATOR = "Narrator"
"""Name of a voice that has none."""

LARGEST_DRAWING_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Face:
    """A face that may be shown.

    Attributes:
        avatar: The face.
        stated: What the manifest says of it.
    """

    avatar: Avatar
    stated: dict[str, Any]


def speak(
    script: str,
    *,
    voices: Mapping[str, str] | str,
    form: str = WAVE,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    drawing: str | Path | None = None,
    mouth: tuple[int, int, int] | None = None,
    consent: str | Path | None = None,
) -> "Asset":
    """Read a script aloud.

    Args:
        script: Text; lines ``NAME: text`` are said by that voice, headings (``# Title``) begin chapters.
        voices: From names to models of speech, ``MODEL`` or ``MODEL:LABEL`` for one of its voices; a model alone reads everything.
        form: ``".wav"`` for a recording; ``".gif"``, ``".webp"``, ``".apng"``, ``".mp4"``, ``".webm"``, ``".mkv"`` for a face that speaks.
        seed: Seed of the first line.
        options: Controls by name: ``speed``, ``pitch``, ``vocoder``, and those of the models, for example ``steps``.
        drawing: A drawing of the face; ``None`` takes the one that is built in.
        mouth: Centre (x, y) and width of its mouth, in its pixels.
        consent: For a photograph: the record in which whoever it shows agreed, with the scope face.

    Returns:
        The signed asset; ``.save(path)`` writes it.

    Raises:
        UsageError: The script says nothing, a name has no voice, or the drawing and its mouth do not fit.
        ConsentError: The picture is no drawing and nobody agreed.
    """
    # Whether the face may be shown is known before anything is spoken.
    face = face_for(form, drawing=drawing, mouth=mouth, consent=consent)
    return asset_of(read_aloud(cast_of(voices), script, seed=seed, options=options), form=form, face=face)


def cast_of(voices: Mapping[str, str] | str) -> list[Voice]:
    """Return who speaks, with the models loaded; see ``speak``."""
    from makar.api.model import load

    named = {NARRATOR: voices} if isinstance(voices, str) else dict(voices)
    models: dict[str, Model] = {}
    cast = []
    for name, place in named.items():
        source, label = place_and_voice(place)
        if source not in models:
            models[source] = load(source)
        model = models[source]
        cast.append(Voice(name=name, artifact=model.artifact, label=label, novelty=model.novelty_index()))
    return cast


def face_for(
    form: str, *, drawing: str | Path | None, mouth: tuple[int, int, int] | None, consent: str | Path | None
) -> Face | None:
    """Return the face that a film shows, ``None`` for a recording; see ``speak``."""
    if form != WAVE and form not in FILMS:
        raise UnsupportedError(f'speech as "{form}"', expected=", ".join((WAVE, *FILMS)))
    if form != WAVE:
        return _face(drawing, mouth, consent)
    if drawing is not None or mouth is not None or consent is not None:
        raise UsageError("a face for a recording", expected=f"a film: {', '.join(FILMS)}")
    return None


def asset_of(reading: Reading, *, form: str, face: Face | None) -> "Asset":
    """Return the signed recording or film of a reading; see ``speak``."""
    if face is None:
        return spoken_asset(reading)
    return presented_asset(reading, face.avatar, suffix=form, stated=face.stated)


def place_and_voice(place: str) -> tuple[str, str | None]:
    """Return the model of ``MODEL`` or ``MODEL:LABEL``, and the label of its voice, ``None`` without."""
    source, colon, label = place.rpartition(":")
    # A path may hold a colon itself.
    return (place, None) if not colon or Path(place).exists() else (source, label)


def _face(drawing: str | Path | None, mouth: tuple[int, int, int] | None, consent: str | Path | None) -> Face:
    anchor = None if mouth is None else Anchor(*mouth)
    if drawing is None:
        if consent is not None:
            raise UsageError(
                "a consent for the face that is built in", expected="a picture of somebody, with --drawing"
            )
        return Face(avatar=Avatar(None, anchor), stated={})
    path = Path(drawing)
    if not path.is_file() or path.stat().st_size > LARGEST_DRAWING_BYTES:
        raise UsageError(f"there is no file {path}, or it is too large", expected="a picture of a face")
    pixels = read_image(path.read_bytes())
    pixels = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1].repeat(3, axis=2)
    stated: dict[str, Any] = {"drawing": is_drawing(pixels)}
    if consent is not None:
        record = read_consent(Path(consent))
        check_consent(record, scope="face")
        stated["consent"] = [record.stated()]
    elif not stated["drawing"]:
        raise ConsentError(
            f"{path.name} looks like a photograph, and nobody has agreed to speak so",
            expected="a drawing with plain areas, saved as PNG, or the consent of whoever it shows",
            do="makar consent record RECORDING --who NAME --scope face, then --consent FILE",
        )
    return Face(avatar=Avatar(pixels, anchor), stated=stated)
