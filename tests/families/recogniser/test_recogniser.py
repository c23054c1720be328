"""The network hears to both sides alike wherever it stands, what is varied stays in range, hidden parts show nothing."""

import pytest
import torch

from makar.families.recogniser.config import RecogniserConfig
from makar.families.recogniser.family import RecogniserFamily, varied
from makar.tensor_spec import mismatches

CONFIG = RecogniserConfig(mels=16, frames=64, letters=8, vocabulary=5, width=16, depth=2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def family():
    made = RecogniserFamily(CONFIG)
    made.initialise(generator())
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(1)))
    return made.eval()


def test_chances_of_a_step_add_up_to_one(family):
    heard = family.letter_chances({"target": torch.randn(3, 16, 1, 64, generator=generator())})
    assert heard.shape == (3, 32, 5) and torch.allclose(torch.from_numpy(heard).exp().sum(-1), torch.ones(3, 32))


def test_what_is_far_away_does_not_count(family):
    target = torch.randn(1, 16, 1, 64, generator=generator())
    other = target.clone()
    other[..., 40:] = 0
    first, second = (torch.from_numpy(family.letter_chances({"target": one})) for one in (target, other))
    # Two blocks of four steps to each side, and the step itself.
    assert torch.allclose(first[:, :12], second[:, :12], atol=1e-6) and not torch.allclose(first[:, 19], second[:, 19])


def test_hidden_parts_show_nothing_and_the_rest_moves_together():
    target = torch.rand(4, 16, 1, 64, generator=generator()) - 0.5
    plain = CONFIG.changed(time_masks=0, band_masks=0, loudness_shift=0.0)
    assert torch.equal(varied(target, plain, generator()), target)
    hidden = varied(target, plain.changed(time_masks=1, longest_mask=20), generator(3))
    mean = target.mean(dim=(1, 2, 3), keepdim=True)
    gone = (hidden == mean).all(dim=1)[:, 0]
    assert torch.equal(hidden[:, 0, 0][~gone], target[:, 0, 0][~gone]) and (gone.sum(1) <= 20).all() and gone.any()
    bands = varied(target, plain.changed(band_masks=1, widest_mask=8), generator(3)) == mean
    assert bands.all(dim=3).any() and (bands.all(dim=3)[..., 0].sum(1) <= 8).all()
    louder = varied(target, plain.changed(loudness_shift=0.2), generator(3)) - target
    assert louder.abs().max() <= 0.4 and torch.allclose(louder, louder[:, :1, :, :1].expand_as(louder), atol=1e-6)


def test_what_is_silent_stays_silent():
    silent = torch.full((2, 16, 1, 64), -1.0)
    assert torch.equal(varied(silent, CONFIG, generator()), silent)


def test_a_transcript_that_does_not_fit_is_no_infinite_loss(family):
    batch = {"target": torch.zeros(2, 16, 1, 64), "caption": torch.ones(2, 8, dtype=torch.int64)}
    short = RecogniserFamily(CONFIG.changed(frames=4))
    short.initialise(generator())
    loss = short.validation_loss({**batch, "target": torch.zeros(2, 16, 1, 4)}, generator())
    assert torch.isfinite(loss.value) and loss.unit == "nats/letter"


def test_frames_and_letters_are_what_the_codec_must_make(family):
    for change in ({"frames": 32}, {"letters": 4}):
        assert mismatches(CONFIG.accepts(), CONFIG.changed(**change).accepts())
    assert CONFIG.changed(frames=32).training_operations() < CONFIG.training_operations()
    assert family.onnx_parts()[0].inputs["target"].shape[-1] == CONFIG.frames


def test_noise_has_no_letters(family):
    batch = {
        "target": torch.rand(64, 16, 1, 64, generator=generator()),
        "caption": torch.ones(64, 8, dtype=torch.int64),
    }
    shared = RecogniserFamily(CONFIG.changed(noise_share=0.5)).prepare(batch, generator(5))
    is_noise = (shared["caption"] == 0).all(1)
    assert 16 < is_noise.sum() < 48 and (shared["caption"][~is_noise] == 1).all()
    assert shared["target"].abs().max() <= 1 and len(set(shared["target"][is_noise].mean(dim=(1, 2, 3)).tolist())) > 16
    assert family.phases()[0].loss(shared, generator()).value.isfinite()
