"""Answers for every medium whether something is new: built once from the training data, calibrated on the held-out data, opened often.

The index is the training data in another form. It is private: it stays in a folder beside the local run and is never part of an
artifact. ``novelty.json`` says what it was built from; the same stores give the same index, and it is then not built again.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from makar.codecs.codec import Codec
from makar.data.record import WORDED
from makar.data.store import Store
from makar.data.workplace import remove_abandoned, workplace
from makar.errors import DataError, UnsupportedError
from makar.novelty.calibration import lower_limit, upper_limit
from makar.novelty.compared import Decodes, compared_codec, compared_pictures, compared_text
from makar.novelty.image_index import ImageIndex, ImageMatch, build_image_index
from makar.novelty.member_index import MemberIndex, build_member_index
from makar.novelty.novelty import NearSource, Novelty
from makar.novelty.structure_index import (
    StructureIndex,
    StructureMatch,
    build_structure_index,
    rmsd_novelty,
    stored_backbones,
)
from makar.novelty.text_index import (
    TextIndex,
    TextMatch,
    build_text_index,
    decoded_texts,
    read_source,
    write_sources,
)
from makar.novelty.words import word_ends

SCHEMA = 1
LETTERED = ("protein",)
"""Media that are compared by rows of letters."""

PICTURED = ("image", "sound", "video")
"""Media that are compared as images; of a sound what is heard at which pitch and when, of a video four of its frames on a sheet."""

NAMED = ("molecule",)
"""Media that are compared as a whole: the same or another."""

PLACED = ("structure",)
"""Media that are compared by where their atoms are."""

WINDOW_WORDS = 256
LEAST_SPAN_WORDS = 13
UNCALIBRATED_SPAN_WORDS = 25
LEAST_RATIO = 0.2
"""An image five times nearer to one training image than to the next 20 is a copy even where people's held-out images have such copies."""
TEXT_ITEMS = 1000
CALIBRATION_TOKENS = 4 << 20
LEAST_TOKENS = 4096
IMAGE_ITEMS = 1000
MEMBER_ITEMS = 1000
STRUCTURE_ITEMS = 200
LEAST_RMSD = 0.1
"""In angstroms: nearer than that is a copy even where held-out backbones are as near."""

OnEvent = Callable[[dict[str, Any]], None]


class NoveltyIndex:
    """A finished index, opened for checking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            header: dict[str, Any] = json.loads((folder / "novelty.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"there is no novelty index in {folder}", do="it is built from the data of the run, which must be here"
            ) from error
        if header["schema"] != SCHEMA:
            raise DataError(
                f"{folder} has schema {header['schema']}", expected=str(SCHEMA), do="delete it; it is rebuilt"
            )
        self.medium: str = header["medium"]
        self.key: str = header["key"]
        self.threshold: float = header["threshold"]
        self.baseline: dict[str, float] = header["baseline"]
        self.items: int = header["items"]
        self._text = TextIndex(folder) if self.medium in (*WORDED, *LETTERED) else None
        self._members = MemberIndex(folder, medium=self.medium) if self.medium in NAMED else None
        self._image = ImageIndex(folder) if self.medium in PICTURED else None
        self._structures = StructureIndex(folder) if self.medium in PLACED else None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a finished index.

        Raises:
            DataError: There is none, or of another schema.
        """
        return cls(folder)

    @classmethod
    def build(
        cls,
        store: Store,
        held_out: Store | None,
        codec: Codec,
        *,
        medium: str,
        folder: Path,
        on_event: OnEvent = lambda event: None,
    ) -> Self:
        """Build the index of a training store, or open the one that is already there for the same stores.

        Args:
            store: The training data.
            held_out: Data by people that was not learned from; sets the limit. ``None`` or empty takes a fixed limit.
            codec: The codec of both stores.
            medium: Medium of the content.
            folder: Where the index goes; replaced as a whole, so that a killed build leaves nothing half-written.
            on_event: Told ``{"event": "novelty", "done": ..., "total": ...}`` while it works.

        Raises:
            UnsupportedError: No index for this medium.
        """
        known = (*WORDED, *LETTERED, *NAMED, *PICTURED, *PLACED)
        if medium not in known:
            raise UnsupportedError(f"novelty of {medium}", expected="one of: " + ", ".join(known))
        key = f"{store.key}:{held_out.key if held_out is not None else ''}"
        if _key_of(folder) == key:
            remove_abandoned(folder.parent, prefix=folder.name + ".")
            return cls(folder)
        with workplace(folder.parent, prefix=folder.name + ".") as building:
            header = {"schema": SCHEMA, "medium": medium, "key": key, "threshold": 0.0, "baseline": {}, "items": 0}

            def progress(done: int, total: int) -> None:
                on_event({"event": "novelty", "done": done, "total": total})

            if medium in PICTURED:
                build_image_index(compared_pictures(_targets(store), codec), building, progress=progress)
            elif medium in NAMED:
                build_member_index(store, codec, building, progress=progress)
            elif medium in PLACED:
                build_structure_index(store, building, progress=progress)
            else:
                build_text_index(store, compared_codec(codec, medium), building, progress=progress)
            write_sources(store, building)
            # Written once without and once with the limit, because the finished index measures the held-out items itself.
            (building / "novelty.json").write_text(json.dumps(header), encoding="utf-8")
            header |= cls(building)._calibrated(held_out, codec)
            (building / "novelty.json").write_text(json.dumps(header, indent=1), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            building.replace(folder)
        return cls(folder)

    def check(self, content: Any) -> Novelty:
        """Return how new one asset is.

        Args:
            content: ``str`` for text, code, molecules, music and proteins; uint8 ``[height, width, channels]`` for images, and
                for the pictures of sounds; a ``Backbone`` for structures.
        """
        return self.check_many([content])[0]

    def check_many(self, contents: list[Any]) -> list[Novelty]:
        """Return how new several assets are; cheaper than one by one."""
        if not contents:
            return []
        if self._text is not None:
            for content in contents:
                if not isinstance(content, str):
                    raise DataError(f"content of type {type(content).__name__}", expected=f"a str for {self.medium}")
            compared = [compared_text(content, self.medium) for content in contents]
            return [self._text_novelty(match) for match in self._text.match_many(compared)]
        if self._members is not None:
            return [self._member_novelty(self._members.find(content)) for content in contents]
        if self._structures is not None:
            return [self._structure_novelty(self._structures.match(content)) for content in contents]
        assert self._image is not None
        found: list[ImageMatch] = []
        for same in _runs_of_one_shape(contents):
            found += self._image.match_many(np.stack(same))
        return [self._image_novelty(match) for match in found]

    def training_image(self, record: int) -> np.ndarray:
        """Return a training image as the index holds it, uint8 ``[height, width, channels]``, at most 32 pixels a side.

        Raises:
            UnsupportedError: The index is not one of images.
        """
        if self._image is None:
            raise UnsupportedError(f"a training image of a {self.medium} index", expected="an index of images")
        return np.ascontiguousarray(self._image.images[record].transpose(1, 2, 0))

    def _text_novelty(self, match: TextMatch) -> Novelty:
        usual = self.baseline.get("share_13", 0.0)
        excess = max(0.0, match.share_13 - usual) / max(1.0 - usual, 1e-9)
        return Novelty(
            medium=self.medium,
            score=1.0 - excess,
            is_copy=match.longest >= self.threshold,
            measure="longest_span",
            value=float(match.longest),
            threshold=self.threshold,
            longest_span=match.longest,
            share_13=match.share_13,
            share_50=match.share_50,
            baseline=self.baseline,
            nearest=tuple(self._near(span.record, words=span.length, passage=span.passage) for span in match.spans),
        )

    def _member_novelty(self, record: int | None) -> Novelty:
        return Novelty(
            medium=self.medium,
            score=1.0 if record is None else 0.0,
            is_copy=record is not None,
            measure="same",
            value=0.0 if record is None else 1.0,
            threshold=self.threshold,
            baseline=self.baseline,
            nearest=() if record is None else (self._near(record),),
        )

    def _structure_novelty(self, match: StructureMatch) -> Novelty:
        return Novelty(
            medium=self.medium,
            **rmsd_novelty(match, threshold=self.threshold),
            baseline=self.baseline,
            nearest=tuple(
                self._near(record, distance=distance) for record, distance in zip(match.records, match.distances)
            ),
        )

    def _image_novelty(self, match: ImageMatch) -> Novelty:
        return Novelty(
            medium=self.medium,
            score=match.ratio,
            is_copy=match.ratio <= self.threshold,
            measure="distance_ratio",
            value=match.ratio,
            threshold=self.threshold,
            baseline=self.baseline,
            nearest=tuple(
                self._near(record, distance=distance) for record, distance in zip(match.records, match.distances)
            ),
        )

    def _near(self, record: int, *, words: int = 0, distance: float = 0.0, passage: str = "") -> NearSource:
        source = read_source(self.folder, record)
        return NearSource(
            record=record,
            source=source["source"],
            document=source["document"],
            licence=source["licence"],
            words=words,
            distance=distance,
            passage=passage,
        )

    def _calibrated(self, held_out: Store | None, codec: Codec) -> dict[str, Any]:
        if self._text is not None:
            windows = text_windows(held_out, compared_codec(codec, self.medium)) if held_out is not None else []
            if not windows:
                return {"threshold": float(UNCALIBRATED_SPAN_WORDS)}
            matches = self._text.match_many(windows, most_spans=0)
            longest = np.array([match.longest for match in matches])
            return {
                "threshold": float(max(LEAST_SPAN_WORDS, np.floor(upper_limit(longest)) + 1)),
                "items": len(matches),
                "baseline": {
                    "share_13": float(np.mean([match.share_13 for match in matches])),
                    "share_50": float(np.mean([match.share_50 for match in matches])),
                    "longest_span": float(longest.mean()),
                },
            }
        if self._members is not None:
            texts = [] if held_out is None else [text for _, text in decoded_texts(held_out, codec)][:MEMBER_ITEMS]
            share = float(np.mean([self._members.find(text) is not None for text in texts])) if texts else 0.0
            return {"threshold": 1.0, "items": len(texts), "baseline": {"same": share}}
        if self._structures is not None:
            there = [] if held_out is None else list(stored_backbones(held_out))[:STRUCTURE_ITEMS]
            if not there:
                return {"threshold": LEAST_RMSD}
            apart = np.array([rmsd_novelty(self._structures.match(one), threshold=0.0)["value"] for one in there])
            return {
                "threshold": max(LEAST_RMSD, lower_limit(apart)),
                "items": len(apart),
                "baseline": {"rmsd": float(apart.mean())},
            }
        assert self._image is not None
        values = _targets(held_out) if held_out is not None and len(held_out) else np.zeros(0)
        if not len(values):
            return {"threshold": LEAST_RATIO}
        chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), IMAGE_ITEMS)).astype(np.int64))
        pictures = compared_pictures(values, codec)[chosen].transpose(0, 2, 3, 1)
        ratios = np.array([match.ratio for match in self._image.match_many(pictures)])
        return {
            "threshold": max(LEAST_RATIO, lower_limit(ratios)),
            "items": len(ratios),
            "baseline": {"distance_ratio": float(ratios.mean())},
        }


def _targets(store: Store) -> np.ndarray:
    """Return the targets of a store of examples of one shape; of one axis they are stored end to end."""
    column = store.columns["target"]
    if column.offsets is None:
        return column.values
    return column.values.reshape(len(store), -1)


def text_windows(store: Store, codec: Decodes, *, words: int = WINDOW_WORDS, most: int = TEXT_ITEMS) -> list[str]:
    """Cut the texts of a store into passages of equal length, spread over the whole store.

    Args:
        store: A store of tokens.
        codec: Its codec.
        words: Words a passage; the rest of a text makes a passage of its own when it has at least half as many, a
            short text when it has at least 13.
        most: Number of passages to keep, evenly spaced.
    """
    passages = [passage for text in _spread_texts(store, codec) for passage in _passages(text, words)]
    if len(passages) <= most:
        return passages
    return [passages[index] for index in np.linspace(0, len(passages) - 1, most).astype(np.int64)]


def _spread_texts(store: Store, codec: Decodes) -> Iterator[str]:
    """Yield texts from the whole store, of very much text only the beginnings of evenly spread records."""
    column = store.columns.get("target")
    if column is None or not len(store):
        return
    share = min(1.0, CALIBRATION_TOKENS / max(1, len(column.values)))
    every = max(1, round(share**-0.5))
    for record in range(0, len(store), every):
        tokens = column[record]
        yield codec.decode({"target": np.asarray(tokens[: max(LEAST_TOKENS, int(len(tokens) * share * every))])})


def _passages(text: str, words: int) -> Iterator[str]:
    ends = word_ends(text)
    for start in range(0, len(ends), words):
        part = ends[start : start + words]
        if len(part) >= words // 2 or (start == 0 and len(part) >= LEAST_SPAN_WORDS):
            yield text[part[0][0] : part[-1][1]]


def _runs_of_one_shape(images: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    run: list[np.ndarray] = []
    for image in images:
        if run and image.shape != run[0].shape:
            yield run
            run = []
        run.append(image)
    yield run


def _key_of(folder: Path) -> str | None:
    try:
        header = json.loads((folder / "novelty.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(header["key"]) if header.get("schema") == SCHEMA else None
