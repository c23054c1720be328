"""Questions about passages: the tokens of both with the end token between, where in the passage the answer stands, and what is right.

Decisions. (1) An answer is looked for in the passage word for word without regard to case, wherever it is whole words, up to four times.
(2) Where it is not there the span of as many words that shares most of them stands for it, if it shares more than half (distant
supervision, as Mintz et al. 2009 call it); otherwise the row teaches nothing. How many are of either kind is said. (3) Data in the shape of
SQuAD 2.0 may say that a passage holds no answer, which is learned. (4) The right answers are kept as they are written: what is measured is
measured against them, whether they are in the passage or not. (5) The whole passage is kept, up to 4,096 tokens; whoever reads it cuts it
into windows.
"""

import collections
import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import numpy as np

from makar.codecs.question_text_config import (
    ANSWER_BYTES,
    GIVEN,
    NONE,
    PLACES,
    UNKNOWN,
    QuestionTextCodecConfig,
    spec_of,
)
from makar.codecs.row_codec import RowCodec, read_about
from makar.codecs.text_rows import FITTED_SHARE, ROUNDED_TO, SAMPLE_BYTES, TextRows
from makar.codecs.word_features import LETTER, words_of
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import ANSWER, SPAN, TARGET, TensorSpec

LONGEST = 4096
LEAST_SHARED = 0.5
LOOKED_AT = 2000
NOTICED = {"cut_off": 0.0, "near": 0.0, "not_there": 0.0, "without": 0.0}


class QuestionTextCodec(RowCodec):
    """Turns questions about passages into rows and places.

    Args:
        config: The settings, the length known.
        rows: What turns texts into rows.
        about: What was noticed.
    """

    about_file: ClassVar[str] = "answers.json"

    @classmethod
    def fit(cls, config: QuestionTextCodecConfig, records: Iterator[Record]) -> Self:
        """Learn tokens and a length.

        Raises:
            ConfigError: There is no question with a passage and an answer.
        """
        texts, asked = _looked_through(records)
        rows = TextRows.fit(texts, vocabulary=config.vocabulary_size, length=ROUNDED_TO)
        return cls._noticed(config, rows, asked)

    @classmethod
    def _noticed(cls, config: QuestionTextCodecConfig, rows: TextRows, asked: "list[Asked]") -> Self:
        counts = [len(rows.tokens(question)) + 1 + len(rows.tokens(context)) for question, context, _ in asked]
        wanted = math.ceil(float(np.quantile(counts, FITTED_SHARE)) / ROUNDED_TO) * ROUNDED_TO
        length = config.length or int(min(LONGEST, max(ROUNDED_TO, wanted)))
        found = [(answer_places(context, answers), answers) for _, context, answers in asked]
        about = {
            "cut_off": float(np.mean([count > length for count in counts])),
            "near": float(np.mean([bool(places) and not exact for (places, exact), _ in found])),
            "not_there": float(np.mean([not places and bool(answers) for (places, _), answers in found])),
            "without": float(np.mean([not answers for _, answers in found])),
        }
        return cls(config.changed(length=length), TextRows(rows.text, length=length), about)

    @classmethod
    def from_files(cls, config: QuestionTextCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec, also from the tokenizer of another model alone (``counted``).

        Raises:
            ArtifactError: A file is missing or is not what it should be.
        """
        rows = TextRows.from_files(files, vocabulary=config.vocabulary_size, length=config.length or LONGEST)
        return cls(config.changed(length=rows.length), rows, read_about(files, cls.about_file, NOTICED))

    def counted(self, records: Iterator[Record]) -> Self:
        """Return the codec with what is to be noticed in other data."""
        return type(self)._noticed(self._settings(), self.rows, _looked_through(records)[1])

    def _settings(self) -> QuestionTextCodecConfig:
        assert isinstance(self.config, QuestionTextCodecConfig)
        return self.config

    def remarks(self) -> tuple[str, ...]:
        """Return how many answers are not in their passages, and how many passages were cut off."""
        told = (
            ("near", "of the answers are in their passages only nearly; the words most like them are learned"),
            ("not_there", "of the answers are not in their passages, not even nearly; they are not learned"),
            ("without", "of the questions have no answer in their passages, which is learned"),
            ("cut_off", f"of the passages have more than {self.rows.length} tokens and were cut off"),
        )
        return tuple(f"{self.about[key]:.1%} {sentence}" for key, sentence in told if self.about[key])

    @property
    def some_have_none(self) -> bool:
        """Whether the data say of some questions that their passage holds no answer."""
        return self.about["without"] > 0

    @property
    def spec(self) -> TensorSpec:
        """Rows of tokens; where passage and answer stand; what is right."""
        return spec_of(tokens=self.rows.vocabulary, length=self.rows.length)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the row of a question and its passage with the places of the answer; nothing for a record without them."""
        if not record.roles or "question" not in record.roles:
            return {}
        question, context, answers = (record.roles[name] for name in ("question", "context", "answers"))
        asked, (body, places) = self.question_tokens(question), self.passage(context)
        span = np.zeros(2 + 2 * PLACES, np.uint16)
        span[:2] = min(len(asked) + 1, self.rows.length), UNKNOWN if answers else NONE
        spans = [_tokens_at(places, *place) for place in answer_places(context, answers)[0]]
        kept = [(len(asked) + 1 + first, len(asked) + 1 + last) for first, last in spans]
        for number, (first, last) in enumerate([pair for pair in kept if pair[1] <= self.rows.length][:PLACES]):
            span[1] = GIVEN
            span[2 + 2 * number : 4 + 2 * number] = first, last
        right = np.zeros(ANSWER_BYTES, np.uint8)
        written = np.frombuffer(b"".join(answer.encode("utf-8", "replace") + b"\0" for answer in answers), np.uint8)
        right[: len(written)] = written[:ANSWER_BYTES]
        return {TARGET: self.rows.row(np.concatenate([asked, body])), SPAN: span, ANSWER: right}

    def question_tokens(self, question: str) -> np.ndarray:
        """Return what stands before a passage: the tokens of the question, and the end token; int64 ``[length]``."""
        return np.append(self.rows.tokens(question), self.end_token)

    def passage(self, context: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Return the tokens of a passage, int64 ``[length]``, and where the characters of each begin and end in it."""
        tokens, places = self.rows.text.encode_places(" " + context)
        return np.array(tokens, np.int64), [(max(0, start - 1), max(0, end - 1)) for start, end in places]

    def answers_of(self, right: np.ndarray) -> list[str]:
        """Return the right answers, from the slot of that name; one empty text where the data say that there is none."""
        written = np.asarray(right, np.uint8).tobytes().split(b"\0")
        return [text.decode("utf-8", "ignore") for text in written if text] or [""]

    def parts_of(self, slots: dict[str, np.ndarray]) -> tuple[str, str]:
        """Return question and passage of a row, as far as they were kept."""
        row, begin = np.asarray(slots[TARGET]), int(slots[SPAN][0])
        return self.rows.decode(row[: begin - 1]), self.rows.decode(row[begin - 1 :])

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of the passage in a row; of a row alone question and passage."""
        return self.parts_of(slots)[1] if SPAN in slots else super().decode(slots)


Place = tuple[int, int]
Asked = tuple[str, str, Sequence[str]]


def answer_places(context: str, answers: Sequence[str]) -> tuple[list[Place], bool]:
    """Return where answers begin and end in a passage, and whether they are there word for word; the span most like one where none is.

    >>> answer_places("The cat sat. The Dog ran.", ["the dog"])
    ([(13, 20)], True)
    """
    found: list[Place] = []
    for answer in (answer.strip() for answer in answers):
        if answer:
            # A letter before or after it would make another word of it.
            left_edge, right_edge = (
                rf"(?{way}{LETTER})" * bool(re.match(LETTER, letter)) for way, letter in _ends(answer)
            )
            found += [
                match.span()
                for match in re.finditer(left_edge + re.escape(answer) + right_edge, context, re.IGNORECASE)
            ]
    if found:
        return list(dict.fromkeys(found))[:PLACES], True
    words = _words(context)
    best = LEAST_SHARED
    near: Place | None = None
    for answer in answers:
        wanted = collections.Counter(word for _, _, word in _words(answer))
        size = min(wanted.total(), len(words))
        shared = 0
        seen: collections.Counter[str] = collections.Counter()
        for after, (_, end, word) in enumerate(words if size else [], start=1):
            # A window of as many words as the answer has moves over the passage; what both share is counted as it goes.
            seen[word] += 1
            shared += seen[word] <= wanted[word]
            if after > size:
                left = words[after - size - 1][2]
                shared -= seen[left] <= wanted[left]
                seen[left] -= 1
            if after >= size and shared / wanted.total() > best:
                best, near = shared / wanted.total(), (words[after - size][0], end)
    return ([] if near is None else [near]), False


def _ends(answer: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("<!", answer[0]), ("!", answer[-1])


def _words(text: str) -> list[tuple[int, int, str]]:
    """Return where words begin and end, and each in lower case; marks are none."""
    spans = [(start, end, text[start:end].lower()) for start, end in words_of(text)]
    return [span for span in spans if span[2][0].isalnum()]


def _tokens_at(places: list[Place], start: int, end: int) -> Place:
    """Return the first and last token that hold characters of a span, from 0 on."""
    inside = [number for number, (first, after) in enumerate(places) if after > start and first < end]
    return (inside[0], inside[-1]) if inside else (0, 0)


def _looked_through(records: Iterator[Record]) -> tuple[list[str], list[Asked]]:
    """Return texts, up to what pairs are counted on, and the first questions with passages and answers."""
    texts: list[str] = []
    asked: list[Asked] = []
    left, last = SAMPLE_BYTES, ""
    for record in records:
        if not record.roles or "question" not in record.roles:
            continue
        question, context, answers = (record.roles[name] for name in ("question", "context", "answers"))
        if len(asked) < LOOKED_AT:
            asked.append((question, context, answers))
        # Several questions share a passage.
        new = [question, *([] if context == last else [context])] if left > 0 else []
        last = context
        texts += new
        left -= sum(len(text.encode("utf-8", "replace")) for text in new)
    if not asked:
        raise ConfigError(
            "there is no question with a passage and an answer",
            expected="a table with the three in each row",
            do="--columns question=COLUMN,context=COLUMN,answer=COLUMN says which they are",
        )
    return texts, asked
