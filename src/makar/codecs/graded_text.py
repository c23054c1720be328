"""Texts with numbers: a row of tokens and the number, as deviations from the mean of the training texts: all scales are learned alike."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from makar.codecs.graded_text_config import FARTHEST, GradedTextCodecConfig, score_slot
from makar.codecs.row_codec import RowCodec, read_about
from makar.codecs.text_rows import SAMPLE_BYTES, TextRows, share_cut_off
from makar.codecs.text_rows_config import text_slot
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import SCORE, TARGET, TensorSpec

NOTICED = {"mean": 0.0, "deviation": 0.0, "cut_off": 0.0}


class GradedTextCodec(RowCodec):
    """Turns texts with numbers into rows and deviations.

    Args:
        config: The settings, the length known.
        rows: What turns texts into rows.
        about: Mean and deviation of the numbers, and what was noticed.
    """

    about_file: ClassVar[str] = "numbers.json"

    @classmethod
    def fit(cls, config: GradedTextCodecConfig, records: Iterator[Record]) -> Self:
        """Learn tokens, and mean and deviation of the numbers.

        Raises:
            ConfigError: There is no text with a number, or all have the same.
        """
        texts, about = _looked_through(records)
        rows = TextRows.fit(texts, vocabulary=config.vocabulary_size, length=config.length)
        about["cut_off"] = share_cut_off(rows, texts)
        return cls(config.changed(length=rows.length), rows, about)

    @classmethod
    def from_files(cls, config: GradedTextCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec; with the tokenizer of another model alone it knows no numbers yet (``counted``).

        Raises:
            ArtifactError: A file is missing or is not what it should be.
        """
        rows = TextRows.from_files(files, vocabulary=config.vocabulary_size, length=config.length)
        return cls(config, rows, read_about(files, cls.about_file, NOTICED))

    def counted(self, records: Iterator[Record]) -> Self:
        """Return the codec with mean and deviation of the data, where it knew none."""
        if self.about["deviation"]:
            return self
        texts, about = _looked_through(records)
        about["cut_off"] = share_cut_off(self.rows, texts)
        return type(self)(self.config, self.rows, about)

    def remarks(self) -> tuple[str, ...]:
        """Return how many texts were cut off."""
        share = self.about["cut_off"]
        sentence = f"{share:.1%} of the texts have more than {self.rows.length} tokens; learned from their beginnings, read in windows"
        return (sentence,) if share else ()

    @property
    def spec(self) -> TensorSpec:
        """Rows of tokens, and a number."""
        return TensorSpec({TARGET: text_slot(self.rows.vocabulary, self.rows.length), SCORE: score_slot()})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the row of a text and its number; nothing for a record without one."""
        if not record.roles or not {"text", "score"} <= set(record.roles):
            return {}
        far = (record.roles["score"] - self.about["mean"]) / (self.about["deviation"] or 1.0)
        row = self.rows.row(self.rows.tokens(record.roles["text"]))
        return {TARGET: row, SCORE: np.array(np.clip(far, -FARTHEST, FARTHEST), np.float32)}

    def number(self, deviations: Any) -> Any:
        """Return numbers as the data have them."""
        return self.about["mean"] + self.about["deviation"] * deviations


def _looked_through(records: Iterator[Record]) -> tuple[list[str], dict[str, Any]]:
    """Return texts, up to what pairs are counted on, and mean and deviation of all numbers."""
    texts: list[str] = []
    count, origin, total, squares, left = 0, 0.0, 0.0, 0.0, SAMPLE_BYTES
    for record in records:
        if not record.roles or not {"text", "score"} <= set(record.roles):
            continue
        score = float(record.roles["score"])
        # About the first number: sums of squares of large numbers that hardly differ would lose what they differ by.
        origin = origin if count else score
        count, total, squares = count + 1, total + score - origin, squares + (score - origin) ** 2
        if left > 0:
            texts.append(record.roles["text"])
            left -= len(texts[-1].encode("utf-8", "replace"))
    if not count:
        raise ConfigError(
            "no text has a number",
            expected="a table with a text and a number in each row",
            do="--columns text=COLUMN,score=COLUMN says which they are",
        )
    spread = squares / count - (total / count) ** 2
    if not spread > 0 or not math.isfinite(spread):
        raise ConfigError(f"every text has the number {origin:g}", expected="numbers that differ")
    return texts, {"mean": origin + total / count, "deviation": math.sqrt(spread)}
