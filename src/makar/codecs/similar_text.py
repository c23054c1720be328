"""Texts that are to lie near each other: a row of tokens for each of a pair, with how alike they are; or any text as one stream of tokens.

Pairs are what rows have: a text and its translation or summary, a question and the passage with its answer, two sentences with or without a
score. Scores become shares of their range in the training texts. Of anything else the whole text is kept, and parts of it are compared.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from makar.codecs.row_codec import RowCodec, read_about
from makar.codecs.similar_text_config import PAIRS, USUAL_LENGTH, SimilarTextCodecConfig, pair_spec
from makar.codecs.text_rows import SAMPLE_BYTES, TextRows, share_cut_off
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import SCORE, SOURCE, TARGET, Slot, TensorSpec

NOTICED = {"least": 0.0, "most": 0.0, "cut_off": 0.0}


class SimilarTextCodec(RowCodec):
    """Turns pairs of texts into rows, and any text into tokens.

    Args:
        config: The settings, the length known.
        rows: What turns texts into rows.
        about: Range of the scores, and what was noticed.
    """

    about_file: ClassVar[str] = "similar.json"
    config: SimilarTextCodecConfig

    @classmethod
    def fit(cls, config: SimilarTextCodecConfig, records: Iterator[Record]) -> Self:
        """Learn tokens, a length and the range of scores.

        Raises:
            ConfigError: There is no pair.
            EmptyDataError: There is no text.
        """
        texts, about = _looked_through(records, config)
        # Parts of a stream are as long as whoever compares them wants, not as long as what it was cut from.
        length = config.length or (0 if config.learns == PAIRS else USUAL_LENGTH)
        rows = TextRows.fit(texts, vocabulary=config.vocabulary_size, length=length)
        about["cut_off"] = share_cut_off(rows, texts) if config.learns == PAIRS else 0.0
        return cls(config.changed(length=rows.length), rows, about)

    @classmethod
    def from_files(cls, config: SimilarTextCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec, also from the tokenizer of another model alone (``counted``).

        Raises:
            ArtifactError: A file is missing or is not what it should be.
        """
        rows = TextRows.from_files(files, vocabulary=config.vocabulary_size, length=config.length)
        return cls(config, rows, read_about(files, cls.about_file, NOTICED))

    def counted(self, records: Iterator[Record]) -> Self:
        """Return the codec with the range of scores in other data."""
        texts, about = _looked_through(records, self.config)
        about["cut_off"] = share_cut_off(self.rows, texts) if self.config.learns == PAIRS else 0.0
        return type(self)(self.config, self.rows, about)

    def remarks(self) -> tuple[str, ...]:
        """Return how many texts were cut off."""
        share = self.about["cut_off"]
        return (f"{share:.1%} of the texts have more than {self.rows.length} tokens and were cut off",) if share else ()

    @property
    def spec(self) -> TensorSpec:
        """Two rows and how alike they are, or a stream."""
        if self.config.learns == PAIRS:
            return pair_spec(self.rows.vocabulary, self.rows.length)
        stream = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.rows.vocabulary)
        return TensorSpec({TARGET: stream})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the rows of a pair and how alike they are, or the tokens of a text; nothing for a record without them."""
        if self.config.learns != PAIRS:
            if not record.content:
                return {}
            tokens = np.append(self.rows.tokens(record.content), self.end_token)
            return {TARGET: tokens.astype(self.rows.row(tokens[:1]).dtype)}
        pair = pair_of(record)
        if pair is None:
            return {}
        first, second, similarity = pair
        least, most = self.about["least"], self.about["most"]
        share = (similarity - least) / (most - least) if self.has_scores and similarity is not None else 1.0
        return {
            SOURCE: self.rows.row(self.rows.tokens(first)),
            TARGET: self.rows.row(self.rows.tokens(second)),
            SCORE: np.array(np.clip(share, 0.0, 1.0), np.float32),
        }

    @property
    def has_scores(self) -> bool:
        """Whether pairs differ in how alike they are."""
        return bool(self.about["least"] < self.about["most"])


def pair_of(record: Record) -> tuple[str, str, float | None] | None:
    """Return two texts of a record that belong together, and how alike they are where that is said; ``None`` where there are none."""
    roles = record.roles or {}
    if {"source", "targets"} <= roles.keys():
        return roles["source"], roles["targets"][0], None
    if {"question", "context"} <= roles.keys():
        return roles["question"], roles["context"], None
    if {"first", "second"} <= roles.keys():
        return roles["first"], roles["second"], float(roles["similarity"])
    return None


def _looked_through(records: Iterator[Record], config: SimilarTextCodecConfig) -> tuple[list[str], dict[str, Any]]:
    """Return texts, up to what pairs of bytes are counted on, and the range of all scores."""
    texts: list[str] = []
    scores: list[float] = []
    left = SAMPLE_BYTES
    for record in records:
        pair = pair_of(record) if config.learns == PAIRS else None
        if config.learns == PAIRS and pair is None:
            continue
        if pair is not None and pair[2] is not None:
            scores.append(pair[2])
        if left > 0:
            new = [record.content] if pair is None else list(pair[:2])
            texts += new
            left -= sum(len(text.encode("utf-8", "replace")) for text in new)
        elif config.learns != PAIRS:
            break
    if config.learns == PAIRS and not texts:
        raise ConfigError(
            "no row has two texts that belong together",
            expected="a table with a source and a target, a question and a passage, or two sentences in each row",
            do="--columns first=COLUMN,second=COLUMN says which they are",
        )
    return texts, {"least": min(scores, default=0.0), "most": max(scores, default=0.0), "cut_off": 0.0}
