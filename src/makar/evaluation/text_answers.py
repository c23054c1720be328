"""Measures a model that finds answers in passages: exact match and F1 of SQuAD, beside the sentence of the passage most like the question.

An answer is compared with what is right without case, punctuation, articles and runs of spaces. Exact match is the share that is then the
same; F1 is counted over words in common (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1). What is right is what the data say, whether
it is in the passage or not; the best that any span of the passages could get is printed beside. The sentence is chosen by words in common
with the question, rare ones counting more.
"""

import collections
import math
import re
from collections.abc import Sequence

import numpy as np
import torch

from makar.codecs.question_text import QuestionTextCodec
from makar.codecs.question_text_config import GIVEN, NONE
from makar.errors import UnsupportedError
from makar.evaluation.answers import chosen_rows
from makar.evaluation.bootstrap import mean_interval, share_interval
from makar.evaluation.findings import Findings, Score, Table
from makar.evaluation.material import Material
from makar.evaluation.rewriting_scores import answer_scores, normal_answer
from makar.families.encoder.span_finder import SpanFinderFamily
from makar.nn.threads import threads_for
from makar.tensor_spec import ANSWER, SPAN, TARGET

TOGETHER = 32
MOST_ASKED = 2000
SHOWN = 12
NEAREST, FOUND = "sentence most like the question", "what was to be learned of the passage"
_SENTENCES = re.compile(r"(?<=[.!?])\s+")


def evaluate_answers(material: Material) -> Findings:
    """Measure a model that finds answers.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model is of another kind, or weights of the Inception network were given.
    """
    family, codec = material.artifact.family(), material.codec
    if not isinstance(family, SpanFinderFamily) or not isinstance(codec, QuestionTextCodec):
        raise UnsupportedError(f"answers by a model of family {family.config.kind}", expected="span-finder")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    columns = material.held_out.columns
    chosen = chosen_rows(material.held_out, MOST_ASKED)
    rows, about, written = (
        np.stack([np.asarray(columns[name][int(row)]) for row in chosen]).astype(np.int64)
        for name in (TARGET, SPAN, ANSWER)
    )
    right = [codec.answers_of(row) for row in written]
    parts = [codec.parts_of({TARGET: row, SPAN: span}) for row, span in zip(rows, about, strict=True)]
    told = {
        "": _told(material, family, codec, rows, about[:, 0] - 1),
        NEAREST: nearest_sentences(parts),
        FOUND: [_text(codec, row, span[2] - 1, span[3] - 1) for row, span in zip(rows, about, strict=True)],
    }
    measured = {who: answer_scores(said, right) for who, said in told.items()}
    exact = {who: share_interval(int(hits.sum()), len(hits)) for who, (hits, _) in measured.items()}
    shared = {who: mean_interval(overlap) for who, (_, overlap) in measured.items()}
    told_of = {
        "exact_match": ("Exact match", exact, "Share of the answers that are right word for word."),
        "answer_f1": ("F1 of answers", shared, "Words in common with the right answer, in the mean over questions."),
    }
    scores = tuple(
        Score(
            key=key,
            name=name,
            interval=found[""],
            better="higher",
            meaning=meaning,
            baselines=tuple((who, interval) for who, interval in found.items() if who),
        )
        for key, (name, found, meaning) in told_of.items()
    )
    lines = [
        f"{score.name}: {score.interval.value:.3f} ({score.interval.low:.3f} to {score.interval.high:.3f})"
        + "".join(f"; {name}: {interval.value:.3f}" for name, interval in score.baselines)
        + "."
        for score in scores
    ]
    missing, without = int((about[:, 1] < GIVEN).sum()), int((about[:, 1] == NONE).sum())
    if missing:
        lines.append(
            f"Of {len(right)} questions {missing} have an answer that is not in what is kept of their passage."
        )
    if without:
        lines.append(f"Of {len(right)} questions {without} have none.")
    lines += [f"Of what was learned from: {remark}." for remark in codec.remarks()]
    shown = [(question, said, " / ".join(true)) for (question, _), said, true in zip(parts, told[""], right)][:SHOWN]
    table = Table(
        key="answers",
        caption="Held-out questions, what was answered, and the right answers; not chosen.",
        columns=("question", "answered", "right"),
        rows=tuple(tuple(cell or "–" for cell in row) for row in shown),
    )
    return Findings(
        verdict=tuple(lines),
        scores=scores,
        tables=(table,),
        details={"questions": len(right), "not_there": missing, "without": without},
    )


def nearest_sentences(parts: Sequence[tuple[str, str]]) -> list[str]:
    """Return the sentence of each passage that has most words of its question, each counting by how rare it is in the passages.

    Args:
        parts: Questions with passages.
    """
    seen: collections.Counter[str] = collections.Counter()
    for _, passage in parts:
        seen.update(set(normal_answer(passage).split()))
    found = []
    for question, passage in parts:
        wanted = set(normal_answer(question).split())
        sentences = [part for part in _SENTENCES.split(passage) if part.strip()] or [passage]

        def weight(sentence: str, wanted: set[str] = wanted) -> float:
            common = wanted & set(normal_answer(sentence).split())
            return sum(math.log((1 + len(parts)) / (1 + seen[word])) + 1e-6 for word in common)

        found.append(max(sentences, key=weight))
    return found


def _told(
    material: Material, family: SpanFinderFamily, codec: QuestionTextCodec, rows: np.ndarray, begin: np.ndarray
) -> list[str]:
    said: list[str] = []
    device = family.network.encoder.embeddings.device
    with threads_for(family.config.parameter_count()):
        for start in range(0, len(rows), TOGETHER):
            material.say("answering questions", start, len(rows))
            part = torch.from_numpy(rows[start : start + TOGETHER]).to(device)
            found = family.find(part, torch.from_numpy(begin[start : start + TOGETHER]).to(device))
            none = (found.none > found.probability).tolist() if codec.some_have_none else [False] * len(part)
            said += [
                "" if nothing else _text(codec, row, first, last)
                for row, (first, last), nothing in zip(rows[start : start + TOGETHER], found.span.tolist(), none)
            ]
    return said


def _text(codec: QuestionTextCodec, row: np.ndarray, first: int, last: int) -> str:
    """Return the text of tokens of a row, from 0 on; nothing where they are none."""
    return codec.rows.decode(row[first : last + 1]).strip() if first >= 0 else ""
