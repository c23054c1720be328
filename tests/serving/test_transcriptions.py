"""Transcriptions over HTTP with the official client: every form, times of words, what is refused, recordings that are none."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import openai
import pytest

from makar.data.wave_file import wave_bytes
from makar.errors import UsageError
from makar.serving.front import only_model
from makar.serving.places import Place
from makar.serving.transcriptions import subtitles
from tests.cli.small_models import see
from tests.recipes.spoken_data import RECOGNISER_SETTINGS, sentence, spoken, write_spoken
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, request, talker

pytestmark = pytest.mark.loopback
NUMBER = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transcriptions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        write_spoken(folder / "data", count=32)
        see(
            "train", folder / "data", "--recipe", "recogniser", "--steps", "200", *RECOGNISER_SETTINGS, "-o", "listener"
        )
        talker(folder / "models" / "talker")
    running = Server(folder)
    yield running
    assert running.stop() == 0


@pytest.fixture
def audio(server):
    with openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made.audio


@pytest.fixture(scope="module")
def recording():
    return wave_bytes(spoken(sentence(NUMBER), seed=900)[0])


def test_json_and_text_say_what_is_said(audio, recording):
    found = audio.transcriptions.create(file=("a.wav", recording), model="listener")
    assert found.text == sentence(NUMBER) and found.usage.type == "duration" and found.usage.seconds > 0.5
    assert (
        audio.transcriptions.create(file=("a.wav", recording), model="listener", response_format="text").strip()
        == found.text
    )


def test_the_list_of_models_says_who_hears(server):
    listed = json.loads(request(server.address, "/v1/models")[2])["data"]
    assert {one["id"]: (one["hears"], one["speaks"]) for one in listed} == {
        "listener": (True, False),
        "talker": (False, False),
    }


def test_a_voice_and_a_listener_need_no_names():
    def front(*places):
        return SimpleNamespace(pool=SimpleNamespace(places=places))

    voice, listener = (
        Place(name, "", 0, "sound", **does) for name, does in (("v", {"speaks": True}), ("l", {"hears": True}))
    )
    both = front(voice, listener, Place("t", "", 0, "text"))
    assert (only_model(both, "sound"), only_model(both, "sound", hears=True), only_model(both, "text")) == (
        "v",
        "l",
        "t",
    )
    with pytest.raises(UsageError, match="one of none"):
        only_model(front(voice), "sound", hears=True)
    with pytest.raises(UsageError, match="one of v, v"):
        only_model(front(voice, voice), "sound")


def test_words_and_segments_have_times(audio, recording):
    found = audio.transcriptions.create(
        file=io.BytesIO(recording),
        model="listener",
        response_format="verbose_json",
        language="xx",
        timestamp_granularities=["word", "segment"],
    )
    assert [word.word for word in found.words] == sentence(NUMBER).split() and found.language == "xx"
    assert 0 <= found.words[0].start < found.words[-1].end <= found.duration
    assert all(0 < word.probability <= 1 for word in found.words)
    assert " ".join(segment.text for segment in found.segments) == found.text
    assert all(segment.avg_logprob <= 0 for segment in found.segments)


@pytest.mark.parametrize("form, first, arrow", [("srt", "1\n00:00:0", ",0"), ("vtt", "WEBVTT\n\n00:00:0", ".")])
def test_subtitles_are_files_of_their_kind(audio, recording, form, first, arrow):
    found = audio.transcriptions.create(file=("a.wav", recording), model="listener", response_format=form)
    assert found.startswith(first) and " --> " in found and sentence(NUMBER).split()[0] in found
    assert arrow[0] in found.partition(" --> ")[2][:12]


def test_subtitles_count_hours():
    assert "01:02:03.500 --> " in subtitles([{"text": "x", "start": 3723.5, "end": 3724.0}], form="vtt")


@pytest.mark.parametrize(
    "change, word",
    [
        ({"model": "talker"}, "recogniser"),
        ({"model": "nobody"}, "nobody"),
        ({"file": ("a.wav", b"no sound at all")}, "sound"),
        ({"file": ("a.wav", b"RIFF\x00\x00\x00\x00WAVE")}, "WAV|sound"),
        ({"prompt": "names"}, "prompt"),
        ({"temperature": 0.5}, "temperature"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "verbose_json"),
        ({"response_format": "verbose_json", "timestamp_granularities": ["letter"]}, "letter"),
        ({"include": ["logprobs"]}, "likelihoods"),
        ({"extra_body": {"stream": "maybe"}}, "stream"),
    ],
)
def test_what_cannot_be_done_is_refused(audio, recording, change, word):
    with pytest.raises(openai.APIStatusError, match=word) as found:
        audio.transcriptions.create(**{"file": ("a.wav", recording), "model": "listener", **change})
    assert 400 <= found.value.status_code < 500


def test_translations_say_what_to_do_instead(audio, recording):
    with pytest.deprecated_call(), pytest.raises(openai.BadRequestError, match="transcriptions"):
        audio.translations.create(file=("a.wav", recording), model="listener")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 360)])
def test_a_recording_is_dropped_and_read_in_the_studio(server, recording, tmp_path, scheme, width):
    files = [
        {"name": "talk.wav", "mimeType": "audio/wav", "buffer": recording},
        {"name": "none.wav", "mimeType": "audio/wav", "buffer": b"no sound at all"},
    ]
    with opened() as browser:
        studio = Pages(browser, server.address, scheme=scheme, width=width)
        page = studio.go("create?model=listener")
        page.get_by_label("Recordings to write down").set_input_files(files[:1])
        panel = page.get_by_role("region", name="Transcript of talk.wav")
        place = panel.get_by_role("button", name=sentence(NUMBER))
        place.press("Enter")
        page.wait_for_function("document.querySelector('audio').currentTime > 0")
        assert studio.violations() == [] and studio.overflow() <= 0
        page.screenshot(path=tmp_path / f"transcript-{width}.png", full_page=True)
        for name, beginning in (("SRT", "1\n00:00:0"), ("WebVTT", "WEBVTT\n\n00:00:0")):
            with page.expect_download() as saved:
                panel.get_by_role("button", name=name, exact=True).click()
            text = Path(saved.value.path()).read_text(encoding="utf-8")
            assert text.startswith(beginning) and sentence(NUMBER) in text
        with page.expect_download() as saved:
            panel.get_by_role("button", name="JSON").click()
        assert saved.value.suggested_filename == "talk.wav.json"
        assert json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))["words"][0]["word"] == "low"
        page.get_by_label("Recordings to write down").set_input_files(files[1:])
        page.get_by_role("alert").filter(has_text="sound").wait_for()
        assert studio.violations() == []
        studio.close()
        # The browser itself says that what is no sound cannot be fetched.
        assert [one for one in studio.said if "400" not in one] == []
