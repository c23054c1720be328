"""Backbones: geometry against closed forms and gemmi, files, collisions, allowed torsions, helices and strands, what is refused."""

import gzip
import sys

import numpy as np
import pytest

from makar.data.backbone import Backbone
from makar.data.backbone_geometry import ANGLES, BONDS, bond_angles, bond_lengths, built, torsion, torsions
from makar.data.builtin.backbones import HELIX, KINDS, STRAND, backbone
from makar.data.builtin.table import built_in_source
from makar.data.clashes import clash_counts
from makar.data.dataset import open_dataset
from makar.data.ramachandran import allowed_map, is_allowed
from makar.data.secondary_structure import hydrogen_bonds, secondary_structure
from makar.data.sniffing import sniff
from makar.data.structure_reader import read_backbones
from makar.data.structure_writer import structure_bytes
from makar.data.superposition import rmsd
from makar.errors import DataError, EmptyDataError, UnsupportedError


def turned(places, seed=0):
    """Return places turned at random, not mirrored, and moved."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return (places @ (turn * np.sign(np.linalg.det(turn))) + (3.0, -2.0, 5.0)).astype(np.float32)


def mirrored(one):
    """Return the mirror image of a backbone."""
    return Backbone(one.atoms * np.float32([1, 1, -1]), one.residues)


@pytest.fixture(scope="module")
def helix():
    atoms = built(*(np.full(15, turn) for turn in (*HELIX, 180.0)))
    return Backbone(atoms.astype(np.float32), "A" * 15)


def test_a_chain_has_the_bonds_angles_and_torsions_that_it_was_built_of():
    draw = np.random.default_rng(0)
    phi, psi, omega = draw.uniform(-180, 180, (3, 9))
    chain = Backbone(built(phi, psi, omega).astype(np.float32), "X" * 9)
    for found, ideal in ((bond_lengths(chain), BONDS), (bond_angles(chain), ANGLES)):
        assert all(np.allclose(values, ideal[name], atol=1e-3) for name, values in found.items())
    found = torsions(chain)
    assert np.isnan(found[0, 0]) and np.isnan(found[-1, 1:]).all()
    for got, wanted in ((found[1:, 0], phi[1:]), (found[:-1, 1], psi[:-1]), (found[:-1, 2], omega[:-1])):
        assert (np.abs((got - wanted + 180) % 360 - 180) < 0.01).all()


def test_the_sign_of_a_torsion_is_that_of_the_convention():
    # Seen along the middle bond, the last atom is a quarter turn clockwise from the first.
    places = np.array([(1.0, 0, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)])
    assert abs(torsion(*places) + 90) < 1e-9 or abs(torsion(*places) - 90) < 1e-9
    gemmi = pytest.importorskip("gemmi")
    theirs = gemmi.calculate_dihedral(*(gemmi.Position(*place) for place in places))
    assert abs(torsion(*places) - np.rad2deg(theirs)) < 1e-6


def test_a_helix_rises_one_and_a_half_angstroms_a_residue_to_the_right(helix):
    steps = np.diff(helix.trace.astype(np.float64), axis=0)
    axis = helix.trace[-4:].mean(0) - helix.trace[:4].mean(0)
    rise = np.linalg.norm(axis) / (len(helix) - 4)
    hand = np.einsum("ij,ij->i", steps[:-2], np.cross(steps[1:-1], steps[2:]))
    assert abs(rise - 1.5) < 0.05 and (hand > 0).all()
    assert secondary_structure(helix) == "H" * 15 and hydrogen_bonds(helix) == 11
    assert secondary_structure(mirrored(helix)) == "-" * 15


def test_the_built_in_backbones_are_what_they_are_called():
    found = {kind: [backbone(kind, number) for number in range(3)] for kind in KINDS}
    assert all(not any(clash_counts(one.atoms)) for backbones in found.values() for one in backbones)
    assert all(set(secondary_structure(one)) == {"H"} for one in found["helix"])
    assert all(set(secondary_structure(one)) == {"E"} for one in found["strand"])
    assert all("E" in secondary_structure(one) and hydrogen_bonds(one) for one in found["hairpin"])
    assert all(secondary_structure(one).strip("-").count("H") > 12 for one in found["helix-turn-helix"])
    documents = list(built_in_source("backbones").documents(lambda name, reason: None))
    assert len(documents) == 600 and {document.label for document in documents} == set(KINDS)
    assert next(documents[1].read()) is found[documents[1].label][0]


def test_what_hard_atoms_allow_has_room_for_what_proteins_have_and_for_little_else():
    share = allowed_map().mean()
    assert 0.2 < share < 0.4
    right, wrong = [HELIX, STRAND, (-75, 145), (57, 40)], [(0, 0), (60, -120), (120, -130), (75, -60), (-120, -130)]
    for places, is_right in ((right, True), (wrong, False)):
        phi, psi = np.array(places, np.float64).T
        assert (is_allowed(phi, psi) == is_right).all()


def test_superposition_undoes_turning_and_not_mirroring(helix):
    trace = helix.trace
    assert rmsd(trace, turned(trace)) < 1e-3
    assert rmsd(trace, mirrored(helix).trace) > 1.0
    moved = trace + np.float32([[0, 0, 0.5]]) * (np.arange(15) % 2)[:, None]
    assert 0.1 < rmsd(trace, moved) <= 0.25 + 1e-6


def test_collisions_are_seen_and_neighbours_are_none(helix):
    assert clash_counts(helix.atoms) == (0, 0)
    folded = helix.atoms.copy()
    folded[-1] = folded[0] + np.float32(0.5)
    assert min(clash_counts(folded)) > 0


@pytest.mark.parametrize("form, read_as", [("pdb", "pdb"), ("cif", "mmcif")])
def test_a_file_comes_back(helix, form, read_as):
    pytest.importorskip("gemmi")
    written = structure_bytes(helix, form=form, remarks=("MADE BY A MODEL.",))
    (found,) = read_backbones(written, read_as)
    assert found.residues == helix.residues and np.abs(found.atoms - helix.atoms).max() < 6e-4
    assert b"MADE BY A MODEL." in written and sniff(f"x.{form}", written[:8192]).group == "structure"


def test_pdb_is_written_without_any_package(helix, monkeypatch):
    monkeypatch.setitem(sys.modules, "gemmi", None)
    lines = structure_bytes(helix).decode("ascii").splitlines()
    assert lines[1][12:16] == " CA " and lines[1][17:20] == "ALA" and len(lines[1]) == 80
    assert [float(lines[1][start : start + 8]) for start in (30, 38, 46)] == pytest.approx(
        helix.atoms[0, 1].tolist(), abs=6e-4
    )
    with pytest.raises(UnsupportedError):
        structure_bytes(helix, form="mol2")


def test_a_chain_is_cut_where_something_is_missing(helix):
    pytest.importorskip("gemmi")
    lines = structure_bytes(helix).decode("ascii").splitlines()
    without_ca = [line for line in lines if not (line[12:16] == " CA " and line[22:26] == "   6")]
    first, second = read_backbones("\n".join(without_ca).encode(), "pdb")
    assert (len(first), len(second)) == (5, 9)
    far = [line[:30] + "  99.000" + line[38:] if line[22:26] == "  12" else line for line in lines]
    assert [len(part) for part in read_backbones("\n".join(far).encode(), "pdb")] == [11]


@pytest.mark.parametrize("form", ["pdb", "mmcif"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ATOM  garbage",
        b"data_x\nloop_\n_atom_site.id\n",
        b"\xff\xfe\x00" * 9,
        b"ATOM      1  N   GLY A   1      nan     inf",
    ],
)
def test_what_is_no_structure_is_refused_in_words(content, form):
    pytest.importorskip("gemmi")
    with pytest.raises(DataError) as caught:
        list(read_backbones(content, form))
    assert len(str(caught.value)) < 400


def test_broken_files_are_named_and_the_rest_is_used(tmp_path, monkeypatch):
    pytest.importorskip("gemmi")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    data = tmp_path / "data"
    for kind in ("helix", "strand"):
        (data / kind).mkdir(parents=True)
        for number in range(4):
            written = structure_bytes(backbone(kind, number))
            (data / kind / f"{number}.pdb.gz").write_bytes(gzip.compress(written))
    (data / "helix" / "cut.pdb").write_bytes(structure_bytes(backbone("helix", 0))[:300])
    (data / "helix" / "named.pdb").write_text("not a structure at all\n")
    (data / "helix" / "water.cif").write_text("data_x\n_cell.length_a 1\n")
    found = open_dataset(data).inspection
    assert found.medium == "structure" and found.labels == {"helix": 4, "strand": 4}
    reasons = {example: row["reason"] for row in found.skipped for example in row["examples"]}
    assert "no structure of atoms" in reasons["helix/named.pdb"] and "without atoms" in reasons["helix/water.cif"]
    assert "4 residues" in reasons["helix/cut.pdb"]
    with pytest.raises(EmptyDataError):
        open_dataset(data / "helix", medium="image")


@pytest.mark.parametrize(
    "atoms, residues",
    [
        (np.zeros((2, 4, 3), np.float64), "AA"),
        (np.zeros((2, 3, 3), np.float32), "AA"),
        (np.full((2, 4, 3), np.nan, np.float32), "AA"),
        (np.zeros((2, 4, 3), np.float32), "A?"),
        (np.zeros((0, 4, 3), np.float32), ""),
    ],
)
def test_what_is_no_backbone_is_refused(atoms, residues):
    with pytest.raises(DataError):
        Backbone(atoms, residues)
