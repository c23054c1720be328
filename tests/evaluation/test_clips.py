"""Figures of clips agree with closed forms, and the features for their distance tell movement from none."""

import numpy as np
import pytest

from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.flicker import flicker, still
from makar.evaluation.clip_extractor import ClipExtractor, trained
from makar.evaluation.clip_measures import blended, held, psnr, structural_similarity
from makar.evaluation.frechet import frechet_distance


def _clips(count, first=0):
    return np.stack([shape_clip(ALL[number % len(ALL)], first + number // len(ALL)).frames for number in range(count)])


def _planes(clips):
    return clips.transpose(0, 1, 4, 2, 3).reshape(len(clips), -1, *clips.shape[2:4])


def test_an_even_change_has_no_flicker_and_a_wrong_frame_has():
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[None, :, None, None, None], 16, 2).repeat(16, 3)
    wrong = ramp.copy()
    wrong[:, 4] = 255
    assert flicker(ramp)[0] < 1e-12
    # The frame enters three second differences, twice in the middle one.
    assert flicker(wrong)[0] == pytest.approx((255 - 40) * 4 / 6 / 255)


def test_flicker_is_told_from_movement_by_what_stood_still():
    clip = _clips(1)
    places = still(clip)
    assert 0 < places.mean() < 1 and flicker(clip, places)[0] < 1e-12 < flicker(clip)[0]
    odd = clip.copy()
    odd[:, ::2] = np.clip(odd[:, ::2].astype(int) + 10, 0, 255)
    assert flicker(odd, places)[0] > 0.01
    assert np.isnan(flicker(clip, np.zeros_like(places)))[0]


def test_psnr_is_that_of_its_definition():
    real = np.full((1, 2, 4, 4, 3), 100, np.uint8)
    assert psnr(real + 10, real)[0] == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(real, real)[0] == 60.0


def test_structural_similarity_is_one_for_the_same_and_falls_with_noise():
    clips, draw = _clips(4), np.random.default_rng(0)
    small, large = (np.clip(clips + draw.normal(0, size, clips.shape), 0, 255).astype(np.uint8) for size in (5.0, 40.0))
    assert structural_similarity(clips, clips) == pytest.approx(np.ones(4))
    assert (structural_similarity(large, clips) < structural_similarity(small, clips)).all()
    flat, lighter = np.full((1, 1, 8, 8, 1), 100, np.uint8), np.full((1, 1, 8, 8, 1), 150, np.uint8)
    first, second = 100 / 255, 150 / 255
    expected = (2 * first * second + 1e-4) / (first**2 + second**2 + 1e-4)
    assert structural_similarity(lighter, flat)[0] == pytest.approx(expected)


def test_controls_mix_the_ends_or_stand_still():
    clips = _clips(2)
    mixed = blended(clips[:, 0], clips[:, -1], 8)
    assert np.array_equal(mixed[:, 0], clips[:, 0]) and np.array_equal(mixed[:, -1], clips[:, -1])
    assert (held(clips, 4)[:, 3:] == clips[:, 3:4]).all() and np.array_equal(held(clips, 4)[:, :4], clips[:, :4])


@pytest.mark.slow
def test_the_distance_tells_real_clips_from_shuffled_and_frozen_ones():
    train, other = _planes(_clips(480)), _clips(96, first=12)
    labels = np.array([["left", "right", "up", "down"].index(ALL[n % len(ALL)].direction) for n in range(480)])
    network, accuracy = trained(train, labels, frames=8, steps=120)
    extractor = ClipExtractor(network, classes=4, hash="0" * 64, accuracy=accuracy)
    reference = extractor.features(train)
    order = np.random.default_rng(0).permutation(8)
    real, shuffled, frozen = (
        frechet_distance(extractor.features(_planes(clips)), reference)
        for clips in (other, other[:, order], held(other, 1))
    )
    assert accuracy > 0.9 and 2 * real < shuffled and 2 * real < frozen
