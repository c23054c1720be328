"""The verbs ``prompt list``, ``try``, ``score`` and ``improve``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.gallery import Gallery, NoGallery
from makar.cli.generate_verb import BaseUrl, ModelName
from makar.cli.output import Json, note, print_json, print_table
from makar.cli.values import seconds_of, texts_of
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.evaluation.prompt_scores import PromptScore

Template = Annotated[str, typer.Argument(metavar="PROMPT", help="A prompt by name, or its file.", show_default=False)]
Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="A table with columns for the places and one with the right answers.")
]
Labels = Annotated[
    str | None, typer.Option("--labels", metavar="TEXT,TEXT...", help="What the answers are; found out without it.")
]
Rows = Annotated[int | None, typer.Option("--rows", min=1, help="Most rows.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]


def list_(json: Json = False) -> None:
    """List the prompts that are built in, and your own."""
    from makar.api.prompts import all_prompts

    rows = all_prompts()
    print_json(rows) if json else print_table("", rows)


def try_(
    template: Template,
    model: ModelName,
    words: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="For its one open place.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=TEXT", help="Fills a place; may be repeated.")
    ] = None,
    seed: Seed = 0,
    base_url: BaseUrl = None,
    no_gallery: NoGallery = False,
    json: Json = False,
) -> None:
    """Show a filled PROMPT and what MODEL answers."""
    from makar.api.model import load
    from makar.api.prompts import fill

    filled = fill(template, words or [], texts_of(values or []))
    maker = load(model, base_url=base_url)
    with Gallery(is_off=no_gallery) as gallery:
        assets = maker.generate(filled, seed=seed)
        if json:
            print_json([{"prompt": one.text, "answer": asset.content} for one, asset in zip(filled, assets)])
        for one, asset in zip(filled, assets):
            if not json:
                note(one.text)
                print(asset.content)
            gallery.add(asset)


def score(
    model: ModelName,
    data: Data,
    templates: Annotated[
        list[str], typer.Option("--template", metavar="PROMPT", help="A prompt to score; repeat it to compare.")
    ],
    labels: Labels = None,
    rows: Rows = None,
    time: Annotated[str | None, typer.Option("--for", help="Most time, for example 5m.")] = None,
    seed: Seed = 0,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Score prompts on the labelled rows of DATA.

    Each with its interval, and the first against the others on the same rows.
    """
    from makar.api.model import load
    from makar.api.prompts import score_prompts

    scores = score_prompts(
        load(model, base_url=base_url),
        templates,
        data,
        labels=_listed(labels),
        rows=rows,
        seconds=seconds_of(time),
        seed=seed,
    )
    found = [_row(one, scores[0]) for one in scores]
    print_json(found) if json else print_table("", found)


def improve(
    template: Template,
    model: ModelName,
    data: Data,
    time: Annotated[str, typer.Option("--for", help="Budget, for example 5m.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File of the better prompt.")],
    labels: Labels = None,
    rows: Rows = None,
    seed: Seed = 0,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Look for a better PROMPT within a budget.

    The winner is compared with the first on rows that the search did not see, and written only when it is not worse there.
    """
    from makar.api.model import load
    from makar.api.prompts import improve_prompt
    from makar.generation.asset import write_new
    from makar.generation.prompt_file import SUFFIX, written_prompt

    if output.suffix != SUFFIX or output.exists():
        raise UsageError(f"the file {output}", expected=f"a new file that ends in {SUFFIX}")
    seconds = seconds_of(time)
    assert seconds is not None

    def tell(left: int, asked: int, best: float) -> None:
        note(f"{left} candidates left after {asked} rows each; the best had {best:.1%} right")

    found = improve_prompt(
        load(model, base_url=base_url),
        template,
        data,
        seconds=seconds,
        labels=_listed(labels),
        rows=rows,
        seed=seed,
        on_round=tell,
    )
    is_written = found.prompt != found.before.prompt and found.gain.value >= 0
    if is_written:
        write_new(output, written_prompt(found.prompt).encode())
    values = {
        "before": found.before.share.to_dictionary(),
        "after": found.after.share.to_dictionary(),
        "gain": found.gain.to_dictionary(),
        "rows": len(found.after.right),
        "tried": found.tried,
        "file": str(output) if is_written else None,
    }
    if json:
        print_json(values)
        return
    print(f"before {found.before.share}, after {found.after.share}, gain {found.gain} on {len(found.after.right)} rows")
    if not is_written:
        print("nothing better was found; nothing is written")
    elif found.gain.low > 0:
        print(f"better, and surely so: {output}")
    else:
        print(f"written to {output}; the interval of the gain holds 0, so it may be luck")


def _row(one: "PromptScore", first: "PromptScore") -> dict[str, Any]:
    share = one.share
    gain = None if one is first else str(one.gain_over(first))
    return {
        "prompt": one.prompt.name,
        "version": one.prompt.version,
        "right": share.value,
        "between": f"{share.low:.3f} to {share.high:.3f}",
        "rows": len(one.right),
        "gain": gain,
        "seconds": round(one.seconds, 1),
    }


def _listed(labels: str | None) -> list[str]:
    return [part.strip() for part in labels.split(",")] if labels else []
