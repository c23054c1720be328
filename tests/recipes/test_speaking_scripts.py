"""Scripts are read aloud: voices, chapters in manifest and file, equal levels; a drawn face moves its mouth with the sound."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

import makar
from makar.api.model import verify
from makar.data.sound_reader import read_sound
from makar.errors import ConsentError, UsageError
from makar.generation import reading_aloud
from makar.generation.avatar import Avatar
from makar.generation.levels import TARGET_DB, loudness_db
from makar.generation.presenting import FILMS, images_of, presented_asset
from makar.generation.reading_aloud import Voice, read_aloud
from tests.cli.small_models import see
from tests.recipes.spoken_data import SPEECH_SETTINGS, write_spoken
from tests.retrieval.test_reading import pdf, word

SCRIPT = "# First\nAnn: low high\nBob: high low\n\n# Second\nAnn: low low"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cast")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    for first, voice in enumerate(("ann", "bob")):
        write_spoken(folder / "data" / voice, count=8, first=100 * first)
    see("train", folder / "data", "--recipe", "speech-voices", "--steps", "4", *SPEECH_SETTINGS, "-o", "cast")
    patch.undo()
    return folder


CAST = {"Ann": "cast:ann", "Bob": "cast:bob"}


def marks_of(wave):
    """Return (sample, title) of every cue point of a WAV file, read chunk by chunk."""
    at, places, titles = 12, {}, {}
    while at < len(wave):
        name, size = struct.unpack("<4sI", wave[at : at + 8])
        body = wave[at + 8 : at + 8 + size]
        if name == b"cue ":
            for number in range(struct.unpack("<I", body[:4])[0]):
                point = struct.unpack("<II4sIII", body[4 + 24 * number : 28 + 24 * number])
                places[point[0]] = point[5]
        if name == b"LIST" and body[:4] == b"adtl":
            inner = 4
            while inner < len(body):
                _, length, number = struct.unpack("<4sII", body[inner : inner + 12])
                titles[number] = body[inner + 12 : inner + 8 + length].rstrip(b"\0").decode()
                inner += 8 + length + length % 2
        at += 8 + size + size % 2
    return [(places[number], titles[number]) for number in sorted(places)]


def test_chapters_stand_in_the_manifest_and_in_the_file(place, tmp_path):
    (tmp_path / "script.md").write_text(SCRIPT, encoding="utf-8")
    voices = [word for name, model in CAST.items() for word in ("--voice", f"{name}={model}")]
    done = see("speak", "script.md", *voices, "--steps", "2", "-o", "pod.wav")
    assert "First" in done.messages and "Second" in done.messages and "lines spoken: 0 of 3" in done.messages
    wave = (tmp_path / "pod.wav").read_bytes()
    manifest = json.loads((tmp_path / "pod.wav.makar.json").read_text())["manifest"]
    first, second = manifest["edit"]["chapters"]
    sound = read_sound(wave)
    assert (first["title"], second["title"], second["end"]) == (
        "First",
        "Second",
        pytest.approx(sound.seconds, abs=1e-3),
    )
    assert first["end"] == second["start"]
    assert marks_of(wave) == [
        (pytest.approx(one["start"] * sound.rate_hz, abs=9), one["title"]) for one in (first, second)
    ]
    assert [(one["name"], one["label"]) for one in manifest["edit"]["voices"]] == [("Ann", "ann"), ("Bob", "bob")]
    assert manifest["prompt"] == SCRIPT and verify("pod.wav").is_intact


def test_a_document_is_a_script(place, tmp_path):
    (tmp_path / "talk.docx").write_bytes(
        word(("Heading1", "First"), ("Normal", "low high"), ("Heading1", "Second"), ("Normal", "low"))
    )
    (tmp_path / "talk.pdf").write_bytes(pdf("low high low", "low low low"))
    see("speak", "talk.docx", "--voice", "cast:ann", "--steps", "2", "-o", "talk.wav")
    edit = json.loads((tmp_path / "talk.wav.makar.json").read_text())["manifest"]["edit"]
    assert [one["title"] for one in edit["chapters"]] == ["First", "Second"] and edit["lines"] == 2
    see("speak", "talk.pdf", "--voice", "cast:ann", "--steps", "2", "-o", "pages.wav")
    assert json.loads((tmp_path / "pages.wav.makar.json").read_text())["manifest"]["edit"]["lines"] == 2
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    assert "damaged PDF" in see("speak", "broken.pdf", "--voice", "cast:ann", "-o", "no.wav", code=1).messages


def test_every_line_is_as_loud_as_the_others_and_voices_differ(place):
    model = makar.load("cast")
    cast = [Voice(name=name, artifact=model.artifact, label=name.lower()) for name in CAST]
    reading = read_aloud(cast, SCRIPT, options={"steps": 2})
    assert loudness_db(reading.sound) == pytest.approx(TARGET_DB, abs=3)
    starts = [unit.start for unit in reading.units]
    assert starts == sorted(starts) and reading.units[-1].end <= reading.sound.seconds + 1e-6
    swapped = makar.speak(SCRIPT, voices={"Ann": "cast:bob", "Bob": "cast:ann"}, options={"steps": 2})
    plain = makar.speak(SCRIPT, voices=CAST, options={"steps": 2})
    again = makar.speak(SCRIPT, voices=CAST, options={"steps": 2})
    assert plain.content.wave == again.content.wave != swapped.content.wave


@pytest.mark.parametrize(
    "voices, form, word",
    [
        ({"Ann": "cast:ann"}, ".wav", "BOB"),
        ({"Ann": "cast:zoe", "Bob": "cast:bob"}, ".wav", "zoe"),
        ({}, ".wav", "voices"),
        (CAST, ".avi", ".gif"),
    ],
)
def test_what_cannot_be_read_is_refused(place, voices, form, word):
    with pytest.raises(UsageError, match=word):
        makar.speak(SCRIPT.replace("Bob", "BOB"), voices=voices, form=form, options={"steps": 2})


def test_a_line_that_cannot_be_said_is_known_before_the_first_is_spoken(place, monkeypatch):
    def drawn(*_):
        raise AssertionError("nothing may be drawn")

    monkeypatch.setattr(reading_aloud, "drafted_parts", drawn)
    with pytest.raises(UsageError, match="spoken"):
        makar.speak("Ann: low\n\nAnn: \u65e5\u672c\u8a9e", voices=CAST)


def test_a_model_of_several_voices_needs_one_to_be_named(place):
    with pytest.raises(UsageError, match="2 voices") as refused:
        makar.speak("low high", voices="cast")
    assert refused.value.expected == "one of: ann, bob"


@pytest.mark.parametrize("form", [".gif", ".webp", ".apng"])
def test_a_face_speaks_as_long_as_the_sound(place, tmp_path, form):
    asset = makar.speak("low high", voices="cast:ann", form=form, options={"steps": 2})
    path = asset.save(tmp_path / f"face{form}")
    assert verify(path).is_intact and asset.manifest["edit"]["presenter"]["visible_mark"] == "AI generated"
    seconds = 0.0
    with Image.open(path) as film:
        count = film.n_frames
        for number in range(count):
            film.seek(number)
            film.load()
            seconds += film.info["duration"] / 1000
    sound = read_sound((tmp_path / "face.wav").read_bytes())
    assert count > 2 and seconds == pytest.approx(sound.seconds, abs=0.041)


@pytest.mark.parametrize("form", [".mp4", pytest.param(".webm", marks=pytest.mark.slow)])
def test_a_film_has_image_and_sound(place, form):
    av = pytest.importorskip("av")
    asset = makar.speak("low high", voices="cast:ann", form=form, options={"steps": 2})
    with av.open(io.BytesIO(asset.content.file)) as film:
        assert sum(1 for _ in film.decode(video=0)) == asset.content.count
        film.seek(0)
        samples = sum(frame.samples for frame in film.decode(audio=0))
        assert samples / film.streams.audio[0].rate == pytest.approx(asset.content.seconds, abs=0.2)
        assert "AI generated" in {name.lower(): value for name, value in film.metadata.items()}["comment"]


def test_the_mouth_is_open_when_it_is_loud(place):
    model = makar.load("cast")
    reading = read_aloud(
        [Voice(name="Ann", artifact=model.artifact, label="ann")], "low. high low.", options={"steps": 2}
    )
    avatar = Avatar()
    resting = avatar.draw("X", False)
    images = images_of(reading, avatar)
    assert len(images) == int(np.ceil(reading.sound.seconds * 25))
    moved = [bool((image[140:215] != resting[140:215]).any()) for image in images]
    spoken = [one for one in reading.units if one.unit not in ("pau", " ")]
    inside = [int((one.start + one.end) / 2 * 25) for one in spoken]
    assert all(moved[number] for number in inside) and not all(moved)


def test_a_photograph_needs_the_consent_of_whoever_it_shows(place, tmp_path):
    draw = np.random.default_rng(0)
    Image.fromarray(draw.integers(0, 255, (80, 60, 3), np.uint8)).save("photo.png")
    ask = {"voices": "cast:ann", "form": ".gif", "options": {"steps": 2}, "drawing": "photo.png", "mouth": (30, 50, 20)}
    with pytest.raises(ConsentError, match="photograph"):
        makar.speak("low", **ask)
    record = ["consent", "record", place / "data" / "ann" / "1.wav", "--who", "Ann", "--scope"]
    see(*record, "voice", "-o", "voice.json")
    with pytest.raises(ConsentError, match="not to face"):
        makar.speak("low", **ask, consent="voice.json")
    see(*record, "face", "-o", "face.json")
    asset = makar.speak("low", **ask, consent="face.json")
    assert asset.manifest["edit"]["presenter"]["consent"][0]["who"] == "Ann"


def test_every_form_is_known_before_anything_is_drawn(place):
    assert set(FILMS) == {".gif", ".webp", ".apng", ".mp4", ".webm", ".mkv"}
    model = makar.load("cast")
    reading = read_aloud([Voice(name="A", artifact=model.artifact, label="ann")], "low", options={"steps": 2})
    with pytest.raises(UsageError, match="gif"):
        presented_asset(reading, Avatar(), suffix=".avi")
