"""WaveNet: what a sample depends on, that the cache says what the whole pass says, and that it learns."""

import math

import numpy as np
import pytest
import torch

from makar.codecs.wave import WaveCodec
from makar.codecs.wave_config import WaveCodecConfig
from makar.errors import UnsupportedError
from makar.families.waveform.wavenet_cache import WavenetCache, drawn
from makar.families.waveform.wavenet_config import LEVELS, WavenetConfig
from makar.families.waveform.wavenet_family import WavenetFamily
from makar.families.waveform.wavenet_network import places_of

TINY = WavenetConfig(samples=512, window=128, channels=8, skip_channels=16, stacks=2, layers=3, taps=2)


def built(config):
    """Return a family whose weights are all away from their start."""
    family = WavenetFamily(config)
    family.initialise(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return family.eval()


def some_samples(batch=2, length=100):
    return torch.randint(0, LEVELS, (batch, length), generator=torch.Generator().manual_seed(2))


def before(samples):
    return torch.nn.functional.pad(samples, (1, 0), value=LEVELS)[:, :-1]


@pytest.mark.parametrize("taps", [2, 3])
@pytest.mark.parametrize("batch", [1, 3])
def test_one_sample_after_the_other_says_what_the_whole_pass_says(taps, batch):
    config = TINY.changed(taps=taps, classes=3, bands=4, frames=32)
    family = built(config)
    samples, hop = some_samples(batch), config.hop
    classes = torch.arange(batch)
    picture = torch.rand(batch, 4, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1
    told = family.network.told(classes, picture)
    places = places_of(torch.zeros(batch, dtype=torch.int64), 100, hop=hop, frames=32)
    whole = family.network(before(samples), told, places).detach().numpy()
    cache = WavenetCache(family.network, batch=batch)
    given, rows = before(samples).numpy(), told.detach().double().numpy()
    for time in range(100):
        cache.tell(rows[:, (time + hop // 2) // hop])
        assert np.abs(cache.step(given[:, time]) - whole[:, time]).max() < 1e-5


def test_a_later_sample_changes_nothing_before_it_and_all_in_reach_change_something():
    family, samples = built(TINY), some_samples(1)
    reach = TINY.receptive_field
    whole = family.network(before(samples), None, None)
    for place in (3, 40):
        other = samples.clone()
        other[0, place] = (other[0, place] + 100) % LEVELS
        changed = (family.network(before(other), None, None) != whole).any(2)[0]
        assert not changed[: place + 1].any() and changed[place + 1 : place + 3].any()
        assert changed[place + 1 : place + 1 + reach].any() and not changed[place + 1 + reach :].any()


def test_a_clip_is_the_same_alone_and_among_others():
    family = built(TINY)
    codec = WaveCodec(WaveCodecConfig(loudest_db=-1.0), class_counts={})
    options = family.options(seconds=0.05)
    sampler = family.sampler(codec)
    (alone,) = (made["target"] for _, made, _ in sampler.sample(options, [{}], [7]))
    among = [made["target"] for _, made, _ in sampler.sample(options, [{}] * 3, [5, 7, 9])]
    assert np.array_equal(alone, among[1]) and not np.array_equal(alone, among[0])
    assert len(alone) == 800
    again = family.sampler(codec).make([0], [None], [torch.Generator()], options=options.changed(temperature=0.0))
    assert len(np.unique(again)) >= 1 and again.max() < LEVELS


def test_draws_are_as_likely_as_the_logits_say():
    logits = np.log(np.tile([0.5, 0.25, 0.25, *[1e-12] * (LEVELS - 3)], (8000, 1)))
    uniform = np.random.default_rng(0).random(8000)
    found = np.bincount(drawn(logits.copy(), uniform, greedy=False), minlength=4)[:4] / 8000
    assert np.abs(found - [0.5, 0.25, 0.25, 0]).max() < 0.02
    assert (drawn(logits.copy(), uniform, greedy=True) == 0).all()


def test_what_lies_behind_the_end_costs_nothing():
    family = built(TINY)
    target = torch.full((1, 512), LEVELS)
    target[0, :100] = some_samples(1)[0]
    with torch.no_grad():
        nats, is_heard = family.nats({"target": target}, torch.zeros(1, dtype=torch.int64), 512)
    assert int(is_heard.sum()) == 100 and not nats[0, 100:].any()
    assert float(nats[0, :100].min()) > 0


def test_it_learns_a_tone_far_below_eight_bits():
    tone = (LEVELS / 2 + 60 * np.sin(np.arange(512) * 2 * math.pi / 16)).astype(np.int64)
    batch = {"target": torch.from_numpy(tone)[None].repeat(4, 1)}
    family = WavenetFamily(TINY)
    family.initialise(torch.Generator().manual_seed(0))
    family.initialise_from_data([batch])
    optimiser = torch.optim.Adam(family.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        optimiser.zero_grad()
        family._loss(batch, generator).value.backward()
        optimiser.step()
    assert float(family.validation_loss(batch, generator).value) < 1.5


def test_without_a_picture_nothing_is_reconstructed():
    config = TINY.changed(bands=4, frames=32)
    family = built(config)
    codec = WaveCodec(WaveCodecConfig(loudest_db=-1.0, use_pictures=True), class_counts={})
    assert not family.creates and config.edits == ("reconstruct",)
    with pytest.raises(UnsupportedError, match="picture"):
        next(family.sampler(codec).sample(family.options(), [{}], [0]))
    with pytest.raises(UnsupportedError, match="shape"):
        next(family.sampler(codec).sample(family.options(), [{"source": torch.zeros(3, 9)}], [0]))
