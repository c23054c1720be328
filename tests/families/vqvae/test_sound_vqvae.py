"""Sounds as tokens and back: sizes of any length, fewer codebooks, exact counts, and what is learned in a few steps."""

import pytest
import torch

from makar.errors import ConfigError
from makar.families.family import build_family
from makar.families.vqvae.sound_config import SoundVqvaeConfig
from makar.families.vqvae.sound_family import SoundVqvaeFamily
from makar.tensor_spec import TARGET, Slot, TensorSpec

SMALL = SoundVqvaeConfig(rows=12, frames=22, features=16, strides=(2, 2), codebooks=3, codes=8, code_width=16)


def pictures(count=16, seed=0):
    """Return stripes that move: what frames of a melody look like."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randint(0, 12, (count, 6), generator=draw).repeat_interleave(4, 1)[:, :22]
    return torch.full((count, 1, 12, 22), -0.9).scatter(2, rows[:, None, None], 0.7)


def learned(config=SMALL, *, steps=120):
    family = build_family(config)
    assert isinstance(family, SoundVqvaeFamily)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    family.initialise_from_data([{TARGET: pictures()}])
    (phase,) = family.phases()
    optimiser = torch.optim.Adam(family.parameters(), 1e-2)
    for step in range(steps):
        optimiser.zero_grad()
        phase.loss({TARGET: pictures(seed=step)}, generator).value.backward()
        optimiser.step()
        phase.after_step()
    return family.eval()


@pytest.fixture(scope="module")
def family():
    return learned()


def test_what_is_learned_comes_back_nearer_with_every_codebook(family):
    real = pictures(seed=500)
    tokens = family.encode(real)
    assert tokens.shape == (16, 3, 6) and tokens.shape[1:] == family.config.latents().sizes
    errors = [float((family.decode(tokens[:, :count]) - real).square().mean()) for count in (1, 2, 3)]
    assert errors[1] < 0.9 * errors[0] and errors[2] < 1.1 * errors[1]
    usual = float((real - real.mean((0, 3), keepdim=True)).square().mean())
    assert errors[2] < 0.7 * usual


def test_lengths_that_the_strides_do_not_divide_and_longer_ones_come_back(family):
    tokens = family.encode(pictures())
    assert family.decode(tokens).shape == (16, 1, 12, 22)
    longer = torch.cat([tokens, tokens], 2)
    assert family.decode(longer).shape == (16, 1, 12, 48)
    # What stands far from the seam is the same as alone.
    assert torch.allclose(family.decode(longer)[..., :16], family.decode(tokens)[..., :16], atol=1e-5)


def test_codes_follow_the_data_at_the_pace_of_their_decay():
    codes = {}
    for decay in (0.5, 0.999):
        family = learned(SMALL.changed(decay=decay, restart_share=0.0), steps=3)
        codes[decay] = family.network.quantiser.codebooks[0].vectors
    assert not torch.equal(codes[0.5], codes[0.999])


def test_dead_codes_come_back_where_they_may():
    codes = {
        share: learned(SMALL.changed(restart_share=share, decay=0.5), steps=4).network.quantiser.codebooks[0].vectors
        for share in (0.0, 1.0)
    }
    assert not torch.equal(codes[0.0], codes[1.0])


def test_what_is_no_picture_of_a_sound_is_refused():
    colours = Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 12, 22))
    with pytest.raises(ConfigError, match="pictures of sounds"):
        SMALL.bound_to(TensorSpec({TARGET: colours}))
    with pytest.raises(ConfigError, match="strides"):
        SMALL.changed(strides=())


def test_operations_count_the_products():
    def products(config):
        # By hand: positions times weights of every matrix product, encoder and decoder, forward and twice backward.
        width, places = config.features, config.positions * config.stride
        total = places * 3 * config.rows * width
        for stride in config.strides:
            total += places * 4 * config.blocks * width**2 + places // stride * stride * width * width
            places //= stride
        total += places * (4 * config.blocks * width**2 + width * config.code_width)
        search = 4.0 * config.positions * config.codebooks * config.codes * config.code_width
        return 2 * 3 * 2.0 * total + search

    for config in (SMALL, SMALL.changed(strides=(4, 1, 2), blocks=2)):
        assert config.training_operations() == pytest.approx(products(config), rel=1e-6)
