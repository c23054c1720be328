"""Measures a model of molecules: are its lines molecules, different, new; do they spread like real ones; do they follow a property.

The measures are those of MOSES (Polykovskiy et al. 2020, arXiv 1811.12823): validity among all samples, uniqueness among the valid, novelty
among the unique, internal diversity as 1 minus the mean Tanimoto similarity of Morgan fingerprints of radius 2; distances of properties are
Wasserstein's. Beside each stands the same figure of real molecules that were not learned from, and of molecules written by pairs of
symbols.
"""

import collections
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from makar.codecs.chemistry import PROPERTIES, canonical, molecule_of, property_function, rdkit
from makar.codecs.molecule import MoleculeCodec
from makar.data.smiles import smiles_tokens
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.findings import Findings, Picture, Sample, Score, Table
from makar.evaluation.likelihood import measure_likelihood
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png
from makar.evaluation.symbols import SymbolCounts, drawn_items, perplexity_score, quantile_distance
from makar.generation.generate import generate
from makar.nn.threads import threads_for
from makar.tensor_spec import TARGET

SAMPLES = 500
COMPARED_PROPERTIES = ("logp", "qed", "weight")
COMPARED = 500
"""Molecules whose properties and fingerprints are computed."""

TARGETS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles of a property that are asked for."""

FINGERPRINT_BITS = 1024
SHOWN, SHOWN_SIDE = 12, 180


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
    """What is known of a list of lines.

    Attributes:
        lines: How many there are.
        molecules: The one spelling of every line that is a molecule, in order, repeats included.
        unique: Each molecule once.
        new: Which of those the training data does not have; ``None`` where it is not on this machine.
    """

    lines: int
    molecules: tuple[str, ...]
    unique: tuple[str, ...]
    new: tuple[str, ...] | None


def evaluate_molecules(material: Material) -> Findings:
    """Measure a model of molecules.

    Args:
        material: The model and its data.

    Raises:
        MissingExtraError: RDKit is not installed; nothing else can tell whether a line is a molecule.
    """
    rdkit()
    codec, family = material.codec, material.artifact.family()
    assert isinstance(codec, MoleculeCodec), "the metric is registered for molecules"
    with threads_for(family.config.computed_weights()):
        likelihood = measure_likelihood(family, codec, material.held_out)
    counts = None if material.train is None else SymbolCounts.of(material.train, vocabulary=codec.vocabulary)
    count = material.samples or SAMPLES
    lines = _written(material, None, count)
    material.say("validity, novelty and diversity")
    real = _lines_of(material.held_out, codec, count)
    control = [] if counts is None else drawn_items(counts, codec, end=codec.end_token, count=count, seed=material.seed)
    known = {} if material.train is None else training_by_composition(material.train, codec)
    judged, people, counted = (judge(texts, known) for texts in (lines, real, control))
    told = [score for name in codec.config.names for score in _told_scores(material, name, judged)]
    quality = (
        _valid(judged, people, counted),
        _unique(judged, people, counted),
        perplexity_score(likelihood, material.held_out, counts),
        *told,
        *_spread_scores(judged, people),
    )
    return Findings(
        verdict=(_sentence(judged, counted), *_told_sentences(told)),
        scores=quality,
        novelty_scores=(*_new(judged, people), *_diversity(judged, people)),
        tables=(_property_table(judged, people),) if judged.unique and people.unique else (),
        pictures=_pictures(judged),
        samples=tuple(_sample(line, known) for line in lines[:SHOWN]),
        details={
            "lines": judged.lines,
            "valid": len(judged.molecules),
            "unique": len(judged.unique),
            "new": None if judged.new is None else len(judged.new),
            "nats_per_token": likelihood.nats_per_token.to_dictionary(),
            "written_by_pairs_valid": len(counted.molecules),
        },
    )


def judge(lines: Sequence[str], known: "dict[tuple[Any, ...], list[str]]") -> Judged:
    """Say which lines are molecules, which are different, and which are new.

    Args:
        lines: SMILES, or what should be.
        known: Training molecules by composition; empty where they are not here.
    """
    molecules = tuple(found for line in lines if (found := canonical(line)) is not None)
    unique = tuple(dict.fromkeys(molecules))
    spelled: dict[tuple[Any, ...], set[str]] = {}
    new = []
    for one in unique if known else ():
        key = composition(one)
        if key not in spelled:
            spelled[key] = {same for line in known.get(key, ()) if (same := canonical(line)) is not None}
        if one not in spelled[key]:
            new.append(one)
    return Judged(lines=len(lines), molecules=molecules, unique=unique, new=tuple(new) if known else None)


def composition(smiles: str) -> tuple[Any, ...]:
    """Return what every spelling of a molecule has in common and costs no chemistry: its atoms, its rings, its charge.

    Only training molecules of the same composition have to be spelled anew to know whether one of them is the same.
    """
    atoms: collections.Counter[str] = collections.Counter()
    rings = charge = 0
    for token in smiles_tokens(smiles):
        if token[0] == "[":
            symbol = re.sub(r"^\[[0-9]*", "", token)
            atoms[(re.match(r"[A-Z][a-z]?|[a-z]+?(?![a-gi-z])|\*", symbol) or ["?"])[0].capitalize()] += 1
            charge += _charge(token)
        elif token.isalpha() or token == "*":
            atoms[token.capitalize()] += 1
        else:
            rings += token.isdigit() or token[0] == "%"
    return (tuple(sorted(atoms.items())), rings, charge)


def training_by_composition(store: Store, codec: MoleculeCodec) -> dict[tuple[Any, ...], list[str]]:
    """Return the molecules of a store by their composition."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for line in _lines_of(store, codec, len(store)):
        found.setdefault(composition(line), []).append(line)
    return found


def _charge(token: str) -> int:
    signs = re.search(r"([+-]+)([0-9]*)(?::[0-9]+)?\]$", token)
    if signs is None:
        return 0
    size = int(signs[2]) if signs[2] else len(signs[1])
    return size if signs[1][0] == "+" else -size


def _written(material: Material, prompt: str | None, count: int) -> list[str]:
    material.say("writing molecules", 0, count)
    lines = []
    for asset in generate(material.artifact, prompts=prompt, count=count, seed=material.seed):
        lines.append(asset.content)
        material.say("writing molecules", len(lines), count)
    return lines


def _lines_of(store: Store, codec: MoleculeCodec, count: int) -> list[str]:
    column = store.columns[TARGET]
    chosen = np.unique(np.linspace(0, len(store) - 1, min(count, len(store))).astype(np.int64))
    return [codec.decode({TARGET: np.asarray(column[int(record)])}) for record in chosen]


def _share(part: int, whole: int) -> Interval:
    return share_interval(part, whole) if whole else Interval(0.0, 0.0, 0.0)


def _valid(judged: Judged, people: Judged, counted: Judged) -> Score:
    control = (("written by pairs of symbols", _share(len(counted.molecules), counted.lines)),) if counted.lines else ()
    return Score(
        key="valid",
        name="Lines that are molecules",
        interval=_share(len(judged.molecules), judged.lines),
        better="higher",
        meaning="Share of the samples that RDKit takes: every atom has bonds that it can have.",
        baselines=(("real, held out", _share(len(people.molecules), people.lines)), *control),
    )


def _unique(judged: Judged, people: Judged, counted: Judged) -> Score:
    pairs = [("real, held out", people), ("written by pairs of symbols", counted)]
    return Score(
        key="unique",
        name="Different among the molecules",
        interval=_share(len(judged.unique), len(judged.molecules)),
        better="higher",
        meaning="Share of the valid samples that are left when each molecule counts once.",
        baselines=tuple((name, _share(len(one.unique), len(one.molecules))) for name, one in pairs if one.molecules),
    )


def _new(judged: Judged, people: Judged) -> tuple[Score, ...]:
    if judged.new is None or people.new is None:
        return ()
    score = Score(
        key="novel",
        name="New among the different",
        interval=_share(len(judged.new), len(judged.unique)),
        better="higher",
        meaning="Share of the different molecules that the training data does not have in any spelling.",
        baselines=(("real, held out", _share(len(people.new), len(people.unique))),),
    )
    return (score,)


def _diversity(judged: Judged, people: Judged) -> tuple[Score, ...]:
    if len(judged.unique) < 2 or len(people.unique) < 2:
        return ()
    own, real = (1 - mean_similarity(one.unique[:COMPARED]) for one in (judged, people))
    score = Score(
        key="internal_diversity",
        name="Internal diversity",
        interval=Interval(own, own, own),
        better="near",
        meaning="1 minus the mean Tanimoto similarity of two samples.",
        baselines=(("real, held out", Interval(real, real, real)),),
    )
    return (score,)


def mean_similarity(molecules: Sequence[str]) -> float:
    """Return the mean Tanimoto similarity of all pairs of molecules, each with itself among them (MOSES, equation 4)."""
    maker = rdkit("rdkit.Chem.rdFingerprintGenerator").GetMorganGenerator(radius=2, fpSize=FINGERPRINT_BITS)
    bits = np.stack([maker.GetFingerprintAsNumPy(molecule_of(one)) for one in molecules]).astype(np.float32)
    both = bits @ bits.T
    sizes = bits.sum(1)
    return float((both / np.maximum(sizes[:, None] + sizes[None, :] - both, 1)).mean())


def _values(molecules: Sequence[str], name: str) -> list[float]:
    compute = property_function(name)
    return [compute(molecule_of(one)) for one in molecules[:COMPARED]]


def _spread_scores(judged: Judged, people: Judged) -> list[Score]:
    if not judged.unique or len(people.unique) < 4:
        return []
    scores = []
    for name in COMPARED_PROPERTIES:
        own, real = _values(judged.unique, name), _values(people.unique, name)
        apart, floor = quantile_distance(own, real), quantile_distance(real[::2], real[1::2])
        scores.append(
            Score(
                key=f"distance_{name}",
                name=f"Distance of {name} from real",
                interval=Interval(apart, apart, apart),
                better="lower",
                meaning=f"Mean distance between the quantiles of {name} of samples and of real molecules.",
                baselines=(("real against real, half as many", Interval(floor, floor, floor)),),
            )
        )
    return scores


def _told_scores(material: Material, name: str, judged: Judged) -> list[Score]:
    """Return how far molecules are from the property that was told, beside those of which nothing was told."""
    codec = material.codec
    assert isinstance(codec, MoleculeCodec)
    if name not in PROPERTIES or not judged.molecules:
        return []
    edges = codec.about["edges"][name]
    compute = property_function(name)
    free = np.array(_values(judged.molecules, name))
    errors: list[float] = []
    spread: list[float] = []
    for share in TARGETS:
        target = float(np.quantile(edges, share))
        lines = _written(material, f"{name}={target:.6g}", max(4, (material.samples or SAMPLES) // 10))
        found = [compute(molecule) for line in lines if (molecule := molecule_of(line)) is not None]
        errors += [abs(value - target) for value in found]
        spread += np.abs(free - target).tolist()
    if not errors:
        return []
    return [
        Score(
            key=f"error_{name}",
            name=f"Error of {name} when it is told",
            interval=mean_interval(np.array(errors)),
            better="lower",
            meaning=f"Mean distance between the {name} that was asked for and that of the molecule, over five values.",
            baselines=(("when it is not told", mean_interval(np.array(spread))),),
        )
    ]


def _told_sentences(scores: Sequence[Score]) -> list[str]:
    return [
        f"Told a {score.key.removeprefix('error_')}, it misses by {score.interval.value:.3g}; untold molecules lie "
        f"{score.baselines[0][1].value:.3g} away."
        for score in scores
    ]


def _property_table(judged: Judged, people: Judged) -> Table:
    rows = []
    for name in PROPERTIES:
        own, real = _values(judged.unique, name), _values(people.unique, name)
        rows.append((name, *(f"{np.quantile(values, at):.3g}" for values in (own, real) for at in (0.1, 0.5, 0.9))))
    heads = [f"{whose} {share} %" for whose in ("samples", "real") for share in (10, 50, 90)]
    return Table(
        key="properties",
        caption="Quantiles of what RDKit computes, of samples and of real molecules that were held out",
        columns=("property", *heads),
        rows=tuple(rows),
    )


def _pictures(judged: Judged) -> tuple[Picture, ...]:
    if not judged.unique:
        return ()
    draw = rdkit("rdkit.Chem.Draw")
    shown = judged.unique[:SHOWN]
    images = [
        np.asarray(draw.MolToImage(molecule_of(one), size=(SHOWN_SIDE, SHOWN_SIDE)).convert("RGB")) for one in shown
    ]
    picture = Picture(
        key="molecules",
        caption="The first different molecules, as drawn by RDKit",
        alternative="Structural formulas of: " + ", ".join(shown),
        png=grid_png(images, columns=4),
    )
    return (picture,)


def _sample(line: str, known: "dict[tuple[Any, ...], list[str]]") -> Sample:
    one = judge([line], known)
    if not one.molecules:
        return Sample(text=line, note="no molecule", is_copy=False)
    if one.new is None:
        return Sample(text=line, note="a molecule; novelty unknown here", is_copy=False)
    return Sample(text=line, note="new" if one.new else "in the training data", is_copy=not one.new)


def _sentence(judged: Judged, counted: Judged) -> str:
    valid = len(judged.molecules) / max(1, judged.lines)
    beside = (
        f" (lines drawn from pairs of symbols: {len(counted.molecules) / counted.lines:.1%})" if counted.lines else ""
    )
    new = "" if judged.new is None else f", {len(judged.new) / max(1, len(judged.unique)):.1%} of them new"
    unique = len(judged.unique) / max(1, len(judged.molecules))
    return f"Of {judged.lines} lines {valid:.1%} are molecules{beside}; {unique:.1%} of those are different{new}."
