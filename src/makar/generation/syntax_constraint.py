"""Syntax as a constraint: tokens after which no Python can begin so any more are ruled out before one is drawn.

Tokens are looked at from the likeliest on, until all but a hundredth of the probability has been: what is left is ruled out unseen, which
is less than a usual ``top_p`` does. Where none of those that were looked at fits, the text takes a short way to where it is whole. The end
token fits where the text is whole. Shortly before the limit only such tokens fit after which there is still room to make the text whole,
so that a text that is cut by its length parses too.

The text of a prompt is what its tokens say. Where no way on is found, as with letters that the model has no token for, the text is left to
the model from there on, and its manifest says that the syntax was not kept.
"""

import codecs
import functools
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.codecs.codec import Codec
from makar.config import Config
from makar.errors import UnsupportedError, UsageError
from makar.families.family_config import FamilyConfig
from makar.families.logits_hook import FollowsText, LogitsHook
from makar.generation.form_constraint import SpellsTokens
from makar.generation.prompts import Prompt, answers
from makar.generation.python_ending import ending
from makar.generation.python_fragment import python_of
from makar.generation.python_prefix import PythonSource

MOST_CHECKED = 64
UNCHECKED_SHARE = 0.01
COLDEST = 0.01
NEVER = float("-inf")
_LONGEST_LINE = "\n        finally: pass\n"
_LINES_KEPT = 3
"""Lines that are kept room for at the end."""
_LETTER = "é"
"""Stands for a character of which only the first bytes are there, which may be only in words, because few others are signs of Python."""


@runtime_checkable
class EndsTexts(Protocol):
    """A codec with tokens that end a text."""

    end_tokens: tuple[int, ...]


class SyntaxConstraint(FollowsText):
    """Keeps texts to the syntax of Python.

    Args:
        language: One of those of ``syntax``.
        codec: The codec of the model.
        end_tokens: Tokens that end a text.
        limit: Most tokens of a text.
        temperature: At which they are drawn: the colder, the fewer have to be looked at.

    Raises:
        UnsupportedError: The model has no tokens of text.
    """

    says_all = False
    follows = True

    def __init__(
        self, language: str, codec: Codec, *, end_tokens: Sequence[int], limit: int, temperature: float
    ) -> None:
        if not isinstance(codec, SpellsTokens):
            raise UnsupportedError(
                f"the syntax of {language} of a model whose tokens are no text", expected="a model of text or code"
            )
        self.language = language
        self.limit = limit
        self.temperature = temperature
        self.end_tokens = frozenset(end_tokens)
        self.parts, self.tokens = _spelling(codec)
        self.reserve = _LINES_KEPT * len(self.spelled(_LONGEST_LINE) or ())

    @property
    def what(self) -> str:
        """The syntax of the language."""
        return f"the syntax of {self.language}"

    def begin(self) -> LogitsHook:
        """Return the hook of one text."""
        return _Following(self)

    def check(self, prompts: Iterable[Prompt]) -> None:
        """Refuse prompts that are no source before any of them is gone on with.

        Raises:
            UsageError: One is none.
        """
        for prompt in prompts:
            if prompt.tokens is not None:
                self.read(prompt.tokens.tolist())

    def text_of(self, tokens: Sequence[int]) -> str:
        """Return what tokens say, from the last that ends a text on."""
        said = b""
        for token in tokens:
            said = b"" if token in self.end_tokens else said + self.parts[token]
        return said.decode("utf-8", "replace")

    def read(self, tokens: Sequence[int]) -> PythonSource:
        """Return a prompt as the beginning of source.

        Raises:
            UsageError: It is none.
        """
        prompt = self.text_of(tokens)
        source = python_of(prompt)
        if source is None:
            said = prompt if len(prompt) <= 60 else f"... {prompt[-56:]}"
            raise UsageError(
                f"the prompt {said!r} cannot begin {self.language}",
                expected=f"the beginning of {self.language} source, which may break off anywhere",
                do="mend the prompt, or leave out the syntax",
            )
        return source

    def spelled(self, text: str) -> list[int] | None:
        """Return tokens that say a text, the longest that fit, ``None`` where the model has none for a part of it."""
        rest, found = text.encode(), []
        while rest:
            length = next((size for size in range(len(rest), 0, -1) if rest[:size] in self.tokens), 0)
            if not length:
                return None
            found.append(self.tokens[rest[:length]])
            rest = rest[length:]
        return found

    def stated(self, content: str, new_content: str) -> dict[str, object]:
        """Return what the manifest says of a text: whether it kept to the syntax and whether it is whole.

        Args:
            content: The prompt and what was made.
            new_content: What was made.
        """
        source = python_of(content[: len(content) - len(new_content)])
        source = None if source is None else source.read(new_content)
        is_whole = source is not None and source.is_whole
        return {"language": self.language, "is_kept": source is not None, "is_whole": is_whole}


def syntax_constraint(language: str, codec: Codec, config: FamilyConfig, options: Config) -> SyntaxConstraint:
    """Return the constraint of a model.

    Args:
        language: One of those of ``syntax``.
        codec: Of the model.
        config: Of its family.
        options: How it draws.

    Raises:
        UnsupportedError: The model goes on with no text.
    """
    values = options.to_dictionary()
    if "max_tokens" not in values or not isinstance(codec, EndsTexts) or answers(codec, config):
        raise UnsupportedError(
            f"the syntax of {language} of a model that goes on with no text", expected="a model of code, or of text"
        )
    return SyntaxConstraint(
        language,
        codec,
        end_tokens=codec.end_tokens,
        limit=values["max_tokens"],
        temperature=values.get("temperature", 1.0),
    )


class _Following:
    """The hook of one text."""

    def __init__(self, constraint: SyntaxConstraint) -> None:
        self._constraint = constraint
        self._source: PythonSource | None = None
        self._start = self._read = -1
        self._open = b""
        self._way: list[int] = []

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        if self._start < 0:
            self._start = len(history)
            self._source = self._constraint.read(history.tolist())
        else:
            self._follow(history[self._read :].tolist())
        self._read = len(history)
        if self._source is None:
            return logits
        kept = self._fitting(self._source, logits, self._constraint.limit - (self._read - self._start))
        if not kept:
            self._source = None
            return logits
        chosen = torch.full_like(logits, NEVER)
        chosen[kept] = logits[kept]
        # What has to come may be what the model, or a bias, never wants.
        return chosen if bool((chosen > NEVER).any()) else chosen.index_fill(0, torch.tensor(kept), 0.0)

    def _follow(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            if self._source is None:
                return
            self._way = self._way[1:]
            read = self._text_after(token)
            self._source, self._open = (None, b"") if read is None else (self._source.read(read[0]), read[1])

    def _fitting(self, source: PythonSource, logits: Tensor, left: int) -> list[int]:
        """Return the tokens that may come next; none where nothing is known that may."""
        if self._way:
            return self._way[:1]
        is_near_end = left <= self._constraint.reserve + len(source.end.brackets) and not self._open
        kept: list[int] = []
        # The greedy choice is what the smallest temperature leaves.
        warmth = max(self._constraint.temperature, COLDEST)
        probabilities, order = (logits.float() / warmth).softmax(0).topk(min(MOST_CHECKED, len(logits)))
        fitting, unseen = 0.0, 1.0
        for token, share in zip(order.tolist(), probabilities.tolist()):
            if share <= 0:
                break
            unseen -= share
            if self._fits(source, token, left - 1 if is_near_end else None):
                kept.append(token)
                fitting += share
            if fitting and unseen <= UNCHECKED_SHARE * (fitting + unseen):
                break
        if kept:
            return kept
        if self._open:
            found = (token for token in range(len(self._constraint.parts)) if self._fits(source, token, None))
            return [token for token in [next(found, None)] if token is not None]
        said = ending(source)
        if said == "":
            return sorted(self._constraint.end_tokens)
        self._way = (said and self._constraint.spelled(said)) or []
        return self._way[:1]

    def _fits(self, source: PythonSource, token: int, room: int | None) -> bool:
        """Return whether a token may come next, with room for that many tokens behind it; ``None`` for any number."""
        if token in self._constraint.end_tokens:
            return not self._open and source.is_whole
        read = self._text_after(token)
        if read is None:
            return False
        text, is_open = read[0], bool(read[1])
        after = source.read(text + _LETTER if is_open else text)
        if after is None or not after.is_meant or (is_open and not after.is_in_words):
            return False
        if room is None:
            return True
        if is_open:
            return False
        said = ending(after)
        way = None if said is None else self._constraint.spelled(said)
        return way is not None and len(way) <= room

    def _text_after(self, token: int) -> tuple[str, bytes] | None:
        """Return the whole characters that a token ends, and the bytes of the one that it leaves open; ``None`` where it is no text."""
        part = self._constraint.parts[token] if token < len(self._constraint.parts) else b""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            text = decoder.decode(self._open + part)
        except UnicodeDecodeError:
            return None
        return (text, decoder.getstate()[0]) if part else None


@functools.lru_cache(maxsize=2)
def _spelling(codec: SpellsTokens) -> tuple[list[bytes], dict[bytes, int]]:
    """Return the bytes of each token, none of those that are no text, and the tokens by their bytes."""
    special = set(codec.special_tokens())
    parts = [b"" if token in special else part for token, part in enumerate(codec.token_bytes())]
    return parts, {part: token for token, part in reversed(list(enumerate(parts))) if part}
