"""``makar.edit_film``: films joined, cut, played at another speed, with their sound or another, in any form, without a model."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.home import models_folder
from makar.provenance.folder import MANIFEST_NAME, is_safe_name

if TYPE_CHECKING:
    from makar.data.clip import Clip
    from makar.generation.asset import Asset


def edit_film(
    films: "str | Path | Clip | Sequence[str | Path | Clip]",
    how: Mapping[str, Any] | None = None,
    *,
    form: str | None = None,
) -> list["Asset"]:
    """Edit films without a model; what is not asked for stays as it is.

    Args:
        films: A file, a folder of numbered pictures, or a clip; several are joined in their order, at size and rate of the first.
        how: ``start`` and ``end`` of what is kept in seconds; ``speed``, with ``shift_pitch``; ``rate_hz``, frames a second; ``sound``:
            ``"keep"``, ``"remove"`` or a file. See ``makar.generation.film_edit.FilmEditRequest``.
        form: ``"webm"``, ``"mp4"``, ``"mkv"``, ``"gif"``, ``"apng"``, ``"webp"``, or ``"frames"`` for single pictures; ``None`` takes WebM.

    Returns:
        One signed film, or a signed picture a frame; ``.manifest["edit"]["remarks"]`` says what had to be made to fit.

    Raises:
        UsageError: There is nothing to do, no such file, or what is kept is not in the film.
        DataError: A file is no film, or damaged.
    """
    from makar.data.clip import Clip

    sources = [films] if isinstance(films, str | Path | Clip) else list(films)
    return list(edit_film_each(sources, how, form=form))


def edit_film_each(
    films: "Sequence[str | Path | Clip]", how: Mapping[str, Any] | None = None, *, form: str | None = None
) -> Iterator["Asset"]:
    """Edit films like ``edit_film``, and give each picture as soon as it is written."""
    from makar.generation.film_edit import edit_films

    return edit_films(films, how, form=form)


def names_film(name: str) -> bool:
    """Return whether a name is that of a film and not of a model: a folder of pictures often has the name of the model of them."""
    if (Path(name) / MANIFEST_NAME).is_file() or (
        is_safe_name(name) and "/" not in name and (models_folder() / name / MANIFEST_NAME).is_file()
    ):
        return False
    from makar.generation.given_film import is_film

    return Path(name).exists() and is_film(name)
