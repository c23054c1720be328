"""Consent: a signed record that somebody agreed to what a model does with their voice or face; made, checked, taken back.

A record says who agreed, to what, when, until when, in which words, and the sha256 of the recording in which they say so. It is signed with
the key of the machine that it was made on, as every statement here is (``manifest``); a record counts where that key is known. Taking back
is noted on this machine, by the hash of the record, and holds for models that were made before. The recording itself stays with whoever
made it: a record can be shown around without it. What is not proved: that the voice is the person's. Who keeps the recording can show it.
"""

import dataclasses
import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from makar.errors import ConsentError, IntegrityError, UsageError
from makar.home import home
from makar.provenance.folder import read_limited
from makar.provenance.keys import known_keys, signing_key
from makar.provenance.manifest import SCHEMA, SignedManifest, read_signed, sign

TYPE = "consent"
SCOPES: dict[str, str] = {
    "voice": "a model learns this voice and speaks with it",
    "face": "a picture of this face is made to speak",
}
"""What can be agreed to."""

LONGEST_NAME = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Consent:
    """A record whose signature was checked.

    Attributes:
        who: Who agreed.
        scopes: To what, of ``SCOPES``.
        date: When, as in ``2026-11-29``.
        until: Until when it holds; ``None`` until it is taken back.
        phrase: What they said.
        recording: sha256 of the recording in which they say it.
        hash: By which models and assets name the record.
        signer: Who signed, as far as this machine knows; empty where it does not.
    """

    who: str
    scopes: tuple[str, ...]
    date: str
    until: str | None
    phrase: str
    recording: str
    hash: str
    signer: str

    @property
    def why_not(self) -> str:
        """Why it holds no more; empty where it holds."""
        if not self.signer:
            return "the consent is signed with a key that nobody here knows"
        if self.until is not None and self.until < datetime.date.today().isoformat():
            return f"the consent of {self.who} held until {self.until}"
        day = revoked_on(self.hash)
        return "" if day is None else f"{self.who} took the consent back on {day}"

    @property
    def holds(self) -> bool:
        """Whether it is known, not over and not taken back."""
        return not self.why_not

    def stated(self) -> dict[str, Any]:
        """Return what a model and its assets say of it."""
        return {"who": self.who, "scopes": list(self.scopes), "date": self.date, "until": self.until, "hash": self.hash}

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        more = {"phrase": self.phrase, "recording": self.recording, "signer": self.signer, "holds": self.holds}
        return {**self.stated(), **more, "revoked": revoked_on(self.hash)}


def phrase_for(who: str, scopes: Iterable[str]) -> str:
    """Return the words that somebody is asked to say."""
    return f"I am {who}, and I agree: {', and '.join(SCOPES[scope] for scope in scopes)}."


def make_consent(
    who: str, *, scopes: Iterable[str], recording: bytes, phrase: str | None = None, until: str | None = None
) -> dict[str, Any]:
    """Return a signed record.

    Args:
        who: The name of the person.
        scopes: What they agreed to, of ``SCOPES``.
        recording: The file in which they say so.
        phrase: What they say in it; ``None`` for the usual words.
        until: The last day on which it holds, as in ``2027-12-31``; ``None`` for no end.

    Raises:
        UsageError: The name is none, a scope is unknown, or the day is none or over.
    """
    name, chosen = " ".join(who.split()), tuple(dict.fromkeys(scopes))
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(
            f"a name of {len(name)} letters", expected=f"the name of the person, 1 to {LONGEST_NAME} letters"
        )
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if unknown or not chosen:
        raise UsageError(f"the scope {', '.join(unknown) or 'of nothing'}", expected=", ".join(SCOPES))
    today = datetime.date.today().isoformat()
    if until is not None and (not _is_day(until) or until < today):
        raise UsageError(f"until {until[:20]}", expected="a day that is not over, for example 2027-12-31")
    record = {
        "schema": SCHEMA,
        "type": TYPE,
        "who": name,
        "scopes": list(chosen),
        "date": today,
        "until": until,
        "phrase": phrase_for(name, chosen) if phrase is None else " ".join(phrase.split()),
        "recording": hashlib.sha256(recording).hexdigest(),
    }
    return sign(record, signing_key())


def read_consent(path: Path) -> Consent:
    """Read a record and check its signature.

    Raises:
        UsageError: There is no such file.
        IntegrityError: It is no consent record, or was changed.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no file {path}", expected="a consent record", do="makar consent record RECORDING --who NAME"
        )
    return _consent_of(read_signed(read_limited(path)), path.name)


def _consent_of(signed: SignedManifest, name: str) -> Consent:
    found = signed.manifest
    texts = ("who", "date", "phrase", "recording")
    scopes, until = found.get("scopes"), found.get("until")
    is_whole = (
        found.get("type") == TYPE
        and all(isinstance(found.get(part), str) for part in texts)
        and isinstance(scopes, list)
        and bool(scopes)
        and all(isinstance(scope, str) and scope in SCOPES for scope in scopes)
        and (until is None or (isinstance(until, str) and _is_day(until)))
    )
    if not is_whole:
        raise IntegrityError(f"{name} is a manifest of type {found.get('type')!r}", expected="a consent record")
    return Consent(
        **{part: found[part] for part in texts},
        scopes=tuple(found["scopes"]),
        until=until,
        hash=signed.hash,
        signer=known_keys().get(signed.public_key, ""),
    )


def check_consent(consent: Consent, *, scope: str, who: str | None = None) -> None:
    """Refuse a record that does not allow something.

    Args:
        consent: The record.
        scope: What is to be done, of ``SCOPES``.
        who: The person whose voice or face it is; ``None`` where the record alone says it.

    Raises:
        ConsentError: It is somebody else's, allows something else, is over, was taken back, or nobody here knows who signed it.
    """
    came = ""
    if who is not None and " ".join(who.split()).casefold() != consent.who.casefold():
        came = f"the consent is {consent.who}'s, and this is {who}'s"
    elif scope not in consent.scopes:
        came = f"{consent.who} agreed to {', '.join(consent.scopes)} and not to {scope}: {SCOPES[scope]}"
    else:
        came = consent.why_not
    if came:
        raise ConsentError(
            came, expected=f"a record for {scope} that holds", do="makar consent record RECORDING --who NAME"
        )


def revoke(consent: Consent) -> str:
    """Note that a consent was taken back, and return the day from which it holds no more.

    Raises:
        UsageError: It was taken back before.
        ConsentError: The note cannot be written.
    """
    if (day := revoked_on(consent.hash)) is not None:
        raise UsageError(f"{consent.who} took this consent back on {day}", expected="a record that holds")
    today, path = datetime.date.today().isoformat(), _note(consent.hash)
    signed = sign({"schema": SCHEMA, "type": "revocation", "consent": consent.hash, "date": today}, signing_key())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(signed, indent=1), encoding="utf-8")
    except OSError as error:
        raise ConsentError(
            f"it cannot be noted in {path.parent}: {error.strerror}", expected="a folder that can be written"
        ) from error
    return today


def revoked_on(digest: str) -> str | None:
    """Return the day on which a consent was taken back on this machine, ``None`` where it was not."""
    path = _note(digest)
    if not path.exists():
        return None
    try:
        found = read_signed(read_limited(path)).manifest
        return str(found["date"]) if found.get("consent") == digest else "an unknown day"
    except (IntegrityError, KeyError):
        # Whoever damages the note must not bring the consent back.
        return "an unknown day"


def check_still_agreed(data: Mapping[str, Any]) -> None:
    """Refuse to use a model whose data came with a consent that does not hold any more.

    Args:
        data: What the model's manifest states of its data.

    Raises:
        ConsentError: One was taken back, or is over.
    """
    stated = data.get("consent")
    for one in stated if isinstance(stated, list) else ():
        if not isinstance(one, dict):
            continue
        who, until = str(one.get("who")), one.get("until")
        if (day := revoked_on(str(one.get("hash")))) is not None:
            raise ConsentError(
                f"{who}, whose voice this model learned, took the consent back on {day}",
                expected="a consent that holds",
            )
        if isinstance(until, str) and until < datetime.date.today().isoformat():
            raise ConsentError(
                f"the consent of {who}, whose voice this model learned, held until {until}", expected="a new one"
            )


def _note(digest: str) -> Path:
    # A hash that comes from a foreign manifest must not become a path.
    name = digest if re.fullmatch(r"[0-9a-f]{64}", digest) else "none"
    return home() / "consent" / f"{name}.revoked.json"


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
