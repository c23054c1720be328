"""Scripts and documents read aloud over HTTP: progress, the recording or film that was signed, cancelling, restarts, what is refused."""

import base64
import io
import json

import numpy as np
import psutil
import pytest
from PIL import Image

from makar.api.model import verify
from makar.data.sound_reader import read_sound
from tests.cli.small_models import see
from tests.recipes.spoken_data import SPEECH_SETTINGS, write_spoken
from tests.retrieval.test_reading import word
from tests.serving.browser import Pages, opened, said_nothing
from tests.serving.server import Server, posted, request, talker, until
from tests.structure.test_docs import parses

pytestmark = pytest.mark.loopback
SCRIPT = "# First\nAnn: low high\nBob: high low\n\n# Second\nAnn: low low"
CAST = {"Ann": "cast:ann", "Bob": "cast:bob"}
PATH = "/makar/v1/readings"
PATIENCE_SECONDS = 300
ASKED = {"script": SCRIPT, "voices": CAST, "seed": 3, "steps": 2}


def make_cast(folder):
    """Train a model of two voices that say tones, ``cast``, in a home."""
    for first, voice in enumerate(("ann", "bob")):
        write_spoken(folder / "data" / voice, count=8, first=100 * first)
    see("train", folder / "data", "--recipe", "speech-voices", "--steps", "4", *SPEECH_SETTINGS, "-o", "cast")
    talker(folder / "models" / "talker")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        make_cast(folder)
    return folder


@pytest.fixture(scope="module")
def server(home):
    running = Server(home)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


def ask(server, path, body=None, *, method=None):
    """Return (status, values) of a route that answers in JSON."""
    status, _, content = request(server.address, path, body, method=method)
    return status, json.loads(content)


def ended(server, begun):
    """Return a reading once it is over."""
    status, reading = begun
    assert status == 200, reading
    until(
        lambda: ask(server, f"{PATH}/{reading['id']}")[1]["status"] in ("completed", "failed"), seconds=PATIENCE_SECONDS
    )
    return ask(server, f"{PATH}/{reading['id']}")[1]


def drawing(*, is_photo=False):
    """Return a picture with plain areas, or one of noise, as PNG."""
    pixels = np.full((80, 60, 3), 200, np.uint8)
    pixels[20:60, 10:50] = (230, 180, 150)
    if is_photo:
        pixels = np.random.default_rng(0).integers(0, 255, pixels.shape, np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def speakers_of(server):
    """Return the processes of a server that read scripts."""
    found = psutil.Process(server.process.pid).children()
    return [one for one in found if "makar.serving.studio.speaker" in one.cmdline()]


def saved_with_manifest(server, made, path):
    """Write an asset and its manifest to a file."""
    base = f"/makar/v1/assets/{made['asset']}"
    path.write_bytes(request(server.address, f"{base}/content")[2])
    path.with_name(f"{path.name}.makar.json").write_bytes(request(server.address, f"{base}/manifest")[2])
    return path


def test_a_script_becomes_a_recording_with_chapters_in_the_library(server, tmp_path):
    begun = ask(server, PATH, ASKED)
    assert begun[1]["status"] == "queued" and begun[1]["lines"] == 3 and begun[1]["title"] == "First"
    found = ended(server, begun)
    assert found["status"] == "completed" and found["progress"] == 100, found
    made = found["makar"]
    assert [one["title"] for one in made["chapters"]] == ["First", "Second"] and made["seed"] == 3
    path = saved_with_manifest(server, made, tmp_path / "talk.wav")
    assert verify(path).is_intact
    assert read_sound(path.read_bytes()).seconds == pytest.approx(made["chapters"][-1]["end"], abs=1e-3)
    content = f"{PATH}/{found['id']}/content"
    assert request(server.address, content)[2] == path.read_bytes()
    part = request(server.address, content, headers={"Range": "bytes=4-7"})
    assert part[0] == 206 and part[2] == path.read_bytes()[4:8], "players move about in it"
    assert part[1]["content-range"] == f"bytes 4-7/{path.stat().st_size}"
    assert request(server.address, content, headers={"Range": f"bytes={path.stat().st_size}-"})[0] == 416
    kept = ask(server, f"/makar/v1/assets/{made['asset']}")[1]
    assert (kept["medium"], kept["model"], kept["kind"], kept["type"]) == ("sound", "cast", "create", "audio/wav")
    voices = kept["manifest"]["manifest"]["edit"]["voices"]
    assert [(one["name"], one["model"], one["label"]) for one in voices] == [
        ("Ann", "cast", "ann"),
        ("Bob", "cast", "bob"),
    ]
    assert found["id"] in [one["id"] for one in ask(server, PATH)[1]["data"]]
    assert ask(server, f"{PATH}/{found['id']}", method="DELETE")[1]["deleted"]
    assert ask(server, f"{PATH}/{found['id']}")[0] == 404
    assert request(server.address, f"/makar/v1/assets/{made['asset']}")[0] == 200


@pytest.mark.slow
def test_a_document_becomes_a_film_of_a_drawing_that_says_it(server, tmp_path):
    pytest.importorskip("av")
    document = word(("Heading1", "News"), ("Normal", "low high"))
    texts = {"voices": json.dumps({"Ann": "cast:bob"}), "form": "webm", "mouth": "30,50,20", "steps": "2"}
    files = {"document": document, "drawing": drawing()}
    # The end of its name says what a document is.
    found = ended(server, posted_named(server, PATH, texts, files, {"document": "news.docx"}))
    assert found["status"] == "completed", found
    kept = ask(server, f"/makar/v1/assets/{found['makar']['asset']}")[1]
    assert (kept["medium"], kept["type"]) == ("video", "video/webm")
    edit = kept["manifest"]["manifest"]["edit"]
    assert edit["presenter"]["drawing"] and edit["chapters"][0]["title"] == "News"
    path = saved_with_manifest(server, found["makar"], tmp_path / "news.webm")
    assert verify(path).is_intact and read_sound(path.read_bytes()).seconds > 0.2
    item = {"file": base64.b64encode(path.read_bytes()).decode(), "manifest": kept["manifest"]}
    said = {"kind": "stars", "value": 4, "rater": "ann", "consent": True, "items": [item]}
    status, judged = ask(server, "/makar/v1/feedback", said)
    assert status == 200 and judged["medium"] == "video" and judged["items"][0]["model"] == "cast", judged


def posted_named(server, path, texts, files, names):
    """Send a form whose files have names of their own."""
    mark = "--a-line-that-is-in-no-file"
    parts = [
        f'{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}'.encode()
        for name, text in texts.items()
    ]
    for name, content in files.items():
        head = f'{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{names.get(name, "given")}"\r\n\r\n'
        parts.append(head.encode() + content)
    kind = {"Content-Type": f"multipart/form-data; boundary={mark[2:]}"}
    status, _, content = request(server.address, path, b"\r\n".join([*parts, f"{mark}--\r\n".encode()]), headers=kind)
    return status, json.loads(content)


@pytest.mark.slow
def test_a_photograph_needs_the_consent_of_whoever_it_shows(server, home, tmp_path):
    pytest.importorskip("av")
    texts = {
        "script": "low",
        "voices": json.dumps({"Ann": "cast:ann"}),
        "form": "webm",
        "mouth": "30,50,20",
        "steps": "2",
    }
    files = {"drawing": drawing(is_photo=True)}
    refused = ended(server, posted(server.address, PATH, texts, files))
    assert refused["status"] == "failed" and refused["error"]["code"] == "no_consent", refused
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(home))
        record = ["consent", "record", home / "data" / "ann" / "1.wav", "--who", "Ann", "--scope", "face"]
        see(*record, "-o", tmp_path / "face.json")
    files["consent"] = (tmp_path / "face.json").read_bytes()
    agreed = ended(server, posted(server.address, PATH, texts, files))
    assert agreed["status"] == "completed", agreed
    signed = ask(server, f"/makar/v1/assets/{agreed['makar']['asset']}")[1]["manifest"]
    assert signed["manifest"]["edit"]["presenter"]["consent"][0]["who"] == "Ann"


@pytest.mark.slow
def test_a_reading_says_how_far_it_is_and_one_that_is_deleted_is_read_no_further(server):
    endless = {**ASKED, "script": "\n\n".join(["Ann: low high"] * 400), "steps": 50}
    first = ask(server, PATH, endless)[1]
    path = f"{PATH}/{first['id']}"
    until(lambda: ask(server, path)[1].get("makar", {}).get("step", 0) > 2, seconds=PATIENCE_SECONDS)
    known = ask(server, path)[1]
    assert (
        len(speakers_of(server)) == 1
        and known["status"] == "in_progress"
        and known["makar"]["steps"] == 400
        and known["makar"]["seconds_left"] > 0
    )
    assert known["progress"] == 100 * known["makar"]["step"] // 400 and "ask" not in known
    assert ask(server, f"{path}/content")[0] == 409
    assert ask(server, path, method="DELETE")[0] == 200
    until(lambda: not speakers_of(server))
    assert ask(server, path)[0] == 404


def test_a_script_is_described_before_it_is_spoken(server):
    status, found = ask(server, "/makar/v1/scripts", {"script": "Hello.\n\n" + SCRIPT.replace("Bob", "**Bob**")})
    assert status == 200 and found["names"] == ["Ann", "Bob"] and found["has_narrator"], found
    assert (found["lines"], found["chapters"]) == (4, ["First", "Second"])
    assert not ask(server, "/makar/v1/scripts", {"script": SCRIPT})[1]["has_narrator"]
    crowd = "\n".join(f"Who{number % 20}: low" for number in range(35))
    names = ask(server, "/makar/v1/scripts", {"script": crowd})[1]["names"]
    assert names == [f"Who{number}" for number in range(15)], "those who speak most"
    document = {"document": word(("Heading1", "News"), ("Normal", "low high"))}
    status, found = posted_named(server, "/makar/v1/scripts", {}, document, {"document": "../../news.docx"})
    assert status == 200 and "# News" in found["text"] and found["chapters"] == ["News"], found
    status, refused = posted_named(
        server, "/makar/v1/scripts", {}, {"document": b"%PDF-1.7 nothing"}, {"document": "a.pdf"}
    )
    assert status == 400 and "damaged PDF" in refused["error"]["message"] and "/tmp" not in refused["error"]["message"]


@pytest.mark.parametrize(
    "change, word",
    [
        ({"voices": {}}, "voices"),
        ({"voices": {"Ann": 3}}, "voices"),
        ({"voices": {"Ann": "cast:ann", "ann ": "cast:bob"}}, "different names"),
        ({"voices": {"Ann": "talker"}}, "makes text"),
        ({"voices": {"Ann": "cast:"}}, "MODEL:LABEL"),
        ({"voices": {"Ann": "nobody"}}, "nobody"),
        ({"script": "ZOE: low"}, "line 1 is said by ZOE"),
        ({"script": " "}, "nothing in the script"),
        ({"script": "low " * 60_000}, "240000 characters"),
        ({"script": None}, "no script"),
        ({"form": "gif"}, "form"),
        ({"mouth": "1,2,3"}, "face for a recording"),
        ({"form": "webm", "mouth": "1,2,3"}, "drawing"),
        ({"speed": 9}, "speed"),
        ({"vocoder": "/etc/passwd"}, "passwd"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(server, change, word):
    status, found = ask(server, PATH, {**ASKED, **change})
    assert 400 <= status < 500 and word in found["error"]["message"], found


@pytest.mark.slow
@pytest.mark.parametrize("voice, word", [("cast:zoe", "zoe"), ("cast", "2 voices")])
def test_what_only_the_model_knows_is_said_of_the_reading(server, voice, word):
    found = ended(server, ask(server, PATH, {**ASKED, "voices": {"Ann": voice}, "script": "Ann: low"}))
    assert found["status"] == "failed" and word in found["error"]["message"], found


@pytest.mark.slow
def test_a_server_that_is_started_again_reads_what_waited(home):
    running = Server(home)
    waiting = ask(running, PATH, {**ASKED, "seed": 8})[1]
    running.process.kill()
    running.stop()
    again = Server(home)
    try:
        assert ended(again, (200, waiting))["makar"]["seed"] == 8
    finally:
        assert again.stop() == 0


LOOKS = (("light", 1280), ("dark", 360))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scheme, width", LOOKS)
def test_a_script_is_written_and_heard_with_its_chapters_in_the_studio(server, tmp_path, scheme, width):
    with opened() as browser:
        studio = Pages(browser, server.address, scheme=scheme, width=width)
        page = studio.go("create?model=cast")
        page.get_by_role("button", name="A script, read aloud").press("Enter")
        page.get_by_label("Script", exact=True).fill(SCRIPT)
        page.get_by_label("Voice of Bob").select_option("bob")
        page.get_by_text("Lines: 3; chapters: First, Second").wait_for()
        page.get_by_text("How it is spoken").click()
        with said_nothing(page):
            page.get_by_label("Speed").fill("9")
            page.get_by_role("button", name="Read it aloud").click()
            page.get_by_text("9 is out of range; expected: 0.5 to 2").wait_for()
        page.get_by_label("Speed").fill("2")
        page.get_by_role("spinbutton", name="Steps").fill("2")
        page.get_by_role("spinbutton", name="Seed").fill("5")
        page.get_by_role("button", name="Read it aloud").press("Enter")
        page.get_by_text("Made: First").wait_for()
        assert studio.violations() == [] and studio.overflow() <= 0
        page.wait_for_function("document.querySelector('.card audio')?.duration > 0.3")
        second = page.get_by_role("button", name="Second")
        second.press("Enter")
        page.wait_for_function(
            "[...document.querySelectorAll('.places [aria-current]')].at(-1)?.innerText.includes('Second')"
        )
        page.screenshot(path=tmp_path / f"script-{width}.png", full_page=True)
        page.get_by_role("button", name="Manifest and novelty").click()
        dialog = page.get_by_role("dialog")
        shell = dialog.get_by_role("tabpanel").inner_text().splitlines()[0]
        assert shell.startswith(
            "makar speak SCRIPT.md --voice Ann=cast:ann --voice Bob=cast:bob --speed 2 --steps 2 --seed 5"
        )
        assert parses(shell) is None and studio.violations() == []
        dialog.get_by_role("button", name="Check it").click()
        dialog.get_by_text("in order").first.wait_for()
        assert dialog.get_by_text("broken").count() == 0
        page.get_by_label("Script", exact=True).evaluate("one => { one.value = ''; }")
        dialog.get_by_role("link", name="Use these settings").click()
        page.wait_for_function("document.querySelector('makar-create textarea')?.value.includes('Bob: high low')")
        assert page.get_by_label("Voice of Bob").input_value() == "bob"
        studio.close()
        assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1800)
def test_a_drawing_says_a_document_while_another_page_is_looked_at(server, tmp_path):
    pytest.importorskip("av")
    face, document = tmp_path / "face.png", tmp_path / "news.docx"
    face.write_bytes(drawing())
    document.write_bytes(word(("Heading1", "News"), ("Normal", "low high"), ("Heading1", "Sport"), ("Normal", "low")))
    with opened() as browser:
        studio = Pages(browser, server.address)
        page = studio.go("create?model=cast")
        page.get_by_role("button", name="A script, read aloud").click()
        page.get_by_label("A document to read aloud").set_input_files(document)
        page.wait_for_function("document.querySelector('makar-create textarea').value.includes('# News')")
        page.get_by_label("As", exact=True).select_option("webm")
        page.get_by_label("A drawing of your own").set_input_files(face)
        canvas = page.get_by_role("img", name="The drawing, with the place of its mouth")
        canvas.click(position={"x": canvas.bounding_box()["width"] / 2, "y": canvas.bounding_box()["height"] / 2})
        assert [page.get_by_label(name).input_value() for name in ("Mouth, from the left", "From the top")] == [
            "30",
            "40",
        ]
        page.get_by_text("How it is spoken").click()
        page.get_by_role("spinbutton", name="Steps").fill("2")
        assert studio.violations() == []
        page.get_by_role("button", name="Read it aloud").click()
        page.get_by_role("progressbar", name="Progress of News").wait_for()
        page = studio.go("gallery")
        page = studio.go("create")
        page.get_by_text("Made: News").or_(page.get_by_role("button", name="Sport")).first.wait_for()
        page.wait_for_function("document.querySelector('.card video')?.videoWidth === 60")
        assert not page.locator(".card video").evaluate("one => one.muted")
        page.screenshot(path=tmp_path / "film.png", full_page=True)
        page.get_by_role("button", name="Manifest and novelty").click()
        dialog = page.get_by_role("dialog")
        shell = dialog.get_by_role("tabpanel").inner_text().splitlines()[0]
        assert "--drawing DRAWING.png --mouth X,Y,WIDTH" in shell and parses(shell) is None
        assert dialog.locator("video").count() == 1 and studio.violations() == []
        page.keyboard.press("Escape")
        page.get_by_label("Script", exact=True).fill("\n\n".join(["low high"] * 200))
        page.get_by_role("button", name="Read it aloud").click()
        page.get_by_role("progressbar", name="Progress of low high").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("Stopped").wait_for()
        until(lambda: not speakers_of(server))
        studio.close()
        assert studio.said == []
