"""Pairs of texts to tokens and back: source and target in one vocabulary of byte-level pairs, each with an end, nothing ever unknown.

Decisions. (1) Token 0 fills up and begins a target, token 1 ends a text, then come the marks of spans: the order of T5, so that
transformers opens the tokenizer as it is. (2) A question and its passage are one source, the question first, an empty line between: what
is cut off of one that is too long is the end of the passage. (3) Where records have several right targets, the first is learned, and the
held-out part keeps all, one after the other, each with its end: a score may look at all of them. (4) Sources and targets that are longer
than the settings allow are cut off, and ``cut_sentence`` says how many were.

Source: Raffel et al. 2020, arXiv 1910.10683, section 2.4 (text in, text out, whatever the task).
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from makar.codecs.codec import Codec
from makar.codecs.pair_config import SPANS, PairCodecConfig
from makar.codecs.text import TextCodec
from makar.codecs.text_config import BpeCodecConfig
from makar.codecs.tokenizer_codec import END, TOKENIZER_FILE
from makar.data.record import Record
from makar.data.store import Store
from makar.errors import ArtifactError, DataError, EmptyDataError, UnsupportedError
from makar.tensor_spec import END_TOKEN, PADDING_TOKEN, SOURCE, TARGET, Slot, TensorSpec

PADDING_NAME = "<pad>"
LENGTHS_FILE = "lengths.json"
COUNTED_RECORDS = 2000
RUNS = range(3, 13)
REPEATING_SHARE = 0.01
"""Share of targets that may have a run twice which nothing that is made has twice."""
GAP = r"_{3,}"
"""How a text says that something is missing there."""

BETWEEN = "\n\n"
"""Stands between a question and its passage."""


@dataclasses.dataclass(frozen=True)
class Lengths:
    """What the training data are like.

    Attributes:
        source: Mean number of tokens of a source, its end included.
        target: The same of a target.
        run: Shortest run of tokens that hardly any target has twice; 0 where there is none.
        shared: Share of the tokens of targets that stand in their sources too.
    """

    source: int
    target: int
    run: int = 0
    shared: float = 0.0


class PairCodec(Codec):
    """Turns pairs of texts into tokens.

    Args:
        config: What is learned, and how long it may be.
        text: The fitted codec of the text of both sides.
        lengths: What the training data holds.
    """

    def __init__(self, config: PairCodecConfig, text: TextCodec, lengths: Lengths) -> None:
        self.config: PairCodecConfig = config
        self._text = text
        self.lengths = lengths
        self.end_token = text.end_token
        self.rare_run = lengths.run
        if (text.tokenizer.token_to_id(PADDING_NAME), text.end_token) != (PADDING_TOKEN, END_TOKEN):
            raise ArtifactError("the tokenizer has its reserved tokens elsewhere", expected="one that this codec wrote")

    @classmethod
    def fit(cls, config: PairCodecConfig, records: Iterator[Record]) -> Self:
        """Learn pairs of bytes on the first ``sample_bytes`` of both sides.

        Raises:
            EmptyDataError: No record is what is to be learned from.
        """
        first = list(itertools.islice(records, COUNTED_RECORDS))
        tokenizer = _joint_tokenizer(itertools.chain(first, records), config)
        text = TextCodec(BpeCodecConfig(vocabulary_size=config.vocabulary_size), tokenizer)
        return cls(config, text, Lengths(1, 1)).counted(iter(first))

    @classmethod
    def from_files(cls, config: PairCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec.

        Raises:
            ArtifactError: A file is missing or no such file.
        """
        if missing := {TOKENIZER_FILE, LENGTHS_FILE} - set(files):
            raise ArtifactError(f"the codec has no {', '.join(sorted(missing))}", expected="the files of the model")
        text = TextCodec.from_files(BpeCodecConfig(), {TOKENIZER_FILE: files[TOKENIZER_FILE]})
        try:
            values = json.loads(files[LENGTHS_FILE])
            lengths = Lengths(
                int(values["source"]),
                int(values["target"]),
                int(values.get("run", 0)),
                float(values.get("shared", 0.0)),
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            expected = "the numbers source, target and run, as training writes them"
            raise ArtifactError(f"{LENGTHS_FILE} is damaged", expected=expected) from error
        return cls(config, text, lengths)

    def files(self) -> dict[str, bytes]:
        """Return ``tokenizer.json`` and the usual lengths."""
        lengths = json.dumps(dataclasses.asdict(self.lengths)).encode()
        return {TOKENIZER_FILE: self._text.tokenizer_json(), LENGTHS_FILE: lengths}

    def counted(self, records: Iterator[Record]) -> Self:
        """Return the codec with the usual lengths of other data."""
        encoded = [self.encode(record) for record in itertools.islice(records, COUNTED_RECORDS)]
        means = {slot: [len(arrays[slot]) for arrays in encoded if slot in arrays] or [1] for slot in (SOURCE, TARGET)}
        source, target = (max(1, round(sum(found) / len(found))) for found in means.values())
        pairs = [(arrays[SOURCE], arrays[TARGET]) for arrays in encoded if SOURCE in arrays]
        targets = [target for _, target in pairs]
        lengths = Lengths(source, target, rare_run(targets), shared_part(pairs))
        return type(self)(self.config, self._text, lengths)

    def tokenizer_json(self) -> bytes:
        """Return the tokenizer in the format of the `tokenizers` library."""
        return self._text.tokenizer_json()

    @property
    def spec(self) -> TensorSpec:
        """Tokens of source and target; of spans of the target alone."""
        vocabulary = self._text.vocabulary

        def slot(usual: int | None, shared: float | None = None) -> Slot:
            return Slot(
                kind="tokens", axes=("length",), sizes=(None,), vocabulary=vocabulary, usual=usual, shared=shared
            )

        if self.config.task == SPANS:
            return TensorSpec({TARGET: slot(None)})
        lengths = self.lengths
        return TensorSpec({SOURCE: slot(lengths.source), TARGET: slot(lengths.target, lengths.shared)})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the tokens of both texts, or of one; nothing where the record is not labelled for the task."""
        if self.config.task == SPANS:
            return {TARGET: self._packed([*self._tokens(record.content), END_TOKEN])} if record.content else {}
        pair = self._pair(record)
        if pair is None:
            return {}
        source, targets = pair
        kept = targets if record.split == "held_out" else targets[:1]
        rows = [self._row(target, self.config.longest_target) for target in kept]
        return {
            SOURCE: self._packed(self._row(source, self.config.longest_source)),
            TARGET: self._packed(np.concatenate(rows)),
        }

    def encode_source(self, text: str) -> np.ndarray:
        """Return the tokens of a source, int64 ``[length]``, all of them.

        Raises:
            UnsupportedError: It is longer than any that the model was made for, an answer is asked for without a passage, or spans of a
                text without gaps.
        """
        if self.config.task == "answer" and BETWEEN not in text.strip():
            raise UnsupportedError(
                "a question without a passage",
                expected="the question, an empty line, and the passage that holds the answer",
            )
        tokens = np.append(self._marked(text) if self.config.task == SPANS else self._tokens(text), END_TOKEN)
        if len(tokens) > self.config.longest_source:
            raise UnsupportedError(
                f"a text of {len(tokens)} tokens",
                expected=f"at most {self.config.longest_source}, which the model was made for",
                do="give it in parts: makar generate MODEL --lines FILE takes each line by itself",
            )
        return tokens

    def encode_text(self, text: str) -> np.ndarray:
        """Return the tokens of a text, int64 ``[length]``, without an end."""
        return self._tokens(text)

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of ``target`` up to its first end."""
        return self._text.decode(slots)

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``; reserved ones are left out."""
        return self._text.decode_tokens(tokens)

    def texts(self, tokens: np.ndarray) -> list[str]:
        """Return every text of a row in which each has its end."""
        array = np.asarray(tokens, np.int64)
        ends = np.flatnonzero(array == END_TOKEN)
        pieces = np.split(array, ends + 1)
        return [self.decode_tokens(piece) for piece in pieces if len(piece)]

    def token_byte_lengths(self) -> np.ndarray:
        """Return how many bytes of UTF-8 each token stands for, int64 ``[vocabulary]``; 0 for reserved ones."""
        lengths = self._text.token_byte_lengths()
        lengths[: END_TOKEN + 1 + self.marks] = 0
        return lengths

    @property
    def marks(self) -> int:
        """Reserved tokens that stand for a span that was taken out."""
        added = self._text.tokenizer.get_added_tokens_decoder()
        return sum(token.content.startswith("<extra_id_") for token in added.values())

    def cut_sentence(self, store: Store) -> str:
        """Say how many texts of a store were too long and cut off; empty where none was."""
        told = []
        limits = {SOURCE: self.config.longest_source, TARGET: self.config.longest_target}
        for name, limit in limits.items():
            column = store.columns.get(name)
            if column is None or column.offsets is None or self.config.task == SPANS or not len(store):
                continue
            last = np.asarray(column.values)[np.asarray(column.offsets[1:]) - 1]
            cut = int(((np.diff(column.offsets) == limit) & (last != END_TOKEN)).sum())
            if cut:
                told.append(f"{cut:,} of {len(store):,} {name}s are longer than {limit} tokens and were cut off there")
        return "; ".join(told)

    def _marked(self, text: str) -> np.ndarray:
        pieces = re.split(GAP, text)
        if not 1 < len(pieces) <= self.marks + 1:
            raise UnsupportedError(
                f"a text with {len(pieces) - 1} gaps",
                expected=f"1 to {self.marks} gaps, written ___: this model fills them in",
                do="to translate or sum up, train it on with pairs of texts: makar train PAIRS --from MODEL",
            )
        parts = [np.append(self._tokens(piece), END_TOKEN + number) for number, piece in enumerate(pieces, 1)]
        return np.concatenate(parts)[:-1]

    def _pair(self, record: Record) -> tuple[str, Sequence[str]] | None:
        roles = record.roles or {}
        if self.config.task == "answer":
            if {"question", "context", "answers"} <= set(roles) and roles["answers"]:
                return asked(roles["question"], roles["context"]), roles["answers"]
            return None
        return (roles["source"], roles["targets"]) if {"source", "targets"} <= set(roles) else None

    def _row(self, text: str, longest: int) -> np.ndarray:
        return np.append(self._tokens(text), END_TOKEN)[:longest]

    def _tokens(self, text: str) -> np.ndarray:
        return self._text.encode_text(text)

    def _packed(self, tokens: "np.ndarray | list[int]") -> np.ndarray:
        return np.asarray(tokens).astype(np.uint16 if self._text.vocabulary <= 1 << 16 else np.uint32)


def asked(question: str, passage: str) -> str:
    """Return a question and its passage as one source."""
    return f"{question.strip()}{BETWEEN}{passage.strip()}"


def mark_names(count: int) -> list[str]:
    """Return the names of the tokens that stand for spans, those of T5."""
    return [f"<extra_id_{number}>" for number in range(count)]


def _joint_tokenizer(records: Iterator[Record], config: PairCodecConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    reserved = [PADDING_NAME, END, *mark_names(config.marks)]
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary_size,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in reserved],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sample = list(_sample(records, config))
    if not sample:
        raise EmptyDataError(
            f"no record is labelled for the task {config.task}" if config.needed_task else "there is no text",
            expected="at least one",
            do="name the columns with --columns",
        )
    tokenizer.train_from_iterator(sample, trainer)
    # For other programs: this codec asks for the tokens of the text alone and ends it itself.
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, END_TOKEN)])
    return tokenizer


def _sample(records: Iterator[Record], config: PairCodecConfig) -> Iterator[str]:
    left = config.sample_bytes
    for record in records:
        roles = record.roles or {}
        if config.task == SPANS:
            texts = [record.content or ""]
        elif config.task == "answer":
            texts = [roles.get("question", ""), roles.get("context", ""), *roles.get("answers", ())[:1]]
        else:
            texts = [roles.get("source", ""), *roles.get("targets", ())[:1]]
        for text in filter(None, texts):
            try:
                size = len(text.encode())
            except UnicodeEncodeError as error:
                raise DataError(
                    f"the text is not valid Unicode: {error}", do="decode it with the right encoding"
                ) from error
            yield text[:left]
            left -= size
            if left <= 0:
                return


def rare_run(targets: Sequence[np.ndarray]) -> int:
    """Return the shortest run of tokens that at most one target in a hundred has twice; 0 where there is none, or no target.

    >>> rare_run([np.array([5, 6, 7, 5, 6, 8])])
    3
    """
    for run in RUNS:
        repeating = sum(_repeats(target.tolist(), run) for target in targets)
        if targets and repeating <= REPEATING_SHARE * len(targets):
            return run
    return 0


def shared_part(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the share of the tokens of all targets that stand in their sources too, ends left out; 0 without targets.

    >>> shared_part([(np.array([5, 6, 7, 1]), np.array([6, 6, 9, 1]))])
    0.6666666666666666
    """
    told = [target[target != END_TOKEN] for _, target in pairs]
    standing = sum(int(np.isin(target, source).sum()) for target, (source, _) in zip(told, pairs))
    return standing / max(1, sum(map(len, told)))


def _repeats(tokens: list[int], run: int) -> bool:
    seen: set[tuple[int, ...]] = set()
    for start in range(len(tokens) - run + 1):
        part = tuple(tokens[start : start + run])
        if part in seen:
            return True
        seen.add(part)
    return False
