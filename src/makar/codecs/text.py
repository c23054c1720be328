"""Text to tokens and back: bytes, characters or byte-level pairs, always lossless, always a tokenizer.json that others open.

Decisions. (1) The learned part is one ``tokenizer.json`` of the `tokenizers` library, so that transformers, llama.cpp and browsers
read the same file. (2) Nothing is ever unknown: bytes and byte-level pairs cover every text by construction, the character alphabet
spells a character without a token as its UTF-8 bytes (``<0xC3><0xA9>``). (3) Bytes and characters are looked up in a table instead of
asking the library, which gives the same tokens fifty times faster. (4) The end token in a text is ordinary text: only ``encode``
writes the token, so data cannot end a document early; the names of the tokens around a hole are ordinary text as well. (5) Long texts
are cut between a word and the space after it, where the pre-tokenizer cuts too, so memory is bounded and the tokens are the same.

Source: Sennrich et al. 2016, arXiv 1508.07909 (pairs); Radford et al. 2019, "Language models are unsupervised multitask learners"
(pairs of bytes, and the pattern that cuts words); Yang et al. 2024, arXiv 2407.10671 (Qwen2, the other pattern).
"""

import collections
import json
import re
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from makar.codecs.byte_runs import byte_characters, byte_tokens, bytes_of_name, decode_runs
from makar.codecs.text_config import INFILL_NAMES, BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.codecs.tokenizer_codec import END, TOKENIZER_FILE, TokenizerCodec, read_tokenizer
from makar.data.record import Record
from makar.errors import DataError, EmptyDataError
from makar.tensor_spec import TARGET

PIECE_CHARACTERS = 1 << 20
_CUT = re.compile(r"(?<=[^\W_])(?=\s)")
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TextConfig = ByteCodecConfig | CharacterCodecConfig | BpeCodecConfig


class TextCodec(TokenizerCodec):
    """Turns text and code into tokens that end with the end token.

    Args:
        config: Which of the three codecs it is.
        tokenizer: The fitted tokenizer.
    """

    def __init__(self, config: TextConfig, tokenizer: Tokenizer) -> None:
        self.config = config
        super().__init__(tokenizer)
        found = [token for name in INFILL_NAMES if (token := tokenizer.token_to_id(name)) is not None]
        self.infill_tokens: tuple[int, ...] = tuple(found) if len(found) == len(INFILL_NAMES) else ()
        """What says in front of what: text before a hole, after it, in it; empty where the codec has none."""
        is_of_characters = isinstance(config, CharacterCodecConfig)
        self._bytes = byte_tokens(tokenizer.token_to_id) if is_of_characters else {}
        self._characters = _character_table(tokenizer) if is_of_characters else None

    @classmethod
    def fit(cls, config: TextConfig, records: Iterator[Record]) -> Self:
        """Learn the vocabulary: the whole alphabet for characters, pairs on the first ``sample_bytes``, nothing for bytes.

        Raises:
            EmptyDataError: A vocabulary is to be learned and there is no text.
        """
        if isinstance(config, ByteCodecConfig):
            return cls(config, _byte_tokenizer())
        if isinstance(config, CharacterCodecConfig):
            return cls(config, _character_tokenizer(records, config.largest_alphabet))
        return cls(config, _pair_tokenizer(records, config))

    @classmethod
    def from_files(cls, config: TextConfig, files: dict[str, bytes]) -> Self:
        """Rebuild the codec from ``tokenizer.json``.

        Raises:
            ArtifactError: The file is missing or is no tokenizer.
        """
        tokenizer = read_tokenizer(files)
        return cls(config, tokenizer)

    def files(self) -> dict[str, bytes]:
        """Return ``tokenizer.json``."""
        return {TOKENIZER_FILE: self.tokenizer_json()}

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the tokens of a record and the end token, as uint16 where they fit, otherwise uint32; nothing for empty text."""
        if not record.content:
            return {}
        dtype = np.uint16 if self.vocabulary <= 1 << 16 else np.uint32
        return {TARGET: np.append(self.encode_text(record.content), self.end_token).astype(dtype)}

    def encode_text(self, text: str) -> np.ndarray:
        """Return the tokens of a text, int64 ``[length]``, without an end token.

        Raises:
            DataError: The text holds half a surrogate pair, which is no character.
        """
        try:
            if isinstance(self.config, ByteCodecConfig):
                return np.frombuffer(text.encode(), np.uint8).astype(np.int64)
            pieces = [self._encode_piece(piece) for piece in _pieces(text)]
        except UnicodeEncodeError as error:
            raise DataError(
                f"the text is not valid Unicode: {error}", do="decode it with the right encoding"
            ) from error
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)

    def encode_places(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the tokens of a text, and where the characters of each begin and end; a character may be in several tokens.

        Raises:
            DataError: The text holds half a surrogate pair, which is no character.
        """
        try:
            text.encode()  # the library would replace what is no character in silence
        except UnicodeEncodeError as error:
            raise DataError(
                f"the text is not valid Unicode: {error}", do="decode it with the right encoding"
            ) from error
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def _encode_piece(self, text: str) -> np.ndarray:
        if self._characters is not None:
            codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
            tokens = self._characters[np.minimum(codes, len(self._characters) - 1)]
            if (tokens >= 0).all():
                return tokens
        else:
            text.encode()  # the library would replace what is no character in silence
        return np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int64)

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of ``target`` up to its first end token."""
        tokens = np.asarray(slots[TARGET])
        ends = np.flatnonzero(tokens == self.end_token)
        return self.decode_tokens(tokens[: ends[0]] if len(ends) else tokens)

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``; end tokens are left out and broken UTF-8 becomes U+FFFD."""
        if isinstance(self.config, ByteCodecConfig):
            array = np.asarray(tokens)
            return array[array != self.end_token].astype(np.uint8).tobytes().decode(errors="replace")
        return decode_runs(np.asarray(tokens).tolist(), self._bytes, self._decode_others)

    def _decode_others(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def token_byte_lengths(self) -> np.ndarray:
        """Return how many bytes of UTF-8 each token stands for, int64 ``[vocabulary]``; 0 for the end token and those around a hole.

        The sum over the tokens of a text is its size in bytes, which turns nats a token into bits a byte.
        """
        lengths = np.array([len(part) for part in self.token_bytes()], np.int64)
        lengths[self.special_tokens()] = 0
        return lengths

    def special_tokens(self) -> list[int]:
        """Return the tokens that are no text."""
        return [number for number, token in self.tokenizer.get_added_tokens_decoder().items() if token.special]

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 that each token stands for, which may be part of a character; of special tokens their names."""
        names = [str(self.tokenizer.id_to_token(token)) for token in range(self.vocabulary)]
        if isinstance(self.config, CharacterCodecConfig):
            return [
                bytes([self._bytes[token]]) if token in self._bytes else name.encode()
                for token, name in enumerate(names)
            ]
        special = set(self.special_tokens())
        return [name.encode() if token in special else bytes_of_name(name) for token, name in enumerate(names)]


def _byte_tokenizer() -> Tokenizer:
    order = byte_characters()
    tokenizer = Tokenizer(models.BPE(vocab={**{name: byte for byte, name in enumerate(order)}, END: 256}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _with_end(tokenizer)


def _character_tokenizer(records: Iterator[Record], largest_alphabet: int) -> Tokenizer:
    counts: collections.Counter[str] = collections.Counter()
    for record in records:
        counts.update(record.content)
    if not counts:
        raise EmptyDataError("there is no text to learn an alphabet from", expected="at least one character")
    # Ties are broken by the character itself, so that the order of the records does not matter.
    ranked = sorted(counts, key=lambda character: (-counts[character], character))[:largest_alphabet]
    names = sorted(ranked)
    # A byte that is a character with a token of its own is never needed to spell another one.
    spelled = [byte for byte in range(0xF5) if byte not in (0xC0, 0xC1) and (byte >= 0x80 or chr(byte) not in ranked)]
    names += [f"<0x{byte:02X}>" for byte in spelled] + [END]
    vocabulary = {name: token for token, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return _with_end(tokenizer)


def _pair_tokenizer(records: Iterator[Record], config: BpeCodecConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if config.pattern == "gpt2":
        # The one that every reader of tokenizer.json knows.
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        words = pre_tokenizers.Split(Regex(_QWEN2), "isolated")
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, as_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    special = [END, *(INFILL_NAMES if config.infill else ())]
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary_size,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sample = list(_sample(records, config.sample_bytes))
    if not sample:
        raise EmptyDataError("there is no text to count pairs on", expected="at least one character")
    tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def _sample(records: Iterator[Record], limit: int) -> Iterator[str]:
    left = limit
    for record in records:
        for piece in _pieces(record.content):
            yield piece[:left]
            left -= len(piece.encode())
            if left <= 0:
                return


def _with_end(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    return tokenizer


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + PIECE_CHARACTERS
        if end < len(text):
            # Without a single space in as much text again, the cut falls inside a word: still lossless.
            cut = _CUT.search(text, end, end + PIECE_CHARACTERS)
            end = cut.start() if cut else end + PIECE_CHARACTERS
        yield text[start:end]
        start = end


def _character_table(tokenizer: Tokenizer) -> np.ndarray:
    vocabulary: dict[str, Any] = json.loads(tokenizer.to_str())["model"]["vocab"]
    characters = {ord(name): token for name, token in vocabulary.items() if len(name) == 1}
    table = np.full(max(characters, default=0) + 2, -1, np.int64)
    for code, token in characters.items():
        table[code] = token
    return table
