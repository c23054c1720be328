"""Consent of the people whose voices are learned: record it, say what it is worth, take it back, and ask for it before a training."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.errors import ConsentError, UnsupportedError, UsageError
from makar.generation import cloning
from makar.generation.asset import write_new
from makar.generation.cloning import AgreedVoice
from makar.generation.given_sound import read_given_sound
from makar.provenance.consent import Consent, check_consent, check_still_agreed, make_consent, read_consent, revoke

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact

SUFFIX = ".consent.json"
LEAST_SECONDS = 1.0
VOICES = ("speech", "speech-voices", "speech-clone", "tacotron", "tacotron-voices", "vits", "vits-voices")
"""Recipes that learn voices."""


def record_consent(
    recording: str | Path,
    *,
    who: str,
    scopes: Sequence[str],
    phrase: str | None = None,
    until: str | None = None,
    output: str | Path | None = None,
) -> Path:
    """Write a signed record that somebody agreed.

    Args:
        recording: A file in which they say so; it is not copied, only its hash is kept.
        who: Their name.
        scopes: What they agreed to, of ``makar.provenance.consent.SCOPES``.
        phrase: What they say; ``None`` for the usual words.
        until: The last day on which it holds.
        output: The file to write; ``None`` makes one beside the recording.

    Returns:
        The file.

    Raises:
        UsageError: There is no recording, it is too short or silent, or something is out of range.
        DataError: The file is no sound.
    """
    content, sound = read_given_sound(recording)
    if sound.seconds < LEAST_SECONDS or not sound.samples.any():
        raise UsageError(
            f"a recording of {sound.seconds:.1f} seconds", expected="one in which somebody says that they agree"
        )
    signed = make_consent(who, scopes=scopes, recording=content, phrase=phrase, until=until)
    path = Path(recording).with_suffix(SUFFIX) if output is None else Path(output)
    write_new(path, json.dumps(signed, indent=1, ensure_ascii=False).encode())
    return path


def verify_consent(path: str | Path, *, recording: str | Path | None = None) -> Consent:
    """Read a record and check its signature, and that a recording is the one that it speaks of.

    Raises:
        UsageError: There is no such file.
        IntegrityError: It is no record, or was changed.
        ConsentError: The recording is another one.
    """
    found = read_consent(Path(path))
    if recording is not None:
        content, _ = read_given_sound(recording)
        if sha256(content).hexdigest() != found.recording:
            raise ConsentError(
                f"{recording} is not the recording of this record", expected="the one that it was made with"
            )
    return found


def revoke_consent(path: str | Path) -> Consent:
    """Take a consent back: models that learned with it make nothing any more on this machine."""
    found = read_consent(Path(path))
    revoke(found)
    return found


def agreed(
    recipe: str | None,
    voice_of: Sequence[str],
    consent: Sequence[str | Path],
    *,
    parent: "Artifact | None" = None,
) -> list[dict[str, Any]]:
    """Return what a training states of the consent of the people whose voices it learns; nothing where nobody is named.

    Args:
        recipe: Name of the recipe; ``None`` for that of the parent.
        voice_of: Whose voices are learned.
        consent: Their records.
        parent: The model that it begins from; who agreed to that one is stated too.

    Raises:
        UnsupportedError: The recipe learns no voices.
        ConsentError: Somebody has not agreed, or whoever agreed to the parent took it back.
        UsageError: A record is of nobody who is named.
    """
    before: list[dict[str, Any]] = []
    if parent is not None:
        check_still_agreed(parent.manifest["data"])
        recipe, before = recipe or parent.recipe.name, list(parent.manifest["data"].get("consent", ()))
    if not voice_of and not consent:
        return before
    if recipe not in VOICES:
        raise UnsupportedError(
            f'the voice of somebody for the recipe "{recipe or "that the data decide"}"',
            expected=f"--recipe {' or '.join(VOICES)}",
        )
    records = {one.who.casefold(): one for one in (read_consent(Path(path)) for path in consent)}
    names = {" ".join(name.split()).casefold(): name for name in voice_of}
    for key, name in names.items():
        if key not in records:
            raise _nobody_asked(name)
        check_consent(records[key], scope="voice", who=name)
    if left := [one.who for key, one in records.items() if key not in names]:
        raise UsageError(f"a consent of {left[0]}, whose voice nobody says this is", expected=f'--voice-of "{left[0]}"')
    stated = [records[key].stated() for key in names]
    return [one for one in before if one not in stated] + stated


def agreed_voice(recording: str | Path, *, who: str, consent: str | Path | None) -> AgreedVoice:
    """Return the voice of somebody who agreed, for a model of the recipe ``speech-clone``: ``options={"example": voice}``.

    Args:
        recording: The recording in which they say that they agree.
        who: Their name.
        consent: Their record.

    Raises:
        ConsentError: They did not agree that a model speaks with their voice, or this is another recording.
        UsageError: There is no such file.
        DataError: The file is no sound.
    """
    if consent is None:
        raise _nobody_asked(who)
    return cloning.agreed_voice(recording, who=who, consent=read_consent(Path(consent)))


def _nobody_asked(name: str) -> ConsentError:
    return ConsentError(
        f"there is no consent of {name}",
        expected=f"a record in which {name} agrees that a model learns the voice",
        do=f'makar consent record RECORDING --who "{name}" --scope voice, then --consent FILE',
    )
