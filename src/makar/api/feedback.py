"""What people say of generated things, in Python: kept, listed, taken back, written to a file and read from one, counted.

    from makar.api import feedback
    feedback.judge(["fox.png"], kind="stars", value=[4], rater="ann")
    feedback.judge([good, bad], kind="pair", value=[1, 2], rater="ann", prompt="a fox")

A thing is an asset, a file that Makar wrote (an image, or a text, a sound or a piece with its manifest beside it), or a text of any
origin as ``text_item``.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.data.feedback.judgement import (
    EDIT,
    LARGEST_FILE,
    LONGEST_TEXT,
    OTHER_TYPE,
    PNG_MAGIC,
    Judged,
    Judgement,
    file_type,
    turns_from,
)
from makar.data.feedback.table import EVERYTHING, FeedbackTable, Wanted
from makar.data.record import MEDIA
from makar.errors import IntegrityError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from makar.generation.asset import Asset
    from makar.provenance.manifest import SignedManifest

READ_TOGETHER = 16
"""Judgements that are held with their content while feedback is written to a file."""


def judge(
    things: "Sequence[Asset | Judged | Path | str]",
    *,
    kind: str,
    value: Sequence[int],
    rater: str,
    consent: bool = True,
    prompt: Any = None,
    note: str = "",
) -> Judgement:
    """Keep what somebody says.

    Args:
        things: What is judged: assets, files of assets, or ``text_item``.
        kind: ``"thumb"``, ``"stars"``, ``"pair"``, ``"ranking"`` or ``"edit"`` (the text as it was, then as it should be).
        value: One number for each: 0 or 1, 1 to 5, or its place, 1 the best; of an edit ``[2, 1]``.
        rater: Who says it.
        consent: Whether may be learned from it.
        prompt: What they were made for, a text or turns; ``None`` takes what the manifest of the first says.
        note: Words beside it.

    Raises:
        UsageError: A thing is none, or the value does not fit.
        IntegrityError: A file is not what its manifest says.
    """
    found = [_read(thing) for thing in things]
    if not found:
        raise UsageError("nothing to judge", expected="at least one thing")
    stated = next((asked for _, asked in found if asked), "")
    items = tuple(item for item, _ in found)
    judgement = Judgement(
        kind=kind,
        medium=items[0].judged_as,
        items=items,
        value=tuple(value),
        rater=rater,
        consent=consent,
        prompt=turns_from(stated if prompt is None else prompt),
        note=note,
    )
    FeedbackTable().add([judgement])
    return judgement


def edited(
    thing: "Asset | Judged | Path | str",
    text: str,
    *,
    rater: str,
    consent: bool = True,
    prompt: Any = None,
    note: str = "",
) -> Judgement:
    """Keep a text as somebody thinks that it should be.

    Args:
        thing: The text as it was.
        text: As it should be.
        rater: Who says it.
        consent: Whether may be learned from it.
        prompt: What was asked; ``None`` takes what the manifest says.
        note: Words beside it.

    Raises:
        UsageError: The thing is no text, or both are the same.
    """
    return judge(
        [thing, text_item(text)], kind=EDIT, value=(2, 1), rater=rater, consent=consent, prompt=prompt, note=note
    )


def text_item(text: str, *, model: str = "") -> Judged:
    """Return a text of any origin as something that can be judged.

    Args:
        text: The text.
        model: Who wrote it; empty for a person.
    """
    if not text.strip():
        raise UsageError("an empty text", expected="something to judge")
    return Judged(hash=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), text=text, model=model)


def signed_item(
    signed: Mapping[str, Any], *, text: str | None = None, png: bytes | None = None, file: bytes | None = None
) -> tuple[Judged, str]:
    """Return something with its manifest, and what it was made for.

    Args:
        signed: The signed manifest.
        text: For a text: all of it, or what was written behind the prompt.
        png: For an image: the file.
        file: For a sound or a piece of music: the file.

    Raises:
        IntegrityError: The signature does not match, or the manifest is of something else.
    """
    from makar.provenance.embedding import png_pixel_hash
    from makar.provenance.manifest import check_signature

    checked = check_signature(dict(signed))
    manifest = checked.manifest
    stated = manifest.get("content")
    expected = stated.get("sha256") if isinstance(stated, dict) else None
    if manifest.get("type") != "asset" or not isinstance(expected, str):
        raise IntegrityError("the manifest is of no asset", expected="that of what is judged")
    asked = _asked(manifest)
    if png is not None:
        if png_pixel_hash(png) != expected:
            raise IntegrityError("the image is not the one of its manifest", expected="the file as it was made")
        return _item(checked, png=png), asked
    if file is not None:
        if hashlib.sha256(file).hexdigest() != expected:
            raise IntegrityError("the file is not the one of its manifest", expected="the file as it was made")
        return _item(checked, file=file), asked
    whole = text or ""
    start = int(manifest.get("continues_characters") or 0)
    for before in ("", asked):
        if hashlib.sha256((before + whole).encode("utf-8")).hexdigest() == expected:
            return _item(checked, text=(before + whole)[start:]), asked
    raise IntegrityError("the text is not the one of its manifest", expected="the text as it was made")


def rows(wanted: Wanted = EVERYTHING, *, content: bool = False, newest: bool = True, limit: int = 0) -> list[Judgement]:
    """Return what people said.

    Args:
        wanted: Which.
        content: Whether what was judged comes with it.
        newest: The newest first.
        limit: How many at most; 0 is all.
    """
    return FeedbackTable().rows(wanted, content=content, newest=newest, limit=limit)


def remove(ids: Sequence[str] = (), *, rater: str = "") -> int:
    """Take back what was said, by ids, or everything of one person; what was judged goes with it where nobody else judged it.

    Raises:
        UsageError: Neither was named, or there is no such id.
    """
    table = FeedbackTable()
    if bool(ids) == bool(rater):
        raise UsageError("nothing to take back is named", expected="ids, or the name of one who judged")
    for one in ids:
        table.one(one)
    chosen = list(ids) or [judgement.id for judgement in table.rows(Wanted(rater=rater))]
    return table.remove(chosen)


def export(path: str | Path, *, wanted: Wanted = EVERYTHING, form: str = "judgements") -> int:
    """Write feedback to a file of JSON, a line each; returns how many.

    Args:
        path: A file that does not exist.
        wanted: Which.
        form: ``"judgements"``, everything, which ``import_file`` reads; or ``"preferences"``, pairs of texts with ``prompt``, ``chosen``
            and ``rejected``, as every trainer reads them, only of those who consent.

    Raises:
        UsageError: The file exists, or there is no such form.
    """
    from makar.generation.asset import write_new

    lines, count = export_lines(wanted, form=form), itertools.count()
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_new(place, (line for line, _ in zip(lines, count, strict=False)))
    return next(count)


def export_lines(wanted: Wanted = EVERYTHING, *, form: str = "judgements") -> Iterator[bytes]:
    """Return the lines that ``export`` writes, as they are read: all pictures together may not fit into memory.

    Raises:
        UsageError: There is no such form; said before the first line is asked for.
    """
    from makar.data.feedback.preferences import preferences

    if form == "judgements":
        return (_line(one.to_dictionary(content=True)) for one in _each(wanted))
    if form != "preferences":
        raise UsageError(f'feedback in the form "{form}"', expected="judgements or preferences")
    asked = dataclasses.replace(wanted, consent=True)
    found = [one for one in _each(asked) if all(item.text is not None for item in one.items)]
    return (
        _line(
            {
                "prompt": [dict(turn) for turn in pair.prompt],
                "chosen": [{"role": "assistant", "content": pair.chosen.text}],
                "rejected": [{"role": "assistant", "content": pair.rejected.text}],
                "rater": pair.rater,
                "judgement": pair.judgement,
            }
        )
        for pair in preferences(found)
    )


def _each(wanted: Wanted) -> Iterator[Judgement]:
    """Yield judgements with their content, the oldest first; few are held at a time."""
    table = FeedbackTable()
    while found := table.rows(wanted, content=True, limit=READ_TOGETHER):
        yield from found
        wanted = dataclasses.replace(wanted, after=found[-1].id)


def _line(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def import_file(path: str | Path) -> tuple[int, int]:
    """Read what ``export`` wrote, here or elsewhere; returns how many were new, and how many there were.

    Raises:
        UsageError: A line is no feedback; nothing is kept then.
    """
    from makar.data.file_rows import rows_of_file

    place = Path(path)
    if not place.name.endswith((".jsonl", ".jsonl.gz", ".json")):
        raise UsageError(f"{place} is no file of feedback", expected="JSON lines, as makar feedback export writes them")
    return import_rows(rows_of_file(place))


def import_rows(values: Sequence[Any]) -> tuple[int, int]:
    """Keep judgements of ``to_dictionary``; returns how many were new, and how many there were.

    Raises:
        UsageError: One is no feedback; nothing is kept then.
    """
    read = []
    for number, one in enumerate(values, 1):
        try:
            judgement = Judgement.from_dictionary(one)
        except UsageError as error:
            raise UsageError(f"line {number}: {error.came}", expected=error.expected) from error
        for item in judgement.items:
            _check_hash(item, number)
        read.append(judgement)
    return FeedbackTable().add(read), len(read)


def _check_hash(item: Judged, number: int) -> None:
    """Refuse content that is not what its hash says, where the hash is of the content alone."""
    from makar.provenance.embedding import png_pixel_hash

    if item.png is not None and png_pixel_hash(item.png) != item.hash:
        raise UsageError(f"line {number}: the image is not that of its hash", expected="the file as it was judged")
    if item.file is not None and hashlib.sha256(item.file).hexdigest() != item.hash:
        raise UsageError(f"line {number}: the file is not that of its hash", expected="the file as it was judged")
    if item.text is not None and not item.manifest and text_item(item.text).hash != item.hash:
        # With a manifest the hash may be of prompt and text together.
        raise UsageError(f"line {number}: the text is not that of its hash", expected="the text as it was judged")


def read_item(thing: "Asset | Judged | Path | str") -> Judged:
    """Return a thing as it is judged: its hash, what it shows, who made it."""
    return _read(thing)[0]


def _read(thing: "Asset | Judged | Path | str") -> tuple[Judged, str]:
    """Return what is judged and what it was made for."""
    from makar.generation.asset import Asset
    from makar.provenance.content import Drawing, Structure
    from makar.provenance.embedding import png_bytes
    from makar.provenance.manifest import check_signature

    if isinstance(thing, Judged):
        return thing, ""
    if isinstance(thing, Asset):
        checked = check_signature(thing.signed)
        if isinstance(thing.content, str):
            return _item(checked, text=thing.new_text), _asked(thing.manifest)
        if isinstance(thing.content, Structure):
            return _item(checked, text=thing.content.file.decode("ascii")), _asked(thing.manifest)
        if (file := file_of(thing.content)) is not None:
            return _item(checked, file=file), _asked(thing.manifest)
        if isinstance(thing.content, Drawing):
            raise UnsupportedError("a drawing cannot be judged", expected="an image of pixels: without svg")
        return _item(checked, png=png_bytes(thing.content, thing.signed)), _asked(thing.manifest)
    return _read_file(Path(thing))


def _read_file(path: Path) -> tuple[Judged, str]:
    from makar.provenance.embedding import png_manifest, png_pixel_hash, sidecar_path
    from makar.provenance.manifest import read_strict_json

    try:
        if path.stat().st_size > max(LARGEST_FILE, LONGEST_TEXT * 4):
            raise UsageError(f"{path} is too large to be judged", expected=f"at most {LARGEST_FILE >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", expected="a file: an image, a sound, a piece of music or a text"
        ) from error
    beside = sidecar_path(path)
    if data.startswith(PNG_MAGIC):
        inside = png_manifest(data)
        if inside is None and beside.is_file():
            # A PNG that moves has its manifest beside it.
            return signed_item(read_strict_json(beside.read_bytes()), file=data)
        if inside is None:
            return Judged(hash=png_pixel_hash(data), png=data), ""
        return signed_item(read_strict_json(inside), png=data)
    if file_type(data) != OTHER_TYPE:
        if not beside.is_file():
            return Judged(hash=hashlib.sha256(data).hexdigest(), file=data), ""
        return signed_item(read_strict_json(beside.read_bytes()), file=data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        expected = "an image as PNG, a sound as WAV, a piece as MIDI, or a text in UTF-8"
        raise UsageError(f"{path} is none of what can be judged", expected=expected) from error
    if not beside.is_file():
        return text_item(text), ""
    return signed_item(read_strict_json(beside.read_bytes()), text=text)


def file_of(content: Any) -> bytes | None:
    """Return the file of a sound, a clip or a piece of music; ``None`` of a text or an image."""
    from makar.provenance.content import Film, Piece, Recording

    if isinstance(content, Recording):
        return content.wave
    if isinstance(content, Film):
        return content.file
    return content.midi if isinstance(content, Piece) else None


def _item(
    signed: "SignedManifest", *, text: str | None = None, png: bytes | None = None, file: bytes | None = None
) -> Judged:
    manifest = signed.manifest
    made_by = manifest.get("artifact")
    maker = made_by if isinstance(made_by, dict) else {}
    return Judged(
        hash=manifest["content"]["sha256"],
        text=text,
        png=png,
        file=file,
        model=str(maker.get("name") or "")[:100],
        model_hash=str(maker.get("hash") or ""),
        manifest=signed.hash,
        medium=str(manifest.get("medium")) if manifest.get("medium") in MEDIA else "",
    )


def _asked(manifest: Mapping[str, Any]) -> str:
    """Return what an asset was made for, where that is words."""
    prompt = manifest.get("prompt")
    return prompt if isinstance(prompt, str) else ""
