"""Sounds as pictures and back: what is heard stays, silence ends, phases go on from what is known, the same picture sounds the same."""

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.sound_config import SoundCodecConfig, choose_sound_codec
from makar.data.builtin.effects import KINDS, effect
from makar.data.record import Record
from makar.data.sound import Sound
from makar.errors import ConfigError, EmptyDataError, UnsupportedError
from tests.data.test_sound import tone

CONFIG = SoundCodecConfig(rate_hz=8000, hop=128, mels=64, frames=64, use_labels=True)


def record(sound, *, number=0, label="a", caption=None):
    return Record(
        id=f"{number:016d}", medium="sound", content=sound, document=str(number), source=str(number), split="train",
        label=label, caption=caption,
    )  # fmt: skip


@pytest.fixture(scope="module")
def codec():
    sounds = [tone(300 + 200 * number, level=0.3 + 0.1 * (number % 5)) for number in range(6)]
    return fit_codec(CONFIG, iter([record(sound, number=n, label="ab"[n % 2]) for n, sound in enumerate(sounds)]))


def heard(codec, sound):
    """Return the picture of what comes back, and that of what went in."""
    slots = codec.encode(record(sound))
    values = codec.to_model("target", slots["target"])
    return codec.picture(codec.decode({"target": values}))[:, :, 0].astype(float), slots["target"][0].astype(float)


def test_a_sound_comes_back_as_it_was_heard(codec):
    for pitch in (300, 700, 1300):
        back, was = heard(codec, tone(pitch, level=0.5))
        loud = was > 128
        assert np.abs(back - was)[loud].mean() < 20


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_effect_comes_back(kind):
    codec = fit_codec(
        SoundCodecConfig(rate_hz=16_000, frames=64), iter([record(effect(kind, number)) for number in range(4)])
    )
    back, was = heard(codec, effect(kind, 5))
    loud = was > 110
    assert np.abs(back - was)[loud].mean() < 18, kind


def test_silence_behind_a_sound_is_cut_off(codec):
    slots = codec.encode(record(tone(500, seconds=0.4)))
    back = codec.decode({"target": codec.to_model("target", slots["target"])})
    assert 0.4 <= back.seconds < 0.5 and back.shape[1] == 1 and back.rate_hz == 8000
    scaled = back.samples * 2**15
    assert np.array_equal(scaled, np.rint(scaled))


def test_the_same_picture_sounds_the_same(codec):
    drawn = codec.picture(tone(500))[:, :, 0]
    assert np.array_equal(codec.sound(drawn).samples, codec.sound(drawn).samples)


def test_what_is_known_stays_and_the_new_goes_on_from_it(codec):
    wave = tone(400, seconds=1.0).samples[:8000, 0]
    whole = np.zeros(64 * 128, np.float32)
    whole[:8000] = wave
    drawn = codec.picture(Sound(whole[:, None], 8000))[:, :, 0]
    is_new = np.zeros(len(whole), bool)
    is_new[3000:3800] = True
    known = codec.sound(drawn, known=np.where(is_new, 0, whole), is_new=is_new).samples[:, 0]
    free = codec.sound(drawn).samples[:, 0]
    assert np.abs(known[~is_new] - whole[~is_new]).max() < 1e-4

    def jump(sound):
        joined = np.where(is_new, sound, whole)
        return max(abs(joined[place] - joined[place - 1]) for place in (3000, 3800))

    steps = np.abs(np.diff(wave)).max()
    assert jump(known) < 1.5 * steps
    # The twin: phases that know nothing of what is around do not meet it.
    agreement = [np.corrcoef(sound[is_new], whole[is_new])[0, 1] for sound in (known, free)]
    assert agreement[0] > 0.8 > abs(agreement[1])


def test_several_channels_are_mixed_and_another_rate_is_changed(codec):
    pytest.importorskip("soxr")
    one, two = (codec.picture(tone(440, rate=rate, channels=channels)) for rate, channels in ((8000, 1), (16_000, 2)))
    loud = one > 100
    assert np.abs(one.astype(int) - two.astype(int))[loud].mean() < 6


def test_a_longer_sound_is_cut_and_a_shorter_one_followed_by_silence(codec):
    assert codec.picture(tone(seconds=4)).shape == codec.picture(tone(seconds=0.1)).shape == (64, 64, 1)
    assert codec.picture(tone(seconds=0.1))[:, 20:].max() == 0


def test_classes_and_captions_are_those_of_the_data():
    sounds = [record(tone(300 + n), number=n, label="ab"[n % 2], caption=f"tone {n}") for n in range(4)]
    codec = fit_codec(CONFIG.changed(use_captions=True), iter(sounds))
    assert codec.class_names == ("a", "b") and codec.class_counts == {"a": 2, "b": 2}
    assert codec.decode_caption(codec.encode_caption("tone 3")) == "tone 3"
    assert codec.counted(iter(sounds[:1])).class_counts == {"a": 1, "b": 0}


def test_without_sounds_or_labels_nothing_is_fitted():
    with pytest.raises(EmptyDataError):
        fit_codec(CONFIG, iter([]))
    with pytest.raises(ConfigError, match="label"):
        fit_codec(CONFIG, iter([record(tone(), label=None)]))


def test_the_loudest_can_be_set():
    codec = fit_codec(CONFIG.changed(loudest_db=-10.0), iter([record(tone())]))
    assert codec.config.loudest_db == -10 and (codec.picture(tone()) == 255).any()


@pytest.mark.parametrize(
    "rates, seconds, expected",
    [
        ({"8000": 9, "44100": 2}, 0.6, (8000, 128, 64, 40)),
        ({"16000": 1}, 2.9, (16_000, 256, 80, 184)),
        ({"44100": 1}, 5.0, (22_050, 512, 80, 216)),
        ({"22050": 1}, 1.0, (22_050, 256, 80, 88)),
        ({"4000": 1}, 0.05, (4000, 64, 64, 16)),
    ],
)
def test_the_data_choose_rate_length_and_bands(rates, seconds, expected):
    chosen = choose_sound_codec({"rates_hz": rates, "seconds": {"most_but_5%": seconds}}, SoundCodecConfig())
    assert (chosen.rate_hz, chosen.hop, chosen.mels, chosen.frames) == expected
    assert chosen.seconds <= 5.2
    # A recipe that asks for more bands than usual gets them.
    sizes = {"rates_hz": rates, "seconds": {"most_but_5%": seconds}}
    assert choose_sound_codec(sizes, SoundCodecConfig(mels=128)).mels == 128


def test_an_outline_leads_back_to_no_sound_and_a_melody_lies_beside_the_picture():
    records = [record(tone(440, seconds=0.8), number=n) for n in range(2)]
    outline = fit_codec(CONFIG.changed(shows="outline"), iter(records))
    assert outline.encode(records[0])["target"].shape == (1, 16, CONFIG.frames) and not outline.decodes
    with pytest.raises(UnsupportedError, match="outline"):
        outline.decode({"target": np.zeros((1, 16, CONFIG.frames), np.float32)})
    codec = fit_codec(CONFIG.changed(use_melody=True), iter(records))
    slots = codec.encode(records[0])
    assert codec.spec["source"].vocabulary == 13 and slots["source"].shape == (1, CONFIG.frames)
    heard = int(0.8 * CONFIG.rate_hz / CONFIG.hop)
    # 440 Hz is an A; behind the end of the sound nothing leads.
    assert (slots["source"][0, 4 : heard - 4] == 9).all() and (slots["source"][0, heard + 12 :] == 12).all()
