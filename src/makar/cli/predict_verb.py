"""The verb ``predict``: what a model says of images or texts that are there."""

from typing import Annotated, Any

import typer

from makar.cli.completion import prediction_names
from makar.cli.generate_verb import ModelName
from makar.cli.output import Json, note, print_json, print_table


def predict(
    model: ModelName,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Images or texts: files, folders, a text itself, - for stdin."),
    ],
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
        str | None,
        typer.Option(
            "--query",
            metavar="TEXT",
            help="Images: order them by how well they fit this. Texts: what they are to answer.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 0,
    write_captions: Annotated[
        bool,
        typer.Option("--write-captions", help="Write captions beside the images; a text file that exists is kept."),
    ] = False,
    json: Json = False,
) -> None:
    """Say something of images or texts with MODEL.

    One row an item. A score of anomaly is higher where an image is stranger to the model; captions that are written are read
    by a later training. Of a text a checkpoint says what its head is for: label, entities, answer, masked words.
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
