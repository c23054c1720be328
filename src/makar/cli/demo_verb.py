"""The verb ``demo``: the main job on real data that every installation has, and one page that shows what came of it."""

from pathlib import Path
from typing import Annotated

import typer

from makar.cli.gallery import NoGallery
from makar.cli.output import note
from makar.cli.values import seconds_of


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where everything is written.")] = Path(
        "makar-demo"
    ),
    time: Annotated[str, typer.Option("--for", metavar="TIME", help="Time to train each of the two models.")] = "1m",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every draw.")] = 0,
    no_gallery: NoGallery = False,
) -> None:
    """Do the main job on embedded data.

    Trains an image model and a text model, generates from both, evaluates, verifies, and writes one HTML page.
    """
    from makar.cli.demo import run_demo

    seconds = seconds_of(time)
    page = run_demo(folder, minutes=(seconds or 60.0) / 60, seed=seed, no_gallery=no_gallery)
    note("Open it in a browser. Nothing in it comes from the network.")
    print(page)
