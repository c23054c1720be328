"""The verbs ``consent record``, ``verify`` and ``revoke``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makar.cli.output import Json, note, print_json, print_table

if TYPE_CHECKING:
    from makar.provenance.consent import Consent

Record = Annotated[Path, typer.Argument(metavar="FILE", help="A consent record.")]


def record(
    recording: Annotated[
        Path, typer.Argument(metavar="RECORDING", help="A file in which the person says that they agree.")
    ],
    who: Annotated[str, typer.Option("--who", metavar="NAME", help="The name of the person.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="What they agree to: voice (a model learns it) or face (a picture speaks). May be repeated.",
        ),
    ],
    phrase: Annotated[
        str | None, typer.Option("--phrase", metavar="TEXT", help="What they say; the usual words without it.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DAY", help="The last day on which it holds, for example 2027-12-31."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The record; beside RECORDING without it.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Write a signed record that somebody agreed to the use of their voice.

    RECORDING is not copied: keep it, it is what shows that they agreed.
    """
    from makar.api.consent import record_consent, verify_consent

    path = record_consent(recording, who=who, scopes=scope, phrase=phrase, until=until, output=output)
    found = verify_consent(path)
    if json:
        print_json({"file": str(path), **found.to_dictionary()})
        return
    print(path)
    note(f'It says that {found.who} said: "{found.phrase}" If that is not so, delete it.')


def verify(
    file: Record,
    recording: Annotated[
        Path | None, typer.Option("--recording", metavar="FILE", help="Check that this is the recording of the record.")
    ] = None,
    json: Json = False,
) -> None:
    """Say who agreed to what, and whether the record is intact and still holds.

    Exit code 1 where it holds no more, or nobody here knows who signed it.
    """
    from makar.api.consent import verify_consent

    found = verify_consent(file, recording=recording)
    print_json(found.to_dictionary()) if json else print_table("", [_row(found)])
    if not found.holds:
        raise typer.Exit(1)


def revoke(file: Record, json: Json = False) -> None:
    """Take a consent back: models that learned with it make nothing any more on this machine."""
    from makar.api.consent import revoke_consent

    found = revoke_consent(file)
    print_json(found.to_dictionary()) if json else print(f"the consent of {found.who} holds no more")


def _row(found: "Consent") -> dict[str, str]:
    state = "holds" if found.holds else found.why_not
    return {
        "who": found.who,
        "agreed to": ", ".join(found.scopes),
        "on": found.date,
        "until": found.until or "it is taken back",
        "signed by": found.signer or "a key that nobody here knows",
        "state": state,
    }
