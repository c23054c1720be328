"""The studio in a real browser where something goes wrong: connections that break, models that load late, clicks that come twice."""

import contextlib
import json
import re
import shutil
import time

import pytest

from makar.families.diffusion.config import DiffusionConfig
from makar.training.run_store import create_run
from tests.generation.test_edit import saved
from tests.serving.browser import Pages, opened, said_nothing
from tests.serving.server import Server, request, talker

pytestmark = [pytest.mark.loopback, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
CONFIG = {"features": 16, "multipliers": (1, 2), "blocks": 1, "head_width": 8}
BROKEN = "The server does not answer"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with two small models of images and two of text."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        saved(folder / "models" / "painter", DiffusionConfig(**CONFIG))
        saved(folder / "models" / "rival", DiffusionConfig(**CONFIG))
        talker(folder / "models" / "talker")
        talker(folder / "models" / "teller", seed=1)
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server of them."""
    running = Server(place)
    yield running
    assert running.stop() == 0


@pytest.fixture
def studio(server):
    """Return the studio in a tab."""
    with opened() as browser:
        pages = Pages(browser, server.address)
        yield pages
        # A request that is broken on purpose is told by the browser itself.
        assert [one for one in pages.said if "net::ERR_FAILED" not in one] == []


def delay(page, words, milliseconds):
    """Let requests whose address has these words in it begin late."""
    page.evaluate(
        """([words, wait]) => { const real = fetch; window.fetch = async (address, ...more) => {
          if (String(address).includes(words)) await new Promise((done) => setTimeout(done, wait));
          return real(address, ...more); }; }""",
        [words, milliseconds],
    )


@contextlib.contextmanager
def broken(page, address, method):
    """Break the next request of a method to an address."""
    left = [True]

    def handle(route):
        if left and route.request.method == method:
            left.pop()
            route.abort()
        else:
            route.continue_()

    page.route(address, handle)
    yield
    page.unroute(address)
    assert not left, "nothing was asked"


def bodies(page, address):
    """Return a list into which the bodies come that are sent to an address."""
    sent = []
    page.on(
        "request", lambda one: sent.append(one.post_data_json) if one.method == "POST" and address in one.url else None
    )
    return sent


def test_a_chat_outlives_a_model_that_is_not_there_yet_and_an_answer_that_fails(studio):
    page = studio.page
    # As over http from another machine.
    page.add_init_script("delete Crypto.prototype.randomUUID")
    page.route("**/talker/description", lambda route: (time.sleep(1), route.continue_()))
    page = studio.go("chat?model=talker")
    message = page.get_by_label("Message")
    message.fill("Hello")
    page.keyboard.press("Enter")
    page.get_by_text("no model yet").wait_for()
    assert message.input_value() == "Hello", "what was not sent is not lost"
    page.get_by_text("Controls", exact=True).wait_for()
    with broken(page, "**/v1/chat/completions", "POST"):
        message.press("Enter")
        page.get_by_text(BROKEN).wait_for()
    again = page.get_by_role("button", name="Answer this")
    again.click()
    page.get_by_role("button", name="Answer anew").wait_for()
    assert again.count() == 0 and studio.violations() == []
    other = studio.context.new_page()
    other.goto(f"{studio.address}/#/chat")
    other.get_by_text("Controls", exact=True).wait_for()
    other.get_by_role("button", name="New", exact=True).click()
    other.get_by_label("Message").fill("Of the other tab")
    other.keyboard.press("Enter")
    other.get_by_role("button", name="Answer anew").wait_for()
    page.get_by_role("button", name="New", exact=True).click()
    page.get_by_label("Message").fill("Of this one")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Answer anew").wait_for()
    other.reload()
    other.get_by_text("Controls", exact=True).wait_for()
    assert sorted(other.get_by_label("Conversations").locator("option").all_inner_texts()) == [
        "Hello",
        "Of the other tab",
        "Of this one",
    ]


def test_what_is_chosen_counts_and_not_what_is_loaded_last(studio, place):
    page = studio.go("compare")
    page.get_by_role("button", name="Make the grid").wait_for()
    delay(page, "rival/description", 2000)
    made = bodies(page, "/v1/images/generations")
    page.get_by_label("Model", exact=True).select_option("talker")
    page.get_by_label("Prompt").fill("Once")
    page.get_by_label("Model", exact=True).select_option("rival")
    page.get_by_label("Model", exact=True).select_option("painter")
    page.get_by_role("spinbutton", name="Steps").fill("1")
    page.wait_for_timeout(2500)
    page.get_by_label("Values").nth(1).fill("1, 2")
    page.get_by_role("button", name="Make the grid").click()
    page.get_by_role("combobox", name="Model", exact=True).select_option("talker")
    page.get_by_text("Made 2 in").wait_for()
    assert [(one["model"], one["prompt"], one["seed"]) for one in made] == [("painter", "", 1), ("painter", "", 2)]
    page = studio.go("create?model=painter")
    page.get_by_role("spinbutton", name="Steps").fill("1000")
    page.get_by_role("spinbutton", name="How many").fill("16")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_label("Model", exact=True).select_option("rival")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped").wait_for()
    shutil.copytree(place / "models" / "painter", place / "models" / "painter-2")
    page.get_by_role("link", name="Models").click()
    page.get_by_role("link", name="Create", exact=True).click()
    page.locator("option[value=painter-2]").wait_for(state="attached")


def test_the_page_of_a_training_outlives_a_connection_that_breaks(studio, place, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(place))
    run = create_run(key="0" * 64, name="tales", output=str(place / "models" / "tales"), options={})
    told = {"event": "progress", "stage": "a", "seconds": 1, "progress": 0.5, "items_per_second": 3, "seconds_left": 9}
    steps = [{**told, "step": step, "loss": 1 / step, "inner_loss": None} for step in (5, 9)]
    lines = [*steps, {"event": "rolled_back", "stage": "a", "step": 5, "message": "no number"}, {**steps[1], "step": 6}]
    run.metrics_path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    with broken(studio.page, re.compile(r"/events\?after=0$"), "GET"):
        page = studio.go(f"train/{run.id}")
        page.get_by_text("step 6").wait_for()
    assert page.locator(".chart").count() == 1 and page.locator(".problem").count() == 0
    page.get_by_text("The same as a table").click()
    assert page.get_by_role("table", name="loss by step").locator("tbody tr").count() == 2
    long = "[{name: 'a', points: Array.from({length: 200000}, (_, x) => [x, 1 + x % 7])}]"
    drawn = f"async () => (await import('/studio/chart.js')).chart({long}).querySelector('path').outerHTML.length"
    assert page.evaluate(drawn) < 40_000
    page = studio.go("train")
    page.get_by_label("Compare tales").wait_for()
    page.get_by_role("link", name="tales").focus()
    page.route("**/makar/v1/runs", lambda route: route.fulfill(json=other(route)))
    page.get_by_text("another-name").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"#/train/{run.id}"
    page.unroute_all(behavior="ignoreErrors")


def other(route):
    """Return the answer of a list of trainings in which one has changed."""
    found = route.fetch().json()
    found["data"][0]["recipe"] = "another-name"
    return found


def test_a_verdict_is_no_key_that_is_meant_for_an_answer(studio, server):
    asked = {"models": ["talker", "teller"], "prompts": ["Once"], "rounds": 2, "options": {"max_tokens": 8}}
    status, _, content = request(server.address, "/makar/v1/feedback/sessions", asked)
    assert status == 200, content
    page = studio.go("arena")
    page.evaluate("localStorage.setItem('makar-rater', JSON.stringify({ name: 'ann', consent: true }))")
    with broken(page, "**/pairs", "POST"):
        page.evaluate("(name) => { location.hash = `#/arena/${name}`; }", json.loads(content)["id"])
        page.get_by_role("button", name="Go on").wait_for()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Left is better").wait_for()
    with said_nothing(page):
        page.locator(".stage pre").first.focus()
        for key in ("ArrowLeft", "ArrowDown", "Alt+1", "Control+2"):
            page.keyboard.press(key)
        page.wait_for_timeout(300)
    page.keyboard.press("1")
    page.get_by_text("Left was").wait_for()
    page.get_by_text("1 judged").wait_for()


def test_a_click_that_comes_twice_asks_once_and_a_failure_is_said(studio, server):
    body = {"model": "painter", "prompt": "", "n": 1, "seed": 3, "controls": {"steps": 1}}
    assert request(server.address, "/v1/images/generations", body)[0] == 200
    page = studio.go("gallery")
    page.locator(".card .face").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    with broken(page, "**/makar/v1/assets/*", "DELETE"):
        page.get_by_role("dialog").last.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_text(BROKEN).wait_for()
    page = studio.go("train?source=builtin:digits")
    page.get_by_label("Minutes").fill("0.1")
    delay(page, "/makar/v1/runs", 500)
    begun = bodies(page, "/makar/v1/runs")
    page.get_by_role("button", name="Train", exact=True).dblclick()
    page.get_by_text("is being trained").wait_for()
    page.get_by_role("button", name="Cancel").first.click()
    assert len(begun) == 1
