"""Looks for passages in one or several vector stores: what POST /v1/vector_stores/ID/search and the tool ``file_search`` have in common.

The score of a find is that of its places in the lists of words, of words side by side and of vectors, as a share of the score of a passage
that is first in all of them: it orders finds, it does not say how likely they are right. Finds of several stores are put together by it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from makar.retrieval.index import Index
from makar.retrieval.search import Encoder, Hit, Ranking, search
from makar.retrieval.terms import content_words
from makar.serving.problems import Problem
from makar.serving.store_fields import StoreSearchFields, check_filter, passes, queries_of, ranking_of
from makar.serving.store_files import StoreFile
from makar.serving.stores import Stores


@dataclasses.dataclass(frozen=True, kw_only=True)
class Find:
    """A passage that was found.

    Attributes:
        file: The file that it stands in.
        hit: The passage.
        score: 0 to 1.
    """

    file: StoreFile
    hit: Hit
    score: float

    def shown(self) -> dict[str, Any]:
        """Return it in OpenAI's shape, with where it stands."""
        passage = self.hit.stored.passage
        return {
            "file_id": self.file.file,
            "filename": self.file.filename,
            "score": self.score,
            "attributes": self.file.attributes,
            "content": [{"type": "text", "text": passage.text}],
            "makar": {
                "start": passage.start,
                "end": passage.end,
                "page": passage.page,
                "heading": passage.heading,
                "vector_store_id": self.file.store,
            },
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is looked for.

    Attributes:
        queries: Questions.
        limit: Finds at most.
        filters: Which files are looked at; ``None`` for all.
        ranking: How lists are weighed.
        threshold: Least score.
    """

    queries: tuple[str, ...]
    limit: int
    filters: Mapping[str, Any] | None
    ranking: Ranking
    threshold: float


def wanted_of(fields: StoreSearchFields) -> Wanted:
    """Return what a request looks for.

    Raises:
        ConfigError: A field does not fit.
    """
    if fields.filters is not None:
        check_filter(fields.filters)
    ranking, threshold = ranking_of(fields.ranking_options)
    queries = queries_of(fields.query)
    if fields.rewrite_query:
        queries = [" ".join(content_words(query)) or query for query in queries]
    return Wanted(
        queries=tuple(queries),
        limit=fields.max_num_results,
        filters=fields.filters,
        ranking=ranking,
        threshold=threshold,
    )


async def find(stores: Stores, names: Sequence[str], wanted: Wanted) -> list[Find]:
    """Return the passages of some stores that fit best, the best first.

    Raises:
        Problem: A store is not there, its time is over, or its encoder is gone.
    """
    found: list[Find] = []
    for name in dict.fromkeys(names):
        found += await _found_in(stores, name, wanted)
    found.sort(key=lambda one: -one.score)
    return found[: wanted.limit]


async def _found_in(stores: Stores, name: str, wanted: Wanted) -> list[Find]:
    store, filters = stores.get(name, is_used=True), wanted.filters
    keeps = None if filters is None else (lambda row: passes(row.attributes, filters))
    documents = stores.searched_files(name, keeps)
    encoders: list[Encoder | None] = [None] * len(wanted.queries)
    if store["embedding_model"] is not None and wanted.ranking.vectors:
        for number, query in enumerate(wanted.queries):
            encoder, vector = await stores.question_vector(name, store["embedding_model"], query)
            encoders[number] = Encoder(name=encoder, embed=lambda _, vector=vector: vector)  # type: ignore[misc]
    index = stores.index(name)

    def searched() -> dict[int, tuple[float, Hit]]:
        best: dict[int, tuple[float, Hit]] = {}
        for query, encoder in zip(wanted.queries, encoders):
            for hit in search(
                index, query, limit=wanted.limit, encoder=encoder, ranking=wanted.ranking, documents=documents
            ):
                score = hit.score / wanted.ranking.best(with_vectors=encoder is not None)
                if score >= wanted.threshold and score > best.get(hit.stored.id, (0.0, hit))[0]:
                    best[hit.stored.id] = (score, hit)
        return best

    found: list[Find] = []
    for score, hit in (await stores.in_thread(searched)).values():
        try:
            row = stores.rows.get(name, hit.stored.document)
        except Problem:
            # It was taken out in the meantime.
            continue
        found.append(Find(file=row, hit=hit, score=min(1.0, score)))
    return found


class Together:
    """Several indexes that count as one, for the weights of terms.

    Args:
        indexes: The indexes.
    """

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = indexes

    def counts(self) -> tuple[int, int]:
        """Return the number of documents and of passages."""
        every = [index.counts() for index in self._indexes]
        return sum(documents for documents, _ in every), sum(passages for _, passages in every)

    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """Return in how many passages each term is; terms that are nowhere are left out."""
        found: dict[str, int] = {}
        for index in self._indexes:
            for term, count in index.frequencies(terms).items():
                found[term] = found.get(term, 0) + count
        return found
