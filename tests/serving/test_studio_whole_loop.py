"""The whole loop in a real browser with real models: from a dropped folder to a model that took the place of the one before, and back.

Nothing but what a person does is done: the folder is dropped by the browser itself, and every verdict comes from what is on the screen. The
person likes warm pictures: where the models learned nothing from that, the arena never decides and the test fails.
"""

import io
import json
import time

import numpy as np
import pytest
from PIL import Image

from tests.serving.browser import Pages, opened
from tests.serving.server import Server, request

pytestmark = [pytest.mark.loopback, pytest.mark.browser]
LONG = 900_000
SIDE, WARM, COLD = 16, 48, 48
RATED = 48
"""More than the neighbours that an image is compared with, so that no kind is taken for copies because it is rare."""
TUNING_STEPS = 60
ROUNDS, MOST_COMPARISONS = 12, 5
EVEN = 3.0
"""Difference of warmth, of 255, that nobody sees."""


def draw(folder):
    """Draw a folder of small pictures of two kinds: warm discs and cold crosses."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    row, column = np.mgrid[:SIDE, :SIDE]
    for number in range(WARM + COLD):
        top, left = generator.uniform(4, 12, 2)
        strong, weak, size = generator.uniform(190, 255), generator.uniform(20, 70), generator.uniform(3, 6)
        if number < WARM:
            shape, colour = size - np.hypot(row - top, column - left), (strong, weak + 40, weak)
        else:
            shape, colour = size / 3 - np.minimum(abs(row - top), abs(column - left)), (weak, weak + 40, strong)
        cover = np.clip(shape + 0.5, 0, 1)[..., None]
        Image.fromarray((16 + cover * (np.array(colour) - 16)).astype(np.uint8)).save(folder / f"{number:03d}.png")


def drop(studio, folder, place):
    """Let a folder fall onto a place of the page, as it comes from a window of files."""
    box = place.bounding_box()
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
    session = studio.context.new_cdp_session(studio.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})
    session.detach()


def warmth(image):
    """Return how much warmer than cold a picture is on the screen: red less blue."""
    image.scroll_into_view_if_needed()
    pixels = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"), np.float64)
    return pixels[..., 0].mean() - pixels[..., 2].mean()


def trained(page, name):
    """Wait until the training that the list shows by this name is over and its model saved."""
    page.get_by_role("link", name=name, exact=True).first.click(timeout=LONG)
    page.get_by_role("link", name="Create with it").wait_for(timeout=LONG)


def judge(page, rounds):
    """Begin a blind comparison of both models and prefer the warmer answer of each pair."""
    for name in ("pictures", "tuned"):
        page.get_by_label(name, exact=True).set_checked(True)
    page.get_by_label("Answers to each prompt").fill(str(rounds))
    page.get_by_role("button", name="Begin").click()
    for number in range(rounds):
        page.get_by_text(f"{number} judged;").wait_for()
        left, right = (page.get_by_role("img", name=f"{side} answer") for side in ("Left", "Right"))
        gain = warmth(left) - warmth(right)
        verdict = "Even" if abs(gain) < EVEN else f"{'Left' if gain > 0 else 'Right'} is better"
        page.get_by_role("button", name=verdict).click()
    page.get_by_text("You have seen everything").wait_for()
    page.get_by_role("link", name="See the ranking").click()
    page.get_by_role("region", name="Strengths").wait_for()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_whole_loop_from_a_dropped_folder_to_a_promotion_and_back(tmp_path):
    draw(tmp_path / "pictures")
    (tmp_path / "home").mkdir()
    server = Server(tmp_path / "home")

    def manifest(name):
        return json.loads(request(server.address, f"/makar/v1/models/{name}/card")[2])["manifest"]

    try:
        with opened() as browser:
            studio = Pages(browser, server.address)
            began = time.monotonic()

            def done(what):
                assert studio.said == [] and studio.violations() == [] and studio.overflow() <= 0
                print(f"{what}: {time.monotonic() - began:.0f} s")

            page = studio.go("train")
            drop(studio, tmp_path / "pictures", page.get_by_text("Drop a folder here"))
            page.get_by_role("heading", name=f"{WARM + COLD} of {WARM + COLD} used, image").wait_for()
            page.get_by_label("Minutes").fill("1")
            page.get_by_role("button", name="Plan", exact=True).click()
            page.get_by_role("heading", name="image for 60 s").wait_for()
            done("dropped, looked at and planned")
            page.get_by_role("button", name="Train", exact=True).click()
            trained(page, "pictures")
            page.get_by_role("img", name="Samples at step").wait_for()
            done("trained")

            page.get_by_role("link", name="Create with it").click()
            page.get_by_role("spinbutton", name="How many").fill(str(RATED))
            page.get_by_role("button", name="Make", exact=True).click()
            page.get_by_text(f"Made {RATED} in").wait_for(timeout=LONG)
            done("made")
            page = studio.go("gallery")
            cards = page.locator(".card").filter(has=page.get_by_role("button", name="Good"))
            cards.nth(RATED - 1).wait_for()
            liked = 0
            for number in range(RATED):
                likes = warmth(cards.nth(number).locator("img")) > 0
                liked += likes
                cards.nth(number).get_by_role("button", name="Good" if likes else "Poor").click()
                if number == 0:
                    page.get_by_label("Your name").fill("ann")
                    page.get_by_label("Models may learn").check()
                    page.get_by_role("button", name="Go on").click()
                page.locator(".card [aria-pressed=true]").nth(number).wait_for()
            done(f"rated, liked {liked}")

            page = studio.go("train")
            page.get_by_text(f"{RATED} of image said").wait_for()
            page.get_by_role("button", name="Learn from feedback").click()
            page.get_by_role("heading", name=f"{RATED} of {RATED} used, image").wait_for()
            page.get_by_label("Or steps").fill(str(TUNING_STEPS))
            page.get_by_label("Begin from").select_option("pictures")
            page.get_by_role("textbox", name="Name").fill("tuned")
            page.get_by_role("button", name="Train", exact=True).click()
            trained(page, "feedback")
            done("tuned")

            page = studio.go("arena")
            judge(page, 2)
            page.get_by_text("not yet decided").wait_for()
            assert page.get_by_role("button", name="take the name").count() == 0, "two pairs decide nothing"
            done("two pairs")
            takes = page.get_by_role("button", name="Let tuned take the name pictures")
            for _ in range(MOST_COMPARISONS):
                judge(page, ROUNDS)
                done(f"{ROUNDS} pairs")
                if takes.count():
                    break
            before = manifest("pictures")
            takes.click()
            verdict = page.get_by_role("region", name="Verdict")
            verdict.wait_for(timeout=LONG)
            assert page.get_by_text("pictures is what tuned is now").count() == 1, verdict.inner_text()
            done("promoted")
            assert manifest("pictures") == manifest("tuned") != before
            page.get_by_role("button", name="Give the name pictures back").wait_for()
            page = studio.go("models/pictures")
            page.get_by_text("tuned took this name").wait_for()
            done("on the card")
            page.get_by_role("button", name="Give the name pictures back").click()
            page.get_by_text("pictures is the model before again").wait_for(timeout=LONG)
            assert manifest("pictures") == before
            done("taken back")
            studio.close()
    finally:
        assert server.stop() == 0
