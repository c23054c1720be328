"""What somebody said of generated things: a thumb, stars, an order of several (a pair is an order of two), or an answer written anew.

Decisions. (1) One shape for every medium and every kind: the things that were judged, and one number for each. A thumb is 0 or 1, stars are
1 to 5, an order holds the place of each thing, 1 the best, equal places for a tie; an edit is an order in which the edited text is first.
(2) A thing is known by the hash of what it shows, the model that made it and the hash of its manifest; what it shows is kept too, because
nothing can be learned from a hash. (3) The one who judged has a name and says whether may be learned from it; without that it counts in
rankings only.
"""

import base64
import binascii
import dataclasses
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from makar.data.record import MEDIA
from makar.data.task_cells import turns_of
from makar.errors import UsageError

THUMB, STARS, PAIR, RANKING, EDIT = "thumb", "stars", "pair", "ranking", "edit"
KINDS = (THUMB, STARS, PAIR, RANKING, EDIT)
RATES, ORDERS = (THUMB, STARS), (PAIR, RANKING, EDIT)
RANGES = {THUMB: (0, 1), STARS: (1, 5)}

MOST_ITEMS = 64
LONGEST_TEXT = 1_000_000
LARGEST_FILE = 32 << 20
LONGEST_NAME, LONGEST_NOTE = 100, 4000
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
WAVE_TYPE, MIDI_TYPE, OTHER_TYPE = "audio/wav", "audio/midi", "application/octet-stream"
CLIP_TYPES = {
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/apng": ".png",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}
FILE_MEDIA = {WAVE_TYPE: "sound", MIDI_TYPE: "music", **dict.fromkeys(CLIP_TYPES, "video")}
SUFFIXES = {WAVE_TYPE: ".wav", MIDI_TYPE: ".mid", **CLIP_TYPES, OTHER_TYPE: ".bin"}
ID = re.compile(r"fb-[0-9a-f]{24}")
_HASH = re.compile(r"[0-9a-f]{64}")

Turns = tuple[dict[str, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One thing that was judged.

    Attributes:
        hash: sha256 of what it shows, as its manifest says it; of a text that has none, of its bytes.
        text: The text; of one that goes on from a prompt, what was written.
        png: The file of an image.
        file: The file of anything else, a sound or a piece of music, as it was made.
        model: Name of the model that made it; empty for a person or an unknown one.
        model_hash: Hash of that model.
        manifest: Hash of the manifest; empty where there is none.
        medium: What its manifest says that it is; a judgement keeps that of its first thing.
    """

    hash: str
    text: str | None = None
    png: bytes | None = None
    file: bytes | None = None
    model: str = ""
    model_hash: str = ""
    manifest: str = ""
    medium: str = dataclasses.field(default="", compare=False)

    def __post_init__(self) -> None:
        if not _HASH.fullmatch(self.hash):
            raise UsageError(f"{self.hash[:70]!a} is no hash", expected="sha256 in hexadecimal")
        for name in ("model_hash", "manifest"):
            if getattr(self, name) and not _HASH.fullmatch(getattr(self, name)):
                raise UsageError(f"{name} is no hash", expected="sha256 in hexadecimal, or nothing")
        if self.text is not None and len(self.text) > LONGEST_TEXT:
            raise UsageError(f"a text of {len(self.text)} characters", expected=f"at most {LONGEST_TEXT}")
        if self.png is not None and not (self.png.startswith(PNG_MAGIC) and len(self.png) <= LARGEST_FILE):
            raise UsageError("an image that is no PNG, or too large", expected=f"PNG, at most {LARGEST_FILE >> 20} MB")
        if self.file is not None and not 0 < len(self.file) <= LARGEST_FILE:
            raise UsageError(f"a file of {len(self.file)} bytes", expected=f"1 to {LARGEST_FILE >> 20} MB")
        check_line(self.model, what="the name of a model", most=LONGEST_NAME, may_be_empty=True)

    @property
    def judged_as(self) -> str:
        """The medium of a judgement of it: an image, what its manifest says, what its file is, or text."""
        if self.png is not None:
            return "image"
        return self.medium or FILE_MEDIA.get(self.type, "text")

    @property
    def type(self) -> str:
        """The media type of what it shows."""
        if self.file is not None:
            return file_type(self.file)
        return "image/png" if self.png is not None else "text/plain; charset=utf-8"

    @property
    def has_content(self) -> bool:
        """Whether what it shows is here, and not its hash alone."""
        return self.text is not None or self.png is not None or self.file is not None

    def to_dictionary(self, *, content: bool = False) -> dict[str, Any]:
        """Return plain values for JSON.

        Args:
            content: Whether what it shows comes with it, an image or another file as base64.
        """
        names = ("hash", "model", "model_hash", "manifest")
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        if content and self.text is not None:
            values["text"] = self.text
        for name, kept in (("png", self.png), ("file", self.file)):
            if content and kept is not None:
                values[name] = base64.b64encode(kept).decode("ascii")
        return values

    @classmethod
    def from_dictionary(cls, values: Any) -> Self:
        """Return what ``to_dictionary`` described.

        Raises:
            UsageError: It is none.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, Mapping) or not set(values) <= known or not isinstance(values.get("hash"), str):
            raise UsageError("what was judged cannot be read", expected=f"an object with {', '.join(sorted(known))}")
        given = {name: value for name, value in values.items() if value is not None}
        if not all(isinstance(value, str) for value in given.values()):
            raise UsageError("what was judged cannot be read", expected="texts; files as base64")
        for name in ("png", "file"):
            if name in given:
                given[name] = from_base64(given[name])
        return cls(**given)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What somebody said.

    Attributes:
        kind: One of ``KINDS``.
        medium: Of the things that were judged.
        items: These things.
        value: One number for each; see the first lines of this file.
        rater: Who said it.
        consent: Whether may be learned from it.
        prompt: What was asked: turns of a conversation, the last of them the user's; empty for nothing.
        session: Blind comparison that it belongs to; empty for none.
        note: Words beside it.
        id: Later ones come later in the alphabet.
        time: When, in UTC.
    """

    kind: str
    medium: str
    items: tuple[Judged, ...]
    value: tuple[int, ...]
    rater: str
    consent: bool
    prompt: Turns = ()
    session: str = ""
    note: str = ""
    id: str = dataclasses.field(default_factory=lambda: new_id())
    time: str = dataclasses.field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f'feedback of kind "{self.kind}"', expected=", ".join(KINDS))
        if self.medium not in MEDIA:
            raise UsageError(f'feedback on "{self.medium}"', expected=", ".join(MEDIA))
        if not ID.fullmatch(self.id):
            raise UsageError(f"{self.id[:40]!a} is no id of feedback", expected="fb- and 24 hexadecimal digits")
        if not isinstance(self.consent, bool):
            raise UsageError("the consent is neither true nor false", expected="true or false")
        try:
            datetime.fromisoformat(self.time)
        except ValueError as error:
            raise UsageError(f"{self.time[:40]!a} is no time", expected="2026-01-31T12:00:00+00:00") from error
        check_line(self.rater, what="the name of the one who judges", most=LONGEST_NAME)
        if len(self.note) > LONGEST_NOTE or "\0" in self.note:
            raise UsageError(f"a note of {len(self.note)} characters", expected=f"at most {LONGEST_NOTE}, no NUL")
        self._check_value()

    def _check_value(self) -> None:
        wanted = {THUMB: (1, 1), STARS: (1, 1), PAIR: (2, 2), EDIT: (2, 2), RANKING: (2, MOST_ITEMS)}[self.kind]
        if not wanted[0] <= len(self.items) <= wanted[1]:
            expected = str(wanted[0]) if wanted[0] == wanted[1] else f"{wanted[0]} to {wanted[1]}"
            raise UsageError(f"a {self.kind} on {len(self.items)} things", expected=expected)
        low, high = RANGES.get(self.kind, (1, len(self.items)))
        fits = len(self.value) == len(self.items) and all(
            isinstance(one, int) and not isinstance(one, bool) and low <= one <= high for one in self.value
        )
        if not fits:
            raise UsageError(
                f"a {self.kind} with the value {list(self.value)}",
                expected=f"{low} to {high} for each of {len(self.items)}, of an order 1 for the best",
            )
        if self.kind == EDIT and self.value != (2, 1):
            raise UsageError("an edit in another order", expected="the text as it was, then the text as it should be")
        shown = [item for item in self.items if item.text or item.png or item.file]
        if any((item.png is not None) != (self.medium == "image") for item in shown) or any(
            (item.file is not None) != (self.medium in FILE_MEDIA.values()) for item in shown
        ):
            raise UsageError(f"feedback on {self.medium} with other content", expected="one medium")

    @property
    def prompt_text(self) -> str:
        """What the user said last; empty for nothing."""
        return self.prompt[-1]["content"] if self.prompt else ""

    def to_dictionary(self, *, content: bool = False) -> dict[str, Any]:
        """Return plain values for JSON.

        Args:
            content: Whether what was judged comes with it.
        """
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["items"] = [item.to_dictionary(content=content) for item in self.items]
        return values | {"value": list(self.value), "prompt": [dict(turn) for turn in self.prompt]}

    @classmethod
    def from_dictionary(cls, values: Any) -> Self:
        """Return what ``to_dictionary`` described.

        Raises:
            UsageError: It is none.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        needed = {"kind", "medium", "items", "value", "rater", "consent"}
        if not isinstance(values, Mapping) or not needed <= set(values) <= known:
            raise UsageError("this is no feedback", expected=f"an object with {', '.join(sorted(known))}")
        given = dict(values)
        lists = all(isinstance(given[name], list) for name in ("items", "value"))
        words = all(isinstance(value, str) for name, value in given.items() if name not in (*_OTHERS,))
        if not lists or not words:
            raise UsageError("a part of the feedback is of another type", expected="as makar feedback export writes it")
        given["items"] = tuple(map(Judged.from_dictionary, given["items"]))
        given["value"] = tuple(given["value"])
        given["prompt"] = turns_from(given.get("prompt"))
        return cls(**given)


_OTHERS = ("items", "value", "prompt", "consent")


def new_id() -> str:
    """Return an id that nobody can guess; later ones come later in the alphabet."""
    return f"fb-{time.time_ns() // 1000:014x}{secrets.token_hex(5)}"


def turns_from(prompt: Any) -> Turns:
    """Return what was asked as turns: of a text one turn, of turns in the shape of OpenAI these.

    Raises:
        UsageError: It is neither, or does not end with the user.
    """
    if prompt is None or prompt in ("", [], ()):
        return ()
    if isinstance(prompt, str):
        turns: Turns | None = ({"role": "user", "content": prompt},)
    else:
        turns = turns_of(list(prompt) if isinstance(prompt, Sequence) else prompt)
    if turns is None or turns[-1]["role"] == "assistant":
        raise UsageError(
            "the prompt cannot be read", expected="a text, or turns with role and content, the user's last"
        )
    if sum(len(turn["content"]) for turn in turns) > LONGEST_TEXT:
        raise UsageError("the prompt is too long", expected=f"at most {LONGEST_TEXT} characters")
    return turns


def from_base64(text: str) -> bytes:
    """Return the bytes that base64 says.

    Raises:
        UsageError: It says none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("a file that is no base64", expected="base64 of the file") from error


def file_type(content: bytes) -> str:
    """Return the media type of a file that is no image.

    >>> file_type(b"MThd...")
    'audio/midi'
    """
    if content[:4] in (b"RIFF", b"RF64") and content[8:12] == b"WAVE":
        return WAVE_TYPE
    kinds = (
        (content[:4] == b"MThd", MIDI_TYPE),
        (content[:3] == b"GIF", "image/gif"),
        (content[:4] == b"RIFF" and content[8:12] == b"WEBP", "image/webp"),
        (content.startswith(PNG_MAGIC), "image/apng"),
        (content[4:8] == b"ftyp", "video/mp4"),
        (content[:4] == b"\x1a\x45\xdf\xa3", "video/webm"),
    )
    return next((kind for is_it, kind in kinds if is_it), OTHER_TYPE)


def check_line(text: str, *, what: str, most: int, may_be_empty: bool = False) -> None:
    """Refuse what is no short line of text.

    Raises:
        UsageError: It is none.
    """
    if len(text) > most or not (text.isprintable()) or not (may_be_empty or text.strip()):
        raise UsageError(f"{what} is {text[:40]!a}", expected=f"one line of at most {most} characters")
