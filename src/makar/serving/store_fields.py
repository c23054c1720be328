"""What the routes of vector stores read: how files are divided, attributes and filters over them, how finds are ranked; see ``fields``.

Sizes are said in tokens, because the API says so; passages are counted in words here, and a token is taken for three quarters of one.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError, UnsupportedError
from makar.retrieval.chunking import OVERLAP, WORDS
from makar.retrieval.search import Ranking

WORDS_A_TOKEN = 0.75
MOST_FOUND = 50
MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
MOST_QUERIES = 16
COMPARED = {
    "eq": lambda has, wanted: has == wanted,
    "ne": lambda has, wanted: has != wanted,
    "gt": lambda has, wanted: has > wanted,
    "gte": lambda has, wanted: has >= wanted,
    "lt": lambda has, wanted: has < wanted,
    "lte": lambda has, wanted: has <= wanted,
}
FILTERS = (*COMPARED, "in", "nin", "and", "or")
RANKERS = ("auto", "none", "default-2024-11-15")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreFields(Config):
    """Body of POST /v1/vector_stores."""

    kind: ClassVar[str] = ""

    name: str = setting("", meaning="what it is called")
    description: str | None = setting(None, meaning="what it is for")
    file_ids: list = setting(factory=list, meaning="ids of uploaded files to begin with")
    chunking_strategy: dict | None = setting(None, meaning="how these files are divided: auto, or static with sizes")
    expires_after: dict | None = setting(None, meaning='{"anchor": "last_active_at", "days": 1 to 365}')
    metadata: dict | None = setting(None, meaning="kept with it")
    embedding_model: str | None = setting(
        None, meaning="a saved model of the recipe embed, by which passages are found too; none takes words alone"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreChangeFields(Config):
    """Body of POST /v1/vector_stores/ID."""

    kind: ClassVar[str] = ""

    name: str | None = setting(None, meaning="what it is called from now on")
    expires_after: dict | None = setting(None, meaning="when it is given up; null never")
    metadata: dict | None = setting(None, meaning="kept with it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreFileFields(Config):
    """Body of POST /v1/vector_stores/ID/files."""

    kind: ClassVar[str] = ""

    file_id: str = setting(meaning="id of an uploaded file")
    attributes: dict | None = setting(None, meaning="what filters ask for: texts, numbers, truth values")
    chunking_strategy: dict | None = setting(None, meaning="how it is divided: auto, or static with sizes")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttributeFields(Config):
    """Body of POST /v1/vector_stores/ID/files/ID."""

    kind: ClassVar[str] = ""

    attributes: dict = setting(meaning="what filters ask for: texts, numbers, truth values")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreBatchFields(Config):
    """Body of POST /v1/vector_stores/ID/file_batches."""

    kind: ClassVar[str] = ""

    file_ids: list | None = setting(None, meaning="ids of uploaded files")
    files: list | None = setting(None, meaning="the same, each with attributes and strategy of its own")
    attributes: dict | None = setting(None, meaning="of all of them, with file_ids")
    chunking_strategy: dict | None = setting(None, meaning="how all of them are divided, with file_ids")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreSearchFields(Config):
    """Body of POST /v1/vector_stores/ID/search, and what the tool file_search says of it."""

    kind: ClassVar[str] = ""

    query: Any = setting(meaning="a question, or up to 16 of them")
    filters: dict | None = setting(None, meaning="which files are looked at, by their attributes")
    max_num_results: int = setting(10, meaning="passages at most", minimum=1, maximum=MOST_FOUND)
    ranking_options: dict | None = setting(None, meaning="ranker, score_threshold, weights of words and vectors")
    rewrite_query: bool = setting(False, meaning="look for the words of a question that say what it is about only")


def chunking_of(strategy: dict[str, Any] | None) -> dict[str, Any]:
    """Return how a file is divided, with the sizes written out.

    Raises:
        ConfigError: The sizes do not fit.
    """
    kind = (strategy or {"type": "auto"}).get("type")
    size: Any
    overlap: Any
    if kind == "auto":
        size, overlap = round(WORDS / WORDS_A_TOKEN), round(OVERLAP * WORDS / WORDS_A_TOKEN)
    elif kind == "static" and strategy is not None:
        sizes = strategy.get("static")
        size, overlap = (
            (sizes.get("max_chunk_size_tokens"), sizes.get("chunk_overlap_tokens"))
            if isinstance(sizes, dict)
            else (0, 0)
        )
        if type(size) is not int or not 100 <= size <= 4096:
            raise ConfigError(f"body.chunking_strategy has the size {size!r:.40}", expected="100 to 4096 tokens")
        if type(overlap) is not int or not 0 <= overlap <= size // 2:
            raise ConfigError(
                f"body.chunking_strategy has the overlap {overlap!r:.40}", expected="0 to half of the size"
            )
    else:
        raise ConfigError(f"body.chunking_strategy is of type {kind!r:.40}", expected="auto or static")
    return {"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}}


def words_of_chunking(strategy: Mapping[str, Any]) -> tuple[int, float]:
    """Return the length of passages in words, and the share that is repeated."""
    size, overlap = (strategy["static"][name] for name in ("max_chunk_size_tokens", "chunk_overlap_tokens"))
    return round(WORDS_A_TOKEN * size), overlap / size


def checked_metadata(values: dict[str, Any] | None, *, param: str = "metadata") -> dict[str, str]:
    """Return what is kept with an object.

    Raises:
        ConfigError: It is too much, or no texts.
    """
    found = values or {}
    is_small = len(found) <= MOST_PAIRS and all(len(name) <= LONGEST_KEY for name in found)
    if not is_small or not all(isinstance(one, str) and len(one) <= LONGEST_VALUE for one in found.values()):
        raise ConfigError(
            f"body.{param} is too much or no text",
            expected=f"at most {MOST_PAIRS} names of at most {LONGEST_KEY} characters, texts of at most {LONGEST_VALUE}",
        )
    return found


def checked_attributes(values: Any) -> dict[str, Any]:
    """Return the attributes of a file.

    Raises:
        ConfigError: They are too much, or of another type.
    """
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"body.attributes is a {type(values).__name__}", expected="an object")
    found = values or {}
    if not all(isinstance(one, str | bool | int | float) for one in found.values()):
        raise ConfigError("body.attributes holds something else", expected="texts, numbers and truth values")
    checked_metadata({name: one if isinstance(one, str) else "" for name, one in found.items()}, param="attributes")
    return found


def checked_expiry(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return when a store is given up.

    Raises:
        ConfigError: It is no such rule.
    """
    if values is None:
        return None
    days = values.get("days")
    if values.get("anchor") != "last_active_at" or type(days) is not int or not 1 <= days <= 365:
        raise ConfigError("body.expires_after is no rule", expected='{"anchor": "last_active_at", "days": 1 to 365}')
    return {"anchor": "last_active_at", "days": days}


def check_filter(wanted: Any) -> None:
    """Refuse a filter that is none.

    Raises:
        ConfigError: It is none.
    """
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in FILTERS:
        raise ConfigError(f"body.filters has the type {kind!r:.40}", expected=", ".join(FILTERS))
    if kind in ("and", "or"):
        parts = wanted.get("filters")
        if not isinstance(parts, list) or not parts:
            raise ConfigError(f'body.filters of type "{kind}" has no filters', expected="a list of them")
        for part in parts:
            check_filter(part)
        return
    value, is_list = wanted.get("value"), kind in ("in", "nin")
    values = value if is_list and isinstance(value, list) else [value]
    is_plain = all(isinstance(one, str | int | float) for one in values)
    if not isinstance(wanted.get("key"), str) or not is_plain or (is_list and not isinstance(value, list)):
        expected = "a key, and a list" if is_list else "a key, and a text, a number or a truth value"
        raise ConfigError(f'body.filters of type "{kind}" has no such value', expected=expected)


def passes(attributes: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a file with these attributes is looked at.

    What a file has no attribute for it is not equal to; values of two types are neither equal nor in an order.

    >>> passes({"year": 2020}, {"type": "and", "filters": [{"type": "gte", "key": "year", "value": 2019}]})
    True
    """
    kind = wanted["type"]
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(passes(attributes, part) for part in wanted["filters"])
    has, value = attributes.get(wanted["key"]), wanted["value"]
    if kind in ("in", "nin"):
        return any(_alike(has, one) and has == one for one in value) == (kind == "in")
    return bool(COMPARED[kind](has, value)) if _alike(has, value) else kind == "ne"


def _alike(one: Any, other: Any) -> bool:
    return _sort(one) == _sort(other)


def _sort(value: Any) -> str:
    # A truth value is no number here, as it is none in JSON.
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def queries_of(query: Any) -> list[str]:
    """Return the questions of a search.

    Raises:
        ConfigError: There is none.
    """
    found = [query] if isinstance(query, str) else query
    is_list = isinstance(found, list) and 0 < len(found) <= MOST_QUERIES
    if not is_list or not all(isinstance(one, str) and one.strip() for one in found):
        raise ConfigError("body.query is no question", expected=f"a text, or a list of at most {MOST_QUERIES}")
    return found


def ranking_of(options: dict[str, Any] | None) -> tuple[Ranking, float]:
    """Return how finds are ranked, and the score that they need at least.

    ``none`` ranks by words alone; the others put together words, words side by side, and vectors where there are some.

    Raises:
        ConfigError: A value does not fit.
        UnsupportedError: There is no such option.
    """
    given = dict(options or {})
    ranker, threshold = given.pop("ranker", None) or "auto", given.pop("score_threshold", None) or 0.0
    weights = given.pop("hybrid_search", None)
    if given:
        raise UnsupportedError(
            f"body.ranking_options has {sorted(given)[0]!a:.40}", expected="ranker, score_threshold, hybrid_search"
        )
    if ranker not in RANKERS:
        raise ConfigError(f"body.ranking_options has the ranker {ranker!r:.40}", expected=", ".join(RANKERS))
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise ConfigError(f"body.ranking_options has the threshold {threshold!r:.40}", expected="0 to 1")
    if weights is None:
        return (Ranking(pairs=0.0, vectors=0.0) if ranker == "none" else Ranking()), threshold
    if not isinstance(weights, dict) or ranker == "none":
        raise ConfigError(
            "body.ranking_options.hybrid_search does not fit", expected="two weights, and not ranker none"
        )
    both: list[Any] = [weights.get("text_weight"), weights.get("embedding_weight")]
    if not all(type(one) in (int, float) and 0 <= one <= 1000 for one in both) or not any(both):
        raise ConfigError("body.ranking_options.hybrid_search has no such weights", expected="0 to 1000, not both 0")
    usual = Ranking()
    return Ranking(words=both[0], pairs=usual.pairs * both[0], vectors=both[1]), threshold
