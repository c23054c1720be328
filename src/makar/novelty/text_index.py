"""Finds verbatim spans of a text in the training data: suffix arrays over memory-mapped shards of words, with their sources.

Source: OLMoTrace (Liu et al. 2025, arXiv:2504.07096) and infini-gram (Liu et al. 2024, arXiv:2401.17377) for the idea at a larger
scale; spans of 13 words are the contamination unit of GPT-3 (Brown et al. 2020, arXiv:2005.14165), spans of 50 the unit of
memorisation of Carlini et al. (2021, arXiv:2012.07805) and of Lee et al. (2022, arXiv:2107.06499).

A shard holds at most ``shard_words`` words, so memory for building is bounded (about 15 bytes a word of one shard) however much text
there is. A document longer than what is left of a shard goes on in the next one with the last ``OVERLAP`` words repeated. Matches
never cross the end of a document.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from makar.data.mapped import RELEASE_BYTES, release
from makar.data.store import Store, write_arrays
from makar.novelty.compared import Decodes
from makar.novelty.suffix_shard import BREAK, SuffixShard, write_shard
from makar.novelty.words import SEPARATOR, WordHasher, word_ends

SHARD_WORDS = 8 << 20
OVERLAP = 1024
PIECE_TOKENS = 4 << 20
KEPT_SHARDS = 4
"""An index of more shards gives back what a search touched of each, half a gigabyte of memory at the most otherwise."""


@dataclasses.dataclass(frozen=True)
class Span:
    """A verbatim span of an output.

    Attributes:
        start: First word of the span in the output.
        length: Number of words.
        record: Number of the training record that holds it.
        passage: The span as it stands in the output, shortened to 200 characters.
    """

    start: int
    length: int
    record: int
    passage: str


@dataclasses.dataclass(frozen=True)
class TextMatch:
    """How much of a text stands in the training data word for word.

    Attributes:
        words: Number of words of the text.
        longest: Words of the longest span.
        share_13: Share of words that lie inside spans of at least 13 words, 0 to 1.
        share_50: The same for 50 words.
        spans: The longest spans, longest first, each inside no other.
    """

    words: int
    longest: int
    share_13: float
    share_50: float
    spans: tuple[Span, ...]


def decoded_texts(store: Store, codec: Decodes) -> Iterator[tuple[int, str]]:
    """Yield (number of the record, text) for every record of a store; a very long record comes in several pieces."""
    column = store.columns["target"]
    touched = 0
    for record in range(len(store)):
        tokens = column[record]
        for start in range(0, max(len(tokens), 1), PIECE_TOKENS):
            piece = np.asarray(tokens[start : start + PIECE_TOKENS])
            yield record, codec.decode({"target": piece})
            touched += piece.nbytes
            if touched > RELEASE_BYTES:
                release(column.values)
                touched = 0


def build_text_index(
    store: Store,
    codec: Decodes,
    folder: Path,
    *,
    shard_words: int = SHARD_WORDS,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the shards of a store's text to a folder.

    Args:
        store: Training store whose ``target`` slot holds tokens.
        codec: Turns tokens into text.
        folder: Where the shards go.
        shard_words: Largest number of words of one shard.
        progress: Called with the number of records read and their total.

    Returns:
        The number of words indexed.
    """
    writer = _ShardWriter(folder, shard_words)
    hasher = WordHasher()
    previous = -1
    for record, text in decoded_texts(store, codec):
        writer.add(record, hasher(text), continues=record == previous)
        previous = record
        if progress is not None and record % 256 == 0:
            progress(record, len(store))
    writer.close()
    return writer.total


class _ShardWriter:
    """Collects words until a shard is full, with a table of where each record starts."""

    def __init__(self, folder: Path, shard_words: int) -> None:
        self.folder = folder
        self.shard_words = max(shard_words, 2 * OVERLAP)
        self.number = 0
        self.total = 0
        self._clear()

    def _clear(self) -> None:
        self.parts: list[np.ndarray] = []
        self.size = 0
        self.starts: list[tuple[int, int]] = []

    def add(self, record: int, words: np.ndarray, *, continues: bool) -> None:
        self.total += len(words)
        if not continues:
            self._begin(record)
        while len(words):
            room = self.shard_words - self.size
            if room <= 0:
                tail = self._tail()
                self.close()
                self._begin(record)
                self._append(tail)
                continue
            self._append(words[:room])
            words = words[room:]

    def _begin(self, record: int) -> None:
        if self.size:
            self._append(np.array([SEPARATOR], np.uint16))
        self.starts.append((self.size, record))

    def _append(self, words: np.ndarray) -> None:
        self.parts.append(words)
        self.size += len(words)

    def _tail(self) -> np.ndarray:
        words = np.concatenate(self.parts)[self.starts[-1][0] :]
        return words[-OVERLAP:]

    def close(self) -> None:
        if not self.size and self.number:
            return
        path = self.folder / f"shard-{self.number:05d}"
        words = np.concatenate(self.parts) if self.parts else np.zeros(1, np.uint16)
        write_shard(path, words)
        write_arrays(path.with_suffix(".starts"), [np.array(self.starts or [(0, 0)], "<i8")])
        self.number += 1
        self._clear()


class TextIndex:
    """Finished shards, opened for searching."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("shard-*.words"))
        self._shards = [SuffixShard(path) for path in paths]
        self._starts = [np.fromfile(path.with_suffix(".starts"), "<i8").reshape(-1, 2) for path in paths]
        self._hasher = WordHasher()

    def match(self, text: str, *, most_spans: int = 5) -> TextMatch:
        """Measure one text."""
        return self.match_many([text], most_spans=most_spans)[0]

    def match_many(self, texts: list[str], *, most_spans: int = 5) -> list[TextMatch]:
        """Measure several texts in one search, which costs far less than one search each.

        Args:
            texts: The texts.
            most_spans: Number of spans to name; 0 names none and saves time.
        """
        words = [self._hasher(text).astype(np.int32) for text in texts]
        query = np.concatenate([np.append(part, BREAK) for part in words]) if words else np.zeros(0, np.int32)
        lengths, places, shards = self._search(query)
        matches, start = [], 0
        for text, part in zip(texts, words):
            here = slice(start, start + len(part))
            start += len(part) + 1
            spans = self._spans(text, lengths[here], places[here], shards[here], most_spans)
            matches.append(
                TextMatch(
                    words=len(part),
                    longest=int(lengths[here].max(initial=0)),
                    share_13=covered_share(lengths[here], 13),
                    share_50=covered_share(lengths[here], 50),
                    spans=spans,
                )
            )
        return matches

    def _search(self, query: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        lengths = np.zeros(len(query), np.int64)
        places = np.zeros(len(query), np.int64)
        shards = np.zeros(len(query), np.int64)
        for number, shard in enumerate(self._shards):
            found, at = shard.longest_matches(query)
            if len(self._shards) > KEPT_SHARDS:
                shard.release()
            better = found > lengths
            lengths[better], places[better], shards[better] = found[better], at[better], number
        return lengths, places, shards

    def _spans(
        self, text: str, lengths: np.ndarray, places: np.ndarray, shards: np.ndarray, most: int
    ) -> tuple[Span, ...]:
        if not most or not len(lengths):
            return ()
        # A match that only continues the one before it is no span of its own.
        own = np.append(True, lengths[1:] >= lengths[:-1])
        order = [position for position in np.argsort(-lengths, kind="stable") if own[position] and lengths[position]]
        ends = word_ends(text)
        spans = []
        for position in order[:most]:
            length = int(lengths[position])
            table = self._starts[shards[position]]
            record = int(table[np.searchsorted(table[:, 0], places[position], side="right") - 1, 1])
            last = min(position + length, len(ends)) - 1
            passage = text[ends[min(position, last)][0] : ends[last][1]][:200]
            spans.append(Span(int(position), length, record, passage))
        return tuple(spans)


def covered_share(lengths: np.ndarray, least: int) -> float:
    """Return the share of positions that lie inside a match of at least ``least`` words.

    Args:
        lengths: Longest match that starts at every position, int ``[words]``.
        least: Shortest match that counts.
    """
    if not len(lengths):
        return 0.0
    starts = np.flatnonzero(lengths >= least)
    change = np.zeros(len(lengths) + 1, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, np.minimum(starts + lengths[starts], len(lengths)), -1)
    return float((np.cumsum(change[:-1]) > 0).mean())


def write_sources(store: Store, folder: Path) -> None:
    """Copy the sources of a store's records beside the index, with the start of every line, so that one is found without reading all."""
    starts = [0]
    with (folder / "sources.jsonl").open("wb") as file:
        for source in store.sources():
            file.write((json.dumps(source, ensure_ascii=False) + "\n").encode())
            starts.append(file.tell())
    write_arrays(folder / "sources.starts", [np.array(starts, "<i8")])


def read_source(folder: Path, record: int) -> dict[str, Any]:
    """Return what is known about a training record: id, source, document, licence, label."""
    starts = np.memmap(folder / "sources.starts", "<i8", mode="r")
    with (folder / "sources.jsonl").open("rb") as file:
        file.seek(int(starts[record]))
        source: dict[str, Any] = json.loads(file.read(int(starts[record + 1] - starts[record])))
        return source
