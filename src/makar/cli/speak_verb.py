"""The verb ``speak``: a script read aloud by several voices, with chapters, or by a drawn face."""

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.gallery import Gallery, NoGallery
from makar.cli.output import Json, note, print_json
from makar.cli.progress import Display
from makar.cli.showing import row_of, save_asset, show_asset
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.generation.asset import Asset

LARGEST_BYTES = 4 << 20
"""Of a script on stdin."""


def speak(
    script: Annotated[
        str,
        typer.Argument(
            metavar="SCRIPT",
            help="A file of text or Markdown, PDF, Word or HTML, - for stdin. NAME: text is said by that voice.",
        ),
    ],
    voice: Annotated[
        list[str],
        typer.Option(
            "--voice", metavar="[NAME=]MODEL[:LABEL]", help="A model of speech and its name in SCRIPT. May be repeated."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="The file: .wav, or .gif .webp .apng .mp4 .webm .mkv for a face that speaks."
        ),
    ],
    speed: Annotated[float | None, typer.Option("--speed", help="2 is twice as fast as the recordings.")] = None,
    pitch: Annotated[
        float | None, typer.Option("--pitch", help="Semitones above the recordings; below 0 lower.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps of the solver.")] = None,
    vocoder: Annotated[
        str | None, typer.Option("--vocoder", metavar="MODEL", help="This model finds how the pictures sound.")
    ] = None,
    drawing: Annotated[
        Path | None,
        typer.Option("--drawing", metavar="FILE", help="A drawing of the face; one is built in.", show_default=False),
    ] = None,
    mouth: Annotated[
        str | None,
        typer.Option("--mouth", metavar="X,Y,WIDTH", help="With --drawing: where its mouth is, in its pixels."),
    ] = None,
    consent: Annotated[
        Path | None,
        typer.Option("--consent", metavar="FILE", help="With a photograph: the record of whoever it shows."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same recording.")] = 0,
    no_gallery: NoGallery = False,
    json: Json = False,
) -> None:
    """Read SCRIPT aloud with one or several voices.

    Headings (# Title) become chapters; a line without a name is said by the voice before, or the first. All voices are made
    equally loud. As a film a drawn face speaks, visibly marked as generated; it keeps the mouth in time with every sound.
    """
    from makar.api.speaking import asset_of, cast_of, face_for
    from makar.generation.asset import WAVE_SUFFIX, check_file
    from makar.generation.presenting import SILENT
    from makar.generation.reading_aloud import read_aloud

    check_file(output, suffix=output.suffix.lower())
    if output.suffix.lower() in SILENT:
        # The sound lies beside what has none.
        check_file(output.with_suffix(WAVE_SUFFIX), suffix=WAVE_SUFFIX)
    controls: dict[str, Any] = {"speed": speed, "pitch": pitch, "steps": steps, "vocoder": vocoder}
    options = {name: value for name, value in controls.items() if value is not None}
    form, text, cast = output.suffix.lower(), _text_of(script), _voices(voice)
    face = face_for(form, drawing=drawing, mouth=None if mouth is None else _place(mouth), consent=consent)
    with Gallery(is_off=no_gallery) as gallery:
        with Display() as display:
            told = functools.partial(display.reading, "lines spoken")
            reading = read_aloud(cast_of(cast), text, seed=seed, options=options, tell=told)
        asset = asset_of(reading, form=form, face=face)
        path = save_asset(asset, output)
        _show(asset, path, json=json)
        gallery.add(asset)


def _show(asset: "Asset", path: Path | None, *, json: bool) -> None:
    if json:
        print_json(row_of(asset, path))
        return
    show_asset(asset, path)
    for chapter in asset.manifest["edit"]["chapters"]:
        note(f"{chapter['start']:8.1f} s  {chapter['title'] or '(beginning)'}")


def _text_of(script: str) -> str:
    if script == "-":
        return sys.stdin.read(LARGEST_BYTES)
    from makar.api.scripts import script_of

    path = Path(script)
    if not path.is_file():
        raise UsageError(f"there is no script {script[:80]}", expected="a file of text, or - for stdin")
    return script_of(path)


def _voices(given: list[str]) -> dict[str, str] | str:
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    found: dict[str, str] = {}
    for one in given:
        name, equals, place = one.partition("=")
        if not (name.strip() and equals and place) or name.strip() in found:
            raise UsageError(f"the voice {one[:60]!r}", expected="NAME=MODEL, each name once")
        found[name.strip()] = place
    return found


def _place(mouth: str) -> tuple[int, int, int]:
    try:
        x, y, width = (int(part) for part in mouth.split(","))
    except ValueError as error:
        raise UsageError(f"the mouth {mouth[:40]!r}", expected="X,Y,WIDTH in pixels, for example 128,180,70") from error
    return x, y, width
