"""The verbs ``feedback add``, ``list``, ``remove``, ``export``, ``import``, ``compare``, ``ranking``: what people say of made things."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makar.cli.completion import model_names
from makar.cli.confirm import Yes, confirm
from makar.cli.output import Json, note, print_json, print_table
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.api.arena import Shown
    from makar.data.feedback.judgement import Judged, Judgement
    from makar.data.feedback.table import Wanted

LONGEST_SHOWN = 60

Rater = Annotated[
    str | None,
    typer.Option(
        "--rater", metavar="NAME", help="Who says it; without it, your name on this machine.", show_default=False
    ),
]
OfRater = Annotated[
    str, typer.Option("--rater", metavar="NAME", help="Only what this person said.", show_default=False)
]
Consent = Annotated[
    bool, typer.Option("--consent/--no-consent", help="Whether models may learn from it; otherwise it only counts.")
]
OfModel = Annotated[
    str,
    typer.Option(
        "--model", metavar="MODEL", help="Only on this model's.", autocompletion=model_names, show_default=False
    ),
]
OfKind = Annotated[str, typer.Option("--kind", help="Only thumb, stars, pair, ranking or edit.", show_default=False)]
OfMedium = Annotated[
    str, typer.Option("--medium", help="Only text, image, sound or another medium.", show_default=False)
]
OfSession = Annotated[
    str, typer.Option("--session", metavar="ID", help="Only of this blind comparison.", show_default=False)
]


def add(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="What is judged: images or texts; of several, the best one first."),
    ],
    thumb: Annotated[str | None, typer.Option("--thumb", help="up or down.", show_default=False)] = None,
    stars: Annotated[int | None, typer.Option("--stars", help="1 to 5.", show_default=False)] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", metavar="1,2,2", help="Place of each file, 1 the best, the same for a tie.", show_default=False
        ),
    ] = None,
    edit: Annotated[
        Path | None,
        typer.Option("--edit", metavar="FILE", help="The text of the file as it should be.", show_default=False),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt", metavar="TEXT", help="What was asked; without it, what the manifest says.", show_default=False
        ),
    ] = None,
    rater: Rater = None,
    consent: Consent = True,
    words: Annotated[str, typer.Option("--note", metavar="TEXT", help="Words beside it.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Say what you think of generated things.

    One file gets a thumb, stars or an edit; several are put in order, the best first.
    """
    from makar.api import feedback

    given = [
        name
        for name, value in (("--thumb", thumb), ("--stars", stars), ("--order", order), ("--edit", edit))
        if value is not None
    ]
    if (
        len(given) > 1
        or (len(files) == 1 and given in ([], ["--order"]))
        or (len(files) > 1 and given not in ([], ["--order"]))
    ):
        raise UsageError(
            f"{', '.join(given) or 'nothing'} for {len(files)} file{'s' * (len(files) > 1)}",
            expected="--thumb, --stars or --edit for one; --order, or just the files from the best on, for several",
        )
    said: dict[str, Any] = {"rater": rater or _user(), "consent": consent, "prompt": prompt, "note": words}
    if edit is not None:
        judgement = feedback.edited(files[0], _text_of(edit), **said)
    else:
        kind, value = _value(thumb, stars, order, len(files))
        judgement = feedback.judge(list(files), kind=kind, value=value, **said)
    print_json(judgement.to_dictionary()) if json else print(judgement.id)


def _value(thumb: str | None, stars: int | None, order: str | None, count: int) -> tuple[str, list[int]]:
    if thumb is not None:
        if thumb not in ("up", "down"):
            raise UsageError(f"--thumb {thumb}", expected="up or down")
        return "thumb", [int(thumb == "up")]
    if stars is not None:
        return "stars", [stars]
    kind = "pair" if count == 2 else "ranking"
    if order is None:
        return kind, list(range(1, count + 1))
    try:
        return kind, [int(place) for place in order.split(",")]
    except ValueError as error:
        raise UsageError(f"--order {order}", expected="a number for each file: 1,2,2") from error


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", expected="a text in UTF-8") from error


def list_(
    rater: OfRater = "",
    model: OfModel = "",
    kind: OfKind = "",
    medium: OfMedium = "",
    session: OfSession = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many at most, the newest; 0 is all.")] = 20,
    json: Json = False,
) -> None:
    """List what people said, the newest first."""
    from makar.api import feedback

    wanted = _wanted(rater=rater, model=model, kind=kind, medium=medium, session=session)
    found = feedback.rows(wanted, content=not json, limit=limit)
    if json:
        print_json([one.to_dictionary() for one in found])
    else:
        print_table("", [_row(one) for one in found], empty="no feedback yet; makar feedback add FILE --thumb up")


def _wanted(*, rater: str, model: str, kind: str, medium: str, session: str) -> "Wanted":
    from makar.data.feedback.judgement import KINDS
    from makar.data.feedback.table import Wanted
    from makar.data.record import MEDIA
    from makar.errors import UnknownNameError

    for what, name, known in (("kind of feedback", kind, KINDS), ("medium", medium, MEDIA)):
        if name and name not in known:
            raise UnknownNameError(what, name, known)
    return Wanted(rater=rater, model=model, kind=kind, medium=medium, session=session)


def _row(one: "Judgement") -> dict[str, Any]:
    return {
        "id": one.id,
        "time": one.time[:16].replace("T", " "),
        "kind": one.kind,
        "value": " ".join(map(str, one.value)),
        "of": "; ".join(_shown(item) for item in one.items),
        "prompt": _short(one.prompt_text),
        "rater": one.rater,
        "consent": one.consent,
        "note": _short(one.note),
    }


def _shown(item: "Judged") -> str:
    what = _short(item.text) if item.text else f"{item.judged_as} {item.hash[:8]}"
    return f"{item.model}: {what}" if item.model else what


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SHOWN else line[: LONGEST_SHOWN - 3] + "..."


def remove(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="What is taken back.")] = None,
    rater: Annotated[
        str, typer.Option("--rater", metavar="NAME", help="Everything that this person said.", show_default=False)
    ] = "",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take back what was said; what nobody else judged is deleted with it."""
    from makar.api import feedback

    what = f"everything that {rater} said" if rater else f"{len(ids or [])} judgements"
    if ids or rater:
        confirm(f"take back {what}?", yes=yes)
    gone = feedback.remove(ids or [], rater=rater)
    print_json({"removed": gone}) if json else print(f"{gone} removed")


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file of JSON lines.")],
    form: Annotated[
        str, typer.Option("--form", help="judgements, everything; or preferences, pairs of texts to learn from.")
    ] = "judgements",
    rater: OfRater = "",
    model: OfModel = "",
    kind: OfKind = "",
    medium: OfMedium = "",
    session: OfSession = "",
    json: Json = False,
) -> None:
    """Write feedback to a file."""
    from makar.api import feedback

    wanted = _wanted(rater=rater, model=model, kind=kind, medium=medium, session=session)
    count = feedback.export(file, wanted=wanted, form=form)
    print_json({"path": str(file), "lines": count}) if json else print(f"{count} lines in {file}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What makar feedback export wrote, here or elsewhere.")],
    json: Json = False,
) -> None:
    """Read feedback from a file; what is known already stays as it is."""
    from makar.api import feedback

    new, count = feedback.import_file(file)
    print_json({"new": new, "lines": count}) if json else print(f"{new} new of {count}")


def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Two or more models of one medium.", autocompletion=model_names),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts", metavar="FILE", help="A table, or one prompt a line; without it, anything.", show_default=False
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Answers to each prompt.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first answers.")] = 0,
    session: Annotated[
        str, typer.Option("--session", metavar="ID", help="Go on with this comparison instead.", show_default=False)
    ] = "",
    rater: Rater = None,
    consent: Consent = True,
    json: Json = False,
) -> None:
    """Compare models blindly: two answers at a time, and whose they are is not said.

    The session can be gone on with later, by others too, here and in the studio.
    """
    from makar.api import arena

    if bool(session) == bool(models) or (session and (prompts is not None or rounds != 1 or seed)):
        raise UsageError("models and a session, or neither", expected="models to compare, or --session ID alone")
    name = session or arena.begin(models or [], prompts=prompts or (), rounds=rounds, seed=seed).id
    note(f"comparison {name}; makar feedback compare --session {name} goes on")
    answering, who = arena.Answering(), rater or _user()
    # A new folder of our own: into one whose name is known somebody else may have put links.
    with tempfile.TemporaryDirectory(prefix="makar-compare-") as folder:
        while (shown := arena.next_pair(name, rater=who, answer=answering)) is not None:
            said = _asked(shown, Path(folder))
            if said is None:
                break
            arena.judge(shown.pair.id, said, consent=consent)
    _show_ranking(session=name, medium="", rater="", json=json)


def _asked(shown: "Shown", folder: Path) -> str | None:
    """Show two answers, files of them in a folder, and return what is said of them; ``None`` has seen enough."""
    from makar.api.arena import unsigned_png
    from makar.data.feedback.judgement import SUFFIXES

    note(f"\n{shown.prompt}" if shown.prompt else "")
    for letter, item in (("A", shown.left), ("B", shown.right)):
        if item.png is not None:
            place = folder / f"{letter}.png"
            place.write_bytes(unsigned_png(item.png))
            note(f"--- {letter} --- {place}")
        elif item.file is not None:
            place = folder / (letter + SUFFIXES[item.type])
            place.write_bytes(item.file)
            note(f"--- {letter} --- {place}")
        else:
            note(f"--- {letter} ---\n{item.text}\n")
    while True:
        typed = str(
            typer.prompt("Which is better: a, b, = for even, q to stop?", err=True, default="q", show_default=False)
        )
        if typed.strip().lower() == "q":
            return None
        if (said := {"a": "left", "b": "right", "=": "tie"}.get(typed.strip().lower())) is not None:
            return said


def ranking(
    session: OfSession = "",
    medium: OfMedium = "",
    rater: OfRater = "",
    json: Json = False,
) -> None:
    """Rank models by what people said, with intervals; what is not decided yet is called so."""
    _show_ranking(session=session, medium=medium, rater=rater, json=json)


def _show_ranking(*, session: str, medium: str, rater: str, json: bool) -> None:
    from makar.api import arena

    found = arena.ranking(session=session, medium=medium, rater=rater)
    if json:
        print_json(found.to_dictionary())
        return
    rows = [
        {"model": one.model, "strength": str(one.strength), "won": one.wins, "lost": one.losses, "even": one.ties}
        for one in found.ranking.models
    ]
    print_table("", rows, empty="nobody has compared two models yet")
    for duel in found.ranking.duels:
        rate = duel.win_rate
        print(
            f"{duel.better} over {duel.worse}: {rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%}) of {duel.comparisons}"
            f" comparisons, {duel.verdict}"
        )
    for what, agreed in found.agreement.items():
        if agreed.alpha is not None:
            print(f"people agree on {what} by {agreed.alpha} (Krippendorff's alpha, {agreed.units} judged by several)")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "me"
