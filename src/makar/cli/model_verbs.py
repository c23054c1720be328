"""The verbs ``evaluate``, ``verify``, ``import`` and ``export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.generate_verb import BaseUrl, ModelName
from makar.cli.output import Json, note, print_json, print_table
from makar.cli.tables import print_report
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.evaluation.promotion import Check
    from makar.provenance.verification import Verification

_MARKS = {"ok": "ok", "failed": "BROKEN", "unknown": "?"}


def evaluate(
    model: ModelName,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Data to measure on; without it the held-out part of the training data."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder of the report.")] = None,
    samples: Annotated[
        int,
        typer.Option("--samples", min=0, help="Samples to make and measure; 0 takes the usual number of the medium."),
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the samples.")] = 0,
    inception: Annotated[
        Path | None,
        typer.Option(
            "--inception", metavar="FILE", help="Images: weights of Inception-v3, safetensors; FID-Inception."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="MODEL", help="Text: keep or discard, compared with this one; exit code 1 is discard."
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            metavar="JUDGE",
            help="With --against: compare answers to the prompts in DATA blindly; a reward model, a model to ask, or me.",
        ),
    ] = None,
    base_url: BaseUrl = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite", help="humaneval, mbpp (programs, run in a sandbox), truthful, bias or safety, which DATA holds."
        ),
    ] = None,
    suites: Annotated[
        str | None,
        typer.Option(
            "--suites", metavar="FOLDER", help="With --against: tables of bias and safety that both are asked."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure MODEL and write a report.

    Against baselines and against its training data; one HTML and one JSON file.
    """
    from makar.api.model import load
    from makar.cli.progress import Display

    if against is not None:
        for name, given in (("--output", output), ("--inception", inception), ("--suite", suite)):
            if given is not None:
                raise UsageError(f"--against with {name}", expected="one or the other: --against writes no report")
        if judge is not None and suites is not None:
            raise UsageError("--judge with --suites", expected="one or the other: a judge reads answers to prompts")
        if judge is not None:
            _duel(model, against, data, judge=judge, base_url=base_url, samples=samples, seed=seed, json=json)
            return
    if judge is not None or (base_url is not None and against is not None):
        raise UsageError(
            f"{'--judge' if judge is not None else '--base-url'} without {'--against' if against is None else '--judge'}",
            expected="a comparison of two models: MODEL PROMPTS --against OTHER --judge JUDGE",
        )
    if against is not None:
        _weigh(model, against, data, suites=suites, samples=samples, seed=seed, json=json)
        return
    if suites is not None:
        raise UsageError(
            "--suites without --against", expected="MODEL --against OTHER --suites FOLDER, or DATA --suite NAME"
        )
    with Display() as display:
        report = load(model, base_url=base_url).evaluate(
            data, folder=output, seed=seed, samples=samples, inception=inception, suite=suite, on_event=display
        )
    print_report(report, json=json)


def _weigh(new: str, old: str, data: str | None, *, suites: str | None, samples: int, seed: int, json: bool) -> None:
    """Print whether a model may take the place of another, and end with 1 where it may not."""
    from makar.api.promotion import weigh
    from makar.cli.progress import Display

    with Display() as display:
        found = weigh(new, old, data, suites=suites, samples=samples, seed=seed, on_event=display)
    if json:
        print_json(found.to_dictionary())
    else:
        print_table("", [check_row(check) for check in found.checks])
        print(f"{'keep' if found.keeps else 'discard'} {found.new}")
    if not found.keeps:
        raise typer.Exit(1)


def _duel(
    new: str,
    old: str,
    prompts: str | None,
    *,
    judge: str,
    base_url: str | None,
    samples: int,
    seed: int,
    json: bool,
) -> None:
    """Print who wins how often by the word of a judge, and end with 1 where the new model does not surely win."""
    from makar.api.blind import compare
    from makar.cli.progress import Display
    from makar.evaluation.blind_judges import person

    if prompts is None:
        raise UsageError("--judge without prompts", expected="MODEL PROMPTS --against OTHER --judge JUDGE")
    if judge == "me":
        me = person(lambda text: str(typer.prompt(text, err=True)), note)
        found = compare(new, old, prompts, judge=me, samples=samples, seed=seed)
    else:
        with Display() as display:
            found = compare(
                new, old, prompts, judge=judge, base_url=base_url, samples=samples, seed=seed, on_event=display
            )
    if json:
        print_json(found.to_dictionary())
    else:
        rates = {
            f"{found.new} wins": found.win_rate,
            "the left answer wins": found.left_rate,
            "the longer answer wins": found.longer_rate,
        }
        print_table("", [{"share": name, "value": None if rate is None else str(rate)} for name, rate in rates.items()])
        even = sum(duel.won == 0.5 for duel in found.duels)
        print(f"{len(found.duels)} prompts, {even} even, judged by {found.judge}")
        print(f"{'keep' if found.keeps else 'discard'} {found.new}")
    if not found.keeps:
        raise typer.Exit(1)


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="An image, a text with its manifest beside it, or a model's name or folder."
        ),
    ],
    json: Json = False,
) -> None:
    """Say what made FILE and whether it is intact.

    Walks the chain back from the file to the training data and names the first broken link.
    """
    from makar.api.model import verify as check

    result = check(file)
    print_json(result.to_dictionary()) if json else _print_verification(result)
    if not result.is_intact:
        raise typer.Exit(1)


def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder that makar export wrote, or a checkpoint.")],
    output: Annotated[str, typer.Option("-o", "--output", help="Name or folder of the model.")],
    json: Json = False,
) -> None:
    """Bring back a model that makar export wrote, or bring in a checkpoint of transformers.

    Also after training on elsewhere; refused when one tensor is missing, foreign or of another shape. A checkpoint of the layout
    of Qwen 2 and 3, Llama or Mistral becomes a model of ours, which trains and decodes fast.
    """
    from makar.api.importing import import_model

    model = import_model(path, output=output)
    print_json({"path": str(model.path), "medium": model.medium, "hash": model.hash}) if json else print(model.path)


def export(
    model: ModelName,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write.")],
    to: Annotated[str, typer.Option("--to", help="transformers, onnx, gguf; of an adapter peft, diffusers or kohya.")],
    precision: Annotated[
        str | None, typer.Option("--precision", help="gguf: float32 (the default), float16, bfloat16 or int8.")
    ] = None,
    json: Json = False,
) -> None:
    """Write MODEL in a standard format.

    What was written is checked against the model itself.
    """
    from makar.api.model import load

    path = load(model).export(folder, to=to, precision=precision)
    print_json({"path": str(path), "format": to}) if json else print(path)


def check_row(check: "Check") -> dict[str, Any]:
    """Return a check of one model against another as a row of a table."""
    return {
        "measure": check.name,
        "wanted": check.wanted,
        "gain": None if check.gain is None else str(check.gain),
        "unit": check.unit,
        "verdict": f"unknown: {check.why}" if check.gain is None else check.verdict,
    }


def _print_verification(result: "Verification") -> None:
    rows = [
        {"link": check.link, "what": check.name, "": _MARKS[check.status], "detail": check.detail}
        for check in result.checks
    ]
    print_table("", rows)
    broken = result.first_broken
    if broken is not None:
        print(f"BROKEN at {broken.link}: {broken.detail}")
    elif result.is_complete:
        print("intact: every link from the file to the data was checked")
    else:
        print("intact as far as this machine can tell; what is marked ? could not be decided here")
