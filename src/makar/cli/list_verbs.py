"""The verbs ``list recipes``, ``list models`` and ``list media``; none of them imports torch."""

import json as json_text
from typing import Annotated, Any

import typer

from makar.cli.completion import medium_names
from makar.cli.output import Json, print_json, print_table
from makar.data.record import MEDIA
from makar.errors import UnknownNameError
from makar.home import models_folder
from makar.registry import load, names

OfMedium = Annotated[
    str | None,
    typer.Option("--medium", help="Only those of this medium.", autocompletion=medium_names),
]


def recipes(medium: OfMedium = None, json: Json = False) -> None:
    """List the recipes: name, medium, what each does and the result to expect."""
    _check_medium(medium)
    rows: list[dict[str, Any]] = []
    for name in sorted(names("recipes")):
        recipe = load("recipes", name)()
        rows.append(
            {
                "name": name,
                "medium": recipe.medium,
                "family": ", ".join(stage.family.kind for stage in recipe.stages),
                "summary": recipe.summary,
                "expected": recipe.expected or None,
            }
        )
    _print_of(medium, rows, json=json, empty="no recipe for it yet")


def models(medium: OfMedium = None, json: Json = False) -> None:
    """List the models saved under a name."""
    _check_medium(medium)
    rows: list[dict[str, Any]] = []
    folder = models_folder()
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        file = path / "makar.json"
        if not file.is_file():
            continue
        try:
            header = json_text.loads(file.read_text(encoding="utf-8"))
            recipe = header["recipe"]
            row = {"name": path.name, "medium": recipe["medium"], "recipe": recipe["name"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            row = {"name": path.name, "medium": None, "recipe": f"not readable: {error}"}
        size = sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
        rows.append({**row, "megabytes": size / 1e6, "path": str(path)})
    _print_of(medium, rows, json=json, empty="no models yet; makar train DATA --for 10m -o NAME makes one")


def media(json: Json = False) -> None:
    """List the media that Makar learns from, with the codecs and recipes for each."""
    made = {name: load("recipes", name)() for name in sorted(names("recipes"))}
    codecs = {name: load("codecs", name) for name in sorted(names("codecs"))}
    rows = [
        {
            "medium": medium,
            "codecs": [name for name, codec in codecs.items() if medium in codec.media],
            "recipes": [name for name, recipe in made.items() if recipe.medium == medium],
        }
        for medium in MEDIA
    ]
    print_json(rows) if json else print_table("", rows)


def _check_medium(medium: str | None) -> None:
    if medium is not None and medium not in MEDIA:
        raise UnknownNameError("medium", medium, MEDIA)


def _print_of(medium: str | None, rows: list[dict[str, Any]], *, json: bool, empty: str) -> None:
    """Print the rows of a medium, or all of them."""
    rows = [row for row in rows if medium is None or row["medium"] == medium]
    print_json(rows) if json else print_table("", rows, empty=empty)
