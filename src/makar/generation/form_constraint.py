"""A form as a constraint: before each token those that cannot go on are ruled out, and the text ends within its number of tokens.

A model that has learned little may never close a string. So a short way out is walked once when the form is read: at every step the end
where it is allowed, then what closes (``}``, ``]``, ``"``), otherwise a letter that leads nearer to an end: one after which the end may
come, or after which other tokens may come than before. Its length, twice over, is kept in reserve: as soon as only that many tokens are
left the text takes this way too. A number of tokens that not even the shortest way fits into
is refused before anything is drawn, and a text that did not end all the same is an error, never a result.
"""

import functools
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.codecs.codec import Codec
from makar.errors import DataError, UnsupportedError
from makar.families.logits_hook import FollowsText, LogitsHook
from makar.generation.form import Form, guidance

MOST_WAY = 4096
"""Tokens after which a way out is given up."""
NEVER = float("-inf")


@runtime_checkable
class SpellsTokens(Protocol):
    """A codec that knows the bytes of its tokens."""

    vocabulary: int
    end_token: int

    def token_bytes(self) -> list[bytes]:
        """Return the bytes of each token."""

    def special_tokens(self) -> list[int]:
        """Return the tokens that are no text."""

    def encode_text(self, text: str) -> np.ndarray:
        """Return the tokens of a text."""


class FormConstraint(FollowsText):
    """Rules out what does not fit a form.

    Args:
        form: The form.
        codec: The codec of the model.
        limit: Most tokens of a text.

    Raises:
        UnsupportedError: The model has no tokens of text, or cannot write what the form wants.
        DataError: The form needs more tokens.
    """

    says_all = follows = True

    def __init__(self, form: Form, codec: Codec, *, limit: int) -> None:
        if not isinstance(codec, SpellsTokens):
            raise UnsupportedError(
                f"a {form.kind} of a model that continues no text", expected="a model of text or code"
            )
        self.form = form
        self.limit = limit
        self.end_token = codec.end_token
        self.vocabulary = codec.vocabulary
        self._tokenizer = _tokenizer_of(codec)
        parts = codec.token_bytes()
        special = set(codec.special_tokens())
        self.lengths = np.array([0 if token in special else len(part) for token, part in enumerate(parts)])
        self._closing = [parts.index(mark) for mark in (b"}", b"]", b'"', b",", b":") if mark in parts]
        self._quote = parts.index(b'"') if b'"' in parts else None
        # A letter that JSON has nowhere but in strings.
        self._letter = next(
            (parts.index(bytes([mark])) for mark in b"QZXJKVWYqzxjkvwyg" if bytes([mark]) in parts), None
        )
        needed = self._shortest()
        if needed > limit:
            raise DataError(
                f"this {form.kind} takes {needed} tokens at least, and {limit} are allowed",
                expected="room for the whole form",
                do=f"--max-tokens {2 * needed}",
            )
        self.reserve = min(limit, 2 * needed + 8)

    @property
    def what(self) -> str:
        """The kind of the form."""
        return f"a {self.form.kind}"

    def begin(self) -> LogitsHook:
        """Return the hook of one text."""
        return _Following(self)

    def matcher(self) -> Any:
        """Return an automaton at the start of the form."""
        return guidance().LLMatcher(self._tokenizer, self.form.grammar, log_level=0)

    def allowed(self, matcher: Any) -> np.ndarray:
        """Return which tokens may come next, bool ``[vocabulary]``."""
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        return np.unpackbits(bits, bitorder="little")[: self.vocabulary].astype(bool)

    def way_out(self, matcher: Any, allowed: np.ndarray) -> int:
        """Return the next token of a short way to the end."""
        if allowed[self.end_token]:
            return self.end_token
        if self.form.kind in ("json_schema", "tools"):
            is_inside = self._letter is not None and bool(allowed[self._letter])
            # Inside a string brackets are letters like any other, and only the quote closes.
            for token in ([] if self._quote is None else [self._quote]) if is_inside else self._closing:
                if allowed[token]:
                    return token
        if allowed.sum() > 1:
            return self._nearer(matcher, allowed)
        return int(allowed.argmax())

    def _nearer(self, matcher: Any, allowed: np.ndarray) -> int:
        letters = np.flatnonzero(allowed & (self.lengths == 1))
        best, best_rank = int(np.where(allowed, self.lengths, -1).argmax()), 0
        for token in letters:
            tried = matcher.deep_copy()
            tried.consume_token(int(token))
            after = self.allowed(tried)
            rank = 2 if after[self.end_token] else int(not np.array_equal(after, allowed))
            if rank > best_rank:
                best, best_rank = int(token), rank
        return best

    def check(self, tokens: Sequence[int] | np.ndarray) -> None:
        """Refuse a text that did not end.

        Raises:
            DataError: It has not the form.
        """
        matcher = self.matcher()
        if not matcher.consume_tokens([int(token) for token in tokens]) or not matcher.is_accepting():
            raise DataError(
                f"the text did not end within {self.limit} tokens, so it is no whole {self.form.kind}",
                expected="room for the whole form",
                do=f"--max-tokens {2 * self.limit}",
            )

    def _shortest(self) -> int:
        matcher = self.matcher()
        for count in range(MOST_WAY):
            allowed = self.allowed(matcher)
            token = self.way_out(matcher, allowed) if allowed.any() else self.end_token
            if token == self.end_token:
                if matcher.is_accepting():
                    return count + 1
                raise UnsupportedError(
                    f"this model has no tokens to write this {self.form.kind} with", expected="characters that it knows"
                )
            matcher.consume_token(token)
        raise UnsupportedError(f"no end of this {self.form.kind} was found", expected="a form that can end")


class _Following:
    """The hook of one text."""

    def __init__(self, constraint: FormConstraint) -> None:
        self._constraint = constraint
        self._matcher = constraint.matcher()
        self._read: int | None = None
        self._start = 0

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        if self._read is None:
            self._read = self._start = len(history)
        new = history[self._read :].tolist()
        self._read = len(history)
        if not self._matcher.consume_tokens(new):
            raise DataError(f"the form was lost: {self._matcher.get_error()}", expected="tokens that fit it")
        allowed = self._constraint.allowed(self._matcher)
        if self._start + self._constraint.limit - self._read <= self._constraint.reserve:
            only = np.zeros_like(allowed)
            only[self._constraint.way_out(self._matcher, allowed)] = True
            allowed = only
        kept = torch.from_numpy(allowed)
        # A network may have rows for tokens that its tokenizer does not know.
        kept = torch.nn.functional.pad(kept, (0, len(logits) - len(kept)))
        return logits.masked_fill(~kept, NEVER)


@functools.lru_cache(maxsize=2)
def _tokenizer_of(codec: SpellsTokens) -> Any:
    """Return the tokenizer as llguidance has it; it is made of every token, so a server makes it once and not for every answer."""
    package = guidance()
    parts, special = codec.token_bytes(), codec.special_tokens()

    class Bytes:
        """What llguidance asks of a tokenizer."""

        eos_token_id = codec.end_token
        bos_token_id = None
        tokens = parts
        special_token_ids = special

        def __call__(self, text: bytes | str) -> list[int]:
            written = text.decode(errors="replace") if isinstance(text, bytes) else text
            return [int(token) for token in codec.encode_text(written)]

    wrapped = package.TokenizerWrapper(Bytes())
    return package.LLTokenizer(wrapped, n_vocab=codec.vocabulary, eos_token=codec.end_token)
