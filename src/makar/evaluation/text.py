"""Measures a model of text or code: prediction of held-out text beside baselines, novelty and diversity of samples.

What a sceptic asks, in order: does it predict text it has not seen better than counting n-grams or a general compressor would; does it
only repeat its training data; does it repeat itself? Samples and the human text that they are compared with have the same lengths.
"""

import dataclasses
import math

import numpy as np

from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.diversity import Diversity, diversity
from makar.evaluation.findings import Findings, Sample, Score, Table
from makar.evaluation.likelihood import Likelihood, measure_likelihood
from makar.evaluation.material import Material
from makar.evaluation.text_baselines import measure_baselines
from makar.generation.generate import generate
from makar.nn.threads import threads_for
from makar.novelty.index import text_windows
from makar.novelty.novelty import Novelty

SAMPLES = 32
SAMPLE_WORDS = 160
MOST_SAMPLE_TOKENS = 1024
PASSAGES = 200
SHOWN_SAMPLES = 6
SHOWN_CHARACTERS = 1200


def evaluate_text(material: Material) -> Findings:
    """Measure a model of text or code.

    Args:
        material: The model and its data.
    """
    material.say("held-out text")
    family = material.artifact.family()
    with threads_for(family.config.computed_weights()):
        likelihood = measure_likelihood(
            family,
            material.codec,
            material.held_out,
            progress=lambda done, total: material.say("held-out text", done, total),
        )
    baselines, details = measure_baselines(material, likelihood)
    texts = _samples(material)
    material.say("novelty and diversity of the samples")
    human = text_windows(material.held_out, material.codec, words=SAMPLE_WORDS, most=max(len(texts), PASSAGES))
    novelties = material.novelty.check_many(texts) if material.novelty is not None else []
    people = material.novelty.check_many(human) if material.novelty is not None else []
    spoken, lived = diversity(texts), diversity(as_many(human, len(texts)))
    bits = Score(
        key="bits_per_byte",
        name="Held-out bits per byte",
        interval=likelihood.bits_per_byte,
        better="lower",
        meaning="Information that the model needs for a byte of text it has not seen; independent of its codec.",
        unit="bits/byte",
        baselines=baselines,
    )
    perplexity = Score(
        key="perplexity",
        name="Perplexity of a token",
        interval=likelihood.perplexity,
        better="lower",
        meaning="Number of equally likely tokens that the model hesitates between; compare only models with one codec.",
    )
    return Findings(
        verdict=(
            _sentence_on_prediction(likelihood, baselines),
            sentence_on_novelty(novelties, people),
            sentence_on_diversity(spoken, lived),
        ),
        scores=(bits, perplexity),
        novelty_scores=(*novelty_scores(novelties, people), *diversity_scores(spoken, lived)),
        tables=near_table(novelties),
        samples=tuple(
            shown_sample(text, novelties[index] if novelties else None)
            for index, text in enumerate(texts[:SHOWN_SAMPLES])
        ),
        details={
            **details,
            "nats_per_token": likelihood.nats_per_token.to_dictionary(),
            "measured_share_of_held_out": likelihood.share,
            "samples": len(texts),
            "diversity": dataclasses.asdict(spoken),
            "diversity_of_people": dataclasses.asdict(lived),
            "novelty": [novelty.to_dictionary() for novelty in novelties],
        },
    )


def _samples(material: Material) -> list[str]:
    count = material.samples or SAMPLES
    column = material.held_out.columns["target"]
    tokens = np.asarray(column[0])[:20_000]
    words = len(material.codec.decode({"target": tokens}).split())
    length = min(MOST_SAMPLE_TOKENS, max(32, math.ceil(SAMPLE_WORDS * len(tokens) / max(1, words))))
    texts = []
    material.say("writing samples", 0, count)
    for asset in generate(material.artifact, count=count, seed=material.seed, options={"max_tokens": length}):
        texts.append(asset.content)
        material.say("writing samples", len(texts), count)
    return texts


def novelty_scores(novelties: list[Novelty], people: list[Novelty]) -> tuple[Score, ...]:
    """Return scores of the samples beside those of as long passages by people, which were not learned from either."""
    if not novelties:
        return ()
    copies = Score(
        key="copies",
        name="Samples that are copies",
        interval=share_interval(sum(novelty.is_copy for novelty in novelties), len(novelties)),
        better="lower",
        meaning=f"A verbatim span of {novelties[0].threshold:.0f} words or more, which about 1 % of human passages have.",
        baselines=_of_people(share_interval(sum(one.is_copy for one in people), len(people)), people),
    )
    scores = [copies]
    for words in (13, 50):
        share = mean_interval(np.array([_share(novelty, words) for novelty in novelties]))
        usual = mean_interval(np.array([_share(one, words) for one in people] or [0]))
        scores.append(
            Score(
                key=f"share_{words}",
                name=f"Words inside verbatim spans of {words}+",
                interval=share,
                better="near",
                meaning=f"Share of words that stand in the training data in a row of at least {words}.",
                baselines=_of_people(usual, people),
            )
        )
        if people:
            scores.append(
                Score(
                    key=f"excess_{words}",
                    name=f"The same, above people ({words}+)",
                    interval=Interval(*(part - usual.value for part in dataclasses.astuple(share))),
                    better="lower",
                    meaning="What the model repeats beyond what people repeat; 0 or less is as new as human text.",
                )
            )
    spans = mean_interval(np.array([novelty.longest_span for novelty in novelties]))
    usual = mean_interval(np.array([one.longest_span for one in people] or [0]))
    scores.append(
        Score(
            key="longest_span",
            name="Longest verbatim span, mean",
            interval=spans,
            better="near",
            meaning="Longest row of words of a sample that stands in the training data.",
            unit="words",
            baselines=_of_people(usual, people),
        )
    )
    return tuple(scores)


def _of_people(interval: Interval, people: list[Novelty]) -> tuple[tuple[str, Interval], ...]:
    return (("people, held out", interval),) if people else ()


def _share(novelty: Novelty, words: int) -> float:
    return novelty.share_13 if words == 13 else novelty.share_50


def diversity_scores(spoken: Diversity, lived: Diversity) -> tuple[Score, ...]:
    """Return scores of how samples differ, beside as many passages by people."""
    rows = (
        (
            "distinct_2",
            "Different pairs of words",
            "Share of pairs of words that are different; less means repetition.",
        ),
        ("overlap", "Overlap between samples", "Share of a sample's 4-word rows that another sample has too."),
        ("compression", "Compression of all samples", "Length over compressed length; more means repetition."),
    )
    return tuple(
        Score(
            key=key,
            name=name,
            interval=Interval(*[getattr(spoken, key)] * 3),
            better="near",
            meaning=meaning,
            baselines=(("people, held out", Interval(*[getattr(lived, key)] * 3)),),
        )
        for key, name, meaning in rows
    )


def near_table(novelties: list[Novelty]) -> tuple[Table, ...]:
    """Return the longest verbatim spans of samples as a table; none where there are none."""
    spans = sorted(
        ((novelty.nearest[0], index) for index, novelty in enumerate(novelties) if novelty.nearest),
        key=lambda pair: -pair[0].words,
    )[:8]
    if not spans:
        return ()
    return (
        Table(
            key="longest_spans",
            caption="The longest verbatim spans of the samples, and where they stand in the training data",
            columns=("words", "passage", "source", "licence", "sample"),
            rows=tuple(
                (str(near.words), near.passage, near.source, near.licence, str(index + 1)) for near, index in spans
            ),
        ),
    )


def shown_sample(text: str, novelty: Novelty | None) -> Sample:
    """Return a sample for the report, cut where it is long."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " …"
    note = "novelty unknown here" if novelty is None else novelty.summary()
    return Sample(text=cut, note=note, is_copy=novelty is not None and novelty.is_copy)


def _sentence_on_prediction(likelihood: Likelihood, baselines: tuple[tuple[str, Interval], ...]) -> str:
    bits = likelihood.bits_per_byte
    sentence = f"It needs {bits.value:.3f} bits for a byte of text it has not seen ({bits.low:.3f} to {bits.high:.3f})"
    if not baselines:
        return sentence + "; the baselines need the training data, which is not on this machine."
    name, best = min(baselines, key=lambda pair: pair[1].value)
    gain = 1 - bits.value / best.value
    if bits.high < best.value:
        return f"{sentence}, {gain:.0%} less than the best baseline ({name}: {best.value:.3f})."
    if bits.low > best.value:
        return f"{sentence}: worse than the best baseline ({name}: {best.value:.3f}). Train longer or on more data."
    return f"{sentence}: not distinguishable from the best baseline ({name}: {best.value:.3f})."


def as_many(passages: list[str], count: int) -> list[str]:
    """Return so many passages, evenly spread; diversity falls with their number."""
    if len(passages) <= count:
        return passages
    return [passages[index] for index in np.linspace(0, len(passages) - 1, count).astype(np.int64)]


def sentence_on_novelty(novelties: list[Novelty], people: list[Novelty]) -> str:
    """Return in a sentence whether samples copy."""
    if not novelties:
        return "Whether it copies cannot be said here: the training data is not on this machine."
    copies = sum(novelty.is_copy for novelty in novelties)
    share = float(np.mean([novelty.share_13 for novelty in novelties]))
    compared = f" (people: {np.mean([one.share_13 for one in people]):.2%})" if people else ""
    judged = "none" if copies == 0 else str(copies)
    return (
        f"Of {len(novelties)} samples {judged} {'is a copy' if copies < 2 else 'are copies'}; {share:.2%} of the words lie in verbatim "
        f"spans of 13 words or more{compared}."
    )


def sentence_on_diversity(spoken: Diversity, lived: Diversity) -> str:
    """Return in a sentence whether samples repeat each other."""
    ratio = spoken.compression / lived.compression if lived.compression else math.nan
    if ratio > 1.25:
        return f"It repeats itself: its samples compress {ratio:.2f} times as well as as much human text."
    return f"It does not repeat itself more than people do: its samples compress {ratio:.2f} times as well."
