"""Chat in the studio, spoken to and read aloud: a real Chromium whose microphone hears a file, a real recogniser, a real voice."""

import re

import pytest

from makar.data.sound import resampled
from makar.data.wave_file import wave_bytes
from tests.cli.small_models import TEXT_SETTINGS, see
from tests.recipes.spoken_data import RECOGNISER_SETTINGS, SPEECH_SETTINGS, sentence, spoken, write_spoken
from tests.serving.browser import Pages, opened
from tests.serving.server import Server
from tests.serving.test_studio_pages import tab_to

pytestmark = [pytest.mark.loopback, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
NUMBER = 4
BROWSER_RATE_HZ = 48_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of a model that talks, one that hears and one that speaks with two voices."""
    folder = tmp_path_factory.mktemp("voice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        for first, name in enumerate(("ann", "bob")):
            write_spoken(folder / "data" / name, count=32, first=100 * first)
        listens = ["--recipe", "recogniser", "--steps", "200", *RECOGNISER_SETTINGS]
        see("train", folder / "data" / "ann", *listens, "-o", "listener")
        see("train", folder / "data", "--recipe", "speech-voices", "--steps", "4", *SPEECH_SETTINGS, "-o", "voices")
        # What it writes is a few of the words that the voice learned, and short enough to be spoken at once.
        (folder / "texts").mkdir()
        for number in range(12):
            lines = "\n".join(sentence(number + line) for line in range(20))
            (folder / "texts" / f"{number}.txt").write_text(f"{number % 3 * 'low '}{lines}\n", encoding="utf-8")
        see("train", folder / "texts", "--steps", "60", *TEXT_SETTINGS, "-o", "talker")
    running = Server(folder)
    yield running
    assert running.stop() == 0


def test_what_is_said_becomes_the_message_and_the_answer_is_read_aloud(server, tmp_path):
    said = spoken(sentence(NUMBER), seed=900)[0]
    (tmp_path / "said.wav").write_bytes(wave_bytes(resampled(said, BROWSER_RATE_HZ)))
    flags = "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={tmp_path / 'said.wav'}%noloop"
    with opened(*flags) as browser:
        studio = Pages(browser, server.address)
        page = studio.go("chat?model=talker")
        page.get_by_text("Controls", exact=True).click()
        page.get_by_role("spinbutton", name="Max tokens", exact=True).fill("4")
        speak = page.get_by_role("button", name="Speak")
        studio.context.clear_permissions()
        speak.click()
        page.get_by_text("The microphone was refused").wait_for()
        assert speak.get_attribute("aria-pressed") == "false"

        studio.context.grant_permissions(["microphone"], origin=server.address)
        page.get_by_label("Message").focus()
        tab_to(page, "^Speak$")
        page.keyboard.press("Enter")
        page.get_by_text("Listening").wait_for()
        assert speak.get_attribute("aria-pressed") == "true" and studio.violations() == []
        page.wait_for_timeout(1000 * said.seconds + 1500)
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('.say textarea').value")
        assert page.get_by_label("Message").input_value() == sentence(NUMBER)
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Message"

        page.get_by_label("Read answers aloud").check()
        page.get_by_label("Voice", exact=True).select_option("bob")
        player = page.locator("audio")
        assert not player.is_visible()
        page.get_by_label("Message").focus()
        with page.expect_request("**/v1/audio/speech") as asked:
            page.keyboard.press("Enter")
        answer = page.locator(".turn.assistant .said").inner_text()
        body = asked.value.post_data_json
        assert (body["model"], body["voice"]) == ("voices", "bob")
        spoken_letters, shown_letters = (re.sub(r"[^A-Za-z]", "", text) for text in (body["input"], answer))
        assert spoken_letters == shown_letters != ""
        assert asked.value.response().status == 200, (body, asked.value.response().text())
        page.wait_for_function("document.querySelector('audio').currentTime > 0")
        assert player.is_visible() and studio.violations() == [] and studio.overflow() <= 0
        page.get_by_role("button", name="New", exact=True).click()
        assert not player.is_visible() and page.evaluate("document.querySelector('audio').paused")
        assert studio.said == []
        studio.close()
