"""The nearest training backbone is found wherever it lies and however it is turned; a mirror image is none."""

import numpy as np
import pytest

from makar.codecs.backbone import BackboneCodec
from makar.codecs.backbone_config import BackboneCodecConfig
from makar.data.backbone import Backbone
from makar.data.builtin.backbones import KINDS, backbone
from makar.data.record import Record
from makar.data.store import build_store
from makar.data.superposition import rmsd
from makar.novelty.index import NoveltyIndex
from makar.novelty.structure_index import stored_backbones
from tests.data.test_structures import mirrored, turned


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("structures")
    codec = BackboneCodec(BackboneCodecConfig(longest=36), length_counts={"": {36: 1}})
    stores = [
        build_store(
            folder / name,
            [
                Record(
                    id=f"{kind}{number}", medium="structure", content=backbone(kind, number), document=f"{kind} {number}",
                    source=f"{kind}/{number}.pdb", split="train",
                )
                for kind in KINDS for number in numbers
            ],
            codec.encode,
            key=name,
        )
        for name, numbers in (("train", range(8)), ("held_out", range(8, 12)))
    ]  # fmt: skip
    return NoveltyIndex.build(*stores, codec, medium="structure", folder=folder / "index"), stores[0]


def test_a_copy_is_found_however_it_is_turned_and_named(built):
    index, store = built
    one = backbone("hairpin", 3)
    found = index.check(Backbone(turned(one.atoms), one.residues))
    assert found.is_copy and found.value < 0.01 and found.nearest[0].source == "hairpin/3.pdb"
    assert "too close" in found.summary() and found.measure == "rmsd"
    assert not index.check(mirrored(one)).is_copy
    assert len(list(stored_backbones(store))) == 32


def test_a_part_of_a_training_backbone_and_one_that_goes_on_are_near_it(built):
    index, _ = built
    whole = backbone("helix-turn-helix", 2)
    part = index.check(whole.part(3, len(whole) - 2))
    assert part.is_copy and part.nearest[0].source == "helix-turn-helix/2.pdb"
    strand = backbone("helix-turn-helix", 5)
    longer = Backbone(
        np.concatenate([strand.atoms, strand.atoms[-1:] + np.float32([[[3.8, 0, 0]]])]), strand.residues + "X"
    )
    assert index.check(longer).nearest[0].source == "helix-turn-helix/5.pdb"


def test_the_nearest_is_the_nearest_of_all(built):
    index, store = built
    asked = backbone("hairpin", 20)
    each = {}
    for record, other in enumerate(stored_backbones(store)):
        for start in range(len(other) - len(asked) + 1):
            near = float(rmsd(asked.trace, other.trace[start : start + len(asked)]))
            each[record] = min(near, each.get(record, np.inf))
    found = index.check(asked)
    shorter = [near for near in found.nearest if near.record not in each]
    best = min(each.items(), key=lambda item: item[1])
    assert shorter or (found.nearest[0].record == best[0] and abs(found.value - best[1]) < 1e-6)
    assert found.value <= best[1] + 1e-6 and found.baseline["rmsd"] > 0


def test_what_nothing_is_like_is_new(built):
    index, _ = built
    line = np.zeros((30, 4, 3), np.float32)
    line[:, :, 0] = 3.8 * np.arange(30)[:, None] + np.arange(4)
    assert index.check(Backbone(line, "X" * 30)).value > 3
