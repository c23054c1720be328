"""Tacotron: frames follow what is spoken, the voice and the stop; what was said before decides; it learns."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from makar.codecs.speech_config import TIMING_PLANES
from makar.codecs.told_planes import PROSODY_PLANES, SPEAKER_PLANES
from makar.codecs.units import KINDS
from makar.families.spoken_frames import is_spoken
from makar.families.tacotron.config import TacotronConfig
from makar.families.tacotron.family import TacotronFamily

TINY = TacotronConfig(
    bands=8, frames=16, planes=6, channels=16, recurrent=24, narrow=16, later=16, together=2, classes=2
)  # fmt: skip


@pytest.mark.parametrize("units", sorted(KINDS))
@pytest.mark.parametrize("told", [0, PROSODY_PLANES, SPEAKER_PLANES, PROSODY_PLANES + SPEAKER_PLANES])
def test_where_something_is_spoken_is_known_whatever_else_is_told(units, told):
    timing = len(KINDS[units])
    planes = torch.full((1, timing + TIMING_PLANES + told, 1, 16), 0.5)
    planes[:, timing + 1, 0, 12:] = 0
    assert is_spoken(planes)[0].tolist() == [True] * 12 + [False] * 4


class Codec:
    """What the sampler needs of a codec of speech."""

    class_counts: ClassVar[dict[str, int]] = {"anna": 3, "bert": 5}


def source(spoken=12):
    planes = torch.zeros(6, 1, 16)
    planes[1, 0, :6], planes[2, 0, 6:spoken] = 1.0, 1.0
    planes[-1, 0, :spoken] = 0.3
    return planes


def batch():
    target = torch.full((2, 8, 1, 16), -1.0)
    target[:, 2, 0, :6], target[:, 5, 0, 6:12] = 0.7, 0.7
    target[1] *= 0.5
    return {"target": target, "source": source().expand(2, -1, -1, -1), "class": torch.tensor([0, 1])}


def trained(steps=90):
    family = TacotronFamily(TINY.changed(dropout=0.1))
    family.initialise(torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(family.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        optimiser.zero_grad()
        family._loss(batch(), generator).value.backward()
        optimiser.step()
    return family.eval()


def spoken(family, *, seed=0, **controls):
    ((_, made, _),) = family.sampler(Codec()).sample(
        family.options(**{"label": "anna", **controls}), [{"source": source()}], [seed]
    )
    return made["target"][:, 0]


def test_it_learns_to_say_frames_one_after_the_other_and_to_stop():
    family = trained()
    made = spoken(family)
    assert made.shape == (8, 16)
    wanted = batch()["target"][0, :, 0].numpy()
    assert np.abs(made[:, :12] - wanted[:, :12]).mean() < 0.3
    assert (made[:, 13:] == -1).all()
    assert np.array_equal(made, spoken(family)) and not np.array_equal(made, spoken(family, seed=1))
    assert not np.array_equal(made, spoken(family, label="bert"))
    assert (spoken(family, stop=0.0) == -1).all()


def test_a_frame_depends_on_frames_before_it_and_on_none_after():
    family = TacotronFamily(TINY)
    family.initialise(torch.Generator().manual_seed(0))
    network = family.network
    told = network.read(source()[None, :, 0], torch.tensor([0]))
    seen = torch.rand(1, 8, 16, generator=torch.Generator().manual_seed(0))
    other = seen.clone()
    other[0, 4] += 1
    first, second = (network.say(values, told, None)[0] for values in (seen, other))
    changed = (first != second).any(2)[0]
    assert not changed[:8].any() and changed[8:].all()
