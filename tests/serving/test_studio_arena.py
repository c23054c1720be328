"""Feedback in the studio, in a real browser: the arena by keyboard alone, thumbs and stars."""

import base64
import json

import pytest

from makar.families.diffusion.config import DiffusionConfig
from tests.generation.test_edit import saved
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, request, talker
from tests.serving.test_studio_pages import tab_to

pytestmark = [pytest.mark.loopback, pytest.mark.browser]
CONFIG = {"features": 16, "multipliers": (1, 2), "blocks": 1, "head_width": 8}


@pytest.fixture(scope="module")
def browser():
    """Return a running browser."""
    with opened() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of two small models of images."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        saved(folder / "models" / "painter", DiffusionConfig(**CONFIG))
        talker(folder / "models" / "talker")
        saved(folder / "models" / "rival", DiffusionConfig(**{**CONFIG, "blocks": 2}))
    running = Server(folder)
    yield running
    assert running.stop() == 0


def asked(server, path):
    """Return the values of a route that answers in JSON."""
    return json.loads(request(server.address, path)[2])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_by_keyboard_alone_two_models_are_compared_blindly(browser, server):
    studio = Pages(browser, server.address)
    page = studio.go("arena")
    page.get_by_label("painter").wait_for()
    assert studio.violations() == []
    for name in ("painter", "rival"):
        tab_to(page, f"^{name}")
        page.keyboard.press("Space")
    tab_to(page, "^Answers to each")
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    tab_to(page, "^Your name")
    page.keyboard.type("ann")
    tab_to(page, "^Begin$")
    page.keyboard.press("Enter")
    for key in ("1", "ArrowRight", "ArrowDown"):
        page.get_by_role("button", name="Left is better").wait_for()
        assert "painter" not in page.locator(".stage").inner_text(), "nobody sees whose it is"
        assert studio.violations() == []
        page.keyboard.press(key)
        page.get_by_text("Left was").last.wait_for()
    page.get_by_text("You have seen everything").wait_for()
    page.get_by_role("link", name="See the ranking").click()
    page.get_by_text("not yet decided").wait_for()
    assert studio.violations() == [] and studio.said == []
    assert asked(server, "/makar/v1/feedback/ranking")["comparisons"] == 3
    studio.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thumbs_and_stars_are_kept_with_consent(browser, server):
    made = {"model": "painter", "prompt": "", "n": 2, "seed": 3, "controls": {"steps": 1}}
    assert request(server.address, "/v1/images/generations", made)[0] == 200
    studio = Pages(browser, server.address)
    page = studio.go("gallery")
    page.get_by_role("button", name="Good").first.click()
    page.get_by_label("Your name").fill("ben")
    page.get_by_label("Models may learn").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("Kept; models may learn from it").wait_for()
    assert page.get_by_role("button", name="Good").first.get_attribute("aria-pressed") == "true"
    page.locator(".card .face").nth(1).click()
    page.get_by_role("button", name="4 of 5").click()
    page.get_by_text("Kept; models may learn from it").last.wait_for()
    page.keyboard.press("Escape")
    found = asked(server, "/makar/v1/feedback?rater=ben")["data"]
    assert [(one["kind"], one["value"], one["consent"]) for one in found] == [
        ("stars", [4], True),
        ("thumb", [1], True),
    ]
    assert all(item["model"] == "painter" and item["manifest"] for one in found for item in one["items"])
    text = {"model": "talker", "prompt": "Once ", "max_tokens": 4, "store": True}
    assert request(server.address, "/v1/completions", text)[0] == 200
    page = studio.go("gallery?medium=text")
    page.get_by_role("button", name="Poor").click()
    page.locator(".card .face").click()
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("in order").first.wait_for()
    assert page.get_by_role("dialog").get_by_text("broken").count() == 0, "the manifest goes as it was signed"
    page.keyboard.press("Escape")
    assert [one["medium"] for one in asked(server, "/makar/v1/feedback?rater=ben&kind=thumb")["data"]] == [
        "text",
        "image",
    ]
    for name in ("feedback", "gallery"):
        studio.go(name).wait_for_load_state("networkidle")
        assert studio.violations() == [] and studio.overflow() <= 0
    assert studio.said == []
    studio.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_by_keyboard_alone_results_are_put_in_order(browser, server):
    studio = Pages(browser, server.address)
    page = studio.go("create?model=painter")
    page.evaluate("localStorage.setItem('makar-rater', JSON.stringify({ name: 'ida', consent: true }))")
    page.get_by_role("spinbutton", name="Steps").fill("1")
    page.get_by_role("spinbutton", name="How many").fill("3")
    page.get_by_role("spinbutton", name="Seed").fill("40")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_role("button", name="Put them in order").press("Enter")
    assert studio.violations() == []
    page.get_by_role("button", name="Seed 42: earlier").press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == "Seed 42: later", "focus stays with what is moved"
    page.get_by_label("as good as the one before").last.check()
    page.get_by_role("button", name="Keep the order").press("Enter")
    page.get_by_text("The order is kept").wait_for()
    (found,) = asked(server, "/makar/v1/feedback?rater=ida")["data"]
    made = {one["seed"]: one["id"] for one in asked(server, "/makar/v1/assets?medium=image&limit=3")["data"]}
    hashes = [
        asked(server, f"/makar/v1/assets/{made[seed]}")["manifest"]["manifest"]["content"]["sha256"]
        for seed in (42, 40, 41)
    ]
    assert found["kind"] == "ranking" and found["value"] == [1, 2, 2]
    assert [item["hash"] for item in found["items"]] == hashes
    studio.close()
    assert studio.said == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_gallery_shows_what_people_like(browser, server):
    made = {"model": "painter", "prompt": "", "n": 3, "seed": 11, "controls": {"steps": 1}}
    assert request(server.address, "/v1/images/generations", made)[0] == 200
    newest = [one["id"] for one in asked(server, "/makar/v1/assets?medium=image")["data"]][:3]
    for name, value in zip(newest, (5, 1)):
        png = base64.b64encode(request(server.address, f"/makar/v1/assets/{name}/content")[2]).decode()
        said = {"kind": "stars", "items": [{"png": png}], "value": value, "rater": "liz", "consent": True}
        assert request(server.address, "/makar/v1/feedback", said)[0] == 200
    liked = [one["id"] for one in asked(server, "/makar/v1/assets?medium=image&for_rater=liz")["data"]]
    assert liked.index(newest[0]) < liked.index(newest[1]) and set(newest) <= set(liked)
    assert request(server.address, "/makar/v1/assets?for_rater=liz")[0] == 400
    assert request(server.address, "/makar/v1/assets?rating=best")[0] == 400
    studio = Pages(browser, server.address)
    page = studio.go("gallery")
    shown = f".card:has(img[src*='{newest[1]}'])"
    page.locator(shown).wait_for()
    page.evaluate("localStorage.setItem('makar-rater', JSON.stringify({ name: 'liz', consent: true }))")
    page.get_by_label("Order", exact=True).select_option(label="what I like")
    page.get_by_text("one medium").wait_for()
    page.get_by_label("Medium", exact=True).select_option("image")
    page.locator(shown).wait_for()
    sources = [image.get_attribute("src") for image in page.locator(".card img").all()]
    assert [next(name for name in liked if name in source) for source in sources] == liked
    page.get_by_label("Order", exact=True).select_option(label="newest first")
    page.get_by_label("Rating", exact=True).select_option("good")
    page.locator(shown).wait_for(state="detached")
    page.locator(f".card:has(img[src*='{newest[0]}'])").wait_for()
    assert studio.violations() == [] and studio.overflow() <= 0
    studio.close()
