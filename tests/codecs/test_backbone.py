"""The codec of backbones: lengths by class, long ones cut, counted anew, damaged files refused, bonds that add up."""

import dataclasses
import json

import numpy as np
import pytest

from makar.codecs.backbone import FILE, BackboneCodec, backbone_of
from makar.codecs.backbone_config import BackboneCodecConfig, choose_backbone_codec
from makar.codecs.codec import fit_codec, load_codec
from makar.data.builtin.backbones import backbone
from makar.errors import ArtifactError, ConfigError, EmptyDataError
from makar.tensor_spec import CLASS, TARGET
from tests.contract import samples


def fitted(records, **settings):
    """Return a codec fitted on some records."""
    return fit_codec(BackboneCodecConfig(**settings), iter(records))


@pytest.fixture(scope="module")
def records():
    return samples.records("structure")


def test_lengths_are_counted_class_by_class(records):
    codec = fitted(records, longest=40, use_labels=True)
    assert codec.class_names == ("even", "odd") and codec.class_counts == {"even": 6, "odd": 6}
    assert sum(codec.length_counts["odd"].values()) == 6
    again = codec.counted(iter(records[:1] * 3))
    assert again.class_counts == {"even": 3, "odd": 0} and set(again.length_counts["even"]) == {len(records[0].content)}
    assert codec.counted(iter(())) is codec
    slots = codec.encode(records[1])
    assert slots[TARGET].shape == (3, 4, 40) and slots[CLASS] == 1
    assert codec.encode(dataclasses.replace(records[1], label="foreign")) == {}


def test_longer_backbones_are_cut_into_parts_and_that_is_said(records):
    codec = fitted(records, longest=10)
    parts = list(codec.cut(iter(records)))
    assert max(len(part.content) for part in parts) <= 10 and "were cut" in codec.remarks()[0]
    whole = records[-1].content
    own = [part.content for part in codec.cut(iter(records[-1:]))]
    assert sum(map(len, own)) == len(whole) and np.array_equal(
        np.concatenate([part.atoms for part in own]), whole.atoms
    )
    assert not fitted(records, longest=64).remarks()


def test_bonds_add_up_to_the_places_and_nothing_is_mirrored():
    one = backbone("hairpin", 1)
    codec = BackboneCodec(BackboneCodecConfig(longest=32), length_counts={"": {20: 1}})
    found = backbone_of(codec.bonds(one))
    assert np.allclose(found.atoms, one.atoms - one.atoms.mean((0, 1)), atol=1e-4)
    assert np.abs(codec.bonds(one)).max() < 1.6 and not codec.bonds(one)[:, 3, len(one) - 1].any()


def test_what_cannot_be_learned_is_refused(records):
    with pytest.raises(EmptyDataError):
        fitted([])
    with pytest.raises(ConfigError, match="no backbone has a label"):
        fitted([dataclasses.replace(record, label=None) for record in records], use_labels=True)


@pytest.mark.parametrize(
    "lengths",
    [{}, {"": {}}, {"": {"70": 1}}, {"": {"0": 1}}, {"": {"9": -1}}, {"": {"9": 0}}, {"a": {"9": 1}}, {"": 3}, 7],
)
def test_counts_that_make_no_sense_are_refused(lengths):
    files = {FILE: json.dumps({"lengths": lengths, "cut": 0}).encode()}
    with pytest.raises(ArtifactError):
        load_codec(BackboneCodecConfig(), files)


def test_the_codec_is_as_long_as_the_longest_up_to_a_limit():
    for most, longest in ((5, 8), (31, 32), (33, 36), (300, 64)):
        assert choose_backbone_codec({"residues": {"most": most}}, BackboneCodecConfig()).longest == longest
