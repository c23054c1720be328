"""The option ``--engine`` of the verbs that make text themselves: what computes it, and in one line why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.output import note
from makar.errors import MakarError
from makar.home import library_file

if TYPE_CHECKING:
    from makar.api.model import Model

Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Text: what computes it: torch, llama.cpp, openvino; auto takes the fastest known and says why.",
    ),
]


def take_engine(model: "Model", wanted: str | None, options: dict[str, Any]) -> None:
    """Let the engine that was asked for compute the texts of a model from now on.

    Args:
        model: The model, with the adapters that were added to it.
        wanted: The engine, ``"auto"``, or ``None`` for the model's own.
        options: Controls that were given; the arithmetic among them is made ready.

    Raises:
        UsageError: There is no such engine.
        UnsupportedError: It does not run this model.
        MissingExtraError: It is not installed.
        MakarError: It cannot be loaded.
    """
    if wanted is None:
        return
    from makar.api.engines import use_engine
    from makar.generation.library import Library
    from makar.serving.engines import AUTO, BESIDE, Choice, check_engine, check_runs, choose, named

    engines = model.artifact.family_config.engines
    check_engine(wanted)
    check_runs(wanted, engines, model.artifact.name)
    library = Library(library_file())
    paces = {name: library.pace(model.hash, named(name, engines)) for name in engines} if wanted == AUTO else {}
    choice = choose(wanted, engines, paces)
    if choice.engine in BESIDE:
        try:
            use_engine(model, choice.engine, precision=str(options.get("precision", "float32")))
        except MakarError as error:
            if wanted != AUTO:
                raise
            # It was our choice and nobody's wish, so the model's own engine has to do.
            choice = Choice(engine=engines[0], why=f"{choice.engine} does not: {error.came}")
    if wanted == AUTO:
        note(f"[engine {choice.engine}: {choice.why or 'the one that runs it'}]")
