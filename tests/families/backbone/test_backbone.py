"""The family of backbones: turned noise gives turned backbones, mirrored noise does not; lengths, classes, holes that are bridged."""

import numpy as np
import pytest
import torch

from makar.codecs.backbone import BackboneCodec
from makar.codecs.backbone_config import BackboneCodecConfig
from makar.data.builtin.backbones import backbone
from makar.errors import UnknownNameError, UnsupportedError
from makar.families.backbone.bridging import ALONG, bridge
from makar.families.backbone.config import BackboneConfig
from makar.families.backbone.family import BackboneFamily, existing
from makar.families.backbone.frames import frames_of, turned_onto
from makar.families.backbone.options import BackboneOptions
from makar.tensor_spec import TARGET

LONGEST = 12


@pytest.fixture(scope="module")
def family():
    made = BackboneFamily(BackboneConfig(longest=LONGEST, classes=2, width=16, blocks=1, head_width=8, pair_width=4))
    made.initialise(torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
    return made.eval()


@pytest.fixture
def codec():
    return BackboneCodec(
        BackboneCodecConfig(longest=LONGEST, use_labels=True),
        length_counts={"helix": {6: 1, 9: 3}, "strand": {8: 4}},
    )


def noise(*shape, seed=0):
    """Return white noise."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def a_turn():
    """Return a turn in space, not mirrored."""
    turn, _ = torch.linalg.qr(noise(3, 3, seed=5))
    return turn * torch.linalg.det(turn).sign()


def drawn(family, codec, seeds=(1,), prompt=None, **options):
    """Return what a sampler makes."""
    options = BackboneOptions(**{"steps": 2} | options)
    made = family.sampler(codec).sample(options, [prompt or {}] * len(seeds), list(seeds))
    return [slots[TARGET] for _, slots, _ in made]


def test_a_turned_point_has_a_turned_velocity_and_a_mirrored_one_another(family):
    point, time = noise(2, 3, 4, LONGEST), torch.tensor([0.3, 0.9])
    exists = torch.arange(LONGEST)[None] < torch.tensor([LONGEST, 7])[:, None]
    label = torch.tensor([0, 2])
    point = point * exists[:, None, None]
    for change, is_kept in ((a_turn(), True), (torch.diag(torch.tensor([1.0, 1.0, -1.0])), False)):
        with torch.no_grad():
            turned = family.network.velocity(torch.einsum("ij,bjvr->bivr", change, point), time, exists, label)
            plain = torch.einsum("ij,bjvr->bivr", change, family.network.velocity(point, time, exists, label))
        assert torch.allclose(turned, plain, atol=1e-4) is is_kept


def test_what_is_behind_the_last_residue_changes_nothing(family):
    point, time = noise(1, 3, 4, LONGEST), torch.tensor([0.5])
    exists = torch.arange(LONGEST)[None] < 7
    with torch.no_grad():
        whole = family.network.velocity(point * exists, time, exists, torch.tensor([0]))
        short = family.network.velocity((point * exists)[..., :7], time, exists[:, :7], torch.tensor([0]))
    assert torch.allclose(whole[..., :7], short, atol=1e-5) and not whole[..., 7:].any()


def test_frames_are_right_handed_turns():
    frames = frames_of(noise(3, 5, 4, 3))
    assert torch.allclose(frames.transpose(-1, -2) @ frames, torch.eye(3).expand(3, 5, 3, 3), atol=1e-3)
    assert torch.allclose(torch.linalg.det(frames), torch.ones(3, 5), atol=1e-3)


def test_data_is_turned_onto_its_noise_and_never_mirrored():
    data = noise(4, 3, 4, 9)
    turn = a_turn()
    found = turned_onto(data, torch.einsum("ij,bjvr->bivr", turn, data))
    assert torch.allclose(found, torch.einsum("ij,bjvr->bivr", turn, data), atol=1e-4)
    mirror = data * torch.tensor([1.0, 1, -1])[None, :, None, None]
    towards = turned_onto(data, mirror)
    # The volume that three bonds span keeps its sign.
    assert torch.allclose(_volume(towards), _volume(data), atol=1e-3) and not torch.allclose(towards, mirror, atol=0.1)


def _volume(bonds):
    return torch.linalg.det(bonds[:, :, 0, :3])


def test_an_untrained_network_makes_independent_bonds_of_the_length_of_the_data(codec):
    data = torch.tensor(np.stack([codec.bonds(backbone("strand", number)) for number in range(8)]))
    fresh = BackboneFamily(BackboneConfig(longest=LONGEST, width=16, blocks=1, head_width=8, pair_width=4))
    fresh.initialise(torch.Generator().manual_seed(0))
    fresh.initialise_from_data([{TARGET: data}])
    made = np.stack(drawn(fresh, codec, seeds=range(32), residues=LONGEST, steps=20))
    lengths = np.sqrt(np.square(made).sum(1).mean((0, 2)))
    real = data.square().sum((0, 1, 3)).div(existing(data).sum()).sqrt().numpy()
    assert np.allclose(lengths, real, rtol=0.1)


def test_lengths_are_those_of_the_data_or_as_asked_for(family, codec):
    lengths = [int((one != 0).any((0, 1)).sum()) for one in drawn(family, codec, seeds=range(32), label="helix")]
    assert set(lengths) == {6, 9} and lengths.count(9) > 16
    assert {int((one != 0).any((0, 1)).sum()) for one in drawn(family, codec, seeds=range(32))} == {6, 8, 9}
    assert {int((one != 0).any((0, 1)).sum()) for one in drawn(family, codec, seeds=(1, 2), residues=4)} == {4}


@pytest.mark.parametrize(
    "options, prompt, error",
    [
        ({"residues": LONGEST + 1}, {}, UnsupportedError),
        ({"label": "sheet"}, {}, UnknownNameError),
        ({}, {"class": torch.tensor(2)}, UnsupportedError),
        ({"label": "helix"}, {"class": torch.tensor(1)}, UnsupportedError),
        ({}, {"caption": torch.tensor(1)}, UnsupportedError),
        ({}, {"known": torch.zeros(3, 4, LONGEST)}, UnsupportedError),
    ],
)
def test_what_cannot_be_honoured_is_refused(family, codec, options, prompt, error):
    with pytest.raises(error):
        drawn(family, codec, prompt=prompt, **options)


def test_classes_and_guidance_of_a_model_without_classes_are_refused():
    plain = BackboneFamily(BackboneConfig(longest=LONGEST, width=16, blocks=1, head_width=8, pair_width=4)).eval()
    codec = BackboneCodec(BackboneCodecConfig(longest=LONGEST), length_counts={"": {9: 3}})
    for options in ({"label": "helix"}, {"guidance": 2.0}):
        with pytest.raises(UnsupportedError, match=r"without classes|has none"):
            drawn(plain, codec, **options)


def test_new_bonds_lead_from_one_known_part_to_the_next():
    known, made = noise(2, 3, 4, 10, seed=1), noise(2, 3, 4, 10, seed=2)
    mask = torch.zeros(2, 1, 4, 10)
    mask[:, :, :, 3:6] = mask[:, :, 3, 2] = 1
    exists = torch.ones(2, 10, dtype=torch.bool)
    exists[1, 8:] = False
    made = torch.where(mask.expand_as(made) > 0, made, known)
    found = bridge(known, mask, exists)(made)
    assert torch.allclose(found[:, :, ALONG].sum((2, 3)), known[:, :, ALONG].sum((2, 3)), atol=1e-5)
    assert torch.equal(found[:, :, 2], made[:, :, 2]) and torch.equal(found[..., 6:], made[..., 6:])
    # What has nothing known behind it is free.
    end = torch.zeros(2, 1, 4, 10)
    end[..., 6:] = 1
    assert torch.equal(bridge(known, end, exists)(made), made)
