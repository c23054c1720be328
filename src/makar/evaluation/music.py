"""Measures a model of music: prediction, keys, ranges, parallels, intervals and rhythm of its pieces beside real ones, and what it copied.

Every figure stands beside that of real pieces that were held out, distances beside that of two halves of the real ones, and beside pieces
drawn from pairs of words. A key that is told is found again by the profile of pitch classes (Krumhansl and Schmuckler), which knows
nothing of the model. Runs that were copied are counted in notes, whatever the key and the speed (``makar.novelty.compared``).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from makar.codecs.music import MusicCodec
from makar.data.keys import KEYS, in_key_share, key_of
from makar.data.score import VOICES, Score, notation_of, score_of
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.findings import Findings, Picture, Sample, Table
from makar.evaluation.findings import Score as Figure
from makar.evaluation.likelihood import Likelihood, measure_likelihood
from makar.evaluation.material import Material
from makar.evaluation.music_measures import (
    apart,
    degree_counts,
    duration_counts,
    interval_counts,
    parallels,
    ranges,
    share_in_range,
)
from makar.evaluation.pictures import grid_png
from makar.evaluation.symbols import SymbolCounts, drawn_items, perplexity_score
from makar.generation.generate import generate
from makar.generation.piano_roll import piano_roll
from makar.nn.threads import threads_for
from makar.novelty.compared import compared_text
from makar.novelty.novelty import Novelty
from makar.tensor_spec import TARGET

SAMPLES, KEYS_TOLD = 24, 12
MOST_SAMPLE_TOKENS, LEAST_SAMPLE_TOKENS = 1024, 64
REAL = "real, held out"
SHOWN = 4
MOST_REAL = 200


def evaluate_music(material: Material) -> Findings:
    """Measure a model of music.

    Args:
        material: The model and its data.
    """
    codec, family = material.codec, material.artifact.family()
    assert isinstance(codec, MusicCodec), "the metric is registered for music"
    material.say("held-out pieces")
    with threads_for(family.config.computed_weights()):
        likelihood = measure_likelihood(family, codec, material.held_out)
    counts = None if material.train is None else SymbolCounts.of(material.train, vocabulary=codec.vocabulary)
    count = material.samples or SAMPLES
    length = _usual_length(material.held_out)
    pieces = _written(material, [None], count, length)
    real = [score_of(notation) for notation in _notations(material.held_out, codec)]
    drawn = [] if counts is None else drawn_items(counts, codec, end=codec.end_token, count=count, seed=material.seed)
    control = [score_of(notation) for notation in drawn]
    material.say("keys, ranges and novelty")
    told, untold = _obeyed(material, pieces, length)
    notations = [notation_of(score) for score in pieces]
    novelties = material.novelty.check_many(notations) if material.novelty is not None else []
    known = [notation_of(score) for score in real[: 2 * count]]
    people = material.novelty.check_many(known) if material.novelty is not None else []
    measures = _Measures(pieces, real, control)
    return Findings(
        verdict=(
            _sentence_on_prediction(likelihood, material, counts),
            _sentence_on_keys(told),
            _sentence_on_copies(novelties),
        ),
        scores=(
            perplexity_score(likelihood, material.held_out, counts),
            *_grid_nats(material, codec, likelihood),
            *measures.scores(),
            _key_score(told, untold),
        ),
        novelty_scores=_novelty_scores(novelties, people),
        tables=(_table(pieces, novelties),),
        pictures=tuple(
            _picture(score, f"piece {number + 1}") for number, score in enumerate(pieces[:SHOWN]) if score.notes
        )
        + tuple(_picture(score, "a real piece, held out") for score in real[:1]),
        samples=tuple(
            Sample(
                text=notation[:600] + (" …" if len(notation) > 600 else ""),
                note="novelty unknown here" if not novelties else novelties[number].summary(),
                is_copy=bool(novelties) and novelties[number].is_copy,
            )
            for number, notation in enumerate(notations[:SHOWN])
        ),
        details={
            "nats_per_token": likelihood.nats_per_token.to_dictionary(),
            "pieces": len(pieces),
            "silent": sum(not score.notes for score in pieces),
            "novelty": [novelty.to_dictionary() for novelty in novelties],
        },
    )


class _Measures:
    """Figures of written pieces beside real ones and those drawn from pairs of words."""

    def __init__(self, pieces: Sequence[Score], real: Sequence[Score], control: Sequence[Score]) -> None:
        self.pieces = [score for score in pieces if score.notes]
        self.real, self.control = list(real), [score for score in control if score.notes]

    def scores(self) -> list[Figure]:
        if not self.pieces:
            return []
        usual = ranges(self.real)
        found = [
            self._mean(
                "in_key",
                "Sounding time in the scale of the key",
                lambda score: in_key_share(score.notes, key_of(score.notes)),
            ),
            self._mean(
                "in_range", "Notes in the usual range of their part", lambda score: share_in_range(score, usual)
            ),
            self._apart("scale_degrees", "pitch classes above the tonic", degree_counts),
            self._apart("intervals", "melodic intervals", interval_counts),
            self._apart("durations", "lengths of notes", duration_counts),
        ]
        if all(score.is_grid for score in self.real) and any(score.is_grid for score in self.pieces):
            found.append(
                self._mean("parallels", "Parallel fifths and octaves in a hundred quarters", parallels, of_grids=True)
            )
        return found

    def _mean(self, key: str, name: str, of: Callable[[Score], float], *, of_grids: bool = False) -> Figure:
        groups = [
            [score for score in group if score.is_grid or not of_grids]
            for group in (self.pieces, self.real, self.control)
        ]
        own, *others = [mean_interval(np.array([of(score) for score in group])) if group else None for group in groups]
        assert own is not None, "there are pieces"
        names = (REAL, "drawn from pairs of words")
        beside = tuple((other, interval) for other, interval in zip(names, others, strict=True) if interval is not None)
        return Figure(key=key, name=name, interval=own, better="near", meaning="Mean over pieces.", baselines=beside)

    def _apart(self, key: str, what: str, counted: Callable[[Sequence[Score]], np.ndarray]) -> Figure:
        all_real = counted(self.real)
        own = apart(counted(self.pieces), all_real)
        floor = apart(counted(self.real[::2]), counted(self.real[1::2]))
        control = (
            (("drawn from pairs of words", _point(apart(counted(self.control), all_real))),) if self.control else ()
        )
        return Figure(
            key=f"apart_{key}",
            name=f"Distance of {what} from real pieces",
            interval=_point(own),
            better="lower",
            meaning="Half the sum of the differences between the shares in both, 0 to 1.",
            baselines=(("real against real", _point(floor)), *control),
        )


def _point(value: float) -> Interval:
    return Interval(value, value, value)


def _usual_length(store: Store) -> int:
    column = store.columns[TARGET]
    sizes = [len(column[record]) for record in range(len(store))]
    return int(np.clip(np.median(sizes), LEAST_SAMPLE_TOKENS, MOST_SAMPLE_TOKENS))


def _notations(store: Store, codec: MusicCodec) -> list[str]:
    column = store.columns[TARGET]
    chosen = np.unique(np.linspace(0, len(store) - 1, min(MOST_REAL, len(store))).astype(np.int64))
    return [codec.decode({TARGET: np.asarray(column[int(record)])}) for record in chosen]


def _written(material: Material, prompts: Sequence[str | None], count: int, length: int) -> list[Score]:
    pieces: list[Score] = []
    for prompt in prompts:
        made = generate(
            material.artifact,
            prompts=prompt,
            count=count,
            seed=material.seed,
            options={"max_tokens": length, "temperature": 1.0},
        )
        for asset in made:
            pieces.append(score_of(asset.content.notation))
            material.say("writing pieces", len(pieces), count * len(prompts))
    return pieces


def _obeyed(material: Material, pieces: Sequence[Score], length: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return in how many of how many pieces the key that was told is found, and in how many of those that were told none."""
    keys = KEYS[: 24 : 24 // KEYS_TOLD]
    count = max(1, (material.samples or SAMPLES) // KEYS_TOLD)
    hits = total = 0
    for key in keys:
        for score in _written(material, [f"key={key}"], count, length):
            hits += bool(score.notes) and key_of(score.notes) == key
            total += 1
    free = sum(key_of(score.notes) == key for score in pieces if score.notes for key in keys)
    return (hits, total), (free, len(pieces) * len(keys))


def _key_score(told: tuple[int, int], untold: tuple[int, int]) -> Figure:
    return Figure(
        key="key_obeyed",
        name="Pieces in the key that was told",
        interval=share_interval(*told),
        better="higher",
        meaning="Share of pieces whose profile of pitch classes is that of the key that was asked for.",
        baselines=(("pieces that were told none", share_interval(*untold)),) if untold[1] else (),
    )


def _grid_nats(material: Material, codec: MusicCodec, likelihood: Likelihood) -> list[Figure]:
    """Return the nats of a sounding sixteenth of one part, everything else that is predicted counted in, where all pieces are grids."""
    names = [codec.tokenizer.id_to_token(token) or "" for token in range(codec.vocabulary)]
    is_pitch = np.array([name[:1] in VOICES and (name[1:] == "-" or name[1:].isdecimal()) for name in names])
    column = material.held_out.columns[TARGET]
    counted = np.array(
        [
            is_pitch[np.asarray(column[one.record])[one.start : one.start + one.tokens]].sum()
            for one in likelihood.windows
        ]
    )
    sizes = np.array([one.tokens for one in likelihood.windows])
    if counted.sum() < 0.5 * sizes.sum():
        return []
    value = sum(one.nats for one in likelihood.windows) / counted.sum()
    share = value / likelihood.nats_per_token.value
    interval = Interval(*(part * share for part in dataclasses.astuple(likelihood.nats_per_token)))
    figure = Figure(
        key="nats_per_pitch",
        name="Nats of a pitch on the grid",
        interval=interval,
        better="lower",
        meaning="Information of one part at one sixteenth of pieces that were held out; the marks of quarters and the head are counted in.",
        unit="nats",
    )
    return [figure]


def _novelty_scores(novelties: Sequence[Novelty], people: Sequence[Novelty]) -> tuple[Figure, ...]:
    if not novelties:
        return ()
    longest = mean_interval(np.array([float(one.longest_span) for one in novelties]))
    usual = mean_interval(np.array([float(one.longest_span) for one in people] or [0.0]))
    copies = share_interval(sum(one.is_copy for one in novelties), len(novelties))
    real = share_interval(sum(one.is_copy for one in people), len(people)) if people else Interval(0.0, 0.0, 0.0)
    return (
        Figure(
            key="copies",
            name="Pieces that are copies",
            interval=copies,
            better="lower",
            meaning=f"A run of {novelties[0].threshold:.0f} notes or more as in the training data, in any key, at any speed.",
            baselines=((REAL, real),),
        ),
        Figure(
            key="longest_run",
            name="Longest copied run, mean",
            interval=longest,
            better="near",
            meaning="Notes in a row that stand in the training data with the same steps and lengths.",
            unit="notes",
            baselines=((REAL, usual),),
        ),
    )


def _table(pieces: Sequence[Score], novelties: Sequence[Novelty]) -> Table:
    rows = []
    for number, score in enumerate(pieces[:12]):
        longest = f"{novelties[number].longest_span}" if novelties else "unknown here"
        notes = len(compared_text(notation_of(score), "music").split())
        rows.append(
            (
                str(number + 1),
                key_of(score.notes),
                score.metre,
                f"{score.tempo}",
                f"{score.seconds():.0f} s",
                f"{notes}",
                longest,
            )
        )
    return Table(
        key="pieces",
        caption="The first pieces",
        columns=("piece", "key found", "metre", "tempo", "lasts", "notes", "longest copied run"),
        rows=tuple(rows),
    )


def _picture(score: Score, what: str) -> Picture:
    return Picture(
        key=what.replace(" ", "-").replace(",", ""),
        caption=f"Piano roll of {what}: time to the right, pitch upwards, a colour a part",
        alternative=f"{len(score.notes)} notes in {len({note.part for note in score.notes})} parts, in {key_of(score.notes)}",
        png=grid_png([piano_roll(score)], columns=1),
    )


def _sentence_on_prediction(likelihood: Likelihood, material: Material, counts: SymbolCounts | None) -> str:
    score = perplexity_score(likelihood, material.held_out, counts)
    said = f"It hesitates between {score.interval.value:.2f} words where it reads a piece that it has not heard"
    if not score.baselines:
        return said + "; the baselines need the training data, which is not on this machine."
    return f"{said}; counting pairs of words hesitates between {score.baselines[-1][1].value:.2f}."


def _sentence_on_keys(told: tuple[int, int]) -> str:
    return f"Of {told[1]} pieces that were told a key {told[0]} are in it, as their pitches tell."


def _sentence_on_copies(novelties: Sequence[Novelty]) -> str:
    if not novelties:
        return "Whether it copies cannot be said here: the training data is not on this machine."
    copies, longest = sum(one.is_copy for one in novelties), max(one.longest_span for one in novelties)
    return f"Of {len(novelties)} pieces {copies} copy the training data; the longest copied run has {longest} notes."
