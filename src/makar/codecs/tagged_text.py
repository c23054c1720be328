"""Words with a tag each: the tokens of the text, where each word begins among them, its tag, and what can be seen of it.

Decisions. (1) A space stands before every word, so a word is the same tokens wherever it stands, and a row is a text that the encoder of
``bert`` can read. (2) Tags that mark entities are rewritten to begin, inside and outside (``tag_scheme``); tags of other forms stay. (3) A
text that does not fit is cut off between two words, in training and in held-out parts; ``pieces`` reads the whole of it.
"""

import collections
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from makar.codecs.row_codec import RowCodec, read_about
from makar.codecs.tag_scheme import OUTSIDE, marks_entities, normal_tags
from makar.codecs.tagged_text_config import TaggedTextCodecConfig, spec_of
from makar.codecs.text_rows import FITTED_SHARE, LONGEST_FITTED, SAMPLE_BYTES, TextRows
from makar.codecs.word_features import FEATURES as FEATURE_COUNT
from makar.codecs.word_features import features_of
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import FEATURES, PLACES, TAGS, TARGET, TensorSpec

MOST_TAGS = 1000


class TaggedTextCodec(RowCodec):
    """Turns words with tags into rows.

    Args:
        config: The settings, lengths known.
        rows: What turns texts into rows.
        about: Names of the tags, whether they mark entities, and what was noticed.
    """

    about_file: ClassVar[str] = "tags.json"

    def __init__(self, config: TaggedTextCodecConfig, rows: TextRows, about: dict[str, Any]) -> None:
        super().__init__(config, rows, about)
        self.config: TaggedTextCodecConfig = config
        self.tag_names: tuple[str, ...] = tuple(about["tags"])
        self.marks_entities: bool = about["entities"]
        self._numbers = {name: number for number, name in enumerate(self.tag_names)}
        # Words come again and again, and asking the library costs more than all else.
        self._tokens = functools.lru_cache(maxsize=1 << 16)(rows.tokens)

    @classmethod
    def fit(cls, config: TaggedTextCodecConfig, records: Iterator[Record]) -> Self:
        """Learn tokens, tags and lengths.

        Raises:
            ConfigError: There is no word with a tag, or one tag only.
        """
        texts, counts, about = _looked_through(records)
        rows = TextRows.fit(texts, vocabulary=config.vocabulary_size, length=config.length)
        words = config.words or int(
            min(LONGEST_FITTED, max(8, math.ceil(float(np.quantile(counts, FITTED_SHARE)) / 8) * 8))
        )
        about["cut_off"] = float(np.mean(np.array(counts) > words))
        return cls(config.changed(length=rows.length, words=words), rows, about)

    @classmethod
    def from_files(cls, config: TaggedTextCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec; with the tokenizer of another model alone it knows no tags yet (``counted``).

        Raises:
            ArtifactError: A file is missing or is not what it should be.
        """
        rows = TextRows.from_files(files, vocabulary=config.vocabulary_size, length=config.length)
        config = config if config.words else config.changed(words=config.length // 2)
        return cls(config, rows, read_about(files, cls.about_file, {"tags": [], "entities": False}))

    def counted(self, records: Iterator[Record]) -> "TaggedTextCodec":
        """Return the codec with the tags of the data, where it knew none."""
        if self.tag_names:
            return self
        _, counts, about = _looked_through(records)
        about["cut_off"] = float(np.mean(np.array(counts) > self.config.words))
        return type(self)(self.config, self.rows, about)

    def remarks(self) -> tuple[str, ...]:
        """Return what a person should know: texts that were cut off, tags that were seen once, tags that mark no entities."""
        said = []
        if share := float(self.about.get("cut_off", 0.0)):
            said.append(
                f"{share:.1%} of the texts have more than {self.config.words} words; the rest of them is not learned"
            )
        if once := self.about.get("seen_once", []):
            said.append(f"tags of one word only, too few to learn from: {', '.join(once[:8])}")
        if self.tag_names and not self.marks_entities:
            said.append(
                "the tags mark no entities (B-, I-, O): each word has a tag of its own, and accuracy is what counts"
            )
        return tuple(said)

    @property
    def spec(self) -> TensorSpec:
        """Tokens of the text; place, tag and features of every word."""
        return spec_of(
            tokens=self.rows.vocabulary,
            length=self.rows.length,
            words=self.config.words,
            tags=len(self.tag_names),
            entities=self.marks_entities,
        )

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the row of a text with its tags; nothing for a record without tags."""
        if not record.roles or "tags" not in record.roles:
            return {}
        tags = list(record.roles["tags"])
        tags = normal_tags(tags) if self.marks_entities else tags
        made, _ = self._encoded(record.roles["tokens"], tags)
        return made

    def pieces(self, words: Sequence[str]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yield the words of a text in as many pieces as it takes: the first word of each, and its slots."""
        start = 0
        while start < len(words):
            made, count = self._encoded(words[start:], [])
            yield start, made
            # A word of more tokens than a row is read by its beginning.
            start += max(1, count)

    def _encoded(self, words: Sequence[str], tags: Sequence[str]) -> tuple[dict[str, np.ndarray], int]:
        pieces = [self._tokens(word) for word in words[: self.config.words]]
        begins = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
        count = max(1, int((begins[1:] <= self.rows.length).sum())) if pieces else 0
        row = self.rows.row(np.concatenate(pieces[:count]) if count else np.zeros(0, np.int64))
        size, none = self.config.words, len(self.tag_names)
        places, numbers = np.zeros(size, np.uint16), np.full(size, none, np.uint16)
        seen = np.zeros((size, FEATURE_COUNT), np.uint32)
        # Place 0 is no word; the first word begins at the first token, which is place 1.
        places[:count] = begins[:count] + 1
        numbers[: min(count, len(tags))] = [self._numbers.get(tag, none) for tag in tags[:count]]
        if count:
            seen[:count] = features_of(words[: count + 2])[:count]
        return {TARGET: row, PLACES: places, TAGS: numbers, FEATURES: seen}, count


def _looked_through(records: Iterator[Record]) -> tuple[list[str], list[int], dict[str, Any]]:
    """Return texts, up to what pairs are counted on, the number of words of all, and the tags."""
    texts: list[str] = []
    counts: list[int] = []
    found: collections.Counter[str] = collections.Counter()
    left = SAMPLE_BYTES
    for record in records:
        if not record.roles or "tags" not in record.roles:
            continue
        found.update(record.roles["tags"])
        counts.append(len(record.roles["tokens"]))
        if left > 0:
            texts.append(" ".join(record.roles["tokens"]))
            left -= len(texts[-1].encode("utf-8", "replace"))
    if len(found) < 2:
        raise ConfigError(
            f"{'every word has the tag ' + next(iter(found)) if found else 'no word has a tag'}",
            expected="a table with a list of words and a list of tags in each row, or CoNLL files",
            do="--columns tokens=COLUMN,tags=COLUMN says which they are",
        )
    entities = marks_entities(found)
    once = sorted(tag for tag in found if found[tag] == 1)
    if entities:
        kinds = {tag.partition("-")[2] for tag in found if tag != OUTSIDE}
        names = [OUTSIDE, *(f"{mark}-{kind}" for kind in sorted(kinds) for mark in "BI")]
    else:
        names = sorted(found)
    if len(names) > MOST_TAGS:
        raise ConfigError(f"{len(names)} different tags", expected=f"at most {MOST_TAGS}", do="choose another column")
    return texts, counts, {"tags": names, "entities": entities, "seen_once": once}
