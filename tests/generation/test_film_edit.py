"""Films are joined, cut, played faster, heard otherwise and written in other forms without a model, and carry proof of all of it."""

import json

import numpy as np
import pytest

import makar
from makar.api.films import names_film
from makar.api.model import verify
from makar.data.clip import Clip
from makar.data.film_sound import read_track
from makar.data.sound import Sound
from makar.data.video_file import video_bytes
from makar.data.video_reader import read_clip
from makar.data.wave_file import on_grid, wave_bytes
from makar.errors import DataError, UnsupportedError, UsageError
from makar.provenance.embedding import COMPOSITE_SOURCE_TYPE, HUMAN_SOURCE_TYPE, SOURCE_TYPE

RATE = 8000
FRAMES = np.random.default_rng(0).integers(0, 255, (12, 12, 16, 3), np.uint8)
SOUND = Sound(on_grid(np.random.default_rng(1).uniform(-0.3, 0.3, (RATE, 1)).astype(np.float32)), RATE)


def frames_of(path):
    return read_clip(path.read_bytes(), most_frames=99).frames


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "still.apng").write_bytes(video_bytes(Clip(FRAMES, 12.0), "apng", comment=""))
    (tmp_path / "new.wav").write_bytes(wave_bytes(Sound(SOUND.samples[: RATE // 2], RATE)))
    return tmp_path


@pytest.fixture
def film(place):
    pytest.importorskip("av")
    path = place / "film.mkv"
    path.write_bytes(video_bytes(Clip(FRAMES, 12.0), "mkv", comment="", sound=SOUND))
    return path


def one(sources, how, form, place, name="made"):
    (asset,) = makar.edit_film(sources, how, form=form)
    path = asset.save(place / f"{name}.{form}")
    assert verify(path).is_intact
    return asset, path


@pytest.mark.parametrize(
    "how, shown, heard",
    [
        ({}, slice(None), slice(None)),
        ({"start": 0.25, "end": 0.75}, slice(3, 9), slice(2000, 6000)),
        ({"start": 0.5}, slice(6, None), slice(4000, None)),
    ],
)
def test_what_is_kept_is_kept_bit_for_bit(film, place, how, shown, heard):
    asset, path = one(film, how, "mkv", place)
    assert np.array_equal(frames_of(path), FRAMES[shown]) and asset.content.count == len(FRAMES[shown])
    assert np.array_equal(read_track(path.read_bytes()).samples, SOUND.samples[heard])
    assert asset.manifest["edit"]["settings"] == how and asset.manifest["artifact"] is None


def test_films_of_other_sizes_rates_and_sounds_are_joined_aloud(film, place):
    larger = Clip(np.repeat(np.repeat(FRAMES[:4], 2, 1), 2, 2)[:, :, :24], 4.0)
    (place / "larger.mkv").write_bytes(video_bytes(larger, "mkv", comment=""))
    asset, path = one([film, place / "larger.mkv", film], {}, "mkv", place)
    made, track = frames_of(path), read_track(path.read_bytes())
    assert np.array_equal(made[:12], FRAMES) and np.array_equal(made[24:], FRAMES) and len(made) == 36
    assert np.array_equal(made[12], made[14]) and not np.array_equal(made[14], made[15])
    assert np.array_equal(track.samples[:RATE], SOUND.samples) and not track.samples[RATE : 2 * RATE].any()
    remarks = " ".join(asset.manifest["edit"]["remarks"])
    assert "film 2 of 24 x 24 pixels" in remarks and "film 2 of 4 frames a second" in remarks


def test_a_speed_leaves_out_frames_or_holds_them(film, place):
    _, fast = one(film, {"speed": 2}, "mkv", place, "fast")
    _, slow = one(film, {"speed": 0.5}, "mkv", place, "slow")
    assert np.array_equal(frames_of(fast), FRAMES[1::2])
    assert np.array_equal(frames_of(slow), np.repeat(FRAMES, 2, 0))
    assert len(read_track(fast.read_bytes()).samples) == RATE // 2
    assert len(read_track(slow.read_bytes()).samples) == 2 * RATE


def test_the_sound_is_replaced_removed_or_lies_beside(film, place):
    replaced, path = one(film, {"sound": "new.wav"}, "mkv", place, "replaced")
    track = read_track(path.read_bytes())
    assert np.array_equal(track.samples[: RATE // 2], SOUND.samples[: RATE // 2])
    assert len(track.samples) == RATE and not track.samples[RATE // 2 :].any()
    assert "0.50 seconds before the pictures" in replaced.manifest["edit"]["remarks"][0]
    assert replaced.manifest["edit"]["sound"]["sound"] == "replaced"
    _, path = one(film, {"sound": "remove"}, "mkv", place, "removed")
    assert read_track(path.read_bytes()) is None
    asset, path = one(film, {}, "gif", place, "beside")
    assert (place / "beside.wav").read_bytes() == asset.content.wave and "sound_sha256" in asset.manifest["content"]
    wave, found = path.with_suffix(".wav"), []
    for change in (lambda: None, lambda: wave.write_bytes(asset.content.wave[:-1] + b"\0"), wave.unlink):
        change()
        verified = verify(path)
        found += [(check.status, verified.is_intact) for check in verified.checks if check.name == "sound"]
    assert found == [("ok", True), ("failed", False), ("unknown", True)]


def test_a_film_becomes_pictures_and_pictures_a_film(place):
    pictures = makar.edit_film(place / "still.apng", {"end": 0.5}, form="frames")
    (place / "walk").mkdir()
    paths = [picture.save(place / "walk") for picture in pictures]
    assert [picture.manifest["edit"]["frame"] for picture in pictures] == list(range(6))
    assert np.array_equal(np.stack([picture.content for picture in pictures]), FRAMES[:6])
    assert verify(paths[3]).is_intact and any("by people" in check.detail for check in verify(paths[3]).checks)
    asset, path = one(place / "walk", {"rate_hz": 12.0}, "apng", place)
    assert asset.content.rate_hz == 12 and np.array_equal(frames_of(path), FRAMES[:6])
    assert makar.edit_film(place / "walk", form="apng")[0].content.rate_hz == 8


def test_the_mark_of_a_trained_algorithm_stays(place):
    made = place / "made.gif"
    made.write_bytes(video_bytes(Clip(FRAMES, 12.0), "gif", comment=f"Makar {SOURCE_TYPE}"))
    for sources, mark in (
        (["still.apng"], HUMAN_SOURCE_TYPE),
        (["made.gif"], SOURCE_TYPE),
        (["still.apng", "made.gif"], COMPOSITE_SOURCE_TYPE),
    ):
        (asset,) = makar.edit_film([place / name for name in sources], {"end": 0.5}, form="gif")
        assert asset.manifest["source_type"] == mark and mark.encode() in asset.content.file
        (picture, *_) = makar.edit_film([place / name for name in sources], {"end": 0.5}, form="frames")
        path = picture.save(place / f"{len(sources)}{mark[-9:]}.png")
        assert picture.manifest["source_type"] == mark and verify(path).is_intact


def test_the_manifest_of_what_was_given_goes_along(place):
    _, first = one(place / "still.apng", {"end": 0.5}, "apng", place, "first")
    second, path = one(first, {"start": 0.25}, "apng", place, "second")
    (source,) = second.manifest["edit"]["sources"]
    assert source["manifest"] == json.loads((place / "first.apng.makar.json").read_text())
    assert ("parent", "source 1", "ok") in [(check.link, check.name, check.status) for check in verify(path).checks]
    # A manifest of another file is no proof, and one that was changed is found.
    (place / "other.apng.makar.json").write_bytes((place / "first.apng.makar.json").read_bytes())
    (place / "other.apng").write_bytes((place / "still.apng").read_bytes())
    assert "manifest" not in makar.edit_film(place / "other.apng", form="apng")[0].manifest["edit"]["sources"][0]


def test_a_folder_or_model_of_the_same_name_is_no_film(place):
    (place / "notes.txt").write_text("words", encoding="utf-8")
    (place / "clips").mkdir()
    assert (
        names_film("still.apng")
        and not names_film("notes.txt")
        and not names_film("absent")
        and not names_film("clips")
    )
    for number in (1, 2):
        makar.edit_film("still.apng", {"end": 0.2}, form="frames")[number - 1].save(place / "clips" / f"{number}.png")
    assert names_film("clips")
    (place / "home" / "models" / "clips").mkdir(parents=True)
    (place / "home" / "models" / "clips" / "manifest.json").write_text("{}", encoding="utf-8")
    assert not names_film("clips")


@pytest.mark.parametrize(
    "how, form, error, message",
    [
        ({}, None, UsageError, "nothing says"),
        ({"start": 0.9, "end": 0.2}, "apng", UsageError, "what lies from"),
        ({"end": 2.0}, "apng", UsageError, "what lies from"),
        ({"shift_pitch": True}, "apng", UsageError, "no speed"),
        ({"speed": 0.001}, "apng", UsageError, "speed"),
        ({"start": float("inf")}, "apng", UsageError, "start"),
        ({"end": float("nan")}, "apng", UsageError, "end"),
        ({"strength": 0.5}, "apng", UnsupportedError, "without a model"),
        ({"sound": "absent.wav"}, "apng", UsageError, "no file"),
        ({"sound": "new.wav"}, "frames", UnsupportedError, "single pictures"),
        ({}, "exe", UsageError, "format"),
    ],
)
def test_what_makes_no_sense_for_a_film_is_refused(place, how, form, error, message):
    with pytest.raises(error, match=message):
        makar.edit_film(place / "still.apng", how, form=form)


@pytest.mark.parametrize(
    "name, content", [("x.webm", b"\x1aE\xdf\xa3 nothing"), ("x.txt", b"words"), ("x.gif", b"GIF89a")]
)
def test_what_is_no_film_is_said(place, name, content):
    (place / name).write_bytes(content)
    with pytest.raises(DataError, match=r"no film|cannot be read"):
        makar.edit_film(place / name, form="apng")
