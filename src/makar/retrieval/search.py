"""Finds passages for a question: by words (BM25), by vectors where there are some, and by both, put together by their places.

Words: the content words of the question, any of them, in the stems of the index (Robertson et al. 1994; k1 1.2 and b 0.75 are fixed in
FTS5); and, as a list of its own with a small weight, pairs that stand side by side as in the question, stop words among them. Vectors:
the cosine with every passage. Together: reciprocal rank fusion, sum of weight / (k + place) (Cormack et al. 2009, section 2), k 20.
Nearly equal passages, as overlapping ones are, come once.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence

import numpy as np
from jaxtyping import Float

from makar.retrieval.index import Index, Stored
from makar.retrieval.terms import content_words, has_grams, neighbouring, words_of

FUSION = 20.0
CANDIDATES = 200
PAIRS = 0.25
"""Weight of words that stand side by side as they do in the question, beside that of the words alone."""

MOST_WORDS = 48
"""Words of a question that are looked up; a longer one is a document and says the same with fewer."""

Embed = Callable[[Sequence[str]], Float[np.ndarray, "count width"]]
"""From texts to their vectors."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that was found.

    Attributes:
        stored: The passage.
        score: Larger is better; comparable within one search only.
        lexical_place: Its place among those found by words, from 1 on; ``None`` where it was not.
        dense_place: The same for vectors.
    """

    stored: Stored
    score: float
    lexical_place: int | None
    dense_place: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoder:
    """A model that texts are compared by.

    Attributes:
        name: Its name and hash: vectors of another are never compared with its own.
        embed: From texts that are looked through to vectors.
        embed_question: From questions to vectors; ``None`` reads them as what is looked through.
    """

    name: str
    embed: Embed
    embed_question: Embed | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """How much each list of passages counts when they are put together; 0 leaves it out.

    Attributes:
        words: What was found by words.
        pairs: What was found by words that stand side by side.
        vectors: What was found by vectors.
    """

    words: float = 1.0
    pairs: float = PAIRS
    vectors: float = 1.0

    def best(self, *, with_vectors: bool) -> float:
        """Return the score of a passage that is the first in every list."""
        return (self.words + self.pairs + (self.vectors if with_vectors else 0.0)) / (FUSION + 1)


USUAL = Ranking()


def search(
    index: Index,
    question: str,
    *,
    limit: int,
    encoder: Encoder | None = None,
    ranking: Ranking = USUAL,
    documents: Collection[str] | None = None,
    with_copies: bool = False,
) -> list[Hit]:
    """Return the passages that fit a question best, the best first.

    Args:
        index: Where to look.
        question: Words in any script.
        limit: How many at most.
        encoder: Looks by vectors too; passages that have none are found by words.
        ranking: How much each list counts.
        documents: Names of the only documents that are looked at; ``None`` looks at all.
        with_copies: Whether other documents that hold the very same passage come too, beyond ``limit``: where it counts how many say it.
    """
    wanted = max(limit, CANDIDATES)
    lists = {
        "words": lexical(index, question, limit=wanted, documents=documents) if ranking.words else [],
        "pairs": neighbours(index, question, limit=wanted, documents=documents) if ranking.pairs else [],
        "vectors": (
            dense(index, question, encoder, limit=wanted, documents=documents)
            if ranking.vectors and encoder is not None
            else []
        ),
    }
    scores: dict[int, float] = {}
    for name, weight in dataclasses.asdict(ranking).items():
        for place, number in enumerate(lists[name], 1):
            scores[number] = scores.get(number, 0.0) + weight / (FUSION + place)
    places = {name: {number: place for place, number in enumerate(found, 1)} for name, found in lists.items()}
    best = sorted(scores, key=lambda number: (-scores[number], number))
    hits: list[Hit] = []
    for stored in _first(index, best, limit=limit, with_copies=with_copies):
        in_words, in_vectors = (places[name].get(stored.id) for name in ("words", "vectors"))
        hits.append(Hit(stored=stored, score=scores[stored.id], lexical_place=in_words, dense_place=in_vectors))
    return hits


def _first(index: Index, best: Sequence[int], *, limit: int, with_copies: bool) -> list[Stored]:
    """Return the first passages that differ, read a few at a time: of many copies of one any number may have to be passed over."""
    found: list[Stored] = []
    different = 0
    for start in range(0, len(best), 2 * limit):
        for stored in index.stored(best[start : start + 2 * limit]):
            same = [one.document for one in found if _is_same(stored, one)]
            if not same and different < limit:
                different += 1
                found.append(stored)
            elif same and with_copies and stored.document not in same:
                found.append(stored)
        if different == limit:
            break
    return found


def lexical(index: Index, question: str, *, limit: int, documents: Collection[str] | None = None) -> list[int]:
    """Return the numbers of passages by the words of a question, the best first."""
    words = list(dict.fromkeys(content_words(question)))[:MOST_WORDS]
    if not words:
        return []
    found = index.lexical([(word,) for word in words], limit=limit, documents=documents)
    if has_grams(question):
        grams = [word for word in words if len(word) >= 3]
        pieces = dict.fromkeys(word[at : at + 3] for word in grams for at in range(len(word) - 2))
        if pieces:
            every = [(piece,) for piece in list(pieces)[:MOST_WORDS]]
            by_grams = index.lexical(every, limit=limit, grams=True, documents=documents)
        else:
            # Most words of Chinese have two characters, and are in no group of three.
            by_grams = index.holding([word for word in words if has_grams(word)], limit=limit, documents=documents)
        found = list(dict.fromkeys([*by_grams, *found]))[:limit]
    return found


def any_word(index: Index, question: str, *, limit: int) -> list[Stored]:
    """Return the passages that hold any word of a question, stop words too, as anybody would ask FTS5: what the search is measured by."""
    words = list(dict.fromkeys(words_of(question)))[:MOST_WORDS]
    return index.stored(index.lexical([(word,) for word in words], limit=limit)) if words else []


def neighbours(index: Index, question: str, *, limit: int, documents: Collection[str] | None = None) -> list[int]:
    """Return the numbers of passages in which words of the question stand side by side, one of them no stop word, the best first."""
    pairs = sorted(neighbouring(" ".join(words_of(question)[:MOST_WORDS])))
    return index.lexical(pairs, limit=limit, documents=documents)


def dense(
    index: Index, question: str, encoder: Encoder, *, limit: int, documents: Collection[str] | None = None
) -> list[int]:
    """Return the numbers of passages by the cosine of their vectors with that of a question, the best first."""
    return index.nearest(encoder.name, _unit(encoder, question), limit=limit, documents=documents)


def _unit(encoder: Encoder, text: str) -> Float[np.ndarray, " width"]:
    vector = np.asarray((encoder.embed_question or encoder.embed)([text]), np.float32)[0]
    unit: np.ndarray = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit


def _is_same(one: Stored, other: Stored) -> bool:
    """Whether two passages say the same: equal texts, or more than half of the shorter one in common."""
    if one.passage.text == other.passage.text:
        return True
    if one.document != other.document:
        return False
    shared = min(one.passage.end, other.passage.end) - max(one.passage.start, other.passage.start)
    lengths = (one.passage.end - one.passage.start, other.passage.end - other.passage.start)
    return shared > 0.5 * min(lengths)
