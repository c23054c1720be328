"""Measures a model that makes one text from another, beside the source itself, its first sentences, or the one nearest a question.

All figures are given for every model, because whether a pair is a translation or a summary is a matter of degree; the verdict names
those of the task. Texts are made as ``generate`` makes them without further controls: the best of five beams.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from makar.codecs.pair import BETWEEN, PairCodec
from makar.codecs.sentences import sentences_of, words_of
from makar.codecs.summary import SummaryCodec
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.findings import Findings, Score, Table
from makar.evaluation.material import Material
from makar.evaluation.rewriting_scores import (
    References,
    answer_scores,
    bleu,
    chrf,
    rouge,
    signatures,
)
from makar.generation.generate import generate
from makar.nn.threads import threads_for
from makar.tensor_spec import SOURCE, TARGET
from makar.training.batches import BatchSource

MOST_TEXTS = 1000
MOST_WINDOWS, MOST_TOKENS = 100, 100_000
TOGETHER = 32
LEAD = 3
SHOWN, SHOWN_CHARACTERS = 12, 300
MUCH_SHORTER = 0.6
"""Words of a target over those of its source below which pairs are called summaries."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said:
    """What was made of held-out sources, and what else could have been said.

    Attributes:
        sources: What was given.
        references: The right texts of each.
        written: What the model made.
        baselines: Texts that need no model, by name.
    """

    sources: list[str]
    references: References
    written: list[str]
    baselines: dict[str, list[str]]


def evaluate_rewriting(material: Material) -> Findings:
    """Measure a model that makes one text from another.

    Args:
        material: The model and its data.

    """
    codec = material.codec
    assert isinstance(codec, PairCodec | SummaryCodec), "the registry's table pairs family and metric"
    task = codec.config.needed_task
    if isinstance(codec, PairCodec) and task is None:
        return _of_spans(material, codec)
    said = _said(material, codec)
    is_answer = task == "answer"
    scores = _scores(said)
    words = [
        sum(len(words_of(text)) for text in texts) for texts in (said.sources, [right[0] for right in said.references])
    ]
    is_summary = isinstance(codec, SummaryCodec) or words[1] < MUCH_SHORTER * words[0]
    named: tuple[str, ...] = ("rouge_1", "rouge_2", "rouge_l") if is_summary else ("bleu", "chrf")
    if is_answer:
        named = ("exact", "f1", "rouge_l")
    elif material.artifact.medium == "code":
        named = ("same", "bleu")
    counted = signatures(said.references)
    signed = tuple(f"Signature of {name}: {counted[name]}." for name in counted if name in named)
    return Findings(
        verdict=(*(_sentence(score, len(said.written)) for score in scores if score.key in named), *signed),
        scores=scores,
        tables=(_table(said),),
        details={
            "texts": len(said.written),
            "references_a_text": float(np.mean([len(right) for right in said.references])),
            "measured_on": material.measured_on,
            "bleu_signature": counted["bleu"],
            "chrf_signature": counted["chrf"],
            "rouge": "F1, lower-case words, no stemming, best reference",
        },
    )


def _of_spans(material: Material, codec: PairCodec) -> Findings:
    """Measure a model that fills in spans: its surprise at them, beside that of counting tokens."""
    family = material.artifact.family("cpu")
    source = BatchSource(material.held_out, codec, family=family.config, seed=material.seed)
    held_out = np.asarray(material.held_out.columns[TARGET].values)
    counts = np.bincount(held_out if material.train is None else np.asarray(material.train.columns[TARGET].values))
    likely = np.ones(int(codec.spec[TARGET].vocabulary or 0))
    likely[: len(counts)] += counts[: len(likely)]
    surprise = -np.log(likely / likely.sum())[held_out]
    windows = min(source.count, material.samples or MOST_WINDOWS)
    losses = []
    with torch.inference_mode(), threads_for(family.config.parameter_count()):
        for number in range(windows):
            draw = torch.Generator().manual_seed(material.seed + number)
            losses.append(float(family.validation_loss(source.fixed(number, 1, of=windows), draw).value))
            material.say("held-out spans", number + 1, windows)
    score = Score(
        key="span_surprise",
        name="Surprise at a token of a held-out span",
        interval=mean_interval(np.array(losses)),
        better="lower",
        meaning="What the model needs for a token that was taken out, marks and the end among them.",
        unit="nats/token",
        baselines=(("how often tokens occur", mean_interval(surprise[:MOST_TOKENS])),),
    )
    return Findings(verdict=(_sentence(score, windows),), scores=(score,), details={"windows": windows})


def lead(text: str, sentences: int = LEAD) -> str:
    """Return the first sentences of a text, or the first turns of a conversation.

    >>> lead("A. B! C? D.")
    'A. B! C?'
    """
    return " ".join(sentences_of(text)[:sentences])


def nearest_sentence(asked: str) -> str:
    """Return the sentence of a passage that shares the largest part of the question's words; the first of equals."""
    question, _, passage = asked.partition(BETWEEN)
    wanted = set(words_of(question))
    return max(sentences_of(passage), key=lambda one: len(wanted & set(words_of(one))), default="")


def _said(material: Material, codec: PairCodec | SummaryCodec) -> Said:
    store: Store = material.held_out
    count = min(len(store), material.samples or MOST_TEXTS)
    chosen = np.linspace(0, len(store) - 1, count).astype(np.int64)
    tokens = [np.asarray(store.columns[SOURCE][number], np.int64) for number in chosen]
    sources = [codec.decode_tokens(row) for row in tokens]
    references = [codec.texts(store.columns[TARGET][number]) or [""] for number in chosen]
    written: list[str] = []
    for start in range(0, count, TOGETHER):
        part = generate(material.artifact, prompts=tokens[start : start + TOGETHER], seed=material.seed)
        written += [asset.content for asset in part]
        material.say("making texts", len(written), count)
    if codec.config.needed_task == "answer":
        baselines = {"sentence nearest to the question": [nearest_sentence(source) for source in sources]}
    else:
        baselines = {"source as it is": sources}
        leads = [lead(source) for source in sources]
        if sum(one != words for one, words in zip(leads, sources)) > 0.1 * count:
            baselines[f"first {LEAD} sentences"] = leads
    return Said(sources=sources, references=references, written=written, baselines=baselines)


def _scores(said: Said) -> tuple[Score, ...]:
    all_ = {"": said.written, **said.baselines}
    found: dict[str, dict[str, Interval]] = {}
    for name, texts in all_.items():
        exact, overlap = answer_scores(texts, said.references)
        shares = rouge(texts, said.references)
        found[name] = {
            "bleu": bleu(texts, said.references).interval(),
            "chrf": chrf(texts, said.references).interval(),
            **{f"rouge_{key.lower()}": mean_interval(100.0 * values) for key, values in shares.items()},
            "exact": share_interval(int(exact.sum()), len(exact)),
            "f1": mean_interval(overlap),
            "same": share_interval(
                sum(one.strip() in [right.strip() for right in rights] for one, rights in zip(texts, said.references)),
                len(texts),
            ),
        }
    meanings = {
        "bleu": (
            "sacreBLEU",
            "Runs of one to four words that the right text has too, with a penalty for being short; at most 100.",
        ),
        "chrf": ("chrF2", "The same for runs of one to six characters, what was left out weighing twice; at most 100."),
        "rouge_1": ("ROUGE-1", "Words in common with the right text, F1; at most 100."),
        "rouge_2": ("ROUGE-2", "Pairs of words in common, F1; at most 100."),
        "rouge_l": ("ROUGE-L", "Longest common subsequence of words, F1; at most 100."),
        "exact": ("Exact match", "Share that is right but for case, punctuation and articles."),
        "f1": ("Word F1", "Words in common but for case, punctuation and articles; at most 1."),
        "same": ("Letter for letter", "Share that is the right text to the letter: for source code."),
    }
    return tuple(
        Score(
            key=key,
            name=name,
            interval=found[""][key],
            better="higher",
            meaning=meaning,
            baselines=tuple((rival, found[rival][key]) for rival in said.baselines),
        )
        for key, (name, meaning) in meanings.items()
    )


def _sentence(score: Score, count: int) -> str:
    beside = ", ".join(f"{name} {interval.value:.2f}" for name, interval in score.baselines)
    return f"{score.name} of {count} held-out texts: {score.interval.value:.2f} ({beside})."


def _table(said: Said) -> Table:
    def shown(text: str) -> str:
        return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"

    rows: Sequence[tuple[str, ...]] = [
        (shown(source), shown(made), shown(right[0]))
        for source, made, right in list(zip(said.sources, said.written, said.references))[:SHOWN]
    ]
    return Table(
        key="texts", caption="What was given, made and right.", columns=("source", "model", "right"), rows=tuple(rows)
    )
