"""The studio in a real browser: by keyboard alone, for screen readers, from 360 pixels on, and with nothing said on the console."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from makar.families.diffusion.config import DiffusionConfig
from tests.generation.test_edit import saved
from tests.serving.browser import Pages, opened, said_nothing
from tests.serving.server import Server, request, talker
from tests.serving.test_studio_training import asked, put
from tests.structure.test_docs import parses

pytestmark = [pytest.mark.loopback, pytest.mark.browser]
KEY = "a key that is long enough"
PAGES = (
    "create?model=painter",
    "create?model=talker",
    "edit",
    "compare",
    "chat",
    "gallery",
    "knowledge",
    "arena",
    "feedback",
    "train",
    "models",
    "models/painter",
)
LOOKS = (("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with small models: two of images, of which one only colours, and one of text."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        config = DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8)
        saved(folder / "models" / "painter", config)
        saved(folder / "models" / "tinter", config, labels=(None,), source="grey")
        talker(folder / "models" / "talker", ends=False)
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server that has made something already."""
    running = Server(place)
    body = {"model": "painter", "prompt": "", "n": 3, "seed": 3, "controls": {"steps": 1}}
    assert request(running.address, "/v1/images/generations", body)[0] == 200
    text = {"model": "talker", "prompt": "Once ", "max_tokens": 8, "store": True}
    assert request(running.address, "/v1/completions", text)[0] == 200
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser():
    """Return a running browser."""
    with opened() as running:
        yield running


@pytest.fixture
def studio(browser, server):
    """Return the studio in a tab; whatever it says on the console is a failure."""
    pages = Pages(browser, server.address)
    yield pages
    pages.close()
    assert pages.said == []


def tab_to(page, name, *, most=60):
    """Press Tab until what is focused has this name."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).innerText || document.activeElement.ariaLabel"
        )
        if found and re.search(name, found):
            return
    raise AssertionError(f"Tab never came to {name}")


def test_by_keyboard_alone_an_image_is_made_looked_at_and_made_again(studio):
    page = studio.go("create?model=painter")
    page.get_by_role("button", name="Make", exact=True).wait_for()
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "^How many")
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    tab_to(page, "^Steps")
    page.keyboard.type("2")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Made 2 in").wait_for()
    assert page.get_by_role("button", name=re.compile("^Image by painter")).count() == 2
    assert studio.violations() == []
    tab_to(page, "^Image by painter")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("The signed manifest").wait_for()
    line = dialog.get_by_role("tabpanel").inner_text()
    assert line.startswith("makar generate painter") and "--set steps=2" in line
    assert parses(line.splitlines()[0]) is None
    assert studio.violations() == []
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert "Image by painter" in page.evaluate("document.activeElement.ariaLabel"), "focus comes back"


@pytest.mark.parametrize(
    "turns, shell",
    [
        ([("user", "Who?")], "makar chat poe -m 'Who?' --seed 3 --set max_tokens=9"),
        ([("system", "Be brief."), ("user", "Who?")], "makar chat poe --system 'Be brief.' -m 'Who?' --seed 3"),
        ([("user", "Who?"), ("assistant", "I."), ("user", "Why?")], "curl "),
    ],
)
def test_a_chat_is_answered_again_as_a_chat(studio, turns, shell):
    page = studio.go("gallery")
    prompt = [{"role": role, "content": content} for role, content in turns]
    settings, steering = {"max_tokens": 9, "stop": []}, {"frequency_penalty": 1.5, "presence_penalty": 0}
    manifest = {"artifact": {"name": "poe"}, "medium": "text", "prompt": prompt, "seed": 3, "settings": settings}
    found = page.evaluate(
        "async (manifest) => (await import('/studio/manifest.js')).lines(manifest)", manifest | {"steering": steering}
    )
    assert found["shell"].startswith(shell) and "frequency_penalty" in found["shell"]
    if shell.startswith("makar"):
        assert parses(found["shell"]) is None
    assert json.dumps(prompt) in found["python"] and '"frequency_penalty": 1.5' in found["python"]
    address, body = re.fullmatch(r"curl (\S+) .*?-d '(.*)'", found["curl"], re.DOTALL).groups()
    assert address == studio.address + "/v1/chat/completions"
    assert json.loads(body) == {
        "model": "poe",
        "messages": prompt,
        "seed": 3,
        "controls": {"frequency_penalty": 1.5},
        "max_tokens": 9,
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["create", "compare"])
def test_a_model_that_makes_nothing_out_of_nothing_leads_to_what_it_can(studio, page):
    shown = studio.go(f"{page}?model=tinter")
    shown.get_by_label("Model", exact=True).select_option("tinter")
    shown.get_by_text("tinter makes nothing out of nothing").wait_for()
    assert shown.get_by_role("button", name="Make").count() == 0
    shown.get_by_role("link", name="Change something with it").click()
    shown.get_by_text("Choose an image", exact=True).wait_for()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_an_image_is_becoming_is_shown_and_stop_works_meanwhile(studio):
    page = studio.go("create?model=painter")
    page.get_by_role("button", name="Make", exact=True).wait_for()
    page.get_by_role("spinbutton", name="Steps").fill("60")
    page.evaluate(
        """() => { window.seen = new Set();
          new MutationObserver(() => document.querySelectorAll('.pending img').forEach((one) => window.seen.add(one.alt)))
            .observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['alt']}); }"""
    )
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_text("Made 1 in").wait_for()
    seen = page.evaluate("[...window.seen]")
    assert [re.search(r"step (\d+) of 60", one)[1] for one in seen] == ["16", "31", "46"]
    assert page.locator(".pending").count() == 0
    page.get_by_role("spinbutton", name="Steps").fill("1000")
    # So many take minutes on any machine: they cannot be made before the page was looked at and Stop was found.
    page.get_by_role("spinbutton", name="How many").fill("64")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_role("img", name=re.compile("^Preview of seed .* of 1,?000")).first.wait_for()
    assert studio.violations() == []
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped").wait_for()
    assert page.locator(".pending").count() == 0


def test_a_number_that_cannot_be_used_is_said_at_its_field_and_not_sent(studio):
    page = studio.go("create?model=painter")
    make = page.get_by_role("button", name="Make", exact=True)
    make.wait_for()
    wrong = {"How many": ("65", "1 to 64"), "Seed": ("-1", "0 to 9007199254740991"), "Steps": ("2.5", "1 to 1000")}
    with said_nothing(page):
        for name, (value, range_words) in wrong.items():
            field = page.get_by_role("spinbutton", name=name, exact=True)
            usual = field.input_value()
            field.fill(value)
            make.click()
            note = page.get_by_role("alert").filter(has_text=range_words)
            note.wait_for()
            assert value in note.inner_text() and field.get_attribute("aria-invalid") == "true"
            assert note.get_attribute("id") in field.get_attribute("aria-describedby").split()
            assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
            assert studio.violations() == []
            field.fill(usual)
            assert note.count() == 0 and field.get_attribute("aria-invalid") is None
        page.get_by_role("slider", name="Steps, slider").or_(page.get_by_label("Guidance")).first.wait_for()
    page.get_by_role("spinbutton", name="Steps").fill("1")
    make.click()
    page.get_by_text("Made 1 in").wait_for()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_images_between_two_ends_and_a_background_are_made(studio, server, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(2)]
    for number, file in enumerate(files):
        pixels = np.full((16, 16, 4), 60 + 120 * number, np.uint8)
        pixels[:, :, 3] = np.where(np.arange(16) < 8, 255, 0)[None] if number else 255
        Image.fromarray(pixels).save(file)
    page = studio.go("edit?model=painter")
    way = page.get_by_label("What to do")
    way.select_option("seeds")
    page.get_by_label("The other seed").fill("7")
    page.get_by_label("Images, both ends included").fill("3")
    page.get_by_role("spinbutton", name="Steps").fill("1")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_text("Made 3 in").wait_for()
    assert studio.violations() == []
    page.get_by_label("The file to change").set_input_files(files[0])
    way.select_option("between")
    page.get_by_label("The second image").set_input_files(files[1])
    page.get_by_role("button", name="Make", exact=True).click()
    results = page.get_by_role("article", name=re.compile("^Result, seed"))
    results.nth(5).wait_for()
    page.get_by_label("The file to change").set_input_files(files[1])
    way.select_option("cutout")
    page.get_by_role("button", name="Make", exact=True).click()
    results.nth(6).wait_for()
    kinds = ("inpaint", *["interpolate"] * 3, *["interpolate-seeds"] * 3)
    page = studio.go("gallery")
    for one, kind in zip(json.loads(request(server.address, "/makar/v1/assets?kind=edit&limit=7")[2])["data"], kinds):
        signed = json.loads(request(server.address, f"/makar/v1/assets/{one['id']}")[2])["manifest"]["manifest"]
        assert signed["edit"]["operation"] == kind
        page.locator(f".card:has(img[src*='{one['id']}']) .face").click()
        shell = page.get_by_role("dialog").get_by_role("tabpanel").inner_text().splitlines()[0]
        assert shell.startswith("makar edit painter") and parses(shell) is None
        page.keyboard.press("Escape")
    assert studio.violations() == []


def test_a_dropped_file_gives_its_settings_back(studio, server, tmp_path):
    page = studio.go("gallery")
    page.locator(".card").first.wait_for()
    listed = request(server.address, "/makar/v1/assets?medium=image")[2]
    asset = json.loads(listed)["data"][0]
    file = tmp_path / "found.png"
    file.write_bytes(request(server.address, f"/makar/v1/assets/{asset['id']}/content")[2])
    page.get_by_label("Files that were made").set_input_files(file)
    page.get_by_role("link", name="Use these settings").click()
    page.get_by_role("button", name="Make", exact=True).wait_for()
    assert page.get_by_role("spinbutton", name="Seed").input_value() == str(asset["seed"])
    assert page.get_by_role("button", name="Keep this seed").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_text("Made 1 in").wait_for()
    made = json.loads(request(server.address, "/makar/v1/assets?medium=image&limit=1")[2])["data"][0]
    contents = [request(server.address, f"/makar/v1/assets/{one['id']}")[2] for one in (asset, made)]
    hashes = [json.loads(one)["manifest"]["manifest"]["content"]["sha256"] for one in contents]
    assert hashes[0] == hashes[1], "the same settings give the same image"
    file.write_bytes(b"no image")
    studio.go("gallery").get_by_label("Files that were made").set_input_files(file)
    page.get_by_text("carries no manifest").wait_for()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_by_keyboard_alone_a_part_of_an_image_is_made_anew(studio, server):
    asset = json.loads(request(server.address, "/makar/v1/assets?medium=image&limit=1")[2])["data"][0]
    page = studio.go(f"edit?asset={asset['id']}")
    page.get_by_role("button", name="Make", exact=True).wait_for()
    tab_to(page, "^Mask over the picture")
    for key in (" ", "ArrowRight", " ", "i", "u", "+"):
        page.keyboard.press(key)
    share = float(page.get_by_text("% is made anew").inner_text().split(" ")[0]) / 100
    assert 0 < share < 0.9
    page.get_by_role("button", name="Make", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text("Made 1 in").wait_for()
    assert studio.violations() == []
    made = json.loads(request(server.address, "/makar/v1/assets?kind=edit&limit=1")[2])["data"][0]
    before, after = (
        np.asarray(Image.open(io.BytesIO(request(server.address, f"/makar/v1/assets/{one['id']}/content")[2])))
        for one in (asset, made)
    )
    changed = (before != after).reshape(*before.shape[:2], -1).any(2).mean()
    assert 0 < changed <= share + 1e-3, "what was not painted is the same, bit for bit"
    tab_to(page, "^Before and after")
    page.keyboard.press("Home")
    assert page.locator(".wipe input").input_value() == "0"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sides_are_drawn_out_by_pointer_and_keys(studio, server):
    asset = json.loads(request(server.address, "/makar/v1/assets?medium=image&limit=1")[2])["data"][0]
    page = studio.go(f"edit?asset={asset['id']}")
    page.get_by_label("What to do").select_option("sides")
    right = page.get_by_role("slider", name="Beyond the right side")
    box, canvas = right.bounding_box(), page.locator("makar-mask canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + canvas["width"] / 4, y, steps=4)
    page.mouse.up()
    width = page.evaluate("document.querySelector('makar-mask canvas').width")
    assert page.get_by_label("Right", exact=True).input_value() == str(round(width / 4))
    page.get_by_role("slider", name="Beyond the top side").focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert page.get_by_label("Top", exact=True).input_value() == "2"
    assert right.get_attribute("aria-valuenow") == str(round(width / 4)) and studio.violations() == []
    page.get_by_label("What to do").select_option("paint")
    assert page.locator(".handle").count() == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_mask_is_what_the_pointer_painted_also_beyond_the_edge(studio, server):
    asset = json.loads(request(server.address, "/makar/v1/assets?medium=image&limit=1")[2])["data"][0]
    page = studio.go(f"edit?asset={asset['id']}")
    canvas = page.locator("makar-mask canvas")
    canvas.wait_for()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 1.3, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.9, steps=5)
    page.mouse.up()
    mask = (
        "(async (m) => [...new Uint8Array(await (await m.blob()).arrayBuffer())])(document.querySelector('makar-mask'))"
    )
    painted = np.asarray(Image.open(io.BytesIO(bytes(page.evaluate(mask)))).convert("L"))
    rows, columns = painted.shape
    assert set(np.unique(painted)) == {0, 255}, "no half tones"
    assert painted[rows // 2, -1] == 255 and painted[int(rows * 0.88), columns // 2] == 255 and painted[0, 0] == 0
    share = (painted == 255).mean()
    page.get_by_role("button", name="Invert").click()
    inverse = np.asarray(Image.open(io.BytesIO(bytes(page.evaluate(mask)))).convert("L"))
    assert (inverse != painted).all()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert 0 < share < 1 and page.get_by_text("0.0 % is made anew").is_visible()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_conversation_cites_documents_and_shows_where_they_say_it(studio, server):
    folder = asked(server, "/makar/v1/folders", {"name": "x", "collection": "shop"})[1]
    put(server, folder["id"], [("rules.md", b"# Hours\n\nThe shop closes at six in the evening.\n")])
    assert asked(server, "/makar/v1/collections/shop", {"source": folder["id"]})[0] == 200
    page = studio.go("chat?model=talker")
    page.get_by_text("Controls", exact=True).wait_for()
    page.get_by_label("Answers come from").select_option("quoted:shop")
    page.get_by_label("Message").fill("When does the shop close?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Source 1").click()
    assert "closes at six" in page.locator("mark").inner_text()
    assert studio.violations() == [] and studio.overflow() <= 0
    page = studio.go("gallery")
    page = studio.go("chat?model=talker")
    page.get_by_role("button", name="Source 1").wait_for()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_conversation_has_branches_and_can_be_stopped(studio):
    page = studio.go("chat?model=talker")
    page.get_by_text("Controls", exact=True).wait_for()
    for words in ("Speak", "Read answers aloud"):
        assert page.get_by_text(words).count() == 0, "no model here speaks or hears"
    page.get_by_label("Message").fill("Hello")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Answer anew").click()
    page.get_by_text("2 of 2").wait_for()
    page.get_by_role("button", name="Edit the answer").wait_for()
    page.get_by_role("button", name="Edit the answer").click()
    page.get_by_label("New text").fill("My own *answer*")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("3 of 3").wait_for()
    assert page.locator(".turn.assistant em").inner_text() == "answer"
    page.get_by_role("button", name="Branch before").click()
    page.get_by_text("2 of 3").wait_for()
    # Of the likeliest few letters none is the end, so that only Stop ends the answer: it cannot be over before it is pressed.
    page.get_by_text("Controls", exact=True).click()
    page.get_by_text("more controls").click()
    page.get_by_role("spinbutton", name="Top k", exact=True).fill("8")
    page.get_by_role("spinbutton", name="Max tokens", exact=True).fill("131072")
    page.get_by_label("Message").fill("Once more")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.said.writing')?.textContent.length > 20")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.locator(".tag", has_text="stopped").wait_for()
    written = page.locator(".turn.assistant").last.locator(".said").inner_text()
    assert written and page.locator(".turn.assistant").count() == 2
    assert page.get_by_role("button", name="Send").is_enabled() and page.locator(".writing").count() == 0
    assert studio.violations() == []
    page.reload()
    page.get_by_text("Once more").first.wait_for()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_calls_a_tool_and_is_told_what_came_of_it(studio):
    page = studio.go("chat?model=talker")
    page.get_by_text("Controls", exact=True).wait_for()
    page.get_by_role("button", name="New", exact=True).click()
    page.get_by_text("Tools", exact=True).click()
    page.get_by_role("button", name="Add a tool").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("weather")
    dialog.get_by_label("Parameters").fill('{"type": "object"')
    dialog.get_by_role("button", name="Keep it").click()
    dialog.get_by_text("That is no tool").wait_for()
    places = {"type": "object", "properties": {"place": {"enum": ["Rome", "Oslo"]}}, "required": ["place"]}
    dialog.get_by_label("Parameters").fill(json.dumps(places | {"additionalProperties": False}))
    assert studio.violations() == []
    dialog.get_by_role("button", name="Keep it").click()
    page.get_by_label("The model calls").select_option("required")
    page.get_by_label("Message").fill("Where is it warm?")
    page.keyboard.press("Enter")
    arguments = page.get_by_label("Arguments of weather")
    arguments.wait_for()
    assert json.loads(arguments.inner_text())["place"] in ("Rome", "Oslo")
    page.get_by_label("Message").fill("Well?")
    page.keyboard.press("Enter")
    page.get_by_text("The model waits for the result").wait_for()
    page.get_by_role("textbox", name="Result of weather").fill('{"celsius": 31}')
    with page.expect_request("**/v1/chat/completions") as sent:
        page.get_by_role("button", name="Give it to the model").click()
    body = sent.value.post_data_json
    call, result = body["messages"][-2:]
    assert call["tool_calls"][0]["function"]["name"] == "weather" and body["tool_choice"] == "auto"
    assert result == {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": '{"celsius": 31}'}
    page.get_by_role("article", name="Result of weather").wait_for()
    page.get_by_role("button", name="Answer anew").nth(1).wait_for()
    assert studio.violations() == [] and studio.overflow() <= 0
    page.reload()
    page.get_by_text("Tools: 1").wait_for()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_by_keyboard_alone_a_model_is_trained(studio):
    page = studio.go("train")
    tab_to(page, "^Or a path")
    page.keyboard.type("builtin:digits")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Plan", exact=True).wait_for()
    tab_to(page, "^Or steps")
    page.keyboard.type("6")
    tab_to(page, "^Name")
    page.keyboard.type("by-keys")
    page.keyboard.press("Enter")
    page.get_by_text("Loss to expect").wait_for()
    assert studio.violations() == []
    tab_to(page, "^Train$")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="digits").first.wait_for(timeout=600_000)
    tab_to(page, "^digits")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Create with it").wait_for(timeout=600_000)
    page.locator("figure.chart path").first.wait_for()
    page.locator("img.strip").wait_for()
    assert studio.violations() == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scheme, width", LOOKS)
def test_every_page_can_be_read_by_everybody(browser, server, scheme, width):
    pages = Pages(browser, server.address, scheme=scheme, width=width)
    for name in PAGES:
        page = pages.go(name)
        page.wait_for_load_state("networkidle")
        assert pages.violations() == [], name
        assert pages.overflow() <= 0, name
        assert pages.said == [], name
    pages.close()


@pytest.mark.slow
def test_the_studio_asks_for_the_key_and_forgets_it_with_the_tab(browser, place):
    running = Server(place, environment={"MAKAR_SERVE_KEY": KEY})
    pages = Pages(browser, running.address)
    try:
        page = pages.go("gallery")
        page.get_by_role("textbox", name="Key").fill("a wrong key that is long")
        page.get_by_role("button", name="Use it").click()
        page.get_by_role("textbox", name="Key").fill(KEY)
        page.get_by_role("button", name="Use it").click()
        page.locator(".card img").first.wait_for()
        page.wait_for_function("document.querySelector('.card img').naturalWidth > 0")
        assert KEY in page.evaluate("JSON.stringify({...sessionStorage})")
        assert KEY not in page.evaluate("JSON.stringify({...localStorage})") + page.evaluate("document.cookie")
    finally:
        pages.close()
        running.stop()


@pytest.mark.slow
def test_the_policy_keeps_foreign_scripts_and_inline_ones_out(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address)
    page.locator("html[data-ready] main h1").wait_for()
    tried = page.evaluate(
        """() => {
          const script = document.createElement('script');
          try { script.textContent = 'window.ran = true'; document.body.append(script); } catch { return 'refused'; }
          return window.ran ?? 'refused';
        }"""
    )
    assert tried == "refused"
    fetched = page.evaluate("fetch('http://example.org/').then(() => 'sent', () => 'refused')")
    assert fetched == "refused"
    context.close()
