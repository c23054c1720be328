"""Conversations to tokens and back: each turn is the token of its role, what is said, and the end token, as a text ends.

Decisions. (1) The roles are four special tokens that are added to any tokenizer of text, a trained one included, so that a model of text
becomes one that talks; a tokenizer that came with a chat template writes turns as that says and gets no tokens (``chat_turns``). (2) What
is said is ordinary text, the names of special tokens in it included: nobody can end a turn from inside; where a template is a text
itself, a row that holds such a name is left out. (3) Which tokens are learned is a slot of its own (``learned``), so nothing has to be
guessed from tokens. (4) Text without turns is an answer to nothing. (5) A row that is too long loses the end of its answer and, of its
prompt, the beginning: what stands next to the answer matters most.

Source: Ouyang et al. 2022, arXiv 2203.02155 (answers are learned, prompts are read); the names of the tokens as in Tunstall et al. 2023,
arXiv 2310.16944 (Zephyr).
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from makar.codecs.chat_config import PAIRS, PROMPTS, SCORES, ChatCodecConfig, chat_spec
from makar.codecs.chat_turns import Message, TextTokens, turns_of
from makar.codecs.codec import Codec
from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.codecs.text import TextCodec
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, UnsupportedError
from makar.tensor_spec import ANSWER, LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET, TensorSpec

COUNTED_FILE = "chat.json"
COUNTED_ROWS = 512
"""Rows whose lengths and scores are looked at."""

LARGEST_ANSWER_SHARE = 0.75
"""Of the longest row, where there is a prompt too."""

BETWEEN_TURNS = "\n\n"


class ChatCodec(Codec):
    """Turns conversations into tokens.

    Args:
        config: What of a row it makes.
        text: The fitted codec of what is said; where it has no chat template the tokens of the roles are added to its tokenizer.
        counted: ``usual``, the mean length of a row, and ``least`` and ``most``, the ends of the scale of scores; 0 where unknown.
    """

    text_is_a_turn = True
    """A text alone is said by the user, and the answer does not repeat it."""

    def __init__(self, config: ChatCodecConfig, text: TextTokens, counted: Mapping[str, float]) -> None:
        self.config: ChatCodecConfig = config
        self.text = text
        self.counted_rows = dict(counted)
        self.turns = turns_of(text, config.template)
        self._special = np.array(self.turns.special, np.int64)

    @classmethod
    def fit(cls, config: ChatCodecConfig, records: Iterator[Record]) -> Self:
        """Fit the codec of what is said, and look at the first rows.

        Raises:
            EmptyDataError: A vocabulary is to be learned and there is no text.
        """
        first = list(itertools.islice(records, COUNTED_ROWS))
        base = config.base
        if isinstance(base, PretrainedTextCodecConfig):
            return cls(config, PretrainedTextCodec.fit(base, iter(())), {})
        assert isinstance(base, ByteCodecConfig | CharacterCodecConfig | BpeCodecConfig), "checked by the configuration"
        return cls(config, TextCodec.fit(base, itertools.chain(first, records)), {})._looked_at(first)

    @classmethod
    def from_files(cls, config: ChatCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec from its files, or make it of those of a codec of text, whose tokens it then adds the roles to.

        Raises:
            ArtifactError: A file is missing or damaged.
        """
        base = config.base
        try:
            found = json.loads(files.get(COUNTED_FILE, b"{}"))
            counted = {str(name): float(value) for name, value in found.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{COUNTED_FILE} cannot be read: {error}", do="get the model again") from error
        if isinstance(base, PretrainedTextCodecConfig):
            return cls(config, PretrainedTextCodec.from_files(base, files), counted)
        assert isinstance(base, ByteCodecConfig | CharacterCodecConfig | BpeCodecConfig), "checked by the configuration"
        return cls(config, TextCodec.from_files(base, files), counted)

    def counted(self, records: Iterator[Record]) -> "ChatCodec":
        """Return the codec with lengths and the scale of scores of other data."""
        return self._looked_at(list(itertools.islice(records, COUNTED_ROWS)))

    def _looked_at(self, rows: Sequence[Record]) -> Self:
        scores = [float(row.roles["score"]) for row in rows if row.roles and "score" in row.roles]
        scale = {"least": min(scores), "most": max(scores)} if scores else {}
        whole = type(self)(self.config, self.text, scale)
        lengths = [max(map(len, slots.values())) for row in rows if (slots := whole._sequences(row))]
        counted = {"usual": round(float(np.mean(lengths or [0]))), **scale}
        if lost := len(rows) - len(lengths):
            counted |= {"looked_at": len(rows), "left_out": lost}
        return type(self)(self.config, self.text, counted)

    def remarks(self) -> tuple[str, ...]:
        """Say how many rows are left out of those that were looked at."""
        lost, seen = (int(self.counted_rows.get(name, 0)) for name in ("left_out", "looked_at"))
        if not lost:
            return ()
        why = "no answer, or not what is to be made of a row"
        if isinstance(self.text, PretrainedTextCodec):
            why += ", or turns that the chat template refuses, or the name of a token that steers the model"
        return (f"{lost} of the first {seen} rows are left out: {why}",)

    def files(self) -> dict[str, bytes]:
        """Return the files of the codec of what is said, with the tokens of the roles, and what was counted."""
        return {**self.text.files(), COUNTED_FILE: json.dumps(self.counted_rows).encode()}

    def tokenizer_json(self) -> bytes:
        """Return the tokenizer in the format of the `tokenizers` library."""
        return self.text.tokenizer_json()

    @property
    def chat_template(self) -> str:
        """The Jinja template with which others write a conversation."""
        return self.turns.chat_template

    @property
    def end_token(self) -> int:
        """The token that ends a turn."""
        return self.turns.end

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Every token that ends an answer: that of a turn, and those that end any text."""
        return tuple(dict.fromkeys((self.turns.end, *self.text.end_tokens)))

    def token_numbers(self) -> dict[str, Any]:
        """Return the numbers of special tokens under their names in transformers."""
        ends = self.end_tokens
        return {**self.text.token_numbers(), "eos_token_id": ends[0] if len(ends) == 1 else list(ends)}

    def token_names(self) -> dict[str, Any]:
        """Return the names of special tokens under their names in transformers."""
        return self.text.token_names()

    @property
    def begin_token(self) -> int:
        """The token that an answer to nothing begins with."""
        return self.turns.begin

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return self.turns.vocabulary

    @property
    def spec(self) -> TensorSpec:
        """Rows of tokens with a mark for those that are learned, twice for pairs; a score or the bytes of the right answer."""
        usual = int(self.counted_rows.get("usual", 0)) or None
        return chat_spec(self.config.makes, vocabulary=self.vocabulary, usual=usual)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of a row; nothing where it has no answer, or not what is to be made of it."""
        slots: dict[str, np.ndarray] = dict(self._sequences(record))
        if not slots:
            return {}
        if self.config.makes == PROMPTS:
            right = str((record.roles or {})["messages"][-1]["content"])
            slots[ANSWER] = np.frombuffer(right.encode(), np.uint8)
        if self.config.makes == SCORES:
            slots[SCORE] = np.float32(self.scaled(float((record.roles or {})["score"])))  # type: ignore[assignment]
        return slots

    def scaled(self, score: float) -> float:
        """Return a score on the scale of the data as a share, 0 to 1."""
        least, most = self.counted_rows.get("least", 0.0), self.counted_rows.get("most", 1.0)
        return min(1.0, max(0.0, (score - least) / (most - least))) if most > least else 0.5

    def _sequences(self, record: Record) -> dict[str, np.ndarray]:
        try:
            return self._written(record)
        except UnsupportedError:
            # Turns that a template refuses, or that hold the name of a token which steers the model.
            if isinstance(self.text, PretrainedTextCodec):
                return {}
            raise

    def _written(self, record: Record) -> dict[str, np.ndarray]:
        roles, makes = record.roles or {}, self.config.makes
        messages: Sequence[Message] = tuple(roles.get("messages", ()))
        if makes == PAIRS:
            if "chosen" not in roles or "rejected" not in roles:
                return {}
            target, learned = self._answered(messages, roles["chosen"])
            rejected, rejected_learned = self._answered(messages, roles["rejected"])
            return {TARGET: target, LEARNED: learned, REJECTED: rejected, REJECTED_LEARNED: rejected_learned}
        if makes == SCORES:
            if "response" not in roles or "score" not in roles:
                return {}
            target, learned = self._answered(messages, roles["response"])
            return {TARGET: target, LEARNED: learned}
        if makes == PROMPTS:
            if len(messages) < 2 or messages[-1]["role"] != "assistant":
                return {}
            return {TARGET: self._shrunk(self.encode_turns(messages[:-1]), self.config.longest)}
        if "chosen" in roles:
            messages = (*messages, {"role": "assistant", "content": roles["chosen"]})
        elif not messages and record.content:
            messages = ({"role": "assistant", "content": record.content},)
        return self._conversation(messages)

    def _conversation(self, messages: Sequence[Message]) -> dict[str, np.ndarray]:
        tokens, learned = self.turns.conversation(messages)
        learned = learned[: self.config.longest]
        return {TARGET: self._stored(tokens[: self.config.longest]), LEARNED: learned} if learned.any() else {}

    def _answered(self, messages: Sequence[Message], answer: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a prompt with an answer, and which of the tokens are the answer's."""
        prompt = self.encode_turns(messages)
        longest = self.config.longest
        said = self.turns.said(answer)
        said = said[: max(1, longest - min(len(prompt), int((1 - LARGEST_ANSWER_SHARE) * longest)))]
        prompt = self._shrunk(prompt, longest - len(said))
        learned = np.zeros(len(prompt) + len(said), np.uint8)
        learned[len(prompt) :] = 1
        return self._stored(np.concatenate([prompt, said])), learned

    def _shrunk(self, prompt: np.ndarray, most: int) -> np.ndarray:
        return self._stored(prompt[max(0, len(prompt) - max(1, most)) :])

    def _stored(self, tokens: np.ndarray) -> np.ndarray:
        return tokens.astype(np.uint16 if self.vocabulary <= 1 << 16 else np.uint32)

    def encode_turns(self, messages: Sequence[Message]) -> np.ndarray:
        """Return the tokens of a conversation up to where the next answer begins, int64 ``[length]``.

        Args:
            messages: Dictionaries with ``role`` (system, user, assistant, tool) and ``content``.

        Raises:
            UnsupportedError: There is no such role, or the template takes no such turns.
        """
        return self.turns.prompt(messages)

    def encode_text(self, text: str) -> np.ndarray:
        """Return the tokens of a text, int64 ``[length]``, without an end token."""
        return self.text.encode_text(text)

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return what is said in ``target``, turns with an empty line between them; an end that no turn follows ends it."""
        tokens = np.asarray(slots[TARGET]).astype(np.int64)
        cuts = np.flatnonzero(np.isin(tokens, self._special))
        said, start = [], 0
        for cut in [*cuts.tolist(), len(tokens)]:
            if cut > start:
                said.append(self.text.decode_tokens(tokens[start:cut]))
            is_last = cut < len(tokens) and tokens[cut] == self.end_token and cut + 1 not in cuts
            if is_last:
                break
            start = cut + 1
        return BETWEEN_TURNS.join(said)

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``; end tokens and those of roles are left out."""
        array = np.asarray(tokens)
        return self.text.decode_tokens(array[~np.isin(array, self._special)])

    def special_tokens(self) -> list[int]:
        """Return the tokens that are no text: end and roles."""
        return [int(token) for token in self._special]

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 that each token stands for; of end and roles their names."""
        known = self.text.token_bytes()
        names = [self.text.tokenizer.id_to_token(token) or "" for token in range(len(known), self.vocabulary)]
        return [*known, *(name.encode() for name in names)]

    def token_byte_lengths(self) -> np.ndarray:
        """Return how many bytes of UTF-8 each token stands for, int64 ``[vocabulary]``; 0 for end and roles."""
        own = self.text.token_byte_lengths()
        lengths = np.zeros(max(self.vocabulary, len(own)), np.int64)
        lengths[: len(own)] = own
        lengths[self._special] = 0
        return lengths
