"""A tokenizer that came with a checkpoint as a codec: ``tokenizer.json`` and what its authors say of special tokens.

Decisions. (1) The files are ``tokenizer.json`` of the `tokenizers` library and ``tokens.json`` with what that format does not say: which
tokens end a text, which one stands for what is masked, and the chat template. So a model that is carried along needs neither transformers
nor the folder that it came from. (2) What a tokenizer puts before and behind a text is asked of the tokenizer itself: a text to continue
begins with what it puts before, a text to be read has both. (3) The name of a special token in a text is ordinary text; only a chat
template, which is written by the authors, is read with its special tokens. (4) New text is decoded behind a letter that is cut off again:
tokenizers such as SentencePiece's drop the space of a first word, and a continuation does not begin a text.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from tokenizers import Encoding, Tokenizer

from makar.codecs.byte_runs import byte_tokens, bytes_of_name, decode_runs
from makar.codecs.chat_template import render_turns
from makar.codecs.codec import Codec
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, ConfigError, DataError, UnsupportedError
from makar.tensor_spec import TARGET, Slot, TensorSpec

TOKENIZER_FILE = "tokenizer.json"
TOKENS_FILE = "tokens.json"
ANCHOR = "a"
"""What new text is decoded behind."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """What the authors of a checkpoint say of its tokens.

    Attributes:
        begin: Begins a text, where one is needed.
        ends: End a text; at least one.
        mask: Stands for what a masked model fills in.
        chat_template: Jinja template of a conversation.
        texts: Text of the special tokens by the names that templates use: ``bos_token``, ``eos_token`` ...
    """

    begin: int | None = None
    ends: tuple[int, ...]
    mask: int | None = None
    chat_template: str | None = None
    texts: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the file."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read the file.

        Raises:
            ArtifactError: It is no such file.
        """
        try:
            values = json.loads(content)
            found = cls(**{**values, "ends": tuple(values["ends"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ArtifactError(f"{TOKENS_FILE} cannot be read: {error}", do="get the model again") from error
        numbers = [*found.ends, *(one for one in (found.begin, found.mask) if one is not None)]
        if not found.ends or any(type(number) is not int or number < 0 for number in numbers):
            raise ArtifactError(f"{TOKENS_FILE} names no tokens that end a text", expected="their numbers")
        return found


class PretrainedTextCodec(Codec):
    """Turns text into the tokens of a checkpoint.

    Args:
        config: How many tokens the network knows.
        tokenizer: The tokenizer of the checkpoint.
        special: What its authors say of special tokens.
    """

    text_is_a_turn = False
    """A text alone is continued; only the turns of a conversation are put into the chat template."""

    def __init__(self, config: PretrainedTextCodecConfig, tokenizer: Tokenizer, special: SpecialTokens) -> None:
        self.config: PretrainedTextCodecConfig = config
        self.tokenizer = tokenizer
        self.special = special
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._anchor = self._plain(ANCHOR)
        whole = [int(token) for token in tokenizer.encode(ANCHOR, add_special_tokens=True).ids]
        # Where the anchor stands in the whole: what is left of it and right of it is put around every text.
        place = next((at for at in range(len(whole)) if whole[at : at + len(self._anchor)] == self._anchor), 0)
        self._before = whole[:place]
        self._after = whole[place + len(self._anchor) :]
        self._bytes = byte_tokens(tokenizer.token_to_id)
        self._anchor_text = tokenizer.decode(self._anchor, skip_special_tokens=True)

    @classmethod
    def fit(cls, config: PretrainedTextCodecConfig, records: Iterator[Record]) -> Self:
        """Refuse: such a tokenizer is not learned.

        Raises:
            ConfigError: Always.
        """
        del config, records
        raise ConfigError(
            "a tokenizer of a checkpoint is not learned from data",
            expected="the codec of a model that is brought in",
            do="makar import FOLDER -o NAME, and train --from NAME",
        )

    @classmethod
    def from_files(cls, config: PretrainedTextCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec from its two files.

        Raises:
            ArtifactError: One is missing, or is not what it should be.
        """
        if missing := [name for name in (TOKENIZER_FILE, TOKENS_FILE) if name not in files]:
            raise ArtifactError(f"the codec has no {missing[0]}", expected=missing[0])
        special = SpecialTokens.from_json(files[TOKENS_FILE])
        try:
            tokenizer = Tokenizer.from_str(files[TOKENIZER_FILE].decode())
        except Exception as error:  # the library raises bare Exception
            raise ArtifactError(f"{TOKENIZER_FILE} cannot be read: {error}") from error
        return cls(config, tokenizer, special)

    def files(self) -> dict[str, bytes]:
        """Return ``tokenizer.json`` and ``tokens.json``."""
        return {TOKENIZER_FILE: self.tokenizer_json(), TOKENS_FILE: self.special.to_json()}

    def tokenizer_json(self) -> bytes:
        """Return the tokenizer in the format of the `tokenizers` library."""
        return self.tokenizer.to_str(pretty=True).encode()

    @property
    def vocabulary(self) -> int:
        """Number of tokens: those that the network has rows for."""
        return self.config.vocabulary or self.tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def end_token(self) -> int:
        """The token that ends a text in training data."""
        return self.special.ends[0]

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Every token that ends a text when it is drawn."""
        return self.special.ends

    @property
    def begin_token(self) -> int:
        """The token that an empty text begins with."""
        return self.special.ends[0] if self.special.begin is None else self.special.begin

    def token_numbers(self) -> dict[str, Any]:
        """Return the numbers of special tokens under their names in transformers."""
        ends = self.special.ends
        return {
            "bos_token_id": self.special.begin,
            "eos_token_id": ends[0] if len(ends) == 1 else list(ends),
            "pad_token_id": ends[0],
        }

    def token_names(self) -> dict[str, Any]:
        """Return the names of special tokens under their names in transformers, and the chat template."""
        template = {} if self.special.chat_template is None else {"chat_template": self.special.chat_template}
        return {**self.special.texts, **template}

    @property
    def spec(self) -> TensorSpec:
        """One slot ``target`` with tokens along ``length``."""
        return TensorSpec({TARGET: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.vocabulary)})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the tokens of a record and the end token; nothing for empty text."""
        if not record.content:
            return {}
        dtype = np.uint16 if self.vocabulary <= 1 << 16 else np.uint32
        return {TARGET: np.append(self.encode_text(record.content), self.end_token).astype(dtype)}

    def encode_text(self, text: str) -> np.ndarray:
        """Return the tokens of a text to continue, int64 ``[length]``: what the tokenizer puts before it, and the text."""
        return np.array([*self._before, *self._plain(text)], np.int64)

    def encode_inside(self, text: str) -> np.ndarray:
        """Return the tokens of a text that stands inside another, int64 ``[length]``: nothing is put before it."""
        return np.array(self._plain(text), np.int64)

    def encode_source(self, text: str) -> np.ndarray:
        """Return the tokens of a text to be read as a whole, int64 ``[length]``, with what the tokenizer puts around it."""
        return np.array([*self._before, *self._plain(text), *self._after], np.int64)

    def encode_places(self, text: str, second: str | None = None, *, with_masks: bool = False) -> Encoding:
        """Return a text as the tokenizer reads it, with the place of every token in the text.

        Args:
            text: The text.
            second: A second text that is joined to it: the passage to a question.
            with_masks: Whether the names of special tokens are these tokens, as in a text with masked words.
        """
        _check_unicode(text + (second or ""))
        self.tokenizer.encode_special_tokens = not with_masks
        return self.tokenizer.encode(text, second, add_special_tokens=True)

    def encode_turns(self, messages: Sequence[Mapping[str, str]], *, template: str | None = None) -> np.ndarray:
        """Return the tokens of a conversation up to where the next answer begins, int64 ``[length]``, by the chat template.

        Args:
            messages: Turns with ``role`` and ``content``.
            template: Another template; ``None`` is that of the checkpoint.

        Raises:
            UnsupportedError: There is no template, it takes no such turns, or a turn holds the name of a special token.
        """
        special = self.special
        template = template or special.chat_template
        if template is None:
            raise UnsupportedError("turns for a model without a chat template", expected="plain text")
        for turn in messages:
            found = next((name for name in self.special_names() if name in turn["content"]), None)
            if found is not None:
                raise UnsupportedError(
                    f'the turn of {turn["role"]} holds "{found}", which steers this model', expected="other text"
                )
        return self.encode_template(render_turns(template, messages, special.texts))

    def encode_template(self, text: str) -> np.ndarray:
        """Return the tokens of a rendered chat template, int64 ``[length]``: the names of special tokens are those tokens."""
        _check_unicode(text)
        self.tokenizer.encode_special_tokens = False
        tokens = [int(token) for token in self.tokenizer.encode(text, add_special_tokens=False).ids]
        if self._before and tokens[: len(self._before)] != self._before:
            tokens = [*self._before, *tokens]
        return np.array(tokens, np.int64)

    def special_names(self) -> list[str]:
        """Return the text of every special token, longest first."""
        added = self.tokenizer.get_added_tokens_decoder().values()
        return sorted((token.content for token in added if token.special), key=len, reverse=True)

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of ``target`` up to its first end token."""
        tokens = [int(token) for token in np.asarray(slots[TARGET])]
        if self._before and tokens[: len(self._before)] == self._before:
            tokens = tokens[len(self._before) :]
        end = next((at for at, token in enumerate(tokens) if token in self.special.ends), len(tokens))
        return str(self.tokenizer.decode(tokens[:end], skip_special_tokens=True))

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]`` inside a text; special tokens are left out and broken UTF-8 becomes U+FFFD."""
        return decode_runs([int(token) for token in np.asarray(tokens)], self._bytes, self._decode_inside)

    def token_byte_lengths(self) -> np.ndarray:
        """Return how many bytes of UTF-8 each token stands for, int64 ``[vocabulary]``; 0 for special tokens.

        A tokenizer that puts a space before the first word counts that byte too.
        """
        lengths = np.array([len(part) for part in self.token_bytes()], np.int64)
        # Tokens that a chat has added may have no rows yet.
        lengths[[token for token in self.special_tokens() if token < len(lengths)]] = 0
        return lengths

    def special_tokens(self) -> list[int]:
        """Return the tokens that are no text."""
        return [number for number, token in self.tokenizer.get_added_tokens_decoder().items() if token.special]

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 that each token stands for inside a text, which may be part of a character; of special tokens their names."""
        added = self.tokenizer.get_added_tokens_decoder()
        is_of_bytes = "ByteLevel" in json.dumps(json.loads(self.tokenizer.to_str())["decoder"])
        found = [b""] * self.vocabulary
        for token in range(min(self.vocabulary, self.tokenizer.get_vocab_size(with_added_tokens=True))):
            name = self.tokenizer.id_to_token(token)
            if token in added:
                found[token] = added[token].content.encode()
            elif name is None:
                continue
            elif is_of_bytes:
                found[token] = bytes_of_name(name)
            elif token in self._bytes:
                found[token] = bytes([self._bytes[token]])
            else:
                found[token] = self.decode_tokens(np.array([token])).encode()
        return found

    def _decode_inside(self, tokens: list[int]) -> str:
        text = str(self.tokenizer.decode([*self._anchor, *tokens], skip_special_tokens=True))
        return text[len(self._anchor_text) :]

    def _plain(self, text: str) -> list[int]:
        _check_unicode(text)
        # Set at every call: reading a template is the one place where the name of a special token is that token.
        self.tokenizer.encode_special_tokens = True
        return [int(token) for token in self.tokenizer.encode(text, add_special_tokens=False).ids]


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"the text is not valid Unicode: {error}", do="decode it with the right encoding") from error
