"""What the studio keeps, in a real browser: the gallery by what was said of things, and folders that were brought before."""

import base64
import json

import pytest

from makar.families.diffusion.config import DiffusionConfig
from tests.generation.test_edit import saved
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, request
from tests.serving.test_studio_training import asked, put

pytestmark = [pytest.mark.loopback, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of a small model of images."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        saved(folder / "models" / "painter", DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8))
    running = Server(folder)
    yield running
    assert running.stop() == 0


@pytest.fixture
def studio(server):
    """Return the studio in a tab, which has to say nothing wrong."""
    with opened() as browser:
        pages = Pages(browser, server.address)
        yield pages
        assert pages.said == []
        pages.close()


def test_the_gallery_is_filtered_and_ordered_by_what_was_said(studio, server):
    body = {"model": "painter", "prompt": "", "seed": 3, "n": 3, "controls": {"steps": 1}}
    assert asked(server, "/v1/images/generations", body)[0] == 200
    made = [one["id"] for one in asked(server, "/makar/v1/assets")[1]["data"]]
    for name, stars in zip(made, (1, 5)):
        png = request(server.address, f"/makar/v1/assets/{name}/content")[2]
        item = {"png": base64.b64encode(png).decode()}
        said = {"kind": "stars", "items": [item], "value": stars, "rater": "ann", "consent": True}
        assert asked(server, "/makar/v1/feedback", said)[0] == 200
    items = [{"asset": name} for name in made]
    scores = asked(server, "/makar/v1/feedback/scores", {"rater": "ann", "items": items})[1]["scores"]
    best = [name for _, name in sorted(zip(scores, made), reverse=True)]
    page = studio.go("gallery")

    def cards():
        sources = page.locator(".card img").evaluate_all("all => all.map((one) => one.src)")
        return [next(name for name in made if name in source) for source in sources]

    page.locator(".card").nth(2).wait_for()
    for rating, shown in (("good", made[1:2]), ("poor", made[:1]), ("any", made[:2]), ("none", made[2:]), ("", made)):
        with page.expect_response(lambda one: "/makar/v1/assets?" in one.url or one.url.endswith("/assets")):
            page.get_by_label("Rating").select_option(rating)
        page.get_by_text(str(len(shown)), exact=True).wait_for()
        assert cards() == shown, rating
    page.get_by_label("Order").select_option("all")
    page.get_by_text("3; image: learned from 1 pairs of 1 person").wait_for()
    assert cards() == best and best[0] != made[0]
    assert studio.violations() == [] and studio.overflow() <= 0
    page.get_by_label("Order").select_option("mine")
    page.get_by_label("Your name").fill("nobody")
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("not ordered").wait_for()
    assert cards() == made
    # That there is nothing to learn from is an answer of 400, which the browser itself writes down.
    assert all("400" in words for words in studio.said)
    studio.said.clear()
    page.get_by_label("Order").select_option("")
    page.get_by_text("3", exact=True).wait_for()


def test_a_folder_that_was_brought_is_picked_again_and_deleted(studio, server):
    for name in ("tales", "letters"):
        folder = asked(server, "/makar/v1/folders", {"name": name})[1]["id"]
        assert (
            put(server, folder, [(f"{number}.txt", f"{name} {number}".encode() * 40) for number in range(4)])[0] == 200
        )
    page = studio.go("train")
    page.get_by_role("button", name="Look at tales").click()
    page.get_by_role("heading", name="tales: 4 of 4 used").wait_for()
    assert studio.violations() == [] and studio.overflow() <= 0
    page.get_by_role("button", name="Delete the files of tales").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete the files of tales").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("heading", name="tales").wait_for(state="detached")
    assert page.get_by_role("button", name="Look at tales").count() == 0
    assert page.get_by_role("button", name="Look at letters").count() == 1
    assert [one["name"] for one in asked(server, "/makar/v1/sources")[1]["brought"]] == ["letters"]
    assert not json.loads(request(server.address, "/makar/v1/runs")[2])["jobs"]
