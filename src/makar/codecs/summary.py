"""Texts with their summaries: bytes of both, what can be seen of each sentence of the text, and which sentences the summary is nearest to.

Decisions. (1) Nothing is learned here, so any script can be read. (2) What is seen of the sentences is kept, row after row in one line of
numbers, because it is what takes time; which sentences to take is found by the greedy rule of ``sentence_oracle`` for the first summary.
(3) Of a long text the first ``MOST_SENTENCES`` are learned from. (4) The held-out part keeps all summaries of a text, each with its end.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.sentence_features import sentence_features
from makar.codecs.sentence_oracle import oracle
from makar.codecs.sentences import sentences_of
from makar.codecs.summary_config import (
    USUAL_SENTENCES,
    USUAL_SUMMARY,
    USUAL_TEXT,
    SummaryCodecConfig,
    summary_spec,
)
from makar.codecs.text import TextCodec
from makar.codecs.text_config import ByteCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, DataError, EmptyDataError
from makar.tensor_spec import CHOSEN, FEATURES, SOURCE, TARGET, TensorSpec

MOST_SENTENCES = 400
COUNTED_RECORDS = 500
USUAL_FILE = "usual.json"


class SummaryCodec(Codec):
    """Turns texts and summaries into bytes and numbers.

    Args:
        config: Nothing to set.
        usual: Usual sentences of a text, its bytes, and those of a summary.
    """

    def __init__(
        self, config: SummaryCodecConfig, usual: tuple[int, int, int] = (USUAL_SENTENCES, USUAL_TEXT, USUAL_SUMMARY)
    ) -> None:
        self.config: SummaryCodecConfig = config
        self._usual = usual
        self._bytes = TextCodec.fit(ByteCodecConfig(), iter(()))

    @classmethod
    def fit(cls, config: SummaryCodecConfig, records: Iterator[Record]) -> Self:
        """Learn how long texts and summaries usually are.

        Raises:
            EmptyDataError: No record is a text with a summary.
        """
        rows = [
            (len(sentences_of(pair[0])), len(pair[0].encode("utf-8", "replace")), len(pair[1][0].encode("utf-8", "replace")))
            for record in itertools.islice(records, COUNTED_RECORDS)
            if (pair := _pair(record)) is not None
        ]  # fmt: skip
        if not rows:
            raise EmptyDataError(
                "no record is a text with a summary",
                expected="a table with both in each row",
                do="--columns source=COLUMN,target=COLUMN says which they are",
            )
        means = [max(1, round(sum(column) / len(rows))) for column in zip(*rows)]
        return cls(config, (means[0], means[1], means[2]))

    @classmethod
    def from_files(cls, config: SummaryCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec.

        Raises:
            ArtifactError: Its file is missing or says something else.
        """
        if USUAL_FILE not in files:
            raise ArtifactError(f"the codec has no {USUAL_FILE}", expected="the files of the model")
        values: Any = json.loads(files[USUAL_FILE])
        if not isinstance(values, list) or len(values) != 3 or not all(type(one) is int and one > 0 for one in values):
            raise ArtifactError(f"{USUAL_FILE} says {str(values)[:80]}", expected="three numbers above 0")
        return cls(config, (values[0], values[1], values[2]))

    def files(self) -> dict[str, bytes]:
        """Return the usual lengths."""
        return {USUAL_FILE: json.dumps(list(self._usual)).encode()}

    @property
    def spec(self) -> TensorSpec:
        """Text, summary, what is seen of the sentences, which belong into the summary."""
        sentences, text, summary = self._usual
        return summary_spec(sentences=sentences, text=text, summary=summary)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of a text with a summary; nothing for another record.

        Raises:
            DataError: A text is not valid Unicode.
        """
        pair = _pair(record)
        sentences = [] if pair is None else sentences_of(pair[0])[:MOST_SENTENCES]
        if pair is None or not sentences:
            return {}
        text, summaries = pair
        chosen = np.zeros(len(sentences), np.uint8)
        chosen[oracle(sentences, summaries[0])] = 1
        kept = summaries if record.split == "held_out" else summaries[:1]
        return {
            SOURCE: self._row(text),
            TARGET: np.concatenate([self._row(summary) for summary in kept]),
            FEATURES: sentence_features(sentences)[0].reshape(-1),
            CHOSEN: chosen,
        }

    def encode_source(self, text: str) -> np.ndarray:
        """Return the bytes of a text, int64 ``[length]``.

        Raises:
            DataError: It is not valid Unicode.
        """
        try:
            return self._bytes.encode_text(text)
        except UnicodeEncodeError as error:
            raise DataError(
                f"the text is not valid Unicode: {error}", do="decode it with the right encoding"
            ) from error

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of ``target`` up to its first end."""
        return self._bytes.decode({TARGET: slots[TARGET]})

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of bytes ``[length]``."""
        return self._bytes.decode_tokens(tokens)

    def texts(self, tokens: np.ndarray) -> list[str]:
        """Return every text of a row in which each has its end."""
        array = np.asarray(tokens, np.int64)
        ends = np.flatnonzero(array == self._bytes.end_token)
        return [self.decode_tokens(piece) for piece in np.split(array, ends + 1) if len(piece)]

    def _row(self, text: str) -> np.ndarray:
        return np.append(self.encode_source(text), self._bytes.end_token).astype(np.uint16)


def _pair(record: Record) -> tuple[str, tuple[str, ...]] | None:
    roles = record.roles or {}
    if not {"source", "targets"} <= set(roles) or not roles["source"].strip() or not roles["targets"]:
        return None
    return roles["source"], tuple(roles["targets"])
