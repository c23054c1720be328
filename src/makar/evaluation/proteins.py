"""Measures a model of proteins: how well it predicts residues it has not seen, how its sequences compare with real ones, what it copied.

Perplexity is that of a residue, beside counting residues and pairs of them, which is what any model of proteins has to beat. Of samples the
shares of the amino acids and the lengths are compared with real ones, beside two halves of those. Whether a sequence folds, let alone
does something, is not measured by anything here.
"""

from collections.abc import Sequence

import numpy as np

from makar.codecs.protein import ProteinCodec
from makar.data.amino_acids import STANDARD
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.findings import Findings, Sample, Score, Table
from makar.evaluation.likelihood import measure_likelihood
from makar.evaluation.material import Material
from makar.evaluation.symbols import SymbolCounts, drawn_items, perplexity_score, quantile_distance
from makar.generation.generate import generate
from makar.nn.threads import threads_for
from makar.novelty.novelty import Novelty
from makar.tensor_spec import TARGET

SAMPLES, SHOWN = 64, 6
LONGEST_SAMPLE = 512
MOST_REAL = 1000
REAL, FLOOR, PAIRS = "real, held out", "real against real", "drawn from pairs of residues"


def evaluate_proteins(material: Material) -> Findings:
    """Measure a model of proteins.

    Args:
        material: The model and its data.
    """
    codec, family = material.codec, material.artifact.family()
    assert isinstance(codec, ProteinCodec), "the metric is registered for proteins"
    material.say("held-out proteins")
    with threads_for(family.config.computed_weights()):
        likelihood = measure_likelihood(family, codec, material.held_out)
    counts = None if material.train is None else SymbolCounts.of(material.train, vocabulary=codec.vocabulary)
    count = material.samples or SAMPLES
    made = _written(material, count)
    real = _sequences(material.held_out, codec)
    control = [] if counts is None else drawn_items(counts, codec, end=codec.end_token, count=count, seed=material.seed)
    novelties = material.novelty.check_many(made) if material.novelty is not None else []
    known = [one[:LONGEST_SAMPLE] for one in real[:count]]
    people = material.novelty.check_many(known) if material.novelty is not None else []
    perplexity = perplexity_score(likelihood, material.held_out, counts)
    return Findings(
        verdict=(_sentence(perplexity), _sentence_on_copies(novelties)),
        scores=(perplexity, _composition(made, real, control), _lengths(made, real, control)),
        novelty_scores=_novelty_scores(novelties, people),
        tables=(_table(made, real),),
        samples=tuple(
            Sample(
                text=sequence,
                note="novelty unknown here" if not novelties else novelties[number].summary(),
                is_copy=bool(novelties) and novelties[number].is_copy,
            )
            for number, sequence in enumerate(made[:SHOWN])
        ),
        details={"nats_per_residue": likelihood.nats_per_token.to_dictionary(), "samples": len(made)},
    )


def shares_of(sequences: Sequence[str]) -> np.ndarray:
    """Return the share of each standard amino acid in some sequences, float64 ``[20]``."""
    whole = "".join(sequences)
    found = np.array([whole.count(letter) for letter in STANDARD], np.float64)
    return found / max(1.0, found.sum())


def _written(material: Material, count: int) -> list[str]:
    sequences = []
    options = {"max_tokens": LONGEST_SAMPLE, "temperature": 1.0, "top_p": 1.0}
    for asset in generate(material.artifact, count=count, seed=material.seed, options=options):
        sequences.append(str(asset.content))
        material.say("writing proteins", len(sequences), count)
    return sequences


def _sequences(store: Store, codec: ProteinCodec) -> list[str]:
    column = store.columns[TARGET]
    chosen = np.unique(np.linspace(0, len(store) - 1, min(MOST_REAL, len(store))).astype(np.int64))
    return [codec.decode({TARGET: np.asarray(column[int(record)])}) for record in chosen]


def _point(value: float) -> Interval:
    return Interval(value, value, value)


def _composition(made: Sequence[str], real: Sequence[str], control: Sequence[str]) -> Score:
    def apart(one: Sequence[str], other: Sequence[str]) -> Interval:
        return _point(float(np.abs(shares_of(one) - shares_of(other)).sum() / 2))

    return Score(
        key="apart_residues",
        name="Distance of the shares of amino acids from real",
        interval=apart(made, real),
        better="lower",
        meaning="Half the sum of the differences, 0 to 1.",
        baselines=((FLOOR, apart(real[::2], real[1::2])), *(((PAIRS, apart(control, real)),) if control else ())),
    )


def _lengths(made: Sequence[str], real: Sequence[str], control: Sequence[str]) -> Score:
    def apart(one: Sequence[str], other: Sequence[str]) -> Interval:
        sizes = [[float(min(len(sequence), LONGEST_SAMPLE)) for sequence in group] or [0.0] for group in (one, other)]
        return _point(quantile_distance(*sizes))

    return Score(
        key="apart_lengths",
        name="Distance of lengths from real",
        interval=apart(made, real),
        better="lower",
        meaning=f"Mean distance between the quantiles of lengths; longer ones count as {LONGEST_SAMPLE}.",
        unit="residues",
        baselines=((FLOOR, apart(real[::2], real[1::2])), *(((PAIRS, apart(control, real)),) if control else ())),
    )


def _novelty_scores(novelties: Sequence[Novelty], people: Sequence[Novelty]) -> tuple[Score, ...]:
    if not novelties:
        return ()
    longest, usual = (
        mean_interval(np.array([float(one.longest_span) for one in group] or [0.0])) for group in (novelties, people)
    )
    return (
        Score(
            key="copies",
            name="Sequences that are copies",
            interval=share_interval(sum(one.is_copy for one in novelties), len(novelties)),
            better="lower",
            meaning=f"A run of {novelties[0].threshold:.0f} residues or more as in the training data.",
            baselines=((REAL, share_interval(sum(one.is_copy for one in people), max(1, len(people)))),),
        ),
        Score(
            key="longest_run",
            name="Longest copied run, mean",
            interval=longest,
            better="near",
            meaning="Residues in a row that stand in the training data.",
            unit="residues",
            baselines=((REAL, usual),),
        ),
    )


def _table(made: Sequence[str], real: Sequence[str]) -> Table:
    own, theirs = shares_of(made), shares_of(real)
    return Table(
        key="residues",
        caption="Shares of the amino acids",
        columns=("letter", "samples", "real"),
        rows=tuple((letter, f"{own[place]:.3f}", f"{theirs[place]:.3f}") for place, letter in enumerate(STANDARD)),
    )


def _sentence(score: Score) -> str:
    said = f"It hesitates between {score.interval.value:.2f} residues where it reads a protein that it has not seen"
    if not score.baselines:
        return said + "; the baselines need the training data, which is not on this machine."
    names = ", ".join(f"{name} {interval.value:.2f}" for name, interval in score.baselines)
    is_better = score.interval.high < min(interval.value for _, interval in score.baselines)
    return f"{said} ({names}): {'better than counting' if is_better else 'no better than counting'}."


def _sentence_on_copies(novelties: Sequence[Novelty]) -> str:
    if not novelties:
        return "Whether it copies cannot be said here: the training data is not on this machine."
    copies = sum(one.is_copy for one in novelties)
    return f"Of {len(novelties)} sequences {copies} repeat a run of the training data that is longer than people's own."
