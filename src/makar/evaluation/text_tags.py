"""Measures a model that tags words: F1 of whole entities, beside the most frequent tag of each word and beside features of words alone.

An entity is right when its kind, its first and its last word are (conlleval; seqeval in its default mode). Precision, recall and F1 are
over all entities together (micro), with intervals over resampled texts. Where tags mark no entities the share of words told right counts
alone. Every model is measured on what this one reads: the first words of a text.
"""

import collections
import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import torch

from makar.codecs.tag_scheme import entities_of
from makar.data.store import Store
from makar.errors import UnsupportedError
from makar.evaluation.bootstrap import Interval, interval_of, ratio_interval
from makar.evaluation.findings import Findings, Score, Table
from makar.evaluation.material import Material
from makar.families.encoder.tagger import TaggerFamily
from makar.families.family import Batch
from makar.nn.threads import threads_for
from makar.tensor_spec import FEATURES, PLACES, TAGS

TOGETHER = 64
UNKNOWN = "B-?"
"""A tag that was not learned: an entity of a kind of its own, which nobody can tell right."""

Tagged = list[list[str]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Entities of each text: those that were told right, told, and there."""

    right: np.ndarray
    told: np.ndarray
    there: np.ndarray


def evaluate_tags(material: Material) -> Findings:
    """Measure a model that tags words.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model is of another kind, or weights of the Inception network were given.
    """
    family = material.artifact.family()
    if not isinstance(family, TaggerFamily):
        raise UnsupportedError(f"tags by a model of family {family.config.kind}", expected="tagger")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    names: tuple[str, ...] = material.codec.tag_names  # type: ignore[attr-defined]  # its codec has them
    right = _right(material.held_out, names)
    told = {"": _told(material, family, names, float(family.feature_share))}
    if family.config.features:
        told["what can be seen of words alone, in a chain"] = _told(material, family, names, 1.0)
    if material.train is not None:
        told["most frequent tag of each word"] = usual_tags(
            *_words_and_tags(material.train, names), _words_and_tags(material.held_out, names)[0]
        )
    scores = [_accuracy(told, right)]
    tables: tuple[Table, ...] = ()
    if family.config.entities:
        scores = [*_entity_scores(told, right), *scores]
        tables = (_by_kind(told[""], right),)
    lines = [
        f"{score.name}: {score.interval.value:.3f} ({score.interval.low:.3f} to {score.interval.high:.3f})"
        + "".join(f"; {name}: {interval.value:.3f}" for name, interval in score.baselines)
        + "."
        for score in scores
    ]
    lines += [f"{remark[0].upper()}{remark[1:]}." for remark in material.codec.remarks()]
    return Findings(
        verdict=tuple(lines),
        scores=tuple(scores),
        tables=tables,
        details={"texts": len(right), "words": sum(map(len, right)), "feature_share": float(family.feature_share)},
    )


def counted(told: Tagged, right: Tagged) -> Counted:
    """Count entities text by text."""
    pairs = [(set(entities_of(said)), set(entities_of(true))) for said, true in zip(told, right, strict=True)]
    return Counted(
        right=np.array([len(said & true) for said, true in pairs], np.float64),
        told=np.array([len(said) for said, _ in pairs], np.float64),
        there=np.array([len(true) for _, true in pairs], np.float64),
    )


def f1_of(found: Counted, times: np.ndarray) -> float:
    """Return 2 right / (told + there) over all entities.

    Args:
        found: Counts of each text.
        times: How many times each text is taken.
    """
    below = float(times @ (found.told + found.there))
    return 2 * float(times @ found.right) / below if below else 0.0


def usual_tags(words: list[np.ndarray], tags: Tagged, asked: list[np.ndarray]) -> Tagged:
    """Return for every word the tag that it has most often, and for a new one the most frequent tag of all.

    Args:
        words: Training words, one number each.
        tags: Their tags.
        asked: Words to be tagged.
    """
    seen: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    all_: collections.Counter[str] = collections.Counter()
    for row, named in zip(words, tags, strict=True):
        for word, tag in zip(row.tolist(), named, strict=True):
            seen[word][tag] += 1
            all_[tag] += 1
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    usual = all_.most_common(1)[0][0]
    return [[best.get(word, usual) for word in row.tolist()] for row in asked]


def _right(store: Store, names: Sequence[str]) -> Tagged:
    return _words_and_tags(store, names)[1]


def _words_and_tags(store: Store, names: Sequence[str]) -> tuple[list[np.ndarray], Tagged]:
    """Return the words, each as the hash of its form, and their tags."""
    columns = {name: np.asarray(store.columns[name].values) for name in (PLACES, TAGS, FEATURES)}
    places = columns[PLACES].reshape(len(store), -1)
    tags = columns[TAGS].reshape(len(store), -1)
    forms = columns[FEATURES].reshape(*places.shape, -1)[:, :, 0]
    there = (places > 0).sum(1)
    shown = [*names, UNKNOWN]
    return (
        [forms[row, :count] for row, count in enumerate(there)],
        [[shown[number] for number in tags[row, :count].tolist()] for row, count in enumerate(there)],
    )


def _told(material: Material, family: TaggerFamily, names: Sequence[str], share: float) -> Tagged:
    store, said = material.held_out, []
    device = family.forbidden.device
    flat = {name: np.asarray(column.values).reshape(len(store), -1) for name, column in store.columns.items()}
    rows: dict[str, np.ndarray] = {**flat, FEATURES: flat[FEATURES].reshape(*flat[PLACES].shape, -1)}
    before = float(family.feature_share)
    family.feature_share.fill_(share)
    with threads_for(family.config.parameter_count()):
        for start in range(0, len(store), TOGETHER):
            material.say("tagging words", start, len(store))
            batch: Batch = {
                name: torch.from_numpy(values[start : start + TOGETHER].astype(np.int64)).to(device)
                for name, values in rows.items()
            }
            found, _ = family.tags(batch)
            counts = (batch[PLACES] > 0).sum(1).tolist()
            said += [[names[tag] for tag in row[:count]] for row, count in zip(found.tolist(), counts, strict=True)]
    family.feature_share.fill_(before)
    return said


def _entity_scores(told: dict[str, Tagged], right: Tagged) -> list[Score]:
    found = {who: counted(said, right) for who, said in told.items()}
    texts = len(right)
    f1 = {who: interval_of(functools.partial(f1_of, part), texts) for who, part in found.items()}
    precision = {who: _ratio(part.right, part.told) for who, part in found.items()}
    recall = {who: _ratio(part.right, part.there) for who, part in found.items()}
    return [
        _score("entity_f1", "Entity F1", f1, "F1 of whole entities: kind, first and last word are right (seqeval)."),
        _score("entity_precision", "Entity precision", precision, "Share of the entities told that are there."),
        _score("entity_recall", "Entity recall", recall, "Share of the entities there that are told."),
    ]


def _ratio(hits: np.ndarray, of: np.ndarray) -> Interval:
    return ratio_interval(hits, of) if of.sum() else Interval(0.0, 0.0, 0.0)


def _accuracy(told: dict[str, Tagged], right: Tagged) -> Score:
    words = np.array([len(row) for row in right], np.float64)
    found = {}
    for who, said in told.items():
        hits = [sum(map(str.__eq__, row, true)) for row, true in zip(said, right, strict=True)]
        found[who] = ratio_interval(np.array(hits, np.float64), words)
    return _score("word_accuracy", "Accuracy of words", found, "Share of held-out words whose tag is told right.")


def _score(key: str, name: str, found: dict[str, Interval], meaning: str) -> Score:
    others = tuple((who, interval) for who, interval in found.items() if who)
    return Score(key=key, name=name, interval=found[""], better="higher", meaning=meaning, baselines=others)


def _by_kind(told: Tagged, right: Tagged) -> Table:
    rows = []
    kinds = sorted({entity.kind for row in right for entity in entities_of(row)})
    for kind in kinds:
        found = counted(
            *([[tag if tag[2:] == kind else "O" for tag in row] for row in rows_] for rows_ in (told, right))
        )
        hits, said, there = (int(part.sum()) for part in (found.right, found.told, found.there))
        rows.append(
            (
                kind,
                str(there),
                f"{hits / said:.3f}" if said else "–",
                f"{hits / there:.3f}" if there else "–",
                f"{2 * hits / (said + there):.3f}",
            )
        )
    return Table(
        key="kinds",
        caption="Each kind of entity: how many there are, precision, recall, F1.",
        columns=("kind", "entities", "precision", "recall", "F1"),
        rows=tuple(rows),
    )
