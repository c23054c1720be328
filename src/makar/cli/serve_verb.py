"""The verb ``serve``: models over HTTP, in the shape of OpenAI's API, and the web studio."""

from pathlib import Path
from typing import Annotated

import typer

from makar.cli.completion import model_names
from makar.cli.generate_verb import BaseUrl
from makar.cli.output import Json, note, print_json
from makar.cli.values import controls_of


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Load these at the start and serve no others; without any, every saved model when it is asked for.",
            autocompletion=model_names,
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; any but this machine's own wants a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="The key that every request must have; or MAKAR_SERVE_KEY."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="Let pages of this origin ask too; may be repeated."),
    ] = None,
    requests_per_minute: Annotated[
        int, typer.Option("--requests-per-minute", min=0, help="Of one client at most; 0 is any number.")
    ] = 0,
    waiting: Annotated[
        int, typer.Option("--waiting", min=1, help="Requests that are answered or wait at a time; more get 429.")
    ] = 256,
    memory: Annotated[
        int, typer.Option("--memory", min=0, help="Megabytes that models may take; 0 is four fifths of the machine's.")
    ] = 0,
    largest_upload: Annotated[
        int,
        typer.Option("--largest-upload", min=1, max=4096, help="Megabytes of a body with files; of JSON an eighth."),
    ] = 64,
    base_url: BaseUrl = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="auto says why it takes which; torch, llama.cpp, openvino, transformers, diffusers, endpoint.",
        ),
    ] = "auto",
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FOLDER", help="Let the studio train on what is in here; may be repeated."),
    ] = None,
    controls: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Control where a request says nothing; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Serve models over HTTP, in the shape of OpenAI's API, and the web studio.

    Listens on this machine only, unless there is a key. Ctrl-C lets what is being answered finish and ends.
    """
    from makar.serving.server import Wanted
    from makar.serving.server import serve as serve_models

    wanted = Wanted(
        models=tuple(dict.fromkeys(models or ())),
        host=host,
        port=port,
        key_file=key_file,
        origins=tuple(origin or ()),
        requests_per_minute=requests_per_minute,
        most_waiting=waiting,
        memory_megabytes=memory,
        most_megabytes=largest_upload,
        base_url=base_url,
        engine=engine,
        data_folders=tuple(data or ()),
        options=controls_of(controls or []),
    )

    def started(address: str) -> None:
        # Whoever started it, a person or a program, waits for this line.
        if json:
            print_json({"address": address})
        else:
            note(f"[studio on {address}/ and API on {address}/v1; Ctrl-C ends]")

    serve_models(wanted, on_start=started)
