"""A model of clips is at first the model of images that it begins from, looks along time, and leaves what is known as it is."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from makar.errors import ConfigError, TensorMismatchError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.filling import FROM_NOTHING, given_planes, random_holes
from makar.families.diffusion.options import ImageOptions
from makar.families.family import build_family
from makar.tensor_spec import CLASS, KNOWN, MASK, TARGET

FRAMES = 4
IMAGES = DiffusionConfig(height=16, width=16, features=16, head_width=8, embedding_width=32, classes=3)
CLIPS = IMAGES.changed(frames=FRAMES, channels=3 * FRAMES)


def _family(config, *, stirred=True):
    generator = torch.Generator().manual_seed(0)
    family = build_family(config).eval()
    family.begin(generator, [{TARGET: torch.rand(4, config.channels, 16, 16, generator=generator) * 2 - 1}])
    if stirred:
        with torch.no_grad():
            for parameter in family.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return family


class _Codec:
    def __init__(self):
        self.class_counts = {"a": 1, "b": 1, "c": 1}


def _velocity(family, points, time, label=None, given=None):
    label = torch.zeros(len(points), dtype=torch.int64) if label is None else label
    with torch.no_grad():
        return family.velocity(points, time, family.condition(label, None, given))


def _points(count=2):
    return torch.randn(count, CLIPS.channels, 16, 16, generator=torch.Generator().manual_seed(1))


def test_an_inflated_model_makes_each_frame_as_the_model_of_images_does():
    images, clips = _family(IMAGES), _family(CLIPS)
    clips.initialise(torch.Generator().manual_seed(2))
    clips.begin_from(images, [])
    points, time = _points(), torch.tensor([0.3, 0.8])
    label = torch.tensor([1, 2])
    apart = [_velocity(images, points[:, 3 * k : 3 * k + 3], time, label) for k in range(FRAMES)]
    assert torch.allclose(_velocity(clips, points, time, label), torch.cat(apart, 1), atol=1e-5)
    holes = torch.zeros(2, FRAMES, 16, 16, dtype=torch.bool)
    told = _velocity(clips, points, time, label, given_planes(points, holes))
    assert torch.allclose(told, torch.cat(apart, 1), atol=1e-5)


def test_a_model_of_images_of_other_sizes_is_refused():
    other = _family(IMAGES.changed(features=24, head_width=12))
    with pytest.raises(TensorMismatchError):
        _family(CLIPS).begin_from(other, [])


def test_a_model_of_clips_begins_from_one_of_clips_as_it_is():
    first, second = _family(CLIPS), _family(CLIPS, stirred=False)
    second.begin_from(first, [])
    points, time = _points(), torch.tensor([0.4, 0.6])
    assert torch.equal(_velocity(first, points, time), _velocity(second, points, time))


def test_frames_see_each_other_only_where_layers_along_time_say_so():
    clips, points, time = _family(CLIPS), _points(), torch.tensor([0.5, 0.5])
    changed = points.clone()
    changed[:, :3] += 1.0

    def moved(family):
        away = (_velocity(family, points, time) - _velocity(family, changed, time)).abs()
        return [float(away[:, 3 * k : 3 * k + 3].max()) for k in range(FRAMES)]

    assert min(moved(clips)) > 1e-4
    flat = _family(CLIPS)
    flat.begin_from(_family(IMAGES), [])
    with torch.no_grad():
        for name, parameter in flat.named_parameters():
            if "second" in name and parameter.shape[-1:] == parameter.shape[:1]:
                parameter.zero_()
        for part in flat.modules():
            if type(part).__name__ == "TemporalAttention":
                part.attention.out.weight.zero_()
                part.attention.out.bias.zero_()
    assert max(moved(flat)[1:]) < 1e-5 < moved(flat)[0]


def test_parameters_and_operations_are_those_of_the_network():
    family = _family(CLIPS.changed(caption_length=6, caption_vocabulary=40, caption_width=16, caption_layers=1))
    config = family.config
    assert config.parameter_count() == sum(part.numel() for part in family.parameters())
    tokens = torch.full((1, 6), 5)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        family.velocity(_points(1), torch.tensor([0.5]), family.condition(torch.tensor([0]), tokens))
    assert abs(counter.get_total_flops() / (config.training_operations() / 3) - 1) < 0.01


def test_holes_of_every_kind_are_learned():
    holes = random_holes(400, frames=FRAMES, height=16, width=16, generator=torch.Generator().manual_seed(0))
    known = ~holes
    nothing = (~known.flatten(1).any(1)).float().mean()
    assert abs(float(nothing) - FROM_NOTHING) < 0.08
    assert holes.flatten(1).any(1).all(), "something is always to be made"
    whole = known.flatten(2).all(2)
    partly = known.flatten(2).any(2) & ~whole
    kinds = {tuple(row.tolist()) for row in whole[~partly.any(1)]}
    assert {(True, False, False, False), (True, True, True, False), (True, False, False, True)} <= kinds
    assert partly.any(1).sum() > 10, "a box"
    again = random_holes(400, frames=FRAMES, height=16, width=16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(holes, again)


def test_the_network_is_not_given_what_it_is_to_make():
    known = _points()
    holes = torch.zeros(2, FRAMES, 16, 16, dtype=torch.bool)
    holes[:, 1:, 4:] = True
    other = torch.where(holes.repeat_interleave(3, 1), known + 1, known)
    assert torch.equal(given_planes(known, holes), given_planes(other, holes))
    planes = given_planes(known, holes).unflatten(1, (FRAMES, 4))
    assert torch.equal(planes[:, :, 3] > 0, holes) and torch.equal(planes[:, 0, :3], known[:, :3])


@pytest.mark.parametrize("guidance", [None, 2.0])
def test_what_is_known_of_a_clip_comes_back_bit_for_bit(guidance):
    family = _family(CLIPS)
    known = _points(1)[0].clamp(-1, 1)
    mask = torch.zeros(FRAMES, 16, 16)
    mask[1:3] = 1
    options = ImageOptions(steps=3, guidance=guidance, label=None if guidance is None else "b")
    sampler = family.sampler(_Codec())
    prompts = [{KNOWN: known, MASK: mask}] * 2
    (_, first, _), (_, second, _) = sampler.sample(options, prompts, [0, 1])
    stays = np.repeat(mask.numpy() == 0, 3, 0)
    for made in (first[TARGET], second[TARGET]):
        assert np.array_equal(made[stays], known.numpy()[stays])
    assert not np.array_equal(first[TARGET][~stays], second[TARGET][~stays])
    other = known.clone()
    other[:3] = -other[:3]
    ((_, told, _),) = sampler.sample(options, [{KNOWN: other, MASK: mask}], [0])
    assert not np.array_equal(told[TARGET][~stays], first[TARGET][~stays]), "what is known is looked at"


def test_training_moves_the_layers_along_time_and_what_is_given():
    family = _family(CLIPS, stirred=False)
    batch = {TARGET: _points(8).clamp(-1, 1), CLASS: torch.zeros(8, dtype=torch.int64)}
    with torch.no_grad():
        # At the very start the end of the network weighs nothing, and nothing before it is moved.
        family.network.unet.leave.weight.normal_(generator=torch.Generator().manual_seed(0))
    family._loss(batch, torch.Generator().manual_seed(0)).value.backward()
    moved = {name for name, part in family.named_parameters() if part.grad is not None and part.grad.abs().sum() > 0}
    along = [name for name, part in family.named_modules() if type(part).__name__.startswith("Temporal")]
    assert along and all(any(name.startswith(layer) for name in moved) for layer in along)
    entering = family.network.unet.enter.weight.grad.unflatten(1, (4, 7))
    assert (entering[:, :, 3:].abs().sum((0, 1, 3, 4)) > 0).all()


def test_what_clips_cannot_do_is_refused():
    for further in ({"network": "dit"}, {"distilled": True}, {"preference": 0.2}):
        with pytest.raises(ConfigError, match="clips of"):
            CLIPS.changed(**further)
    with pytest.raises(ConfigError, match="frames"):
        CLIPS.changed(channels=13)
    sampler = _family(CLIPS).sampler(_Codec())
    with pytest.raises(UnsupportedError, match="shape"):
        list(sampler.sample(ImageOptions(), [{KNOWN: _points(1)[0], MASK: torch.zeros(2, 16, 16)}], [0]))
