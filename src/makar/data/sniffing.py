"""What a file is, by its first bytes; the name decides only between kinds of text, where bytes cannot.

Signatures are those of the formats' own specifications. A photograph called ``notes.txt`` is an image, a program called
``photo.png`` is refused with the reason.
"""

import dataclasses
import json
from pathlib import PurePosixPath

from makar.data.code_languages import language_of
from makar.data.label_lines import holds_times, is_table_of_times

HEAD_BYTES = 8192
"""How much of a file is looked at."""

IMAGE_SUFFIXES = frozenset(("png", "jpg", "jpeg", "jpe", "webp", "gif", "bmp", "dib", "tif", "tiff"))
TABLE_SUFFIXES = {
    **{"csv": "csv", "tsv": "tsv", "tab": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json"},
    **dict.fromkeys(("conll", "conll03", "iob", "iob2", "bio", "bioes"), "conll"),
    **dict.fromkeys(("smi", "smiles", "ism"), "smi"),
    **dict.fromkeys(("fasta", "fa", "faa", "fas"), "fasta"),
}
STRUCTURE_SUFFIXES = {**dict.fromkeys(("pdb", "ent"), "pdb"), **dict.fromkeys(("cif", "mmcif"), "mmcif")}
PDB_RECORDS = (
    *(b"ATOM  ", b"HETATM", b"HEADER", b"TITLE ", b"REMARK", b"CRYST1", b"MODEL ", b"COMPND", b"SEQRES"),
    *(b"EXPDTA", b"AUTHOR", b"DBREF ", b"SOURCE", b"KEYWDS", b"HELIX ", b"SHEET ", b"USER  "),
)
TEXTGRID_FORM, LABELS_FORM = "textgrid", "times"
"""Texts that say when what is spoken in a recording."""

HTML_SUFFIXES = frozenset(("html", "htm", "xhtml"))
COMPRESSED_SUFFIXES = frozenset(("gz", "bz2", "xz", "lzma"))
NOT_READ_YET = {
    "pdf": "pdf is not read yet",
    "doc": "office files are not read yet",
    "docx": "office files are not read yet",
    "xlsx": "office files are not read yet",
    "pptx": "office files are not read yet",
    "odt": "office files are not read yet",
    "epub": "e-books are not read yet",
    "ipynb": "notebooks are not read yet",
}
MANIFEST_SUFFIX = ".makar.json"
SOUND_BRANDS = (b"M4A ", b"M4B ")
PICTURE_IN_CONTAINER = "images of this kind (HEIF, AVIF) are not read; convert them to PNG or JPEG"
MAJOR_BRANDS = {
    b"M4P ": "sound that is protected against copying is not read",
    **dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"), PICTURE_IN_CONTAINER),
}
"""What begins like a video in MP4 and is none."""

_MAGIC: tuple[tuple[bytes, int, str, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image", "png"),
    (b"\xff\xd8\xff", 0, "image", "jpeg"),
    (b"GIF87a", 0, "image", "gif"),
    (b"GIF89a", 0, "image", "gif"),
    (b"II*\x00", 0, "image", "tiff"),
    (b"MM\x00*", 0, "image", "tiff"),
    (b"WEBP", 8, "image", "webp"),
    (b"PAR1", 0, "table", "parquet"),
    (b"\x93NUMPY", 0, "array", "npy"),
    (b"PK\x03\x04", 0, "archive", "zip"),
    (b"PK\x05\x06", 0, "archive", "zip"),
    (b"ustar", 257, "archive", "tar"),
    (b"\x1f\x8b", 0, "compressed", "gz"),
    (b"BZh", 0, "compressed", "bz2"),
    (b"\xfd7zXZ\x00", 0, "compressed", "xz"),
    (b"%PDF", 0, "unread", NOT_READ_YET["pdf"]),
    (b"\xd0\xcf\x11\xe0", 0, "unread", NOT_READ_YET["doc"]),
    (b"\x7fELF", 0, "unread", "a program, not data"),
    (b"7z\xbc\xaf\x27\x1c", 0, "unread", "7z archives are not read; use zip or tar"),
    (b"Rar!", 0, "unread", "rar archives are not read; use zip or tar"),
    (b"WAVE", 8, "sound", "wav"),
    (b"AIFF", 8, "sound", "aiff"),
    (b"OggS", 0, "sound", "ogg"),
    (b"fLaC", 0, "sound", "flac"),
    (b"ID3", 0, "sound", "mp3"),
    (b"\xff\xfb", 0, "sound", "mp3"),
    (b"\xff\xf3", 0, "sound", "mp3"),
    (b"\xff\xf2", 0, "sound", "mp3"),
    (b"AVI ", 8, "video", "avi"),
    (b"RIFF", 0, "unread", "a RIFF file of a kind that is not read"),
    (b"MThd", 0, "music", "midi"),
    (b"ftyp", 4, "video", "mp4"),
    (b"moov", 4, "video", "mov"),
    (b"mdat", 4, "video", "mov"),
    (b"wide", 4, "video", "mov"),
    (b"\x1aE\xdf\xa3", 0, "video", "matroska"),
    (b"SQLite format 3\x00", 0, "unread", "a database, not text"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What a file is.

    Attributes:
        group: ``text``, ``code``, ``image``, ``music``, ``sound``, ``structure``, ``video``, ``table``, ``array``, ``archive``,
            ``compressed`` or ``unread``.
        form: Format within the group (``png``, ``jsonl``, the language of code); the reason when ``unread``.
    """

    group: str
    form: str


def suffix_of(name: str) -> str:
    """Return the last suffix without its dot, lower case, behind any suffix of compression."""
    parts = PurePosixPath(name.rpartition("!/")[2]).name.lower().split(".")
    while len(parts) > 2 and parts[-1] in COMPRESSED_SUFFIXES:
        parts.pop()
    return parts[-1] if len(parts) > 1 else ""


def sniff(name: str, head: bytes) -> Kind:
    """Say what a file is.

    Args:
        name: Path of the file; used where bytes cannot decide.
        head: Its first ``HEAD_BYTES`` bytes, decompressed.
    """
    suffix = suffix_of(name)
    if name.endswith(MANIFEST_SUFFIX):
        return Kind(group="unread", form="the manifest of something that Makar made")
    if not head:
        return Kind(group="unread", form="zero bytes")
    for magic, offset, group, form in _MAGIC:
        # "The wide river" is no QuickTime file.
        is_word = offset == 4 and not is_binary(head)
        if head[offset : offset + len(magic)] == magic and not is_word:
            return _refined(group, form, head, suffix)
    if head[:2] == b"BM" and len(head) > 14 and head[6:10] == b"\0\0\0\0":
        return Kind(group="image", form="bmp")
    if is_binary(head):
        if suffix in IMAGE_SUFFIXES:
            return Kind(group="unread", form=f"called .{suffix} but not an image that can be read")
        return Kind(group="unread", form="binary, not text")
    if suffix in IMAGE_SUFFIXES:
        return Kind(group="unread", form=f"called .{suffix} but holds text")
    return _text_kind(name, suffix, head)


def is_binary(head: bytes) -> bool:
    """Whether bytes are not text in any usual encoding: zero bytes or more than 1 % control characters."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or looks_utf16(head) is not None:
        return False
    if b"\0" in head:
        return True
    controls = sum(head.count(code) for code in _CONTROLS)
    return controls > max(1, len(head) // 100)


def looks_utf16(head: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark, judged by zero bytes in every other place, else ``None``."""
    half = len(head) // 2
    if half < 2:
        return None
    low, high = head[0 : half * 2 : 2].count(0), head[1 : half * 2 : 2].count(0)
    if high > 0.3 * half and low < 0.02 * half:
        return "utf-16-le"
    if low > 0.3 * half and high < 0.02 * half:
        return "utf-16-be"
    return None


_CONTROLS = [bytes([code]) for code in (*range(1, 8), *range(14, 27), *range(28, 32), 127)]


def _refined(group: str, form: str, head: bytes, suffix: str) -> Kind:
    if form == "zip":
        if suffix == "npz" or (head[30:60].find(b".npy") > 0 and suffix != "zip"):
            return Kind(group="array", form="npz")
        if b"[Content_Types].xml" in head[:200] or b"mimetypeapplication/" in head[:100]:
            return Kind(group="unread", form=NOT_READ_YET.get(suffix, "office files are not read yet"))
    if form == "mp4" and head[8:12] in MAJOR_BRANDS:
        return Kind(group="unread", form=MAJOR_BRANDS[head[8:12]])
    if form == "mp4" and head[8:12] in SOUND_BRANDS:
        return Kind(group="sound", form="m4a")
    if form == "matroska" and suffix == "mka":
        return Kind(group="sound", form="mka")
    return Kind(group="video" if group == "image" and is_animation(form, head) else group, form=form)


def is_animation(form: str, head: bytes) -> bool:
    """Whether an image file says at its beginning that several pictures follow each other in it.

    Args:
        form: ``"gif"``, ``"png"``, ``"webp"`` or another.
        head: Its first bytes.
    """
    if form == "gif":
        # One that is played again and again says so; one that is not has a control block before every picture.
        return b"NETSCAPE2.0" in head or head.count(b"\x21\xf9\x04") > 1
    if form == "png":
        return b"acTL" in head
    return form == "webp" and head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)


def _text_kind(name: str, suffix: str, head: bytes) -> Kind:
    if suffix in NOT_READ_YET:
        return Kind(group="unread", form=NOT_READ_YET[suffix])
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix == "textgrid":
        return Kind(group="text", form=TEXTGRID_FORM)
    if (suffix == "lab" and holds_times(start)) or (suffix in ("tsv", "tab") and is_table_of_times(start)):
        return Kind(group="text", form=LABELS_FORM)
    if suffix in TABLE_SUFFIXES:
        form = TABLE_SUFFIXES[suffix]
        if form in ("json", "jsonl"):
            form = "jsonl" if _has_json_lines(start, form) else "json"
        return Kind(group="table", form=form)
    if suffix in STRUCTURE_SUFFIXES:
        return _structure_kind(STRUCTURE_SUFFIXES[suffix], suffix, start)
    if suffix in HTML_SUFFIXES or start[:14].lower().startswith((b"<!doctype html", b"<html")):
        return Kind(group="text", form="html")
    language = language_of(name, head)
    if language is not None:
        return Kind(group="code", form=language)
    return Kind(group="text", form=suffix if suffix in ("md", "markdown", "rst", "tex") else "txt")


def _structure_kind(form: str, suffix: str, start: bytes) -> Kind:
    lines = [line for line in start.splitlines() if line.strip() and not line.startswith(b"#")]
    begins = (b"data_",) if form == "mmcif" else PDB_RECORDS
    # Of PDB any line may come first that some program writes, so a few are looked at.
    if any(line.startswith(begins) for line in lines[: 1 if form == "mmcif" else 20]):
        return Kind(group="structure", form=form)
    return Kind(group="unread", form=f"called .{suffix} but holds no structure of atoms")


def _has_json_lines(start: bytes, named: str) -> bool:
    """A line that is one whole object, or too long to see its end under the name of JSON lines."""
    if not start.startswith(b"{"):
        return named == "jsonl" and not start.startswith(b"[")
    line, newline, rest = start.partition(b"\n")
    if not newline:
        return named == "jsonl"
    if named == "jsonl":
        # A first line that is broken is left out like any other.
        return _is_object(line) or _is_object(rest.partition(b"\n")[0])
    return _is_object(line) and (rest.lstrip()[:1] == b"{" or not rest.strip())


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
