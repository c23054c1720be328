"""Protein backbones from nothing: geometry, collisions, torsions and folds of what a model of `builtin:backbones` makes, beside controls.

Run: python benchmarks/backbones.py [--minutes 10] [--samples 200] [--seed 0] [--data FOLDER] [--recipe protein-structure-class]

A model is trained for the minutes; the report of `evaluate` measures samples beside held-out backbones, the model before it learned
anything and chains of ideal bonds with any torsions. Then backbones of every class are asked for, which tell whether it is obeyed: a
helix is all helix, a strand all strand, a hairpin strand and turn, a pair of helices helix and turn. Ends with 1 where a bar is missed.
With ``--data`` the bars of geometry hold for files of your own too; those of classes are only asked of the built-in ones.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import machine, write_result

import makar
from makar.api.model import Model
from makar.codecs.backbone import BackboneCodec
from makar.data.backbone import Backbone
from makar.data.builtin.backbones import KINDS
from makar.data.secondary_structure import secondary_structure

BARS: dict[str, tuple[str, float]] = {
    "bonds": ("at most", 0.1),
    "angles": ("at most", 5.0),
    "clashes": ("at most", 0.1),
    "ramachandran": ("at least", 0.9),
    "left_handed": ("at most", 0.1),
    "trans": ("at least", 0.95),
    "copies": ("at most", 0.05),
}
"""Set before the first full run: a tenth of an angstrom is a fifth of what the untrained model is off."""

OBEYED_BAR = 0.8
EACH = 16
LEAST_SHARE = 0.7


def is_obeyed(kind: str, backbone: Backbone) -> bool:
    """Return whether a backbone consists of what its class consists of.

    Args:
        kind: Of the built-in kinds.
        backbone: What the model made.
    """
    letters = secondary_structure(backbone)
    helix, strand = letters.count("H") / len(letters), letters.count("E") / len(letters)
    has_turn = "-" in letters.strip("-")
    return {
        "helix": helix >= LEAST_SHARE and not has_turn,
        "helix-turn-helix": helix >= LEAST_SHARE and has_turn,
        "strand": strand >= LEAST_SHARE and not has_turn,
        "hairpin": strand >= LEAST_SHARE - 0.1 and has_turn,
    }[kind]


def obeyed_share(model: Model, *, seed: int) -> dict[str, float]:
    """Return the share of backbones of each class that are of it."""
    shares = {}
    for kind in KINDS:
        made = model.generate(count=EACH, seed=seed, options={"label": kind})
        right = [is_obeyed(kind, Backbone(asset.content.atoms, asset.content.residues)) for asset in made]
        shares[kind] = sum(right) / len(right)
    return shares


def measured(asked: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Train, measure and return every figure."""
    run = makar.train(asked.data, minutes=asked.minutes, recipe=asked.recipe, seed=asked.seed, output=place / "model")
    report = run.model.evaluate(folder=place / "report", samples=asked.samples, seed=asked.seed).to_dictionary()
    scores = {**report["scores"], **report["novelty"]}
    for key, score in scores.items():
        beside = "; ".join(f"{name} {other['value']:.3f}" for name, other in score["baselines"].items())
        print(f"  {key} {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f}) beside {beside or 'nothing'}")
    found = {"minutes": asked.minutes, "seed": asked.seed, "data": Path(asked.data).name, "scores": scores}
    codec = run.model.artifact.codec()
    assert isinstance(codec, BackboneCodec), "a model of structures has one codec"
    if set(codec.class_names) == set(KINDS):
        found["obeyed"] = obeyed_share(run.model, seed=asked.seed)
        print("  classes obeyed: " + ", ".join(f"{kind} {share:.2f}" for kind, share in found["obeyed"].items()))
    return found


def missed(found: dict[str, Any]) -> list[str]:
    """Return every bar that is missed, in words."""
    wrong = []
    for key, (way, bar) in BARS.items():
        value = found["scores"][key]["value"]
        if value > bar if way == "at most" else value < bar:
            wrong.append(f"{key} {value:.3f}, bar {way} {bar}")
    obeyed = found.get("obeyed", {})
    mean = sum(obeyed.values()) / len(obeyed) if obeyed else 1.0
    return [*wrong, *([f"classes obeyed {mean:.2f}, bar at least {OBEYED_BAR}"] if mean < OBEYED_BAR else [])]


def main() -> None:
    """Measure and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default="builtin:backbones")
    parser.add_argument(
        "--recipe", default=None, help="protein-structure or protein-structure-class; by the data without it"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MAKAR_HOME"] = str(Path(folder) / "home")
        found = measured(asked, Path(folder))
    wrong = missed(found)
    write_result("backbones", {"machine": machine(), **found, "missed": wrong})
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
