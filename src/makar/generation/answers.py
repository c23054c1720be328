"""Reading what a model wrote, and agreeing on one answer of several: the parts that chains are composed of.

A chain is ordinary Python: fill a prompt, generate, read, fill the next. ``vote`` takes, of several answers to one prompt, the one that
most of them give (self-consistency, Wang et al. 2022, arXiv 2203.11171), or the one that a scorer likes best.
"""

import collections
import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from makar.errors import DataError, UsageError

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.*\S)", re.MULTILINE)


def json_in(text: str) -> Any:
    """Return the first JSON object or list in a text.

    >>> json_in('Sure: {"a": 1} Done.')
    {'a': 1}
    """
    decoder = json.JSONDecoder()
    for found in re.finditer(r"[{\[]", text):
        try:
            return decoder.raw_decode(text[found.start() :])[0]
        except ValueError:
            continue
    raise DataError("there is no JSON in what the model wrote", do="ask with --json-schema")


def list_in(text: str) -> list[str]:
    """Return the items of a list in a text: lines with a dash or a number, otherwise every line.

    >>> list_in("Here:\\n1. red\\n2. blue")
    ['red', 'blue']
    """
    return _ITEM.findall(text) or [line.strip() for line in text.splitlines() if line.strip()]


def number_in(text: str) -> str:
    """Return the last number in a text, without commas; empty where there is none.

    >>> number_in("3 + 4 makes 1,007.50")
    '1007.5'
    """
    found = _NUMBER.findall(text)
    if not found:
        return ""
    plain = found[-1].replace(",", "")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def reader(pattern: str | None) -> Callable[[str], str]:
    """Return what reads the answer in a text: the first group, or all, of the last match; without a pattern the whole text.

    Raises:
        UsageError: The pattern is no regular expression.
    """
    if pattern is None:
        return str.strip
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}", expected="one") from error

    def read(text: str) -> str:
        found = list(compiled.finditer(text))
        if not found:
            return ""
        return (found[-1].group(1) if compiled.groups else found[-1].group(0)).strip()

    return read


@dataclasses.dataclass(frozen=True)
class Vote:
    """What several texts agree on.

    Attributes:
        answer: The answer that won.
        share: Share of the texts that give it.
        counts: How many give each answer, most first; an empty answer counts but never wins over another.
        winner: Number of the first text that gives it.
    """

    answer: str
    share: float
    counts: dict[str, int]
    winner: int


def vote(texts: Sequence[str], *, answer: Callable[[str], str], scorer: Callable[[str], float] | None = None) -> Vote:
    """Take the answer that most texts give, of equals the one that came first; with a scorer the one whose scores add up to most.

    Args:
        texts: What a model wrote for one prompt.
        answer: Reads the answer in a text.
        scorer: Says how good a text is, 0 or more; ``None`` counts each text once.
    """
    given = [answer(text) for text in texts]
    weights: dict[str, float] = collections.defaultdict(float)
    for one, text in zip(given, texts):
        weights[one] += 1.0 if scorer is None else scorer(text)
    counts = dict(collections.Counter(given).most_common())
    best = max(counts, key=lambda one: (bool(one), weights[one], -given.index(one)))
    return Vote(answer=best, share=counts[best] / len(given), counts=counts, winner=given.index(best))
