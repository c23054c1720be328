"""A clip on its way out: as the file that leaves, in the form that was asked for, marked as made by a model; and what form that is."""

from collections.abc import Mapping
from typing import Any

from makar.config import Config
from makar.data.clip import Clip
from makar.data.structure_reader import structure_library
from makar.data.structure_writer import FORMS as STRUCTURE_FORMS
from makar.data.video_file import CODINGS, FORMS, usual_form, video_bytes
from makar.data.video_reader import video_library
from makar.errors import UsageError
from makar.provenance.content import Film

FORMAT = "format"
"""Control that names the form."""


def filmed(clip: Clip, source_type: str, form: str | None) -> Film:
    """Return a clip with its file.

    Args:
        clip: The clip.
        source_type: The IPTC word for how it came about; it stands in the file too, where the form has room for it.
        form: Of ``makar.data.video_file.FORMS``; ``None`` takes the usual one.
    """
    chosen = form or usual_form()
    return Film(
        frames=clip.frames,
        rate_hz=clip.rate_hz,
        form=chosen,
        file=video_bytes(clip, chosen, comment=f"Makar {source_type}"),
    )


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
