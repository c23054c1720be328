"""What somebody likes is learned from what they said, and is their own where it differs from what all like."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from makar.data.feedback.judgement import Judged, Judgement
from makar.data.feedback.taste import features, learn_taste, pairs_of
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from makar.errors import EmptyDataError, UnknownNameError, UnsupportedError


def picture(red, blue, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 40, (16, 16, 3), dtype=np.uint8)
    pixels[..., 0] += np.uint8(red)
    pixels[..., 2] += np.uint8(blue)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return Judged(hash=hashlib.sha256(pixels.tobytes()).hexdigest(), png=buffer.getvalue())


def text(words):
    return Judged(hash=hashlib.sha256(words.encode()).hexdigest(), text=words)


def wave(hertz):
    samples = np.sin(2 * np.pi * hertz * np.arange(4000) / 8000).astype(np.float32)[:, None] / 2
    file = wave_bytes(Sound(samples=samples, rate_hz=8000))
    return Judged(hash=hashlib.sha256(file).hexdigest(), file=file)


def said(item, value, rater, *, consent=True):
    return Judgement(kind="stars", medium=item.judged_as, items=(item,), value=(value,), rater=rater, consent=consent)


RED, BLUE = [picture(200, 0, seed) for seed in range(6)], [picture(0, 200, seed) for seed in range(6, 12)]
EVERYTHING = [said(one, 5, "ann") for one in RED] + [said(one, 1, "ann") for one in BLUE]
EVERYTHING += [said(one, 1, "bob") for one in RED[:3]] + [said(one, 5, "bob") for one in BLUE[:3]]
EVERYTHING += [said(one, 4, "eve") for one in RED[:3]] + [said(one, 2, "eve") for one in BLUE[:3]]


def test_each_person_gets_what_they_like_and_all_what_most_like():
    unseen = [picture(190, 5, 20), picture(5, 190, 21)]
    ann, bob, everybody = (
        learn_taste(EVERYTHING, medium="image", rater=who).rewards(unseen) for who in ("ann", "bob", "")
    )
    assert ann[0] > ann[1] and bob[1] > bob[0] and everybody[0] > everybody[1]
    assert ann[0] - ann[1] > everybody[0] - everybody[1]


def test_words_are_liked_too():
    good, bad = ["a fox in the snow", "the snow and the fox"], ["stock prices fell", "prices of stock rose"]
    judged = [said(text(one), 5, "ann") for one in good] + [said(text(one), 2, "ann") for one in bad]
    rewards = learn_taste(judged, medium="text", rater="ann").rewards(
        [text("snow falls on a fox"), text("the prices fell")]
    )
    assert rewards[0] > rewards[1]


def test_sounds_are_liked_too():
    low, high = [wave(hertz) for hertz in (200, 250, 300)], [wave(hertz) for hertz in (2000, 2500, 3000)]
    judged = [said(one, 5, "ann") for one in low] + [said(one, 1, "ann") for one in high]
    rewards = learn_taste(judged, medium="sound", rater="ann").rewards([wave(270), wave(2200)])
    assert rewards[0] > rewards[1]
    with pytest.raises(UnsupportedError, match="audio/midi"):
        features([Judged(hash="0" * 64, file=b"MThd")])


def test_more_that_is_said_makes_a_taste_surer():
    few = [said(one, 5, "ann") for one in RED[:1]] + [said(one, 1, "ann") for one in BLUE[:1]]
    unseen = [picture(190, 5, 20), picture(5, 190, 21)]
    less, more = (np.diff(learn_taste(found, medium="image").rewards(unseen))[0] for found in (few, EVERYTHING[:12]))
    assert more < less < 0


def test_nothing_is_learned_of_one_opinion_or_without_consent():
    with pytest.raises(EmptyDataError, match="tells two things apart"):
        learn_taste([said(one, 3, "ann") for one in RED], medium="image")
    with pytest.raises(EmptyDataError):
        learn_taste([said(one, 5, "ann", consent=False) for one in RED + BLUE], medium="image")
    with pytest.raises(EmptyDataError):
        learn_taste(EVERYTHING, medium="text")
    with pytest.raises(UnknownNameError, match="zoe"):
        learn_taste(EVERYTHING, medium="image", rater="zoe")
    with pytest.raises(UnsupportedError, match="taste in music"):
        learn_taste(EVERYTHING, medium="music")


def test_orders_thumbs_and_stars_are_pairs_of_one_person():
    order = Judgement(kind="ranking", medium="image", items=tuple(RED[:3]), value=(1, 2, 2), rater="ann", consent=True)
    assert pairs_of([order]) == [(RED[0], RED[1]), (RED[0], RED[2])]
    assert pairs_of([said(RED[0], 2, "ann"), said(RED[1], 4, "ann"), said(RED[0], 5, "ann")]) == [(RED[0], RED[1])]


@pytest.mark.parametrize("mode, size", [("L", (1, 1)), ("RGBA", (3, 5)), ("RGB", (64, 2)), ("RGB", (200, 100))])
def test_images_of_any_shape_have_features(mode, size):
    buffer = io.BytesIO()
    Image.new(mode, size, 7).save(buffer, "PNG")
    found = features([Judged(hash="0" * 64, png=buffer.getvalue())])
    assert np.isfinite(found).all() and found.shape == features(RED[:1]).shape
    assert np.isfinite(features([text(""), text("...")])).all()
