"""The verb ``predict``: what a model says of images, texts or recordings that are there."""

from pathlib import Path
from typing import Annotated, Any

import typer

from makar.cli.completion import prediction_names
from makar.cli.generate_verb import ModelName
from makar.cli.output import Json, note, print_json, print_table
from makar.errors import UsageError

WAYS = {"examples": None, "shots": 4, "pick": "random", "calibration": "contextual", "template": "classify"}
"""Options of labels without training, with their usual values."""

LONGEST_INPUT, SHOWN_INPUT = 120, 40
"""Characters of an input that a table shows whole, and of either end of a longer one."""


def predict(
    model: ModelName,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="Images, texts or recordings: files, folders, a text itself, - for stdin."
        ),
    ],
    what: Annotated[
        str | None,
        typer.Option("--what", help="What to predict, for example anomaly.", autocompletion=prediction_names),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="TEXT,TEXT...",
            help="Tell which of these each image shows, or each text is; nothing is trained.",
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
    examples: Annotated[
        Path | None,
        typer.Option(
            "--examples", metavar="FILE", help="With --labels: a table of texts with labels, to learn from by example."
        ),
    ] = None,
    shots: Annotated[int, typer.Option("--shots", min=1, help="With --examples: how many stand before each text.")] = 4,
    pick: Annotated[str, typer.Option("--pick", help="With --examples: random, similar or diverse ones.")] = "random",
    calibration: Annotated[
        str, typer.Option("--calibration", help="With --labels of texts: contextual, pmi or none.")
    ] = "contextual",
    template: Annotated[
        str, typer.Option("--template", metavar="PROMPT", help="With --labels of texts: the prompt that asks.")
    ] = "classify",
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 0,
    write_captions: Annotated[
        bool,
        typer.Option("--write-captions", help="Write captions beside the images; a text file that exists is kept."),
    ] = False,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Code: how many suspicious lines of each file; 10 without it.")
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="CODE", help="Recordings: what is spoken in them, for example de; guessed without it."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say something of images, texts or recordings with MODEL.

    One row an item. A score of anomaly is higher where an image is stranger to the model; captions that are written are read
    by a later training. Of a file of code a model says which lines look wrong. Of a text a checkpoint says what its head
    is for: label, entities, answer, masked words. Of a recording a recogniser says its words, and with --json when each is said.
    """
    from makar.api.labels import guidance_of, label
    from makar.api.model import load

    loaded = load(model)
    ways = {"examples": examples, "shots": shots, "pick": pick, "calibration": calibration, "template": template}
    if labels is not None and loaded.makes_text and what is None and query is None and not write_captions:
        for name, value in (("--top", top), ("--language", language)):
            if value is not None:
                raise UsageError(f"{name} with --labels of texts", expected="one of them")
        guidance = guidance_of(examples, shots=shots, pick=pick, calibration=calibration, template=template)
        found = label(loaded, inputs, labels=labels, guidance=guidance, seed=seed)
        print_json(found) if json else print_table("", [_short(row) for row in found])
        for row in found:
            if left_out := row.get("left_out_tokens"):
                note(f"{row['input'][:60]}: longer than the model looks back; {left_out:,} tokens were not read")
        return
    if asked := [name for name, value in ways.items() if value != WAYS[name]]:
        raise UsageError(f"--{asked[0]} without --labels of texts", expected="texts, and labels to tell apart")
    rows: list[dict[str, Any]] = loaded.predict(
        inputs,
        what=what,
        labels=labels,
        query=query,
        seed=seed,
        write_captions=write_captions,
        top=top,
        language=language,
    )
    print_json(rows) if json else print_table("", [_short(row) for row in rows])
    for row in rows:
        if "windows" in row and "segments" in row:
            note(f"{row['input']}: {row['seconds']:.0f} seconds, heard in {row['windows']} windows")
    if write_captions:
        written = sum(row["written"] for row in rows)
        kept = len(rows) - written
        note(f"{written} captions written" + (f"; {kept} text files were there already and are kept" if kept else ""))


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a table has room for it."""
    shown = dict(row)
    if len(row["input"]) > LONGEST_INPUT:
        # A text is its own name, and a whole book would leave no room for what is said of it.
        one_line = " ".join(row["input"].split())
        shown["input"] = f"{one_line[:SHOWN_INPUT]} ... {one_line[-SHOWN_INPUT:]}"
    if "vector" in row:
        shown["vector"] = f"{len(row['vector'])} numbers; --json shows them"
    if "segments" in row:
        kind = "words" if "words" in row else "segments"
        del shown["segments"]
        shown[kind] = f"{len(row[kind])}; --json shows when each is said"
    return shown
