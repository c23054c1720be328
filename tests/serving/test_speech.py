"""Speech over HTTP with the official client: files of every form, voices, speed, what is refused; the WAV is what was signed."""

import base64
import io
import json
import wave

import numpy as np
import openai
import pytest

from makar.api.model import verify
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.data.wave_file import wave_bytes
from makar.serving.speech import converted
from tests.cli.small_models import IMAGE_SETTINGS, see
from tests.recipes.spoken_data import SPEECH_SETTINGS, write_spoken
from tests.serving.browser import Pages, opened, said_nothing
from tests.serving.server import Server, posted, request, talker

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        for first, voice in enumerate(("ann", "bob")):
            write_spoken(folder / "data" / voice, count=8, first=100 * first)
        steps = ["--steps", "4", *SPEECH_SETTINGS]
        see("train", folder / "data", "--recipe", "speech-voices", *steps, "-o", "voices")
        see("train", folder / "data" / "ann", "--recipe", "speech", *steps, "-o", "voice")
        see("train", folder / "data", "--recipe", "sound-class", "--steps", "2", *IMAGE_SETTINGS, "-o", "noises")
        talker(folder / "models" / "talker")
    running = Server(folder)
    yield running
    assert running.stop() == 0


@pytest.fixture
def speech(server):
    with openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made.audio.speech


SAID = {"model": "voice", "input": "low high", "voice": "default", "extra_body": {"seed": 3, "controls": {"steps": 2}}}


def test_a_wav_file_is_what_was_signed(speech, tmp_path):
    found = speech.with_raw_response.create(**SAID, response_format="wav")
    (tmp_path / "said.wav").write_bytes(found.content)
    (tmp_path / "said.wav.makar.json").write_bytes(base64.b64decode(found.headers["x-makar-manifest"]))
    assert verify(tmp_path / "said.wav").is_intact and found.headers["content-type"] == "audio/wav"
    manifest = json.loads((tmp_path / "said.wav.makar.json").read_text(encoding="utf-8"))["manifest"]
    assert manifest["prompt"] == "low high" and manifest["id"] == found.headers["x-makar-asset"]
    with wave.open(io.BytesIO(found.content)) as file:
        assert str(file.getframerate()) == found.headers["x-makar-rate-hz"]
    assert speech.create(**SAID, response_format="wav").content == found.content


def test_a_model_of_speech_speaks_and_changes_nothing(server):
    said = {
        name: json.loads(request(server.address, f"/makar/v1/models/{name}/description")[2])
        for name in ("voice", "noises")
    }
    assert said["voice"]["creates"] and said["voice"]["edits"] == []
    assert said["noises"]["creates"] and "inpaint" in said["noises"]["edits"]


def test_a_hole_in_a_sound_is_filled_in_and_what_came_of_it_is_kept(server):
    with wave.open(file := io.BytesIO(), "wb") as whole:
        whole.setparams((1, 2, 8000, 0, "NONE", "NONE"))
        whole.writeframes((8000 * np.sin(np.arange(4000) / 5)).astype("<i2").tobytes())

    def change(how):
        form = {"model": "noises", "seed": "1", "controls": '{"steps": 2}', "how": json.dumps(how)}
        return posted(server.address, "/makar/v1/edits", form, {"file": file.getvalue()})

    status, found = change({"from_second": 0.2, "to_second": 0.3})
    assert status == 200, found
    kept = json.loads(request(server.address, f"/makar/v1/assets/{found['asset']}")[2])
    content = request(server.address, f"/makar/v1/assets/{found['asset']}/content")[2]
    assert kept["kind"] == "edit" and kept["manifest"]["manifest"]["edit"]["operation"] == "inpaint"
    before, after = (read_sound(one).samples[:, 0] for one in (file.getvalue(), content))
    stays = np.r_[0:1600, 2400:4000]
    assert np.array_equal(before[stays], after[stays]) and not np.array_equal(before, after)
    for how, word in (({}, "nothing"), ({"from_second": 9, "to_second": 10}, "hole"), ({"operation": "vary"}, "vary")):
        status, refused = change(how)
        assert status == 400 and word in refused["error"]["message"]


def test_the_list_of_models_says_who_speaks(server):
    listed = json.loads(request(server.address, "/v1/models")[2])["data"]
    assert {one["id"] for one in listed if one["speaks"]} == {"voice", "voices"}
    assert not any(one["hears"] for one in listed)


def test_every_form_holds_the_same_sound(speech):
    pytest.importorskip("soundfile")
    whole = read_sound(speech.create(**SAID, response_format="wav").content)
    for form in ("mp3", "flac", "opus"):
        back = read_sound(speech.create(**SAID, response_format=form).content)
        assert abs(back.seconds - whole.seconds) < 0.2
    assert read_sound(speech.create(**SAID).content).seconds > 0
    samples = speech.create(**SAID, response_format="pcm").content
    assert len(samples) == 2 * len(whole.samples)


@pytest.mark.parametrize(
    "form, rate, written",
    [("opus", 22_050, 24_000), ("opus", 16_000, 16_000), ("mp3", 10_000, 11_025), ("flac", 10_000, 10_000)],
)
def test_a_form_that_knows_no_such_rate_gets_the_next(form, rate, written):
    soundfile = pytest.importorskip("soundfile")
    wave = wave_bytes(Sound(np.zeros((rate // 5, 1), np.float32), rate))
    sound = soundfile.SoundFile(io.BytesIO(converted(wave, form)))
    # Opus is always decoded at 48,000 a second.
    assert sound.samplerate in (written, 48_000 if form == "opus" else written)
    assert len(sound) / sound.samplerate == pytest.approx(0.2, abs=0.08)


def test_voice_and_speed_are_honoured(speech):
    said = {**SAID, "model": "voices", "response_format": "wav"}
    ann, bob = (speech.create(**{**said, "voice": voice}).content for voice in ("ann", "bob"))
    assert ann != bob
    slow, fast = (
        read_sound(speech.create(**{**said, "voice": "ann"}, speed=speed).content).seconds for speed in (0.5, 2.0)
    )
    assert slow >= 1.9 * fast
    quiet = speech.create(**{**said, "voice": "ann", "extra_body": {"seed": 3, "controls": {"steps": 2, "energy": -9}}})
    loud, soft = (np.mean(read_sound(one).samples ** 2) for one in (ann, quiet.content))
    assert soft < 0.5 * loud


def test_a_model_of_sounds_makes_what_is_asked_for(speech):
    found = speech.create(model="noises", input="ann", voice="default", response_format="wav", extra_body={"seed": 1})
    assert read_sound(found.content).seconds > 0


@pytest.mark.parametrize(
    "change, word",
    [
        ({"voice": "alloy"}, "alloy"),
        ({"input": "?!"}, "spoken"),
        ({"speed": 3.5}, "speed"),
        ({"model": "talker"}, "sound"),
        ({"response_format": "aac"}, "response_format"),
        ({"instructions": "whisper"}, "instructions"),
        ({"extra_body": {"controls": {"warp": 9}}}, "warp"),
        ({"extra_body": {"controls": {"pitch": 11}}}, "was heard"),
        # What is named is not read: no path of the server, and nobody is spoken as without having agreed.
        ({"extra_body": {"controls": {"example": "voice.wav"}}}, "agreed_voice"),
    ],
)
def test_what_cannot_be_spoken_is_refused(speech, change, word):
    with pytest.raises(openai.APIStatusError, match=word) as found:
        speech.create(**{**SAID, **change})
    assert 400 <= found.value.status_code < 500


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, pytest.param(360, marks=pytest.mark.slow)])
def test_speech_is_made_and_played_in_the_studio(server, width):
    with opened() as browser:
        studio = Pages(browser, server.address, width=width)
        page = studio.go("create?model=voices")
        page.get_by_label("Text to speak").fill("high low")
        page.get_by_label("Voice").select_option("bob")
        with said_nothing(page):
            page.get_by_label("Pitch").fill("20")
            page.get_by_role("button", name="Make", exact=True).click()
            page.get_by_text("20 is out of range; expected: -12 to 12").wait_for()
        page.get_by_label("Pitch").fill("2")
        page.get_by_label("How many").fill("2")
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("Made 2 in").wait_for()
        page.wait_for_function(
            "[...document.querySelectorAll('audio')].filter((one) => one.duration > 0.3).length === 2"
        )
        assert studio.violations() == [] and studio.overflow() <= 0
        page = studio.go("create?model=noises")
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("Made 2 in").wait_for()
        page = studio.go("gallery?medium=sound&model=voices")
        page.locator(".card .face").first.click()
        page.get_by_role("img", name="How loud it is from beginning to end").wait_for()
        page.get_by_role("button", name="Check it").click()
        page.get_by_text("in order").first.wait_for()
        assert page.get_by_text("broken").count() == 0
        assert studio.violations() == [] and studio.overflow() <= 0
        line = page.get_by_role("tabpanel").inner_text().splitlines()[0]
        assert line.startswith("makar generate voices") and "--set label=bob" in line and "--set pitch=2" in line
        page.get_by_role("link", name="Use these settings").click()
        page.wait_for_function("document.querySelector('makar-create input[placeholder=\"0\"]')?.value === '2'")
        assert page.get_by_label("Voice", exact=True).input_value() == "bob"
        studio.close()
        assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
def test_a_hole_is_filled_in_in_the_studio(server):
    tone = 0.3 * np.sin(np.arange(8000) / 6).astype(np.float32)[:, None]
    with opened() as browser:
        studio = Pages(browser, server.address, width=1280)
        page = studio.go("edit?model=noises")
        given = {"name": "tone.wav", "mimeType": "audio/wav", "buffer": wave_bytes(Sound(tone, 8000))}
        page.get_by_label("The file to change").set_input_files(given)
        page.get_by_role("img", name="How loud it is").wait_for()
        page.get_by_label("From, in seconds").fill("0.9")
        page.get_by_label("To, in seconds").fill("0.5")
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("A hole ends after it begins").wait_for()
        page.get_by_label("To, in seconds").fill("1")
        page.get_by_role("spinbutton", name="Steps").fill("2")
        assert studio.violations() == []
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("Made 1 in").wait_for()
        page.get_by_role("button", name="Go on from it").click()
        page.get_by_label("What to do").select_option("begin")
        page.get_by_label("Strength").wait_for()
        assert studio.violations() == [] and studio.overflow() <= 0
        studio.close()
        assert studio.said == []


@pytest.mark.browser
def test_sounds_are_compared_in_the_studio(server):
    with opened() as browser:
        studio = Pages(browser, server.address, width=1280)
        page = studio.go("compare?model=noises")
        page.get_by_label("Model", exact=True).select_option("noises")
        page.get_by_label("Values").nth(1).fill("1, 2")
        page.get_by_role("button", name="Make the grid").click()
        page.get_by_text("Made 2 in").wait_for()
        assert page.locator("td audio").count() == 2 and studio.violations() == []
        page.get_by_label("Model", exact=True).select_option("voices")
        page.get_by_label("Text to speak").fill("low high")
        page.get_by_label("What", exact=True).nth(1).select_option("label")
        page.get_by_role("button", name="Make the grid").click()
        page.locator("td audio[aria-label*='low high']").nth(1).wait_for()
        heads = page.locator("th[scope=col]").all_inner_texts()
        assert heads == ["label ann", "label bob"]
        studio.close()
        assert studio.said == []


def test_sounds_are_kept_and_judged_blindly(server, speech):
    speech.create(**{**SAID, "extra_body": {"seed": 8, "store": True}}, response_format="mp3")

    def ask(path, body=None, *, status=200):
        found, headers, content = request(server.address, f"/makar/v1/{path}", body)
        assert found == status, content
        return json.loads(content) if "json" in headers["content-type"] else (headers["content-type"], content)

    (kept,) = ask("assets?medium=sound&model=voice")["data"]
    assert (kept["type"], kept["prompt"], kept["seed"]) == ("audio/wav", "low high", 8)
    kind, content = ask(f"assets/{kept['id']}/content")
    assert kind == "audio/wav" and content[:4] == b"RIFF"
    item = {"file": base64.b64encode(content).decode(), "manifest": ask(f"assets/{kept['id']}/manifest")}
    said = {"kind": "stars", "value": 4, "rater": "ann", "consent": True, "items": [item]}
    judged = ask("feedback", said)
    assert (judged["medium"], judged["items"][0]["model"]) == ("sound", "voice")
    assert ask(f"feedback/contents/{judged['items'][0]['hash']}") == (kind, content)
    item["file"] = base64.b64encode(content[:-2]).decode()
    assert "not the one of its manifest" in ask("feedback", said, status=400)["error"]["message"]
    asked = {"models": ["voice", "voices"], "prompts": ["low high"], "options": {"steps": 2}}
    session = ask("feedback/sessions", asked)
    pair = ask(f"feedback/sessions/{session['id']}/pairs", {"rater": "ann"})
    sides = [base64.b64decode(pair[side]["file"]) for side in ("left", "right")]
    assert pair["left"]["type"] == kind and all(read_sound(side).seconds > 0 for side in sides)
    assert b"voice" not in sides[0] + sides[1]
    verdict = ask(f"feedback/pairs/{pair['pair']}", {"said": "left", "consent": True})
    assert {one["model"] for one in verdict["items"]} == {"voice", "voices"}
