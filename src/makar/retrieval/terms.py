"""Words as the index knows them: the tokens of SQLite's own tokenizer with Porter's stems, so that a question is cut up as documents are.

The stems come out of a table in memory with the tokenizer of the index, which costs a few microseconds a word and can never differ from
it. Scripts that write no spaces are one long token there; they are searched by groups of three characters instead (``has_grams``), and
what a text is about is told by its pairs of characters.
"""

import itertools
import re
import sqlite3
import threading
from collections.abc import Sequence

from makar.data.sentences import UNSPACED

TOKENIZER = "porter unicode61 remove_diacritics 2"
GRAM_TOKENIZER = "trigram"
_WORD = re.compile(r"\w+")
_RUN = re.compile(f"{UNSPACED.pattern}+")
_HIRAGANA = re.compile(r"[\u3040-\u309f]+")

STOP_WORDS = frozenset((
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before", "but", "by", "can",
    "could", "did", "do", "does", "doing", "for", "from", "had", "has", "have", "having", "he", "her", "here", "him", "his", "how", "i",
    "if", "in", "into", "is", "it", "its", "just", "me", "more", "most", "my", "no", "nor", "not", "of", "on", "or", "our", "out", "over",
    "she", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "through", "to", "under", "until", "up", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "whose",
    "why", "will", "with", "would", "you", "your",
))  # fmt: skip
"""English words that say nothing of what a text is about."""


class Stemmer:
    """Cuts texts into the terms of the index; may be used by several threads."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        self._connection.execute(f"create virtual table words using fts5(text, tokenize = '{TOKENIZER}')")
        self._connection.execute("create virtual table found using fts5vocab(words, instance)")

    def terms(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the terms of every text in order, stop words included."""
        with self._lock:
            self._connection.execute("delete from words")
            rows = ((number, text.replace("\0", " ")) for number, text in enumerate(texts, 1))
            self._connection.executemany("insert into words(rowid, text) values (?, ?)", rows)
            found = self._connection.execute("select doc, offset, term from found order by doc, offset").fetchall()
            self._connection.rollback()
        every: list[list[str]] = [[] for _ in texts]
        for number, _, term in found:
            every[number - 1].append(term)
        return every

    def content_terms(self, text: str) -> list[str]:
        """Return the terms of the words that are no stop words, each once, in the order in which they come.

        In scripts that write no spaces every two characters that stand side by side are one; these follow the others.
        """
        return self.many_content_terms([text])[0]

    def many_content_terms(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the terms of every text like ``content_terms``, in one go."""
        words = [" ".join(content_words(text)) for text in texts]
        spaced = self.terms([_RUN.sub(" ", text) for text in words])
        pairs = [[pair for run in _RUN.findall(text) for pair in _pairs(run)] for text in words]
        return [list(dict.fromkeys([*found, *more])) for found, more in zip(spaced, pairs, strict=True)]


def _pairs(run: str) -> list[str]:
    every = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    # Hiragana alone are the endings and particles of Japanese, which any sentence has.
    return [pair for pair in every if not _HIRAGANA.fullmatch(pair)] or every


def content_words(text: str) -> list[str]:
    """Return the words of a text that are no stop words; all of them where there are no others.

    >>> content_words("What does the with statement do?")
    ['statement']
    >>> content_words("Who are they?")
    ['Who', 'are', 'they']
    """
    words = words_of(text)
    return [word for word in words if word.lower() not in STOP_WORDS] or words


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are written."""
    return _WORD.findall(text)


def neighbouring(text: str) -> set[tuple[str, str]]:
    """Return pairs of words that stand side by side, in lower case, of which one at least is no stop word.

    >>> sorted(neighbouring("the with statement"))
    [('with', 'statement')]
    """
    content = {word.lower() for word in content_words(text)}
    return {pair for pair in itertools.pairwise(map(str.lower, words_of(text))) if content & set(pair)}


def has_grams(text: str) -> bool:
    """Return whether a text holds a script that writes no spaces between words."""
    return UNSPACED.search(text) is not None
