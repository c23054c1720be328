"""The second pass: every document is read once, hashed, measured and sketched; a few bytes of each are kept.

For a document 32 bytes stay in arrays (hash, two sizes, official part, language, verdict, group, pair), for one that is compared with the
others its signature too. Twenty million documents stay below two gigabytes. Of a pair both images are read: what cannot be, or has another
shape than its content, is no pair, and the content is used all the same.
"""

import dataclasses
import hashlib
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.data import near_image, near_text
from makar.data.backbone import Backbone
from makar.data.clip import Clip, sheet_of
from makar.data.document import Document, Progress, Source
from makar.data.record import WORDED
from makar.data.sound import Sound
from makar.data.spectrogram import mel_decibels, picture_of
from makar.data.splitting import EMPTY, OFFICIAL_CODES, REFUSED, TRAIN, UNREADABLE
from makar.errors import DataError

LANGUAGE_SAMPLE = 2000
LANGUAGE_CHARACTERS = 40
"""A shorter text says too little about its language."""
LABEL_LIMIT = 10_000
SIZE_LIMIT = (1 << 32) - 1
EXAMPLES = 5
SOUND_BANDS = 32
DURATION_STEP_MS = 20
"""Durations of sounds and videos are counted in steps of this."""
ASPECT_TOLERANCE = 0.02
"""Two images of a pair may differ so much in the ratio of their sides: what rounding to whole pixels makes of it."""


class SkipLedger:
    """What was found and not used: a count and a few examples for each reason."""

    def __init__(self) -> None:
        self.reasons: dict[str, tuple[int, list[str]]] = {}

    def __call__(self, source: str, reason: str) -> None:
        if reason not in self.reasons and len(self.reasons) >= 200:
            reason = "other reasons"
        count, examples = self.reasons.get(reason, (0, []))
        self.reasons[reason] = (count + 1, [*examples, source] if len(examples) < EXAMPLES else examples)


@dataclasses.dataclass(kw_only=True)
class Examination:
    """What is known of every document, in the order of the source.

    ``pairs`` are documents that nearly agree; ``groups`` is the same number, not 0, for documents that belong together; ``paired`` is 1
    where a document comes with an image that it is to be made from, and ``alone`` is the number and the names of a few that lie among
    pairs and have no partner. ``times`` counts the recordings that come with times of phones, of words, of either.
    """

    digests: np.ndarray
    sizes: np.ndarray
    byte_sizes: np.ndarray
    officials: np.ndarray
    codes: np.ndarray
    languages: np.ndarray
    groups: np.ndarray
    paired: np.ndarray
    language_names: list[str]
    pairs: np.ndarray
    compared: int
    skipped: SkipLedger
    labels: Counter[str]
    licences: Counter[str]
    times: Counter[str]
    captions: int
    shapes: Counter[tuple[int, ...]]
    alone: tuple[int, list[str]]

    def language_of(self, index: int) -> str | None:
        """Return the language of a document, ``None`` when it was not looked at."""
        code = int(self.languages[index])
        return self.language_names[code - 1] if code else None


class _Collector:
    """Grows while documents come."""

    def __init__(self, medium: str) -> None:
        self.medium = medium
        self.digests, self.sizes, self.byte_sizes = array("Q"), array("I"), array("Q")
        self.officials, self.codes, self.languages = array("B"), array("B"), array("B")
        self.groups, self.paired = array("Q"), array("B")
        self.large: dict[int, int] = {}
        self.language_names: list[str] = []
        self.sampled = 0
        self.skipped = SkipLedger()
        self.labels: Counter[str] = Counter()
        self.licences: Counter[str] = Counter()
        self.shapes: Counter[tuple[int, ...]] = Counter()
        self.alone: tuple[int, list[str]] = (0, [])
        self.times: Counter[str] = Counter()
        self.captions = self.bytes = 0
        self.seconds = 0.0
        self.shape = (0, 0, 0)
        # ``bytes``, ``seconds`` and ``shape`` are of the document that is being read.
        self.signatures: list[np.ndarray] = []
        self.thumbnails: list[np.ndarray] = []
        self.hashes: list[np.ndarray] = []
        self.pictures: list[np.ndarray] = []
        self.compared = array("Q")

    def add(self, document: Document) -> None:
        code, digest, size, language = TRAIN, 0, 0, None
        self.bytes = 0
        if document.consent == "refused":
            code = REFUSED
            self.skipped(document.name, "consent refused")
        else:
            try:
                digest, size, language = self._read(document)
                if size == 0:
                    code = EMPTY
                    self.skipped(document.name, "empty text")
            except DataError as error:
                code = UNREADABLE
                self.skipped(document.name, error.came.removeprefix(f"{document.name} "))
            if code == TRAIN and not self._times_fit(document):
                code = UNREADABLE
        if size > SIZE_LIMIT:
            self.large[len(self.sizes)] = size
        self.digests.append(digest)
        self.sizes.append(min(size, SIZE_LIMIT))
        self.byte_sizes.append(self.bytes)
        self.officials.append(OFFICIAL_CODES[document.official])
        self.codes.append(code)
        self.languages.append(self._language_code(document.language or language))
        self.groups.append(_number_of(document.group))
        self.paired.append(code == TRAIN and document.read_pair is not None and self._pair_fits(document))
        if code == TRAIN:
            self._count(document)

    def _read(self, document: Document) -> tuple[int, int, str | None]:
        if self.medium == "image":
            return self._see_pixels(document.read()), 1, None
        if self.medium == "sound":
            return self._see_sound(document.read()), 1, None
        if self.medium == "video":
            return self._see_video(document.read()), 1, None
        if self.medium == "structure":
            return self._see_backbones(document.read()), 1, None
        # The same answer to another question is no copy.
        return self._see_text(document.read(), of=str((document.roles or {}).get("source", "")))

    def _see_pixels(self, pixels: np.ndarray) -> int:
        digest = hashlib.sha256(repr(pixels.shape).encode())
        digest.update(np.ascontiguousarray(pixels).data)
        height, width, channels = (int(size) for size in pixels.shape)
        self.shape = (height, width, channels)
        self._count_shape(self.shape)
        self.bytes = pixels.nbytes
        if len(self.compared) < near_image.IMAGE_LIMIT:
            self._compare(pixels)
        return int.from_bytes(digest.digest()[:8], "big")

    def _see_sound(self, pieces: Iterator[Sound]) -> int:
        digest, samples, first = hashlib.sha256(), 0, None
        for piece in pieces:
            first = first or piece
            samples += len(piece.samples)
            digest.update(piece.tobytes())
            self.bytes += piece.samples.nbytes
        assert first is not None, "a file without sounds is refused where it is read"
        self.seconds = samples / first.rate_hz
        self._count_shape((first.rate_hz, _duration_ms(self.seconds), first.shape[1]))
        if len(self.compared) < near_image.IMAGE_LIMIT:
            loudness = mel_decibels(
                first.mono(), rate_hz=first.rate_hz, hop=max(1, first.rate_hz // 60), mels=SOUND_BANDS
            )
            picture = picture_of(loudness, loudest=float(loudness.max()))
            self._compare(np.ascontiguousarray(picture)[:, :, None])
        return int.from_bytes(digest.digest()[:8], "big")

    def _see_video(self, pieces: Iterator[Clip]) -> int:
        digest, frames, first = hashlib.sha256(), 0, None
        for piece in pieces:
            first = first or piece
            frames += len(piece.frames)
            digest.update(piece.tobytes())
            self.bytes += piece.frames.nbytes
        assert first is not None, "a file without frames is refused where it is read"
        # A single picture has neither length nor rate, which zeros say.
        times = (_duration_ms(frames / first.rate_hz), round(1000 * first.rate_hz)) if frames > 1 else (0, 0)
        self._count_shape((*first.frames.shape[1:], *times))
        if len(self.compared) < near_image.IMAGE_LIMIT:
            self._compare(sheet_of(first.frames))
        return int.from_bytes(digest.digest()[:8], "big")

    def _see_backbones(self, pieces: Iterator[Backbone]) -> int:
        # Turned or moved it is the same fold, which a hash cannot say: novelty compares what is made after superposition.
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece.tobytes())
            self.bytes += piece.atoms.nbytes
            self._count_shape((len(piece), *piece.atoms.shape[1:]))
        return int.from_bytes(digest.digest()[:8], "big")

    def _count_shape(self, shape: tuple[int, ...]) -> None:
        if shape in self.shapes or len(self.shapes) < LABEL_LIMIT:
            self.shapes[shape] += 1

    def _compare(self, pixels: np.ndarray) -> None:
        self.thumbnails.append(near_image.thumbnail(pixels))
        self.compared.append(len(self.digests))
        if len(self.thumbnails) == 1024:
            self.sketch()

    def _pair_fits(self, document: Document) -> bool:
        """Whether the image that a document is to be made from can be read and has the shape of the document, whatever its size."""
        assert document.read_pair is not None
        try:
            height, width = document.read_pair().shape[:2]
        except DataError as error:
            self.skipped(document.name, f"not used as a pair: the other image is no use: {error.came}")
            return False
        if abs(height * self.shape[1] / (width * self.shape[0]) - 1) > ASPECT_TOLERANCE:
            self.skipped(document.name, "not used as a pair: the two images have different shapes")
            return False
        return True

    def _times_fit(self, document: Document) -> bool:
        """Whether the times beside a recording, if there are any, can be read and are those of the recording; they are counted."""
        if document.read_times is None:
            return True
        try:
            times = document.read_times()
            times.check_length(self.seconds)
        except DataError as error:
            # The message names file and line, so it is the example.
            self.skipped(error.came, "its times cannot be used")
            return False
        self.times.update(("recordings", *(name for name in ("phones", "words") if getattr(times, name))))
        return True

    def _see_text(self, pieces: Iterator[str], *, of: str) -> tuple[int, int, str | None]:
        digest, size, first = hashlib.sha256(of.encode("utf-8", "replace")), 0, ""
        for piece in pieces:
            if not size:
                first = piece
            size += len(piece)
            self.bytes += len(piece) if piece.isascii() else len(piece.encode("utf-8", "replace"))
            folded = piece if piece.isascii() else unicodedata.normalize("NFC", piece)
            digest.update(" ".join(folded.split()).encode("utf-8", "replace") + b" ")
        if not first.strip():
            return 0, 0, None
        number = int.from_bytes(digest.digest()[:8], "big")
        # One line in a notation has no rows of words: it is the same as another or it is not.
        if self.medium in WORDED and len(self.signatures) < near_text.DOCUMENT_LIMIT:
            self.signatures.append(near_text.signature(first))
            self.compared.append(len(self.digests))
        return number, size, self._language(first, number) if self.medium == "text" else None

    def sketch(self) -> None:
        """Turn the thumbnails that have come together into hashes and small pictures."""
        if self.thumbnails:
            hashes, pictures = near_image.sketches(np.stack(self.thumbnails))
            self.hashes.append(hashes)
            self.pictures.append(pictures)
            self.thumbnails.clear()

    def _language(self, text: str, digest: int) -> str | None:
        """Every document up to the size of the sample, then a share drawn by hash that falls as they become more."""
        seen = len(self.digests)
        if len(text) < LANGUAGE_CHARACTERS:
            return None
        if seen >= LANGUAGE_SAMPLE and (digest >> 20) % seen >= LANGUAGE_SAMPLE // 2:
            return None
        import py3langid

        self.sampled += 1
        language = py3langid.classify(text[:1500])[0]
        return str(language)

    def _language_code(self, name: str | None) -> int:
        if name is None:
            return 0
        if name not in self.language_names:
            if len(self.language_names) >= 255:
                return 0
            self.language_names.append(name)
        return self.language_names.index(name) + 1

    def _count(self, document: Document) -> None:
        self.licences[document.licence] += 1
        self.captions += bool(document.caption)
        if document.is_alone:
            count, examples = self.alone
            self.alone = (count + 1, [*examples, document.name] if len(examples) < EXAMPLES else examples)
        labels = (document.roles or {}).get("labels", () if document.label is None else (document.label,))
        for label in labels:
            if label in self.labels or len(self.labels) < LABEL_LIMIT:
                self.labels[label] += 1


def examine(source: Source, *, progress: Progress | None = None) -> Examination:
    """Read every document of a source once.

    Args:
        source: Where the documents come from.
        progress: Told how many documents have been read.
    """
    collector = _Collector(source.medium)
    for count, document in enumerate(source.documents(collector.skipped), start=1):
        collector.add(document)
        if progress is not None and count % 256 == 0:
            progress("reading", count, None)
    if progress is not None:
        progress("reading", len(collector.codes), len(collector.codes))
    sizes: np.ndarray = _as_numpy(collector.sizes, np.uint32)
    if collector.large:
        sizes = sizes.astype(np.uint64)
        for index, size in collector.large.items():
            sizes[index] = size
    return Examination(
        digests=_as_numpy(collector.digests, np.uint64),
        sizes=sizes,
        officials=_as_numpy(collector.officials, np.uint8),
        codes=_as_numpy(collector.codes, np.uint8),
        languages=_as_numpy(collector.languages, np.uint8),
        groups=_as_numpy(collector.groups, np.uint64),
        paired=_as_numpy(collector.paired, np.uint8),
        language_names=collector.language_names,
        pairs=_pairs(collector, progress),
        compared=len(collector.compared),
        byte_sizes=_as_numpy(collector.byte_sizes, np.uint64),
        skipped=collector.skipped,
        labels=collector.labels,
        licences=collector.licences,
        times=collector.times,
        captions=collector.captions,
        shapes=collector.shapes,
        alone=collector.alone,
    )


def _pairs(collector: _Collector, progress: Progress | None) -> np.ndarray:
    if len(collector.compared) < 2:
        return np.zeros((0, 2), np.int64)
    if progress is not None:
        progress("comparing", 0, len(collector.compared))
    if collector.medium in ("image", "sound", "video"):
        collector.sketch()
        pairs = near_image.near_pairs(np.concatenate(collector.hashes), np.concatenate(collector.pictures))
    else:
        pairs = near_text.near_pairs(np.stack(collector.signatures))
    indices = _as_numpy(collector.compared, np.uint64).astype(np.int64)
    digests = _as_numpy(collector.digests, np.uint64)
    pairs = indices[pairs]
    # Exact copies are counted as such.
    return pairs[digests[pairs[:, 0]] != digests[pairs[:, 1]]]


def _duration_ms(seconds: float) -> int:
    return round(1000 * seconds / DURATION_STEP_MS) * DURATION_STEP_MS


def _number_of(group: str | None) -> int:
    return 0 if group is None else int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") or 1


def _as_numpy(values: "array[Any]", dtype: Any) -> np.ndarray:
    return np.frombuffer(values, dtype).copy() if len(values) else np.zeros(0, dtype)
