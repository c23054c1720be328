"""The verbs ``index`` and ``ask``: documents that questions are answered from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makar.cli.completion import model_names
from makar.cli.gallery import Gallery, NoGallery
from makar.cli.generate_verb import BaseUrl
from makar.cli.output import Json, note, print_json
from makar.cli.tables import print_report
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.retrieval.answer import Answer

BUILT_IN = "python-docs"
MOST_TOLD = 10

Into = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="INDEX",
        help="The index: its name, file or database; without it, the documentation of Python.",
        show_default=False,
    ),
]


def index(
    documents: Annotated[
        list[str], typer.Argument(metavar="DOCUMENTS...", help="Folders, files or archives, or builtin:python-docs.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="INDEX",
            help="The index: a name, the path of a .sqlite file, or postgresql://HOST/DATABASE#NAME.",
        ),
    ],
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="MODEL",
            help="Find by meaning too: a model of the recipe embed, the folder of a sentence encoder, or openai:NAME.",
            autocompletion=model_names,
        ),
    ] = None,
    base_url: BaseUrl = None,
    change_encoder: Annotated[
        bool,
        typer.Option(
            "--change-encoder", help="With --encoder: let it take the place of another, with all vectors anew."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Make documents searchable, or bring their index up to date.

    Only what is new or changed is read; what is gone is taken out. Reads text, Markdown, HTML, code, tables, JSON, PDF, Word, PowerPoint
    and Excel.
    """
    import dataclasses

    from makar.api.knowledge import index as bring_up_to_date
    from makar.cli.progress import Display

    rows = []
    for source in documents:
        with Display() as display:
            outcome = bring_up_to_date(
                source,
                output,
                encoder=encoder,
                base_url=base_url,
                change_encoder=change_encoder,
                progress=display.reading,
            )
        rows.append({"source": source, **dataclasses.asdict(outcome)})
    if json:
        print_json(rows)
        return
    for row in rows:
        kinds = ", ".join(f"{row[kind]:,} {kind}" for kind in ("added", "changed", "unchanged", "removed") if row[kind])
        print(f"{row['source']}: {kinds or 'nothing'}")
        for name, reason in row["skipped"][:MOST_TOLD]:
            note(f"not used: {name}: {reason}")
        if len(row["skipped"]) > MOST_TOLD:
            note(f"and {len(row['skipped']) - MOST_TOLD:,} more; --json lists them")


def ask(
    question: Annotated[
        str | None, typer.Argument(help="What you want to know; left out with --evaluate.", show_default=False)
    ] = None,
    into: Into = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="What writes the answer; without it, the sentences of the documents are the answer.",
            autocompletion=model_names,
        ),
    ] = None,
    synthesise: Annotated[
        bool, typer.Option("--synthesise", help="A review of what all documents say: agreement, contradictions, gaps.")
    ] = False,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            "--evaluate",
            metavar="FILE",
            help="Measure instead, on a table of questions whose answers are known; -o is the folder of the report.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=1000, help="Passages that are looked at.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="With --model: the same seed gives the same answer.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="With --model: save what it wrote; with --evaluate: the report.",
            show_default=False,
        ),
    ] = None,
    no_gallery: NoGallery = False,
    json: Json = False,
) -> None:
    """Answer a question out of documents, with citations.

    Every sentence of the answer is checked against its source; what the sources do not say is marked, and where the documents say nothing,
    that is the answer.
    """
    from makar.api import knowledge

    if into is None:
        into = BUILT_IN
        if not knowledge.is_complete(into, BUILT_IN):
            note("indexing the documentation of this Python, once")
            knowledge.index(f"builtin:{BUILT_IN}", into)
    if evaluate is not None:
        if question is not None or synthesise:
            raise UsageError(
                f"--evaluate with {'a question' if question is not None else '--synthesise'}",
                expected="one of them: the questions are in the file",
            )
        _measure(evaluate, into, model=model, limit=limit, seed=seed, output=output, json=json)
        return
    if question is None:
        raise UsageError("no question", expected='makar ask "QUESTION", or --evaluate FILE')
    if synthesise:
        if model is not None or seed or output is not None:
            raise UsageError(
                "--synthesise with --model, --seed or -o", expected="one of them: a review is made of quotations"
            )
        review = knowledge.synthesise(question, into, limit=limit or knowledge.REVIEWED)
        print_json(review.to_dictionary()) if json else print(review.text)
        return
    if model is None and (seed or output is not None):
        raise UsageError(f"{'--seed' if seed else '-o'} without --model", expected="a model: quotations are not drawn")
    if output is not None:
        # A model may take long, or cost something.
        from makar.generation.asset import check_file

        check_file(output, suffix=".txt")
    answer = knowledge.ask(question, into, model=model, limit=limit or knowledge.SOURCES, seed=seed)
    print_json(answer.to_dictionary()) if json else _print(answer)
    if answer.left_out:
        note(f"[the last {answer.left_out} sources did not fit into what the model looks back on]")
    if answer.is_cut:
        note("[the best source is longer than what the model looks back on: it sees the end]")
    if output is not None and answer.signed is not None:
        note(f"[saved to {knowledge.save_answer(answer, output)}]")
    if answer.signed is not None:
        with Gallery(is_off=no_gallery) as gallery:
            gallery.add(knowledge.written_asset(answer), prompt=question)
    elif output is not None:
        note("[nothing was saved: the documents do not say it, and no model was asked]")


def _measure(
    questions: Path, into: str, *, model: str | None, limit: int | None, seed: int, output: Path | None, json: bool
) -> None:
    """Measure an index and print what was found."""
    from makar.api import knowledge
    from makar.cli.progress import Display

    if model is None and seed:
        raise UsageError("--seed without --model", expected="a model: quotations are not drawn")
    with Display() as display:
        report = knowledge.evaluate(
            questions,
            into,
            model=model,
            limit=limit or knowledge.SOURCES,
            seed=seed,
            folder=output,
            on_event=display,
        )
    print_report(report, json=json)


def _print(answer: "Answer") -> None:
    print(answer.text)
    for citation in answer.citations:
        place = f", page {citation.page}" if citation.page else f", {citation.heading}" if citation.heading else ""
        print(f"[{citation.number}] {citation.document}{place}, characters {citation.start} to {citation.end}")
        if answer.by != "the documents":
            print(f"    {citation.text}")
