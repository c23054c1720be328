"""Texts with classes: a row of tokens and the number of the class, or one mark for each label where a text may bear several.

Decisions. (1) Where every training text has one label these are classes; where one has several or none, each label is a question of its
own. (2) Behind the classes stands one more number for any other: a held-out text may bear a label that no training text has, and it must
count as what it is, a text that cannot be told right. (3) Class names are in the order of the alphabet, numbers in that of their size.
"""

import collections
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from makar.codecs.labelled_text_config import LabelledTextCodecConfig, one_class
from makar.codecs.row_codec import RowCodec, read_about
from makar.codecs.text_rows import SAMPLE_BYTES, TextRows, share_cut_off
from makar.codecs.text_rows_config import text_slot
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

MOST_CLASSES = 1000
SHOWN = 8


class LabelledTextCodec(RowCodec):
    """Turns texts with labels into rows and numbers.

    Args:
        config: The settings, the length known.
        rows: What turns texts into rows.
        about: Names of the classes, whether a text may bear several, and what was noticed.
    """

    about_file: ClassVar[str] = "classes.json"

    def __init__(self, config: LabelledTextCodecConfig, rows: TextRows, about: dict[str, Any]) -> None:
        super().__init__(config, rows, about)
        self.config: LabelledTextCodecConfig = config
        self.class_names: tuple[str, ...] = tuple(about["classes"])
        self.several: bool = about["several"]
        self._numbers = {name: number for number, name in enumerate(self.class_names)}

    @classmethod
    def fit(cls, config: LabelledTextCodecConfig, records: Iterator[Record]) -> Self:
        """Learn tokens and classes.

        Raises:
            ConfigError: There is no text with a label, only one class, or more than a thousand.
        """
        texts, about = _looked_through(records)
        rows = TextRows.fit(texts, vocabulary=config.vocabulary_size, length=config.length)
        about["cut_off"] = share_cut_off(rows, texts)
        return cls(config.changed(length=rows.length), rows, about)

    @classmethod
    def from_files(cls, config: LabelledTextCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec; with the tokenizer of another model alone it knows no classes yet (``counted``).

        Raises:
            ArtifactError: A file is missing or is not what it should be.
        """
        rows = TextRows.from_files(files, vocabulary=config.vocabulary_size, length=config.length)
        return cls(config, rows, read_about(files, cls.about_file, {"classes": [], "several": False}))

    def counted(self, records: Iterator[Record]) -> "LabelledTextCodec":
        """Return the codec with the classes of the data, where it knew none."""
        if self.class_names:
            return self
        texts, about = _looked_through(records)
        about["cut_off"] = share_cut_off(self.rows, texts)
        return type(self)(self.config, self.rows, about)

    def remarks(self) -> tuple[str, ...]:
        """Return what a person should know: texts that were cut off, and labels that were seen once."""
        said = []
        if share := float(self.about.get("cut_off", 0.0)):
            said.append(
                f"{share:.1%} of the texts have more than {self.rows.length} tokens; learned from their beginnings, read in windows"
            )
        if once := self.about.get("seen_once", []):
            shown = ", ".join(once[:SHOWN]) + (" ..." if len(once) > SHOWN else "")
            said.append(f"{len(once)} labels have one training text only, too few to learn from: {shown}")
        if self.several:
            said.append("texts bear several labels or none: each label is told by itself")
        return tuple(said)

    @property
    def spec(self) -> TensorSpec:
        """Rows of tokens, and a class or one mark a label."""
        named = len(self.class_names) + 1
        label = (
            Slot(kind="tokens", axes=("classes",), sizes=(named,), vocabulary=2)
            if self.several
            else Slot(kind="tokens", axes=(), sizes=(), vocabulary=named)
        )
        return TensorSpec({TARGET: text_slot(self.rows.vocabulary, self.rows.length), CLASS: label})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the row of a text and its class or marks; nothing for a record without labels."""
        if not record.roles or "labels" not in record.roles:
            return {}
        row = self.rows.row(self.rows.tokens(record.roles["text"]))
        other = len(self.class_names)
        numbers = [self._numbers.get(label, other) for label in record.roles["labels"]]
        if not self.several:
            return {TARGET: row, CLASS: np.array(numbers[0] if len(numbers) == 1 else other, np.uint16)}
        marks = np.zeros(other + 1, np.uint8)
        marks[numbers] = 1
        return {TARGET: row, CLASS: marks}


def _looked_through(records: Iterator[Record]) -> tuple[list[str], dict[str, Any]]:
    """Return texts, up to what pairs are counted on, and the classes of all records."""
    texts: list[str] = []
    counts: collections.Counter[str] = collections.Counter()
    several, left = False, SAMPLE_BYTES
    for record in records:
        if not record.roles or "labels" not in record.roles:
            continue
        labels = record.roles["labels"]
        counts.update(labels)
        several = several or len(labels) != 1
        if left > 0:
            texts.append(record.roles["text"])
            left -= len(texts[-1].encode("utf-8", "replace"))
    if not counts:
        raise ConfigError(
            "no text has a label",
            expected="a table with a text and a label in each row",
            do="--columns text=COLUMN,label=COLUMN says which they are",
        )
    if len(counts) < 2 and not several:
        raise one_class(next(iter(counts)))
    if len(counts) > MOST_CLASSES:
        raise ConfigError(
            f"{len(counts)} different labels", expected=f"at most {MOST_CLASSES}", do="choose another column"
        )
    names = sorted(counts, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    return texts, {"classes": names, "several": several, "seen_once": [name for name in names if counts[name] == 1]}
