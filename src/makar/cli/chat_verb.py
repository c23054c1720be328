"""The verb ``chat``: a conversation with a model of text, at the keyboard, from options, or from a pipe.

At the keyboard Ctrl-C stops the answer and not the conversation, Ctrl-D ends it. What the model says goes to stdout, everything else to
stderr, so that a pipe holds answers alone.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.aloud import Aloud
from makar.cli.engine import Engine, take_engine
from makar.cli.gallery import Gallery, NoGallery
from makar.cli.generate_verb import BaseUrl, ModelName
from makar.cli.output import Json, note, print_json
from makar.cli.values import controls_of
from makar.errors import MakarError, UsageError

if TYPE_CHECKING:
    from makar.api.conversation import Conversation
    from makar.api.spoken_chat import Listener

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
    speak: Annotated[
        str | None,
        typer.Option("--speak", metavar="MODEL[:LABEL]", help="Read answers aloud with this model of speech."),
    ] = None,
    sounds: Annotated[
        Path | None,
        typer.Option("--sounds", metavar="FOLDER", help="With --speak: write the recordings here, and play nothing."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen", metavar="MODEL", help="A message that names a sound file is what this model hears in it."
        ),
    ] = None,
    no_gallery: NoGallery = False,
    json: Json = False,
) -> None:
    """Talk with MODEL.

    A checkpoint that has a chat template is asked by it; every other model of text in plain form. Ctrl-C stops an answer,
    Ctrl-D ends the conversation. With --speak and --listen it is spoken to and answers aloud; where nothing plays sound,
    the recordings are written to the folder spoken.
    """
    from makar.api.model import load
    from makar.generation.asset import check_file
    from makar.generation.library import CHAT

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
    if sounds is not None and speak is None:
        raise UsageError("--sounds without a voice", expected="--speak MODEL, whose recordings are written there")
    # Opened before anything is said: what they refuse is known at once.
    ear, aloud = _ear(listen), _aloud(speak, sounds, seed, Gallery(is_off=no_gallery))
    gallery = Gallery(is_off=no_gallery, model=talker, kind=CHAT, is_alone=True)
    conversation = talker.chat(system=system, options=options, seed=seed, history=history)
    is_typed = not message and sys.stdin.isatty()
    for said in message or (_typed() if is_typed else _piped()):
        words = _heard(ear, said, is_typed=is_typed)
        if words is None:
            continue
        with gallery:
            before = len(conversation.answers)
            is_whole = _answer(conversation, words, is_shown=not json)
            for answer in conversation.answers[before:]:
                gallery.add(answer, prompt=words)
        if is_whole and aloud is not None:
            _read(aloud, conversation.messages[-1]["content"])
    if output is not None:
        note(f"[saved to {conversation.save(output)}]")
    if json:
        files = {} if aloud is None else {"sounds": [str(file) for file in aloud.files]}
        print_json(
            {"messages": conversation.messages, "answers": [one.manifest for one in conversation.answers], **files}
        )


def _ear(model: str | None) -> "Listener | None":
    from makar.api.model import load
    from makar.api.spoken_chat import Listener

    return None if model is None else Listener(load(model))


def _aloud(voice: str | None, folder: Path | None, seed: int, gallery: Gallery) -> Aloud | None:
    from makar.api.spoken_chat import Reader

    return None if voice is None else Aloud(Reader(voice, seed=seed), folder, gallery)


def _heard(ear: "Listener | None", said: str, *, is_typed: bool) -> str | None:
    """Return the words of a message; ``None`` where a recording whose name was typed cannot be heard, which is said."""
    if ear is None:
        return said
    try:
        words = ear.heard(said)
    except MakarError as error:
        if not is_typed:
            raise
        note(f"[{error.came}]")
        return None
    if words != said:
        note(f"[heard: {words}]")
    return words


def _read(aloud: Aloud, text: str) -> None:
    try:
        aloud.read(text)
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        note("[stopped]")


def _answer(conversation: "Conversation", said: str, *, is_shown: bool) -> bool:
    """Show an answer; returns whether it is whole."""
    is_whole = True
    try:
        _show(conversation.say(said), is_shown=is_shown)
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        is_whole = False
        # The answer is done as far as it came.
        _show((), is_shown=is_shown)
        note("[stopped]")
    if conversation.left_out:
        note(f"[the oldest {conversation.left_out} turns no longer fit and were left out]")
    if conversation.is_cut:
        note("[what you said is longer than what the model looks back on: it sees the end]")
    return is_whole


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
