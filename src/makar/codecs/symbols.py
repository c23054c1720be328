"""Content in a notation of its own (SMILES, letters of amino acids, events of music) to tokens and back: one symbol is one token.

Decisions. (1) The learned part is one ``tokenizer.json`` of the `tokenizers` library, so that ``transformers`` opens the model: symbols are
found by a pattern, and a symbol that training never saw is spelled by shorter ones (longest first), so nothing of the alphabet is unknown.
(2) What is told of an item (a property, a style) are further tokens before its first symbol. They are no content: ``decode`` leaves
them out, no text can write them, and a part of the items goes without, so that one model makes items with and without being told
anything (the dropping of Ho and Salimans 2022, arXiv 2207.12598; control codes of Keskar et al. 2019, arXiv 1909.05858).
"""

import abc
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from makar.codecs.codec import CodecConfig
from makar.codecs.tokenizer_codec import END, TOKENIZER_FILE, TokenizerCodec, read_tokenizer
from makar.data.record import Record
from makar.errors import ArtifactError
from makar.tensor_spec import TARGET

LONGEST_SYMBOL = 200
"""Characters of one symbol; what is longer is no symbol of any notation here."""


class SymbolCodec(TokenizerCodec):
    """Turns content into tokens that end with the end token.

    Args:
        config: The settings.
        tokenizer: The fitted tokenizer.
        about: What was learned of the data beside the symbols, as plain values.
    """

    about_file: ClassVar[str]
    """File of the saved model with ``about``."""

    separator: ClassVar[str] = ""
    """What stands between two symbols."""

    def __init__(self, config: CodecConfig, tokenizer: Tokenizer, about: Mapping[str, Any]) -> None:
        self.config: CodecConfig = config
        super().__init__(tokenizer)
        self.about = dict(about)
        self._special = frozenset(self.special_tokens())
        self._numbers: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        self._names = [str(tokenizer.id_to_token(token)) for token in range(self.vocabulary)]

    @abc.abstractmethod
    def check_content(self, text: str, *, is_whole: bool) -> None:
        """Refuse what the notation does not know.

        Args:
            text: The content.
            is_whole: Whether it is a whole item, and not its beginning.

        Raises:
            DataError: It is no content of this medium; the message says why.
        """

    @abc.abstractmethod
    def told(self, record: Record) -> list[str]:
        """Return the names of the tokens that say what is known of a record; empty for none."""

    @abc.abstractmethod
    def told_in(self, prompt: str) -> tuple[list[str], str]:
        """Return the names of the tokens that a prompt tells, and the beginning of the content that follows.

        Raises:
            UnsupportedError: It tells what this model was not told in training.
        """

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> Self:
        """Rebuild the codec.

        Raises:
            ArtifactError: A file is missing or is not what it should be.
        """
        tokenizer = read_tokenizer(files)
        if cls.about_file not in files:
            raise ArtifactError(f"the codec has no {cls.about_file}", expected=cls.about_file)
        try:
            about = json.loads(files[cls.about_file])
        except ValueError as error:
            raise ArtifactError(f"{cls.about_file} cannot be read: {error}", do="get the model again") from error
        if not isinstance(about, dict):
            raise ArtifactError(f"{cls.about_file} is no table of names", do="get the model again")
        return cls(config, tokenizer, about)

    def files(self) -> dict[str, bytes]:
        """Return the tokenizer, and what was learned beside it."""
        return {TOKENIZER_FILE: self.tokenizer_json(), self.about_file: json.dumps(self.about, indent=1).encode()}

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return what is told of a record, its tokens and the end token, uint16; nothing without content."""
        if not record.content:
            return {}
        self.check_content(record.content, is_whole=True)
        tokens = [*self.numbers(self.told(record)), *self.symbols(record.content), self.end_token]
        return {TARGET: np.array(tokens, np.uint16)}

    def encode_text(self, text: str) -> np.ndarray:
        """Return the tokens of content, or of its beginning, int64 ``[length]``, without what is told and without an end.

        Raises:
            DataError: It is none.
        """
        self.check_content(text, is_whole=False)
        return np.array(self.symbols(text), np.int64)

    def encode_prompt(self, text: str) -> np.ndarray:
        """Return the tokens of a prompt, int64 ``[length]``: what it tells, then the beginning that it gives.

        Raises:
            UnsupportedError: It tells what this model was not told in training.
            DataError: The beginning is none.
        """
        names, begun = self.told_in(text)
        return np.concatenate([np.array(self.numbers(names), np.int64), self.encode_text(begun)])

    def symbols(self, text: str) -> list[int]:
        """Return the tokens of content that was checked."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def numbers(self, names: Sequence[str]) -> list[int]:
        """Return tokens by their names."""
        return [self._numbers[name] for name in names]

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the content of ``target`` up to its first end token."""
        tokens = np.asarray(slots[TARGET])
        ends = np.flatnonzero(tokens == self.end_token)
        return self.decode_tokens(tokens[: ends[0]] if len(ends) else tokens).removeprefix(self.separator)

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the content of tokens ``[length]``, each after a separator, so that a content is that of its parts.

        Tokens that tell and end tokens are left out.
        """
        return "".join(
            self.separator + self._names[token] for token in np.asarray(tokens).tolist() if token not in self._special
        )

    def token_byte_lengths(self) -> np.ndarray:
        """Return how many bytes of content each token stands for, int64 ``[vocabulary]``; 0 for special ones."""
        lengths = np.array([len(part) + len(self.separator) for part in self.token_bytes()], np.int64)
        lengths[self.special_tokens()] = 0
        return lengths

    def special_tokens(self) -> list[int]:
        """Return the tokens that are no content."""
        return [number for number, token in self.tokenizer.get_added_tokens_decoder().items() if token.special]

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 that each token stands for; of special tokens their names."""
        return [name.encode() for name in self._names]


def symbol_tokenizer(symbols: Iterable[str], *, told: Sequence[str], pattern: str | None) -> Tokenizer:
    """Return a tokenizer of symbols.

    Args:
        symbols: Every symbol that is a token, the single characters that spell others among them.
        told: Names of the tokens that tell something.
        pattern: What a symbol is, where symbols stand side by side; ``None`` where spaces part them.
    """
    names = [*sorted(set(symbols)), *told, END]
    vocabulary = {name: token for token, name in enumerate(names)}
    # The longest piece that is known is taken first; what no piece spells was refused before.
    model = models.WordPiece(
        vocab=vocabulary, unk_token=END, continuing_subword_prefix="", max_input_chars_per_word=LONGEST_SYMBOL
    )
    tokenizer = Tokenizer(model)
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (END, *told)])
    return tokenizer
