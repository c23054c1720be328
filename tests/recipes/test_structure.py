"""Protein structures go through the verbs: inspect, plan, train, generate, edit, evaluate, verify; what stays stays where it was."""

import numpy as np
import pytest
from PIL import Image

import makar
from makar.api.model import verify
from makar.data.backbone import Backbone
from makar.data.builtin.backbones import KINDS, backbone
from makar.data.structure_reader import read_backbones
from makar.data.structure_writer import structure_bytes
from makar.evaluation.backbone_measures import KEYS, measured, random_backbones, untrained_backbones
from tests.cli.small_models import see
from tests.data.test_structures import mirrored

pytest.importorskip("gemmi")

SETTINGS = [
    *(
        "--set",
        "stages.0.family.width=16",
        "--set",
        "stages.0.family.blocks=1",
        "--set",
        "stages.0.family.head_width=8",
    ),
    *("--set", "stages.0.optimisation.batch_size=4"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("structures")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    for kind in ("helix", "hairpin"):
        for number in range(12):
            file = folder / "data" / ("test" if number < 3 else "train") / kind / f"{number}.pdb"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(structure_bytes(backbone(kind, number)))
    see("train", folder / "data", "--steps", "4", *SETTINGS, "-o", "folds")
    patch.undo()
    return folder


def test_structures_go_through_the_verbs(place, tmp_path):
    inspected = see("inspect", place / "data", "--json").values
    assert inspected["medium"] == "structure" and inspected["sizes"]["residues"]["most"] > 20
    assert "protein-structure-class" in see("plan", place / "data", "--for", "1m", "--no-probe", "--json").output
    words = ["--label", "helix", "--set", "residues=9", "--steps", "2"]
    made = see("generate", "folds", *words, "-n", "2", "-o", "out", "--json").values
    assert made[0]["manifest"]["content"] | {"kind": "structure", "residues": 9} == made[0]["manifest"]["content"]
    assert made[0]["novelty"]["measure"] == "rmsd"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"000{number}{end}" for number in (1, 2) for end in (".pdb", ".pdb.makar.json", ".png")
    }
    lines = (tmp_path / "out" / "0001.pdb").read_text().splitlines()
    assert "MADE BY A MODEL" in lines[1] and "trainedAlgorithmicMedia" in lines[2]
    assert sum(line.startswith("ATOM") for line in lines) == 36 and {len(line) for line in lines} == {80}
    with Image.open(tmp_path / "out" / "0001.png") as picture:
        assert picture.size == (640, 320)
    assert verify(tmp_path / "out" / "0001.pdb").is_intact and verify(tmp_path / "out" / "0001.png").is_intact
    (tmp_path / "out" / "0001.pdb").write_bytes((tmp_path / "out" / "0001.pdb").read_bytes()[:-100])
    assert not verify(tmp_path / "out" / "0001.pdb").is_intact
    see("generate", "folds", *words, "-o", "one.cif")
    assert (tmp_path / "one.cif").read_bytes().startswith(b"# MADE BY A MODEL")
    assert "a structure cannot be written" in see("generate", "folds", "-o", "x.wav", code=2).messages
    assert "expected: pdb, cif" in see("generate", "folds", "--set", "format=mp4", code=2).messages


def test_the_same_seed_gives_the_same_backbone(place):
    model = makar.load("folds")
    first, again, other = (model.generate(seed=seed, options={"steps": 2})[0].content for seed in (3, 3, 4))
    assert first.file == again.file != other.file


@pytest.mark.parametrize(
    "words, stays",
    [
        (["--from-residue", "4", "--to-residue", "6"], [(0, 3, 0, 3), (6, 12, 6, 12)]),
        (["--from-residue", "4", "--to-residue", "6", "--residues", "5"], [(0, 3, 0, 3), (8, 14, 6, 12)]),
        (["--from-residue", "13", "--residues", "2"], [(0, 12, 0, 12)]),
        (["--from-residue", "1", "--to-residue", "4"], [(4, 12, 4, 12)]),
        (["--from-residue", "1", "--to-residue", "0", "--residues", "3"], [(3, 15, 0, 12)]),
    ],
)
def test_residues_are_made_anew_and_the_rest_stays_where_it_was(place, tmp_path, words, stays):
    one = backbone("helix", 2)
    given = Backbone(one.atoms + np.float32([5, -7, 30]), "A" * len(one)).part(0, 12)
    (tmp_path / "given.pdb").write_bytes(structure_bytes(given))
    given = next(read_backbones(structure_bytes(given), "pdb"))
    made = see("edit", "folds", "given.pdb", *words, "--steps", "1", "-o", "new.pdb", "--json").values[0]
    assert made["manifest"]["edit"]["operation"] == "inpaint" and "composite" in made["manifest"]["source_type"]
    lines = [line for line in (tmp_path / "new.pdb").read_text().splitlines() if line.startswith("ATOM")]
    places = np.array([[float(line[start : start + 8]) for start in (30, 38, 46)] for line in lines]).reshape(-1, 4, 3)
    names = [line[17:20] for line in lines[::4]]
    kept = set()
    for start, end, first, last in stays:
        assert np.allclose(places[start:end], given.atoms[first:last], atol=1e-3)
        kept |= set(range(start, end))
    assert [name == "ALA" for name in names] == [number in kept for number in range(len(names))]


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "nothing is asked for"),
        (["--from-residue", "3", "--to-residue", "5", "--set", "solver=euler"], "goes its own way"),
        (["--from-residue", "20"], "of a chain of 12"),
        (["--from-residue", "5", "--to-residue", "2"], "of a chain of 12"),
        (["--from-residue", "1"], "some of both"),
        (["--from-residue", "3", "--to-residue", "11", "--residues", "1"], "over a distance"),
        (["--from-residue", "3", "--residues", "300"], "at most"),
        (["--from-residue", "3", "--box", "1,1,2,2"], "for a structure"),
    ],
)
def test_what_makes_no_sense_for_a_structure_is_refused(place, tmp_path, words, message):
    (tmp_path / "given.pdb").write_bytes(structure_bytes(backbone("helix", 2).part(0, 12)))
    assert message in see("edit", "folds", "given.pdb", *words, "-o", "x.pdb", code=2).messages


def test_files_that_are_no_chain_are_refused(place, tmp_path):
    (tmp_path / "given.pdb").write_text("ATOM no\n")
    assert "structure" in see("edit", "folds", "given.pdb", "--from-residue", "2", code=1).messages
    assert "no file" in see("edit", "folds", "absent.pdb", "--from-residue", "2", code=2).messages


def test_measures_tell_real_backbones_from_their_mirror_images_and_from_chance():
    real = [backbone(kind, number) for kind in KINDS for number in range(2)]
    found = {
        name: {key: measured(backbones).interval(key).value for key in KEYS}
        for name, backbones in (
            ("real", real),
            ("mirror", [mirrored(one) for one in real]),
            ("untrained", untrained_backbones(real, seed=0)),
            ("random", random_backbones(real, seed=0)),
        )
    }
    assert found["real"]["ramachandran"] > 0.9 > 0.6 > max(found[name]["ramachandran"] for name in ("mirror", "random"))
    assert found["real"]["left_handed"] < 0.1 and found["mirror"]["left_handed"] > 0.9
    assert found["real"]["helix"] > 0.3 and found["mirror"]["helix"] == found["untrained"]["helix"] == 0
    assert found["real"]["clashes"] == 0 and found["untrained"]["clashes"] > 0.8
    assert found["real"]["bonds"] < 1e-3 < 0.3 < found["untrained"]["bonds"]


@pytest.mark.slow
def test_a_model_of_structures_is_measured(place, tmp_path):
    report = see("evaluate", "folds", "--samples", "4", "-o", "report", "--json").values
    assert set(KEYS) <= set(report["scores"]) and {"copies", "rmsd"} <= set(report["novelty"])
    assert "untrained model" in report["scores"]["bonds"]["baselines"]
    (page,) = (tmp_path / "report").rglob("*.html")
    assert "Ramachandran" in page.read_text(encoding="utf-8")
