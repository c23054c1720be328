"""Measures a model of protein backbones: whether its chains could exist, what they consist of, and how near they are to what it learned.

Geometry is compared with ideal bonds and angles, collisions and torsions with what hard atoms allow, helices, strands and hydrogen bonds
with real backbones. Beside each stand real held-out backbones, the model before it learned anything, and chains of ideal bonds whose
torsions are drawn evenly. That a backbone passes all this says that it is no nonsense, and nothing of whether a sequence exists that
folds so, can be made, works or is safe.
"""

from collections.abc import Sequence

import numpy as np

from makar.codecs.backbone import BackboneCodec
from makar.data.backbone import Backbone
from makar.evaluation.backbone_measures import Measured, measured, random_backbones, untrained_backbones
from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.findings import Findings, Picture, Score, Table
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png, pairs_png
from makar.generation.backbone_picture import torsion_picture, trace_picture
from makar.generation.generate import generate
from makar.novelty.novelty import Novelty
from makar.novelty.structure_index import stored_backbones
from makar.provenance.content import Structure
from makar.tensor_spec import CLASS

SAMPLES = 100
MOST_REAL = 400
OF_A_CLASS = 8
"""Samples of every class that are asked for, where there are no more than ``MOST_CLASSES``."""

MOST_CLASSES = 12
SHOWN, SHOWN_NEAREST = 12, 8
REAL, UNTRAINED, RANDOM = "real, held out", "untrained model", "ideal bonds, any torsions"

MEASURES: tuple[tuple[str, str, str, str, str], ...] = (
    ("bonds", "Deviation of bonds from ideal", "lower", "A", "Root mean square a backbone."),
    ("angles", "Deviation of angles from ideal", "lower", "degrees", "Root mean square a backbone."),
    (
        "clashes",
        "Backbones in which atoms collide",
        "lower",
        "",
        "CA atoms nearer than 3 A, or any two atoms nearer than 2 A, of residues that are not neighbours.",
    ),
    (
        "ramachandran",
        "Residues with allowed torsions",
        "higher",
        "",
        "phi and psi where hard atoms of L-alanine have room (outer limits of Ramachandran and Sasisekharan): a third of all.",
    ),
    (
        "left_handed",
        "Residues with phi above 0",
        "near",
        "",
        "Rare in chains of L-amino acids; of mirror images it would be nearly all of them.",
    ),
    ("trans", "Flat trans peptide groups", "near", "", "omega within 30 degrees of 180."),
    ("helix", "Residues in helices", "near", "", "At least four in a row with such torsions."),
    ("strand", "Residues in strands", "near", "", "At least three in a row with such torsions."),
    (
        "hydrogen_bonds",
        "Residues whose NH is in a hydrogen bond",
        "near",
        "",
        "By the energy of DSSP; what holds helices and sheets together.",
    ),
)
"""Key, name, which way is better, unit and meaning."""


def evaluate_structures(material: Material) -> Findings:
    """Measure a model of backbones.

    Args:
        material: The model and its data.
    """
    codec = material.codec
    assert isinstance(codec, BackboneCodec), "the metric is registered for structures"
    count = material.samples or SAMPLES
    made = _made(material, count)
    real = list(stored_backbones(material.held_out))[:MOST_REAL]
    material.say("bonds, collisions and torsions")
    controls = {
        REAL: measured(real),
        UNTRAINED: measured(untrained_backbones(real, seed=material.seed)),
        RANDOM: measured(random_backbones(real, seed=material.seed)),
    }
    found = measured(made)
    material.say("novelty of the samples")
    novelties = material.novelty.check_many(made) if material.novelty is not None else []
    scores = tuple(_score(found, controls, row) for row in MEASURES)
    return Findings(
        verdict=(_sentence(found, controls[REAL]), _sentence_on_copies(novelties)),
        scores=scores,
        novelty_scores=_novelty_scores(novelties),
        tables=_tables(material, codec),
        pictures=(*_pictures(made, real), *_nearest(material, made, novelties)),
        details={"samples": len(made), "real": len(real), "novelty": [one.to_dictionary() for one in novelties]},
    )


def _made(material: Material, count: int, *, label: str | None = None) -> list[Backbone]:
    backbones = []
    options = {} if label is None else {"label": label}
    for asset in generate(material.artifact, count=count, seed=material.seed, options=options):
        assert isinstance(asset.content, Structure), "a model of structures makes them"
        backbones.append(Backbone(asset.content.atoms, asset.content.residues))
        material.say("making backbones", len(backbones), count)
    return backbones


def _score(found: Measured, controls: dict[str, Measured], row: tuple[str, str, str, str, str]) -> Score:
    key, name, better, unit, meaning = row
    return Score(
        key=key,
        name=name,
        interval=found.interval(key),
        better="lower" if better == "lower" else "higher" if better == "higher" else "near",
        unit=unit,
        meaning=meaning,
        baselines=tuple((control, figures.interval(key)) for control, figures in controls.items()),
    )


def _tables(material: Material, codec: BackboneCodec) -> tuple[Table, ...]:
    """Return what backbones of each class consist of, where classes can be asked for."""
    if not 1 < len(codec.class_names) <= MOST_CLASSES:
        return ()
    real = list(stored_backbones(material.held_out))
    numbers = np.asarray(material.held_out.columns[CLASS].values)
    rows = []
    for number, name in enumerate(codec.class_names):
        made = measured(_made(material, OF_A_CLASS, label=name))
        theirs = [backbone for backbone, own in zip(real, numbers.tolist()) if own == number]
        known = measured(theirs) if theirs else None
        rows.append((name, *_shares(made), *(_shares(known) if known is not None else ("-", "-", "-"))))
    columns = ("class", *(f"{what}, {whose}" for whose in ("made", "real") for what in ("helix", "strand", "bound")))
    caption = f"Shares of residues in helices, in strands and in hydrogen bonds: {OF_A_CLASS} backbones of each class, and real ones"
    return (Table(key="classes", caption=caption, columns=columns, rows=tuple(rows)),)


def _shares(found: Measured) -> tuple[str, ...]:
    return tuple(f"{found.interval(key).value:.2f}" for key in ("helix", "strand", "hydrogen_bonds"))


def _novelty_scores(novelties: Sequence[Novelty]) -> tuple[Score, ...]:
    if not novelties:
        return ()
    distances = np.array([novelty.value for novelty in novelties])
    spread = np.quantile(distances, [0.025, 0.975])
    usual = novelties[0].baseline.get("rmsd", float("nan"))
    return (
        Score(
            key="copies",
            name="Backbones that are copies",
            interval=share_interval(sum(novelty.is_copy for novelty in novelties), len(novelties)),
            better="lower",
            meaning=f"Within {novelties[0].threshold:.2f} A (CA atoms, after superposition) of a training backbone or a part of one.",
        ),
        Score(
            key="rmsd",
            name="Distance to the nearest training backbone, mean and spread",
            interval=Interval(float(distances.mean()), float(spread[0]), float(spread[1])),
            better="near",
            unit="A",
            meaning="RMSD of CA atoms after superposition, never mirrored; short chains of one kind are near each other by nature.",
            baselines=((REAL, Interval(usual, usual, usual)),),
        ),
    )


def _pictures(made: Sequence[Backbone], real: Sequence[Backbone]) -> tuple[Picture, ...]:
    rows = [("samples", "backbones that the model made", made), ("real", "held-out backbones", real)]
    traces = tuple(
        Picture(
            key=f"traces_{key}",
            caption=f"Traces of the CA atoms of {min(SHOWN, len(shown))} {what}, from blue (N end) to red.",
            alternative=f"Coloured lines: {what}.",
            png=grid_png([trace_picture(one) for one in shown[:SHOWN]], columns=4),
        )
        for key, what, shown in rows
    )
    return (
        *traces,
        Picture(
            key="ramachandran",
            caption="phi (to the right) and psi (upwards) of every residue, of what the model made and of held-out backbones; shaded is "
            "where hard atoms have room.",
            alternative="Two Ramachandran plots side by side: samples and held-out backbones.",
            png=grid_png([torsion_picture(list(made)), torsion_picture(list(real))], columns=2),
        ),
    )


def _nearest(material: Material, made: Sequence[Backbone], novelties: Sequence[Novelty]) -> tuple[Picture, ...]:
    """Return the samples that are nearest to training backbones, each above that one."""
    near = [number for number, novelty in enumerate(novelties) if novelty.nearest]
    if material.train is None or not near:
        return ()
    order = sorted(near, key=lambda number: novelties[number].value)[:SHOWN_NEAREST]
    wanted = {novelties[number].nearest[0].record for number in order}
    known = {record: backbone for record, backbone in enumerate(stored_backbones(material.train)) if record in wanted}
    first = novelties[order[0]]
    return (
        Picture(
            key="nearest",
            caption=f"The {len(order)} samples that are nearest to training backbones, each above that one, nearest first. The first is "
            f"{first.value:.2f} A (limit {first.threshold:.2f} A) from {first.nearest[0].source}, licence {first.nearest[0].licence}.",
            alternative="Pairs of a sample and the training backbone that is nearest to it.",
            png=pairs_png(
                [trace_picture(made[number]) for number in order],
                [trace_picture(known[novelties[number].nearest[0].record]) for number in order],
                columns=4,
            ),
        ),
    )


def _sentence(found: Measured, real: Measured) -> str:
    bonds, allowed, clashes = (found.interval(key) for key in ("bonds", "ramachandran", "clashes"))
    return (
        f"Bonds are {bonds.value:.3f} A off ideal (real: {real.interval('bonds').value:.3f}), {allowed.value:.0%} of the residues have "
        f"allowed torsions (real: {real.interval('ramachandran').value:.0%}), and in {clashes.value:.0%} of the backbones atoms collide."
    )


def _sentence_on_copies(novelties: Sequence[Novelty]) -> str:
    if not novelties:
        return "Whether it copies cannot be said here: the training data is not on this machine."
    copies = sum(one.is_copy for one in novelties)
    return f"{copies} of {len(novelties)} backbones are within {novelties[0].threshold:.2f} A of one that was learned from."
