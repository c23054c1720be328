"""The verb ``predict``: what a model says of images that are there."""

from pathlib import Path
from typing import Annotated, Any

import typer

from makar.cli.completion import prediction_names
from makar.cli.generate_verb import ModelName
from makar.cli.output import Json, note, print_json, print_table


def predict(
    model: ModelName,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Images, or folders of images.")],
    what: Annotated[
        str | None,
        typer.Option("--what", help="What to predict, for example anomaly.", autocompletion=prediction_names),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="TEXT,TEXT...", help="Tell which of these descriptions each image is likeliest to show."
        ),
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", metavar="TEXT", help="Order the images by how well they fit this text.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 0,
    write_captions: Annotated[
        bool,
        typer.Option("--write-captions", help="Write captions beside the images; a text file that exists is kept."),
    ] = False,
    json: Json = False,
) -> None:
    """Say something of images with MODEL.

    One row an image; a score of anomaly is higher where an image is stranger to the model. Captions that are written are
    read by a later training.
    """
    from makar.api.model import load

    rows: list[dict[str, Any]] = load(model).predict(
        inputs, what=what, labels=labels, query=query, seed=seed, write_captions=write_captions
    )
    print_json(rows) if json else print_table("", rows)
    if write_captions:
        written = sum(row["written"] for row in rows)
        kept = len(rows) - written
        note(f"{written} captions written" + (f"; {kept} text files were there already and are kept" if kept else ""))
