"""Videos go through the verbs: inspect, plan, train, generate, edit, evaluate, verify; a model of images is a beginning."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import makar
from makar.api.model import verify
from makar.codecs.video import are_pictures
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.clip import Clip
from makar.data.film_sound import read_track
from makar.data.sound import Sound
from makar.data.video_file import usual_form, video_bytes
from makar.data.video_reader import read_clip
from makar.data.wave_file import on_grid, wave_bytes
from makar.errors import UnsupportedError, UsageError
from makar.evaluation import clip_extractor
from makar.evaluation.material import own_stores, run_folder
from makar.generation.soundtrack import own_sound
from tests.cli.small_models import IMAGE_SETTINGS, see

SIZES = ("--set", "stages.0.codec.height=16", "--set", "stages.0.codec.width=16", *IMAGE_SETTINGS)


def _write(place, clip):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(video_bytes(clip, "gif", comment=""))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    for moving in ALL[::4]:
        for number in range(4):
            clip = Clip(np.ascontiguousarray(shape_clip(moving, number).frames[:, ::2, ::2]), 8.0)
            file = (
                folder / "data" / ("test" if number == 0 else "train") / moving.shape / f"{moving.colour}{number}.gif"
            )
            _write(file, clip)
            file.with_suffix(".txt").write_text(moving.caption, encoding="utf-8")
            still = folder / "stills" / moving.shape / f"{moving.colour}{number}.png"
            still.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(clip.frames[0]).save(still)
    see("train", folder / "data", "--steps", "8", *SIZES, "-o", "clips")
    patch.undo()
    return folder


@pytest.fixture
def model(place):
    return makar.load("clips")


CLIP = Clip(np.ascontiguousarray(shape_clip(ALL[0], 9).frames[:, ::2, ::2]), 8.0)


def test_videos_go_through_the_verbs(place, tmp_path):
    pytest.importorskip("av")
    inspected = see("inspect", place / "data", "--json").values
    assert inspected["medium"] == "video" and inspected["splits"]["train"]["videos"] > 0
    assert "video-class" in see("plan", place / "data", "--for", "1m", "--no-probe", "--json").output
    made = see("generate", "clips", "--label", "disc", "-n", "2", "--steps", "2", "-o", "out", "--json").values
    content = made[0]["manifest"]["content"]
    assert content["kind"] == "video" and content["frames"] == 8 and made[0]["novelty"]["measure"] == "distance_ratio"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"000{number}.webm{end}" for number in (1, 2) for end in ("", ".makar.json")
    }
    file = tmp_path / "out" / "0001.webm"
    assert b"trainedAlgorithmicMedia" in file.read_bytes() and verify(file).is_intact
    assert read_clip(file.read_bytes(), most_frames=9).frames.shape == (8, 16, 16, 3)
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    assert not verify(file).is_intact


@pytest.mark.parametrize("form", ["mp4", "gif", "apng"])
def test_the_suffix_says_the_form(place, tmp_path, form):
    if form == "mp4":
        pytest.importorskip("av")
    see("generate", "clips", "--steps", "2", "-o", f"x.{form}")
    assert verify(tmp_path / f"x.{form}").is_intact
    assert len(read_clip((tmp_path / f"x.{form}").read_bytes(), most_frames=9).frames) == 8


def test_what_no_form_is_for_is_refused(place, model):
    assert "a video cannot be written" in see("generate", "clips", "-o", "x.png", code=2).messages
    with pytest.raises(UsageError, match="format"):
        model.generate(options={"format": "exe"})
    with pytest.raises(UnsupportedError, match="control"):
        model.generate(options={"temperature": 1.0})


def test_the_same_seed_gives_the_same_video(model):
    first, again, other = (
        model.generate("disc", seed=seed, options={"steps": 2, "format": "gif"})[0].content for seed in (3, 3, 4)
    )
    assert first.file == again.file != other.file and np.array_equal(first.frames, again.frames)


def test_a_picture_comes_to_life_and_leads_to_another(place, model, tmp_path):
    for name, frame in (("first", CLIP.frames[0]), ("last", CLIP.frames[-1])):
        Image.fromarray(frame).save(tmp_path / f"{name}.png")
    options = {"steps": 2}
    (alive,) = model.edit(tmp_path / "first.png", prompt="disc", options=options)
    assert alive.manifest["edit"]["operation"] == "image-to-video" and "composite" in alive.manifest["source_type"]
    assert np.array_equal(alive.content.frames[0], CLIP.frames[0]) and len(alive.content.frames) == 8
    found = see("edit", "clips", "first.png", "last.png", "--steps", "2", "-o", "between.apng", "--json").values
    back = read_clip((tmp_path / "between.apng").read_bytes(), most_frames=9).frames
    assert np.array_equal(back[0], CLIP.frames[0]) and np.array_equal(back[-1], CLIP.frames[-1])
    assert found[0]["manifest"]["edit"]["operation"] == "interpolate" and verify(tmp_path / "between.apng").is_intact


def test_a_clip_goes_on_for_as_long_as_is_asked(model):
    options = {"steps": 2}
    (on,) = model.edit(CLIP, how={"go_on": True}, options=options)
    assert len(on.content.frames) == 12 and np.array_equal(on.content.frames[:8], CLIP.frames)
    (further,) = model.edit(Clip(on.content.frames, 8.0), how={"go_on": True}, options=options)
    assert len(further.content.frames) == 16 and np.array_equal(further.content.frames[:12], on.content.frames)


def test_outside_a_box_or_mask_every_pixel_stays_at_its_size(model):
    large = Clip(np.repeat(np.repeat(CLIP.frames, 3, 1), 3, 2), 8.0)
    mask = np.zeros((48, 48), bool)
    mask[10:30, 12:40] = True
    options = {"steps": 2}
    (boxed,) = model.edit(large, how={"box": (12, 10, 40, 30)}, options=options)
    (masked,) = model.edit(large, how={"mask": mask}, options=options)
    assert boxed.content.frames.shape == large.frames.shape
    assert np.array_equal(boxed.content.frames[:, ~mask], large.frames[:, ~mask])
    assert not np.array_equal(boxed.content.frames[:, mask], large.frames[:, mask])
    assert np.array_equal(boxed.content.frames, masked.content.frames)


def test_a_long_clip_is_filled_window_after_window(model):
    long = Clip(np.concatenate([CLIP.frames] * 3), 8.0)
    (made,) = model.edit(long, how={"box": (0, 0, 8, 16)}, options={"steps": 2})
    assert np.array_equal(made.content.frames[:, :, 8:], long.frames[:, :, 8:])
    changed = (made.content.frames != long.frames).any((1, 2, 3))
    assert changed.all() and len(changed) == 24
    (gap,) = model.edit(long, how={"from_second": 0.5, "to_second": 2.0}, options={"steps": 2})
    changed = (gap.content.frames != long.frames).any((1, 2, 3))
    assert changed[4:16].all() and not changed[:4].any() and not changed[16:].any()


def test_a_strength_begins_from_the_clip(model):
    near, far = (
        model.edit(CLIP, prompt="square", options={"strength": strength, "steps": 4})[0].content.frames
        for strength in (0.1, 1.0)
    )
    away = [np.abs(frames.astype(float) - CLIP.frames).mean() for frames in (near, far)]
    assert away[0] < away[1]
    (same,) = model.edit(CLIP, options={"strength": 0.0})
    assert np.array_equal(same.content.frames, CLIP.frames)


def test_the_sound_of_a_clip_stays_through_every_edit(place, model, tmp_path):
    pytest.importorskip("av")
    hum = Sound(on_grid(np.sin(np.arange(8000)[:, None] / 9).astype(np.float32) / 3), 8000)
    (tmp_path / "heard.mkv").write_bytes(video_bytes(CLIP, "mkv", comment="", sound=hum))
    (tmp_path / "new.wav").write_bytes(wave_bytes(Sound(-hum.samples[:4000], 8000)))
    mask = np.zeros((16, 16), bool)
    mask[2:9, 3:12] = True
    for how, further in (({"mask": mask}, {}), ({"go_on": True}, {}), ({}, {"strength": 0.5})):
        (made,) = model.edit(tmp_path / "heard.mkv", how=how, options={"steps": 2, "format": "mkv", **further})
        track = read_track(made.content.file).samples
        assert np.array_equal(track[:8000], hum.samples) and not track[8000:].any()
        assert len(track) == round(made.content.seconds * 8000)
        measured = made.manifest["edit"].get("flicker")
        assert (measured is None) == ("go_on" in how)
        if measured is not None:
            assert measured["given"] < 1e-6 < measured["made"] and 0 < measured["share"] < 1
        if how.get("mask") is not None:
            back = read_clip(made.content.file, most_frames=9).frames
            assert np.array_equal(back[:, ~mask], CLIP.frames[:, ~mask])
    assert "silence follows" in str(
        model.edit(tmp_path / "heard.mkv", how={"go_on": True}, options={"steps": 2})[0].manifest
    )
    see("edit", "clips", "heard.mkv", "--box", "2,3,9,12", "--steps", "2", "--sound", "new.wav", "-o", "new.mkv")
    track = read_track((tmp_path / "new.mkv").read_bytes()).samples
    assert np.array_equal(track[:4000], -hum.samples[:4000]) and not track[4000:].any()
    see("edit", "clips", "heard.mkv", "--box", "2,3,9,12", "--steps", "2", "--sound", "remove", "-o", "none.mkv")
    assert read_track((tmp_path / "none.mkv").read_bytes()) is None
    see("edit", "none.mkv", "--speed", "2", "-o", "cut.mkv")
    checks = [(check.link, check.name, check.status) for check in verify(tmp_path / "cut.mkv").checks]
    assert ("parent", "artifact link", "ok") in checks and ("parent", "data link", "ok") in checks
    assert (
        "composite"
        in see("edit", "none.mkv", "--speed", "2", "--json", "-o", "x.mkv").values[0]["manifest"]["source_type"]
    )


def test_the_sound_of_a_clip_is_found_in_its_bytes_too(tmp_path):
    pytest.importorskip("av")
    sound = Sound(on_grid(np.sin(np.arange(16_000) / 5)[:, None] / 2).astype(np.float32), 16_000)
    content = video_bytes(shape_clip(ALL[0], 0), "mp4", comment="", sound=sound)
    (tmp_path / "clip.mp4").write_bytes(content)
    found, wanted = own_sound(content), own_sound(tmp_path / "clip.mp4")
    assert found is not None and wanted is not None and np.array_equal(found.samples, wanted.samples)
    assert own_sound(video_bytes(shape_clip(ALL[0], 0), "gif", comment="")) is None


def test_a_clip_of_another_rate_is_taken_at_that_of_the_model(model):
    slow = Clip(np.repeat(CLIP.frames, 3, 0), 24.0)
    (made,) = model.edit(slow, how={"box": (0, 0, 4, 4)}, options={"steps": 2})
    assert np.array_equal(made.content.frames[:, 4:], CLIP.frames[:, 4:]) and made.content.rate_hz == 8.0


@pytest.mark.parametrize(
    "source, how, options, message",
    [
        (CLIP, {}, {}, "nothing says"),
        (CLIP, {"go_on": True, "box": (0, 0, 4, 4)}, {}, "different things"),
        (CLIP, {"box": (0, 0, 40, 4)}, {}, "the box"),
        (CLIP, {"box": (0, 0, 16, 16)}, {}, "covers all"),
        (CLIP, {"from_second": 0.5, "to_second": 0.5}, {}, "hole"),
        (CLIP, {"from_second": 0.0}, {}, "hole"),
        (CLIP, {"to": CLIP.frames[0]}, {}, "leads to a picture"),
        (CLIP, {"enlarge": 2}, {}, "for a clip"),
        (CLIP.frames[0], {"go_on": True}, {}, "for a picture"),
        (CLIP.frames[0], {"to": CLIP}, {}, "a clip to lead to"),
        (np.zeros((2, 3), np.float32), {}, {}, "array"),
        ("absent.webm", {}, {}, "no file"),
    ],
)
def test_what_makes_no_sense_for_a_clip_is_refused(model, source, how, options, message):
    with pytest.raises(UsageError, match=message):
        model.edit(source, how=how, options=options)


def test_a_clip_as_long_as_no_model_makes_has_no_strength(model):
    with pytest.raises(UnsupportedError, match="frames for a model"):
        model.edit(Clip(np.concatenate([CLIP.frames] * 2), 8.0), options={"strength": 0.5})


def test_a_file_that_is_no_video_is_said(model, tmp_path):
    (tmp_path / "x.webm").write_bytes(b"\x1aE\xdf\xa3 nothing")
    (tmp_path / "x.txt").write_text("words", encoding="utf-8")
    for name in ("x.webm", "x.txt"):
        with pytest.raises(makar.errors.DataError, match="cannot be read"):
            model.edit(tmp_path / name, how={"go_on": True})


def test_a_model_of_clips_is_measured(place, tmp_path, monkeypatch):
    # How well it tells clips apart is shown in tests/evaluation/test_clips.py.
    monkeypatch.setattr(clip_extractor, "STEPS", 3)
    report = see("evaluate", "clips", "--samples", "8", "-o", "report", "--json").values
    scores = report["scores"]
    assert {"fid", "class_accuracy", "flicker", "between_psnr", "next_psnr"} <= set(scores)
    for key in ("box_flicker", "strength_flicker"):
        assert (
            scores[key]["baselines"]["the real clips"]["value"] < scores[key]["baselines"]["two draws in turn"]["value"]
        )
    assert {"real, frames shuffled", "real, one frame held"} <= set(scores["fid"]["baselines"])
    assert "FVD" not in str(report) and "mixing the two" in scores["between_psnr"]["baselines"]
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Frechet distance of clips" in text and "training video" in text
    assert text.count("<video controls") + text.count('alt="A clip that the model made."') == 8


def test_a_model_of_images_is_a_beginning(place):
    see("train", place / "stills", "--steps", "4", *SIZES, "-o", "stills")
    see("train", place / "data", "--recipe", "video-class", "--from", "stills", "--steps", "4", "-o", "begun")
    begun = makar.load("begun")
    assert begun.artifact.manifest["run"] and len(begun.generate("disc", options={"steps": 2})[0].content.frames) == 8
    assert see("verify", "begun").code == 0
    refused = see(
        "train", place / "data", "--recipe", "video-text", "--from", "stills", "--steps", "4", code=2
    ).messages
    assert "video-class" in refused
    see("train", place / "data", "--recipe", "video-class", "--from", "begun", "--steps", "2", "-o", "further")


@pytest.mark.parametrize("is_measured", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_clips_and_pictures_are_learned_together(place, tmp_path, monkeypatch, is_measured):
    monkeypatch.setattr(clip_extractor, "STEPS", 3)
    shutil.copytree(place / "data" / "train", tmp_path / "both")
    for path in (place / "stills").rglob("*.png"):
        path = Path(shutil.copy(path, tmp_path / "both" / path.parent.name))
        path.with_suffix(".txt").write_text(f"a picture of a {path.parent.name}", encoding="utf-8")
    inspected = see("inspect", "both", "--json").values
    pictures = inspected["sizes"]["pictures_among_them"]
    assert inspected["medium"] == "video" and 0 < pictures < inspected["sizes"]["videos"]
    assert "pictures" in see("inspect", "both").output
    see("train", "both", "--steps", "3", *SIZES, "-o", "together")
    store = own_stores(run_folder(makar.load("together").artifact))["train"]
    kept = are_pictures(np.asarray(store.columns["target"].values), 8)
    assert 0 < kept.sum() < len(kept)
    if is_measured:
        report = see("evaluate", "together", "--samples", "8", "-o", "report", "--json").values
        assert report["scores"]["flicker"]["baselines"]["held-out real clips"]["value"] > 0
    shutil.rmtree(place / "home" / "models" / "together")


def test_labelled_samples_are_made_for_a_training_set(place, tmp_path):
    found = see(
        "generate", "clips", "--augment", place / "data", "-n", "3", "--steps", "2", "-o", "more", "--json"
    ).values
    files = sorted(path for path in (tmp_path / "more").rglob(f"*.{usual_form()}"))
    assert len(found) == 3 == len(files) and {path.parent.name for path in files} <= {"disc", "square", "triangle"}


def test_film_strips_show_how_a_training_goes(place):
    (strip,) = sorted((place / "home" / "runs").glob("*/samples/video-*8.png"))[:1]
    with Image.open(strip) as image:
        assert image.width > 2 * image.height


@pytest.mark.slow
def test_described_videos_are_learned_from_nothing(place):
    see("train", "builtin:shapes", "--recipe", "video-text", "--steps", "6", *IMAGE_SETTINGS, "-o", "described")
    (made,) = makar.load("described").generate("a red disc moves left", options={"steps": 2})
    assert made.content.frames.shape == (8, 32, 32, 3)
