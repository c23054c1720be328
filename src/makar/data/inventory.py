"""The first pass over files: what is there, which medium it is, what describes what. No content is kept, no image decoded.

The medium is that of the bulk: the share of files counts twice, the share of bytes once, so that one large cover does not turn a
shelf of novels into pictures, and one table of ten thousand images outweighs a table of their names.
"""

import dataclasses
import io
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from makar.data import licences
from makar.data.array_reader import ImageArray, image_arrays
from makar.data.captions import CAPTION_LIMIT_BYTES, METADATA_NAMES, Captions
from makar.data.document import Found, Progress
from makar.data.entries import Entry, entries, readable_name
from makar.data.frame_folders import FrameFolders
from makar.data.record import UNKNOWN_LICENCE
from makar.data.sniffing import IMAGE_SUFFIXES
from makar.data.split_names import WORDS, official_splits
from makar.data.table_columns import Columns, choose_columns
from makar.data.tables import parquet_label_names, rows, seekable
from makar.data.text_stream import decoded
from makar.data.times_beside import FORMS as TIMES_FORMS
from makar.data.times_beside import TimesBeside
from makar.errors import DataError, EmptyDataError, MakarError

DESCRIPTION_LIMIT_BYTES = 1 << 20
METADATA_LIMIT_BYTES = 256 << 20
NAMED_ROW = re.compile(r"[^|,\n]*\d[^|,\n]*\|")
"""A number stands in the name of a recording, and hardly in that of a column."""


@dataclasses.dataclass(kw_only=True)
class Inventory:
    """What the first pass knows.

    Attributes:
        unusable: Reason by name, for files that are left out.
        columns: Chosen columns by name of a table.
        label_names: Names of numbered classes by name of a table.
        column_bytes: Bytes of tables by the column chosen.
        arrays: Arrays of images by name of a NumPy file.
        splits: Official split by file or folder.
        licences: Licence by folder, ``""`` for all.
        weight: Files and bytes by medium.
        times: Files that say when what is spoken in recordings.
        small_texts: Name and size of texts that may be captions or times.
        pictures: Names of images where videos are wanted.
        stills: Files that are an image and no frame of a video.
        reasons: The first few reasons why files cannot be used.
    """

    medium: str = ""
    by_hand: Mapping[str, str] = dataclasses.field(default_factory=dict)
    found: Found = dataclasses.field(default_factory=Found)
    unusable: dict[str, str] = dataclasses.field(default_factory=dict)
    columns: dict[str, Columns] = dataclasses.field(default_factory=dict)
    column_bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    label_names: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    arrays: dict[str, list[ImageArray]] = dataclasses.field(default_factory=dict)
    captions: Captions = dataclasses.field(default_factory=Captions)
    times: TimesBeside = dataclasses.field(default_factory=TimesBeside)
    frames: FrameFolders = dataclasses.field(default_factory=FrameFolders)
    splits: dict[str, str] = dataclasses.field(default_factory=dict)
    licences: dict[str, str] = dataclasses.field(default_factory=dict)
    weight: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    small_texts: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    pictures: list[str] = dataclasses.field(default_factory=list)
    stills: int = 0
    reasons: list[str] = dataclasses.field(default_factory=list)
    errors: list[tuple[str, MakarError]] = dataclasses.field(default_factory=list)

    def weigh(self, medium: str, size_bytes: int) -> None:
        """Count a file for a medium."""
        files_and_bytes = self.weight.setdefault(medium, [0, 0])
        files_and_bytes[0] += 1
        files_and_bytes[1] += size_bytes

    def give_reason(self, reason: str) -> None:
        """Keep a reason for the case that nothing is usable."""
        if reason not in self.reasons and len(self.reasons) < 3:
            self.reasons.append(reason)

    def licence_of(self, name: str) -> str:
        """Return the licence of the nearest folder that states one."""
        folder = name.rpartition("/")[0]
        while folder:
            if folder in self.licences:
                return self.licences[folder]
            folder = folder.rpartition("/")[0]
        return self.licences.get("", UNKNOWN_LICENCE)


def take_inventory(
    root: Path,
    *,
    medium: str | None,
    by_hand: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Inventory:
    """Look at every file below a folder, in an archive, or at one file.

    Args:
        root: Where to look.
        medium: The medium that is wanted; the bulk of the files decides when ``None``.
        by_hand: Columns of the roles of a task in every table, where somebody named them.
        progress: Told how many files were seen.

    Raises:
        EmptyDataError: There is nothing that can be used.
        DataError: The only file cannot be used; the message says why.
    """
    inventory = Inventory(by_hand=by_hand or {})
    names: dict[str, str] = {}
    seen = 0
    for entry in entries(root, lambda name, reason: inventory.give_reason(reason)):
        seen += 1
        if progress is not None and seen % 1000 == 0:
            progress("looking", seen, None)
        _see(entry, inventory, medium, names, alone=root.is_file() and "!/" not in entry.name)
    if root.is_file():
        _see_descriptions_beside(root, inventory)
    if "video" in inventory.weight:
        # Beside files of video, pictures are pictures, whatever their names end in.
        inventory.frames.pictures.clear()
    for name in inventory.pictures:
        if not inventory.frames.holds(name):
            inventory.captions.see_image(name)
            inventory.stills += 1
    for name, size_bytes in inventory.frames.settled():
        inventory.captions.see_image(name)
        inventory.weigh("video", size_bytes)
    inventory.captions.settle()
    _settle_columns(inventory)
    inventory.splits = official_splits(names.items())
    _settle_sidecars(inventory)
    inventory.medium = _decided(root, inventory, medium, seen)
    return inventory


def _see(entry: Entry, inventory: Inventory, medium: str | None, names: dict[str, str], *, alone: bool) -> None:
    kind, name = entry.kind, entry.name
    inventory.found.count(kind.form if kind.group != "unread" else "other", entry.size_bytes)
    if kind.group == "unread":
        inventory.give_reason(kind.form)
        return
    _remember_for_splits(name, kind.group, names)
    file = name.rpartition("!/")[2].rpartition("/")[2]
    try:
        if kind.group in ("text", "code") and not alone and _describes(name, entry, inventory):
            inventory.unusable[name] = "describes the data"
        elif kind.group == "table":
            _see_table(entry, inventory, medium, is_metadata=file.lower() in METADATA_NAMES)
        elif kind.group == "array":
            with seekable(entry) as stream:
                inventory.arrays[name] = image_arrays(stream, kind.form)
            inventory.weigh("image", entry.size_bytes)
        elif medium == "video" and kind.group == "image":
            inventory.frames.see(name, entry.path, entry.size_bytes)
            inventory.pictures.append(name)
        elif kind.group in ("image", "sound", "structure", "video"):
            inventory.captions.see_image(name)
            if kind.group == "sound":
                inventory.times.see_recording(name)
            # Where images are wanted, the first picture of an animation is one.
            is_image = medium == "image" and kind.form in IMAGE_SUFFIXES
            inventory.stills += kind.group == "image"
            inventory.weigh("image" if is_image else kind.group, entry.size_bytes)
        else:
            if kind.form == "txt" and entry.size_bytes <= CAPTION_LIMIT_BYTES and "!/" in name:
                inventory.captions.see_text(name, entry.whole(limit_bytes=CAPTION_LIMIT_BYTES))
            if kind.form in TIMES_FORMS:
                inventory.times.see(entry)
                inventory.small_texts.append((name, entry.size_bytes))
            inventory.weigh(kind.group, entry.size_bytes)
            if kind.form == "txt" and entry.size_bytes <= CAPTION_LIMIT_BYTES:
                inventory.small_texts.append((name, entry.size_bytes))
    except DataError as error:
        inventory.unusable[name] = error.came
        inventory.give_reason(error.came)
        inventory.errors.append((name, error))


def _see_table(entry: Entry, inventory: Inventory, medium: str | None, *, is_metadata: bool) -> None:
    def ignore(source: str, reason: str) -> None:
        del source, reason

    if is_metadata and entry.kind.form == "csv" and _see_texts_of_sounds(entry, inventory):
        inventory.unusable[entry.name] = "metadata of the recordings"
        return
    stream = rows(entry, ignore)
    first = next(stream, None)
    if first is None:
        raise DataError("a table without rows")
    if is_metadata and "file_name" in first:
        folder = entry.name.rpartition("/")[0]
        for row in chain([first], stream):
            inventory.captions.see_row(folder + "/" if folder else "", row)
        inventory.unusable[entry.name] = "metadata of the images"
        return
    columns = choose_columns(chain([first], stream), medium=medium, by_hand=inventory.by_hand)
    inventory.columns[entry.name] = columns
    inventory.column_bytes[columns.content] = inventory.column_bytes.get(columns.content, 0) + entry.size_bytes
    inventory.weigh(columns.medium, entry.size_bytes)
    if entry.kind.form == "parquet" and columns.label is not None and entry.path is not None:
        label_names = parquet_label_names(entry, columns.label)
        if label_names is not None:
            inventory.label_names[entry.name] = label_names


def _see_texts_of_sounds(entry: Entry, inventory: Inventory) -> bool:
    """Keep the texts of a corpus laid out as LJSpeech (``id|text`` or ``id|text|text in words``); whether it is one."""
    if not NAMED_ROW.match(entry.head.decode("utf-8-sig", "replace")):
        return False
    folder = entry.name.rpartition("/")[0]
    before = f"{folder}/" if folder else ""
    for line in "".join(decoded(io.BytesIO(entry.whole(limit_bytes=METADATA_LIMIT_BYTES)))).split("\n"):
        name, *texts = (cell.strip() for cell in line.split("|"))
        said = next((text for text in reversed(texts[:2]) if text), "")
        for place in ("wavs/", "") if name and said else ():
            inventory.captions.see_text(f"{before}{place}{name.removesuffix('.wav')}.wav", said.encode())
    return True


def _describes(name: str, entry: Entry, inventory: Inventory) -> bool:
    """Read a licence or description for what it says about licences; whether the file is set aside."""
    is_licence = licences.is_licence_file(name)
    inner = name.rpartition("!/")[2]
    if not is_licence and not (licences.is_description(name) and ("/" not in inner or "README" not in inner.upper())):
        return False
    text = "".join(decoded(io.BytesIO(entry.whole(limit_bytes=DESCRIPTION_LIMIT_BYTES))))
    _keep_licence(text, name, inventory, is_licence=is_licence, folder=name.rpartition("/")[0])
    return True


def _keep_licence(text: str, name: str, inventory: Inventory, *, is_licence: bool, folder: str) -> None:
    found = licences.licence_of_text(text) if is_licence else licences.licence_of_mention(text)
    if found == UNKNOWN_LICENCE:
        return
    how = "text of a licence" if is_licence else "mentioned in a description"
    inventory.found.licences.append({"licence": found, "stated_in": name, "how": how})
    # The text of a licence weighs more than a mention in the same folder.
    if is_licence or folder not in inventory.licences:
        inventory.licences[folder] = found


def _see_descriptions_beside(root: Path, inventory: Inventory) -> None:
    try:
        beside = sorted(path for path in root.parent.iterdir() if path != root and path.is_file())
    except OSError:
        return
    for path in beside:
        is_licence = licences.is_licence_file(path.name)
        if (is_licence or licences.is_description(path.name)) and path.stat().st_size <= DESCRIPTION_LIMIT_BYTES:
            text = path.read_text(encoding="utf-8", errors="replace")
            _keep_licence(text, f"../{readable_name(path.name)}", inventory, is_licence=is_licence, folder="")


def _remember_for_splits(name: str, group: str, names: dict[str, str]) -> None:
    if group in ("text", "table", "array"):
        lower = name.lower()
        if any(word in lower for word in WORDS):
            names[name] = group
    else:
        names[name.rpartition("/")[0] + "/*"] = group


def _settle_columns(inventory: Inventory) -> None:
    """Where a table has several columns of text, take the one that is taken in most of the data."""
    for name, columns in inventory.columns.items():
        if columns.candidates:
            best = max(columns.candidates, key=lambda column: inventory.column_bytes.get(column, 0))
            inventory.columns[name] = dataclasses.replace(columns, content=best)


def _settle_sidecars(inventory: Inventory) -> None:
    """Small texts beside images are their captions, times are of recordings, and neither counts for a medium of its own."""
    captions = inventory.captions
    for name, size_bytes in inventory.small_texts:
        if captions.is_sidecar(name) or inventory.times.belongs(name):
            captions.has_sidecars = True
            inventory.weight["text"][0] -= 1
            inventory.weight["text"][1] -= size_bytes
    inventory.small_texts.clear()


def _decided(root: Path, inventory: Inventory, medium: str | None, seen: int) -> str:
    weight = {key: value for key, value in inventory.weight.items() if value[0] > 0}
    if not weight:
        if len(inventory.errors) == 1:
            name, error = inventory.errors[0]
            raise DataError(f"{name}: {error.came}", expected=error.expected, do=error.do)
        detail = "it is empty" if not seen else f"none of its {seen} files is text, code or an image that can be read"
        raise EmptyDataError(
            f"nothing in {root} can be used: {detail}"
            + (f" ({'; '.join(inventory.reasons)})" if inventory.reasons else ""),
            expected="text, code, images, sounds, videos, molecules, proteins, structures or music, alone, in folders or in archives",
            do="add files of those kinds, or name the folder that holds them",
        )
    if medium is not None:
        if medium not in weight:
            raise EmptyDataError(
                f"{root} holds no {medium}",
                expected=f"one of: {', '.join(sorted(weight))}",
                do=f"use --medium {max(weight, key=lambda key: weight[key][0])}",
            )
        return medium
    files = sum(value[0] for value in weight.values())
    size = max(1, sum(value[1] for value in weight.values()))
    return max(sorted(weight), key=lambda key: 2 * weight[key][0] / files + weight[key][1] / size)
