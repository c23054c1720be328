"""The verb ``edit``: an image, code, a sound, a video, a structure or music, changed by a model; what is done follows from the options.

Where a film stands in the place of the model, films are joined, cut and heard without one.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from makar.cli.completion import model_names
from makar.cli.gallery import Gallery, NoGallery
from makar.cli.generate_verb import ControlNet, Loras, check_output, form_of
from makar.cli.output import Json
from makar.cli.showing import save_asset, show_each
from makar.cli.values import controls_of
from makar.errors import UsageError

SIDES = ("left", "right", "top", "bottom")
DIFFS = (".diff", ".patch")
"""Suffixes of a file that takes a change and not the whole."""


ModelOrFilm = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model by name or folder; or a film, to edit without one: several are joined.",
        autocompletion=model_names,
        show_default=False,
    ),
]


def edit(
    model: ModelOrFilm,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="What to change; two images with --frames, or for videos; none with --to-seed."
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="What it is to become.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="The class that it is to become.")] = None,
    strength: Annotated[
        float | None,
        typer.Option("--strength", help="Begin from the image, sound or video: 0 leaves it, 1 does not look at it."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Fill in where this image of the same size is white.")
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", metavar="L,T,R,B", help="Fill in this rectangle, in pixels.")
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="A background for a cut-out, whose opaque pixels stay.")
    ] = False,
    left: Annotated[int, typer.Option("--left", min=0, help="Go on beyond the left side by so many pixels.")] = 0,
    right: Annotated[int, typer.Option("--right", min=0, help="Go on beyond the right side by so many pixels.")] = 0,
    top: Annotated[int, typer.Option("--top", min=0, help="Go on beyond the top by so many pixels.")] = 0,
    bottom: Annotated[int, typer.Option("--bottom", min=0, help="Go on beyond the bottom by so many pixels.")] = 0,
    denoise: Annotated[bool, typer.Option("--denoise", help="Take noise away.")] = False,
    reconstruct: Annotated[bool, typer.Option("--reconstruct", help="Encode and decode.")] = False,
    translate: Annotated[bool, typer.Option("--translate", help="From one kind of image to the other.")] = False,
    direction: Annotated[
        str | None, typer.Option("--direction", help="With --translate: which way, where a model knows both.")
    ] = None,
    colour: Annotated[bool, typer.Option("--colour", "--color", help="Give colours to a grey image.")] = False,
    control: Annotated[
        bool, typer.Option("--control", help="A new image steered by this map; music along the melody of this.")
    ] = False,
    photo: Annotated[
        bool, typer.Option("--photo", help="With --control: the file is a photo; its map is computed first.")
    ] = False,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Take the colours and textures of this image.")
    ] = None,
    style: Annotated[
        float | None, typer.Option("--style", help="With --reference: how fast they are approached, 0 to 1.")
    ] = None,
    enlarge: Annotated[int | None, typer.Option("--enlarge", min=2, help="So many times the pixels a side.")] = None,
    source_noise: Annotated[
        float | None, typer.Option("--source-noise", help="Of an image to enlarge: 0 it is clean, 1 it is noisy.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", min=2, help="Images from the first file or seed to the second.")
    ] = None,
    to_seed: Annotated[int | None, typer.Option("--to-seed", min=0, help="The second seed of --frames.")] = None,
    infill: Annotated[
        bool, typer.Option("--infill", help="Code: write what belongs at <FILL_ME> in the file.")
    ] = False,
    line: Annotated[
        str | None, typer.Option("--line", metavar="N[-M]", help="Code: write this line, or these, anew.")
    ] = None,
    span: Annotated[
        str | None,
        typer.Option("--span", metavar="L:C-L:C", help="Code: write what is between these lines and columns anew."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Code: change a line so that --tests pass.")] = False,
    tests: Annotated[
        str | None,
        typer.Option("--tests", metavar="COMMAND", help="With --fix: run in a sandbox on a copy of the folder."),
    ] = None,
    tries: Annotated[
        int | None, typer.Option("--tries", min=1, help="With --fix: changes to try; 40 without it.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep", metavar="PART", help="Music: write three parts to this one: soprano, alto, tenor, bass."
        ),
    ] = None,
    go_on: Annotated[bool, typer.Option("--go-on", help="Music, sounds, videos: go on where it ends.")] = False,
    from_second: Annotated[
        float | None, typer.Option("--from-second", min=0.0, help="Sounds, videos: fill in a hole that begins here.")
    ] = None,
    to_second: Annotated[
        float | None,
        typer.Option("--to-second", min=0.0, help="Sounds, videos: the hole ends here; without it at the end."),
    ] = None,
    trim: Annotated[
        str | None,
        typer.Option("--trim", metavar="START:END", help="Films, no model: keep these seconds; one may be left out."),
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Films, no model: 2 is twice as fast; the pitch stays.")
    ] = None,
    shift_pitch: Annotated[
        bool, typer.Option("--shift-pitch", help="With --speed: the pitch follows, as with a tape.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Films, no model: frames a second, also of a folder of pictures.")
    ] = None,
    sound: Annotated[
        str | None, typer.Option("--sound", metavar="keep|remove|FILE", help="Videos, films: what is heard.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORM", help="Videos: webm, mp4, mkv, gif, apng, webp; films also frames: pictures."
        ),
    ] = None,
    from_residue: Annotated[
        int | None, typer.Option("--from-residue", min=1, help="Structures: the first residue that is made anew.")
    ] = None,
    to_residue: Annotated[
        int | None,
        typer.Option("--to-residue", min=0, help="Structures: the last one; without it the end of the chain."),
    ] = None,
    residues: Annotated[
        int | None, typer.Option("--residues", min=0, help="Structures: so many stand there then; else as many.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=1, help="Code, music: length at most.")] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Code: 0 takes the likeliest; without it 0 for one variant.")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many variants of every file.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 0,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps of the solver.")] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="How strictly to follow prompt and label.")
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option("--negative-prompt", help="What it must not become.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other control of the model; may be repeated."),
    ] = None,
    lora: Loras = None,
    controlnet: ControlNet = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File or folder to save to; images go to out/ without it.")
    ] = None,
    no_gallery: NoGallery = False,
    json: Json = False,
) -> None:
    """Change images, a file of code, sounds, videos, structures or pieces of music with MODEL, or films without one.

    What is known comes out unchanged, the file itself is not touched; what is saved carries a signed manifest.
    """
    from makar.api.films import edit_film_each, names_film
    from makar.api.model import load

    operations = {
        "denoise": denoise,
        "reconstruct": reconstruct,
        "translate": translate,
        "colour": colour,
        "control": control,
    }
    how: dict[str, Any] = {
        "mask": mask,
        "box": _box(box),
        "background": background,
        "left": left,
        "right": right,
        "top": top,
        "bottom": bottom,
        "operation": _one_of(operations),
        "photo": photo,
        "reference": reference,
        "enlarge": enlarge,
        "frames": frames,
        "to_seed": to_seed,
    }
    is_diff = fix and (output is None or output.suffix in DIFFS)
    of_text = {
        "infill": infill,
        "line": line,
        "span": span,
        "fix": fix,
        "tests": tests,
        "tries": tries,
        "diff": is_diff,
        "keep": keep,
        "go_on": go_on,
    }
    how |= {name: value for name, value in of_text.items() if value}
    places = {
        **{"from_second": from_second, "to_second": to_second},
        **{"from_residue": from_residue, "to_residue": to_residue, "residues": residues},
    }
    of_film = {**_trim(trim), "speed": speed, "shift_pitch": shift_pitch or None, "rate_hz": rate, "sound": sound}
    how |= {name: value for name, value in (places | of_film).items() if value is not None}
    controls = {
        "strength": strength,
        "steps": steps,
        "guidance": guidance,
        "label": label,
        "direction": direction,
        "negative_prompt": negative_prompt,
        "source_noise": source_noise,
        "style": style,
        "max_tokens": max_tokens,
        "temperature": temperature,
    }
    options = {name: value for name, value in controls.items() if value is not None}
    options |= controls_of(settings or [], taken=options)
    if names_film(model):
        prompts = {"prompt": prompt, "count": count if count > 1 else None, "seed": seed or None}
        asked = {**how, **options, **prompts, "lora": lora, "controlnet": controlnet}
        # What was not said is None or False, a side 0.
        words = {
            name: value
            for name, value in asked.items()
            if value is not None and value is not False and (name not in SIDES or value)
        }
        chosen = _form(form, output)
        check_output(output, medium="video", count=2 if chosen == "frames" else 1)
        films = [Path(model), *(files or [])]
        made = edit_film_each(films, words, form=chosen)
        pairs = ((asset, save_asset(asset, output or Path("out"))) for asset in made)
        show_each(pairs, gallery=Gallery(is_off=no_gallery), json=json)
        return
    images: list[Path | None] = list(files or [])
    maker = load(model, loras=lora or (), controlnet=controlnet)
    is_clip = maker.medium == "video"
    if (frames is not None or is_clip) and len(images) == 2:
        how["to"] = images.pop()
    elif frames is not None and len(images) > 2:
        raise UsageError(f"frames between {len(images)} images", expected="two")
    if not images:
        images = [None]
    is_row = ("to" in how or to_seed is not None) and not is_clip
    if fix and output is not None and len(images) == 1 and images[0] is not None and _is_same(output, images[0]):
        (asset,) = maker.edit(images[0], how=how, seed=seed, options=options)
        show_each([(asset, asset.replace(output))], gallery=Gallery(is_off=no_gallery), json=json)
        return
    check_output(output, medium=maker.medium, count=(frames or 2) if is_row else count * len(images))
    options |= form_of(output, maker.medium)
    if form is not None:
        options["format"] = _form(form, output if is_clip else None) or form
    place = output or (None if maker.makes_text else Path("out"))
    assets = (
        asset
        for image in images
        for asset in maker.edit_each(image, how=how, prompt=prompt, count=count, seed=seed, options=options)
    )
    show_each(((asset, save_asset(asset, place)) for asset in assets), gallery=Gallery(is_off=no_gallery), json=json)


def _is_same(output: Path, file: Path) -> bool:
    return output.exists() and output.resolve() == file.resolve()


def _one_of(operations: dict[str, bool]) -> str | None:
    asked = [name for name, is_asked in operations.items() if is_asked]
    if len(asked) > 1:
        raise UsageError(" and ".join(f"--{name}" for name in asked), expected="one of them")
    return asked[0] if asked else None


def _form(form: str | None, output: Path | None) -> str | None:
    """Return the form of a film: the one that is asked for, or that of the file that is named."""
    named = output.suffix[1:].lower() if output is not None and output.suffix else None
    if form is not None and named is not None and form != named:
        raise UsageError(f"--format {form} for {output}", expected="a file of that form, or a folder")
    return form or named


def _trim(text: str | None) -> dict[str, float | None]:
    if text is None:
        return {}
    parts = text.split(":")
    try:
        start, end = (float(part) if part.strip() else None for part in parts)
    except ValueError as error:
        raise UsageError(
            f'"{text}" is no part of a film', expected="START:END in seconds", do="--trim 1.5:4"
        ) from error
    return {"start": start, "end": end}


def _box(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f'"{text}" is no box', expected="left,top,right,bottom in pixels", do="--box 8,8,24,24")
    return tuple(int(part) for part in parts)
