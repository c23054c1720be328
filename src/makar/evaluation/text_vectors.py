"""Measures a model that makes vectors of texts: whether texts that belong together are found, beside BM25; whether likeness is as judged.

Each held-out question, source or first half of a piece of text is asked for its own other half among all of them: nDCG@10 (Jarvelin and
Kekalainen 2002), beside BM25 on the same words, and beside the sum of both orders (reciprocal rank fusion: Cormack et al. 2009). Where
pairs have scores, Spearman's correlation of scores and cosines, beside the cosine of TF-IDF. Texts are measured as they are kept: pairs cut
off at the length of a row, pieces of a stream cut into halves.
"""

from collections.abc import Sequence

import numpy as np

from makar.codecs.similar_text import SimilarTextCodec
from makar.codecs.similar_text_config import PAIRS
from makar.errors import UnsupportedError
from makar.evaluation.answers import chosen_rows
from makar.evaluation.bm25 import Bm25
from makar.evaluation.bootstrap import Interval, mean_interval
from makar.evaluation.correlation import spearman_interval
from makar.evaluation.findings import Findings, Score
from makar.evaluation.material import Material
from makar.evaluation.ranking import gain_at
from makar.families.encoder.embedder import EmbedderFamily
from makar.generation.embed import embed
from makar.tensor_spec import SCORE, SOURCE, TARGET

MOST_ASKED, MOST_LOOKED_IN = 500, 5000
FUSED = 60
"""Added to every place before orders are added up."""

BELONGING = 0.5
"""Pairs with scores belong together from this share of the range on."""

WORDS, BOTH = "BM25", "both orders together"


def evaluate_vectors(material: Material) -> Findings:
    """Measure a model that makes vectors of texts.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model is of another kind, or weights of the Inception network were given.
    """
    family, codec = material.artifact.family(), material.codec
    if not isinstance(family, EmbedderFamily) or not isinstance(codec, SimilarTextCodec):
        raise UnsupportedError(f"vectors by a model of family {family.config.kind}", expected="embedder")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    asked, texts, alike = _pairs(material, codec)
    material.say("reading texts", 0, len(asked) + len(texts))
    first, second = (embed(material.artifact, part).values for part in (asked, texts))
    scores = []
    if codec.has_scores:
        cosines = (first * second).sum(1)
        scores.append(
            Score(
                key="spearman",
                name="Spearman's correlation with the scores",
                interval=spearman_interval(cosines, alike),
                better="higher",
                meaning="Whether pairs are as alike as they were judged to be.",
                baselines=(("cosine of TF-IDF", spearman_interval(_word_cosines(asked, texts), alike)),),
            )
        )
    found = _found(material, [asked, texts], (first, second), alike)
    if found:
        scores.append(
            Score(
                key="ndcg_at_10",
                name="nDCG@10",
                interval=found[""],
                better="higher",
                meaning="Where the other half of a pair stands among all of them: 1 on top, 0 below place 10.",
                baselines=tuple((who, interval) for who, interval in found.items() if who),
            )
        )
    lines = tuple(
        f"{score.name}: {score.interval.value:.3f} ({score.interval.low:.3f} to {score.interval.high:.3f})"
        + "".join(f"; {name}: {interval.value:.3f}" for name, interval in score.baselines)
        + "."
        for score in scores
    )
    lines += tuple(f"Of what was learned from: {remark}." for remark in codec.remarks())
    return Findings(
        verdict=lines, scores=tuple(scores), details={"pairs": len(asked), "dimensions": int(first.shape[1])}
    )


def _pairs(material: Material, codec: SimilarTextCodec) -> tuple[list[str], list[str], np.ndarray]:
    """Return two texts that belong together of each pair, and how alike they are."""
    columns = material.held_out.columns
    if codec.config.learns != PAIRS:
        halves = [
            (piece[: len(piece) // 2], piece[len(piece) // 2 :])
            for piece in _pieces(np.asarray(columns[TARGET].values).reshape(-1), codec)
        ]
        texts = [tuple(codec.rows.decode(half) for half in pair) for pair in halves]
        kept = [pair for pair in texts if all(half.strip() for half in pair)]
        kept = [
            kept[place]
            for place in np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST_LOOKED_IN)).astype(int))
        ]
        return [one for one, _ in kept], [other for _, other in kept], np.ones(len(kept))
    chosen = chosen_rows(material.held_out, MOST_LOOKED_IN)
    rows = {name: [np.asarray(columns[name][int(row)]) for row in chosen] for name in (SOURCE, TARGET)}
    alike = np.asarray(columns[SCORE].values, np.float64).reshape(-1)[chosen]
    return [codec.rows.decode(row) for row in rows[SOURCE]], [codec.rows.decode(row) for row in rows[TARGET]], alike


def _pieces(stream: np.ndarray, codec: SimilarTextCodec) -> list[np.ndarray]:
    """Return what stands between end tokens, cut into pieces of twice the length that is read at once."""
    longest = 2 * codec.rows.length
    documents = np.split(stream, np.flatnonzero(stream == codec.end_token) + 1)
    pieces = [part[start : start + longest] for part in documents for start in range(0, len(part), longest)]
    return [kept for piece in pieces if len(kept := piece[piece != codec.end_token]) >= longest // 4]


def _found(
    material: Material, pair: Sequence[list[str]], vectors: tuple[np.ndarray, np.ndarray], alike: np.ndarray
) -> dict[str, Interval]:
    """Return nDCG@10 of the vectors, of BM25 and of both; nothing where fewer than two texts are looked in."""
    texts = list(dict.fromkeys(pair[1]))
    place_of = {text: place for place, text in enumerate(texts)}
    belonging = np.flatnonzero(alike >= BELONGING)
    if len(texts) < 2 or not len(belonging):
        return {}
    first_of = {text: number for number, text in reversed(list(enumerate(pair[1])))}
    kept = np.array([first_of[text] for text in texts])
    words = Bm25(texts)
    gains: dict[str, list[float]] = {"": [], WORDS: [], BOTH: []}
    for number in belonging[np.unique(np.linspace(0, len(belonging) - 1, min(len(belonging), MOST_ASKED)).astype(int))]:
        material.say("looking for texts", len(gains[""]), min(len(belonging), MOST_ASKED))
        right = np.zeros(len(texts))
        right[place_of[pair[1][number]]] = 1.0
        told = {"": vectors[1][kept] @ vectors[0][number], WORDS: words.scores(pair[0][number])}
        for who, said in {**told, BOTH: fused(list(told.values()))}.items():
            gains[who].append(gain_at(said, right))
    return {who: mean_interval(np.array(values)) for who, values in gains.items()}


def fused(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of 1 / (60 + place) over several orders, float ``[texts]``."""
    places = [np.argsort(np.argsort(-score, kind="stable"), kind="stable") for score in scores]
    return np.asarray(sum(1.0 / (FUSED + 1 + place) for place in places))


def _word_cosines(first: list[str], second: list[str]) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b|[^\w\s]").fit([*first, *second])
    one, other = vectoriser.transform(first), vectoriser.transform(second)
    return np.asarray(one.multiply(other).sum(1)).ravel()
