"""The verb ``generate``: new content from a model, printed or saved with its signed manifest.

Sampling controls are collected only where they were given, and the model's own options class refuses what it cannot honour: a
control for images given to a text model is an error that names what there is.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.completion import model_names
from makar.cli.consented import agreed_example
from makar.cli.engine import Engine, take_engine
from makar.cli.gallery import Gallery, NoGallery
from makar.cli.output import Json
from makar.cli.showing import note_on, save_asset, show_each
from makar.cli.values import controls_of, lines_of, texts_of
from makar.cli.voting import answer_of_most, check_vote
from makar.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from makar.api.model import Model
    from makar.data.feedback.taste import Taste
    from makar.generation.asset import Asset

ModelName = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A model by name or folder.", autocompletion=model_names, show_default=False),
]

Loras = Annotated[
    list[str] | None,
    typer.Option("--lora", metavar="NAME[:WEIGHT]", help="Add this adapter, by name, folder or file; may be repeated."),
]
JsonSchema = Annotated[
    Path | None, typer.Option("--json-schema", metavar="FILE", help="Text: every answer is JSON of this schema.")
]
Tools = Annotated[
    Path | None,
    typer.Option("--tools", metavar="FILE", help="Text: the answer calls one of these tools (OpenAI's shape)."),
]
ControlNet = Annotated[
    Path | None, typer.Option("--controlnet", metavar="FOLDER", help="Pipelines: put this ControlNet to it.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="openai:NAME: address of the endpoint, often ending in /v1."),
]


def generate(
    model: ModelName,
    prompts: Annotated[
        list[str] | None, typer.Argument(metavar="[PROMPT]...", help="What to begin with; - reads it from stdin.")
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option("--lines", metavar="FILE", help="Every line of this file is a prompt; - reads them from stdin."),
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many for every prompt.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File or folder to save to; images go to out/ without it.")
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Text: 0 is greedy, 1 as learned.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Text: smallest set with this probability.")] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Text: only the k most likely.")] = None,
    min_p: Annotated[float | None, typer.Option("--min-p", help="Text: at least this share of the likeliest.")] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option("--repetition-penalty", help="Text: above 1 avoids what was said.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Text: length at most.")] = None,
    stop: Annotated[list[str] | None, typer.Option("--stop", help="Text: end before this; may be repeated.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            help="Text: arithmetic; float32, float32-batched (many at once), bfloat16 or int8 (small, fast).",
        ),
    ] = None,
    json_schema: JsonSchema = None,
    regex: Annotated[str | None, typer.Option("--regex", help="Text: every answer matches this.")] = None,
    choice: Annotated[
        str | None, typer.Option("--choice", metavar="TEXT,TEXT...", help="Text: the answer is one of these.")
    ] = None,
    tools: Tools = None,
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="PROMPT", help="Text: fill this prompt, by name or file; see prompt list."),
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=TEXT", help="Text: fills a place of --template; NAME=@FILE too."),
    ] = None,
    vote: Annotated[
        int | None, typer.Option("--vote", min=2, help="Text: draw so many answers, give the one that most agree on.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="REGEX", help="With --vote: what the answer is in a text.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Text: print while it is made.")] = False,
    steps: Annotated[int | None, typer.Option("--steps", help="Images, sounds: steps of the solver.")] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Speech: 2 is twice as fast as the recordings, 0.5 half as fast.")
    ] = None,
    pitch: Annotated[
        float | None, typer.Option("--pitch", help="Speech: semitones above the recordings; below 0 lower.")
    ] = None,
    energy: Annotated[
        float | None, typer.Option("--energy", help="Speech: decibels above the recordings; below 0 quieter.")
    ] = None,
    example: Annotated[
        Path | None,
        typer.Option(
            "--example", metavar="FILE", help="Speech: in the voice of this recording, whose speaker agrees in it."
        ),
    ] = None,
    voice_of: Annotated[
        str | None, typer.Option("--voice-of", metavar="NAME", help="With --example: whose voice it is.")
    ] = None,
    consent: Annotated[
        Path | None, typer.Option("--consent", metavar="FILE", help="With --example: the record in which they agreed.")
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option("--vocoder", metavar="MODEL", help="Speech, sounds: this model finds how the pictures sound."),
    ] = None,
    solver: Annotated[
        str | None, typer.Option("--solver", help="Images: euler, heun, dpm++2m, unipc, adams or ancestral.")
    ] = None,
    shift: Annotated[
        float | None, typer.Option("--shift", help="Images: above 1 takes more of the steps near the noise.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Images: how strictly to follow label or prompt.")
    ] = None,
    negative_prompt: Annotated[
        str | None, typer.Option("--negative-prompt", help="Images: what it must not be.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="The class, or the voice, to make.")] = None,
    width: Annotated[int | None, typer.Option("--width", help="Pipelines: width in pixels.")] = None,
    height: Annotated[int | None, typer.Option("--height", help="Pipelines: height in pixels.")] = None,
    lora: Loras = None,
    base_url: BaseUrl = None,
    engine: Engine = None,
    palette: Annotated[
        str | None,
        typer.Option(
            "--palette", metavar="COLOURS", help="Images: only these colours: #rrggbb,..., how many, or a file."
        ),
    ] = None,
    svg: Annotated[bool, typer.Option("--svg", help="Images: traced to outlines, saved as SVG.")] = False,
    controls: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other control of the model; may be repeated."),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment", metavar="DATA", help="-n labelled images, sounds or clips for this training set, in -o."
        ),
    ] = None,
    spread: Annotated[
        str, typer.Option("--spread", help="With --augment: balance evens out the classes, even gives each the same.")
    ] = "balance",
    for_rater: Annotated[
        str | None,
        typer.Option(
            "--for-rater",
            metavar="NAME",
            help="The best first of -n, by what NAME, or all, liked before.",
            show_default=False,
        ),
    ] = None,
    refuse_copies: Annotated[
        bool, typer.Option("--refuse-copies", help="Redraw what is too close to the training data.")
    ] = False,
    no_gallery: NoGallery = False,
    json: Json = False,
) -> None:
    """Make new content with MODEL.

    Text is printed, images are saved; every saved asset carries a signed manifest. The Gallery of the studio shows all of it.
    """
    from makar.api.augmenting import augment_each
    from makar.api.model import load
    from makar.api.prompts import fill
    from makar.api.taste import taste_of
    from makar.generation.palette import named_palette

    given: dict[str, Any] = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "max_tokens": max_tokens,
        "stop": tuple(stop) if stop else None,
        "precision": precision,
        "json_schema": json_schema,
        "regex": regex,
        "choice": choice,
        "tools": tools,
        "steps": steps,
        "speed": speed,
        "pitch": pitch,
        "energy": energy,
        "example": agreed_example(example, voice_of, consent),
        "vocoder": vocoder,
        "solver": solver,
        "shift": shift,
        "guidance": guidance,
        "negative_prompt": negative_prompt,
        "label": label,
        "width": width,
        "height": height,
        "palette": palette,
        "svg": svg or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    options |= controls_of(controls or [], taken=options)
    if isinstance(options.get("palette"), str):
        options["palette"] = named_palette(options["palette"])
    words: list[Any] = [sys.stdin.read() if prompt == "-" else prompt for prompt in prompts or []]
    words += lines_of(lines) if lines is not None else []
    if template is None and variables:
        raise UsageError("--var without --template", expected="a prompt with places")
    if template is not None:
        words = list(fill(template, words, texts_of(variables or [])))
    others = {"--vote": vote is not None, "--augment": augment is not None, "--svg": bool(options.get("svg"))}
    if for_rater is not None and any(others.values()):
        raise UsageError(f"--for-rater with {next(name for name in others if others[name])}", expected="one of them")
    if vote is not None:
        others = {"-o": output is not None, "-n": count != 1, "--stream": stream, "--augment": augment is not None}
        check_vote({**others, "--refuse-copies": refuse_copies, "--spread": spread != "balance"})
    maker = load(model, loras=lora or (), base_url=base_url)
    take_engine(maker, engine, options)
    if vote is not None:
        answer_of_most(
            maker, words, template=template, answer=answer, count=vote, seed=seed, options=options, json=json
        )
        return
    if answer is not None:
        raise UsageError("--answer without --vote", expected="several answers to agree on", do="--vote 5")
    if augment is not None:
        _check_augment(words, output, stream=stream, label=label)
        assert output is not None
        pairs = augment_each(maker, augment, count=count, folder=output, spread=spread, seed=seed, options=options)
        # Samples for a training set are many, and lie in it.
        show_each(pairs, gallery=Gallery(is_off=True), json=json)
        return
    if spread != "balance":
        raise UsageError("--spread without --augment", expected="a training set to make samples for")
    check_output(output, medium=maker.medium, count=count * max(1, len(words)), is_drawing=svg)
    options |= form_of(output, maker.medium)
    if stream:
        if json or for_rater is not None:
            raise UsageError(f"--stream with {'--json' if json else '--for-rater'}", expected="one of them")
        _check_stream(words, count=count, refuse_copies=refuse_copies)
        gallery = Gallery(is_off=no_gallery, model=maker, is_alone=True)
        _stream(maker, words[0] if words else "", seed=seed, options=options, output=output, gallery=gallery)
        return
    place = output or (None if maker.makes_text else Path("out"))
    # What somebody likes is learned first: where there is nothing to learn from, no work is lost.
    taste = None if for_rater is None else taste_of(for_rater, medium=maker.medium)
    assets = maker.generate_each(words or None, count=count, seed=seed, options=options, refuse_copies=refuse_copies)
    gallery = Gallery(is_off=no_gallery, model=maker, is_alone=count * max(1, len(words)) == 1)
    if taste is not None:
        assets = _best_first(assets, taste)
    show_each(((asset, save_asset(asset, place)) for asset in assets), gallery=gallery, json=json)


def _check_augment(words: list[Any], output: Path | None, *, stream: bool, label: str | None) -> None:
    if output is None:
        raise UsageError("--augment without a place", expected="-o FOLDER", do="-o augmented")
    other = [
        name
        for name, is_given in (("a prompt", words), ("--stream", stream), ("--label", label is not None))
        if is_given
    ]
    if other:
        raise UsageError(f"--augment with {' and '.join(other)}", expected="classes come from the data")


def _best_first(assets: "Iterable[Asset]", taste: "Taste") -> "Iterator[Asset]":
    from makar.api.taste import in_order

    yield from in_order(list(assets), taste)


def _check_stream(words: list[Any], *, count: int, refuse_copies: bool) -> None:
    if count != 1 or len(words) > 1:
        raise UsageError(f"--stream for {count * max(1, len(words))} texts", expected="one text at a time")
    if refuse_copies:
        raise UsageError(
            "--stream with --refuse-copies",
            expected="one of them",
            do="a text is only known to be a copy when it is whole",
        )


def _stream(
    maker: "Model", prompt: Any, *, seed: int, options: dict[str, Any], output: Path | None, gallery: Gallery
) -> None:
    from makar.generation.prompts import answers

    # What has a form, comes from a prompt file or is an answer, stands alone.
    has_form = {"json_schema", "regex", "choice", "tools"} & set(options)
    if isinstance(prompt, str) and not has_form and not answers(maker.artifact.codec(), maker.artifact.family_config):
        sys.stdout.write(prompt)
    pieces = maker.stream(prompt or None, seed=seed, options=options)
    with gallery:
        for piece in pieces:
            if isinstance(piece, str):
                sys.stdout.write(piece)
                sys.stdout.flush()
            else:
                sys.stdout.write("\n")
                note_on(piece, save_asset(piece, output))
                gallery.add(piece)


def check_output(output: Path | None, *, medium: str, count: int, is_drawing: bool = False) -> None:
    """Refuse a place that cannot take everything that is asked for, before anything is drawn."""
    from makar.generation.asset import check_file, suffix_of

    if output is None or output.is_dir():
        return
    if not output.suffix:
        if output.exists():
            raise UsageError(f"{output} is a file", expected="a folder, or a new file with a suffix")
        return
    if count > 1:
        raise UsageError(
            f"{count} assets for the one file {output}", expected="a folder", do=f"-o {output.with_suffix('')}"
        )
    check_file(output, suffix=suffix_of(medium, is_drawing=is_drawing, named=output.suffix))


def form_of(output: Path | None, medium: str) -> dict[str, str]:
    """Return the control that makes a video or structure in the form of the file that was named; nothing for all else."""
    has_form = medium in ("structure", "video") and output is not None and output.suffix
    return {"format": output.suffix[1:].lower()} if has_form and output is not None else {}
