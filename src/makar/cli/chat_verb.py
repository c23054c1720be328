"""The verb ``chat``: a conversation with a model of text, at the keyboard, from options, or from a pipe.

At the keyboard Ctrl-C stops the answer and not the conversation, Ctrl-D ends it. What the model says goes to stdout, everything else to
stderr, so that a pipe holds answers alone.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.engine import Engine, take_engine
from makar.cli.generate_verb import BaseUrl, ModelName
from makar.cli.output import Json, note, print_json
from makar.cli.values import controls_of

if TYPE_CHECKING:
    from makar.api.conversation import Conversation

ASKS = "> "


def chat(
    model: ModelName,
    message: Annotated[
        list[str] | None,
        typer.Option("-m", "--message", help="Say this and end; may be repeated. Without it the keyboard, or a pipe."),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="What the model is told before.")] = None,
    history: Annotated[
        Path | None, typer.Option("--history", metavar="FILE", help="Go on with a conversation that -o wrote.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Keep the conversation here, signed.")
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 is greedy, 1 as learned.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Smallest set with this probability.")] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Only the k most likely.")] = None,
    min_p: Annotated[float | None, typer.Option("--min-p", help="At least this share of the likeliest.")] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option("--repetition-penalty", help="Above 1 avoids what was said.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Length of an answer at most.")] = None,
    stop: Annotated[list[str] | None, typer.Option("--stop", help="End before this; may be repeated.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision", help="Arithmetic; float32, float32-batched (many at once), bfloat16 or int8 (small, fast)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same answers.")] = 0,
    base_url: BaseUrl = None,
    engine: Engine = None,
    controls: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other control of the model; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Talk with MODEL.

    A checkpoint that has a chat template is asked by it; every other model of text in plain form. Ctrl-C stops an answer,
    Ctrl-D ends the conversation.
    """
    from makar.api.model import load
    from makar.generation.asset import check_file

    given: dict[str, Any] = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "max_tokens": max_tokens,
        "stop": tuple(stop) if stop else None,
        "precision": precision,
    }
    options = {name: value for name, value in given.items() if value is not None}
    options |= controls_of(controls or [], taken=options)
    if output is not None:
        check_file(output, suffix=".txt")
    talker = load(model, base_url=base_url)
    take_engine(talker, engine, options)
    conversation = talker.chat(system=system, options=options, seed=seed, history=history)
    is_typed = not message and sys.stdin.isatty()
    for said in message or (_typed() if is_typed else _piped()):
        _answer(conversation, said, is_shown=not json)
    if output is not None:
        note(f"[saved to {conversation.save(output)}]")
    if json:
        print_json({"messages": conversation.messages, "answers": [one.manifest for one in conversation.answers]})


def _answer(conversation: "Conversation", said: str, *, is_shown: bool) -> None:
    try:
        _show(conversation.say(said), is_shown=is_shown)
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        # The answer is done as far as it came.
        _show((), is_shown=is_shown)
        note("[stopped]")
    if conversation.left_out:
        note(f"[the oldest {conversation.left_out} turns no longer fit and were left out]")
    if conversation.is_cut:
        note("[what you said is longer than what the model looks back on: it sees the end]")


def _show(pieces: Iterable[str], *, is_shown: bool) -> None:
    for piece in pieces:
        if is_shown:
            sys.stdout.write(piece)
            sys.stdout.flush()
    if is_shown:
        sys.stdout.write("\n")
        sys.stdout.flush()


def _typed() -> Iterator[str]:
    """Yield lines from the keyboard until Ctrl-D; Ctrl-C begins the line anew."""
    note("[Ctrl-C stops an answer, Ctrl-D ends the conversation]")
    while True:
        try:
            line = input(ASKS)
        except EOFError:
            note("")
            return
        except KeyboardInterrupt:
            note("[Ctrl-D ends the conversation]")
            continue
        if line.strip():
            yield line


def _piped() -> Iterator[str]:
    text = sys.stdin.read()
    yield text.rstrip("\n")
