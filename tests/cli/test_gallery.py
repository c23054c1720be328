"""What the shell makes is in the library that the studio's Gallery shows, and no result is lost for that."""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import makar
from makar.api.feedback import judge, read_item
from makar.cli import gallery
from makar.errors import UsageError
from makar.families.diffusion.config import DiffusionConfig
from makar.generation import library as library_module
from makar.generation import library_entry
from makar.generation.library import Library, Wanted
from makar.home import library_file, models_folder
from tests.cli.small_models import see
from tests.generation.test_edit import photo, saved
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, request, talker
from tests.structure.test_docs import parses

WRITE = ["generate", "writer", "Once", "--max-tokens", "8"]
DRAW = ["generate", "painter", "--steps", "2"]


@pytest.fixture
def shop(own_folder, tmp_path, monkeypatch):
    """Return a folder with an image, where a model of text and one of images are known by name."""
    monkeypatch.chdir(tmp_path)
    talker(models_folder() / "writer")
    saved(models_folder() / "painter", DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8))
    Image.fromarray(photo()).save("a.png")
    return tmp_path


def kept(**wanted):
    """Return what the library has, the oldest first."""
    return Library(library_file()).newest(Wanted(**wanted))[::-1]


def contents():
    library = Library(library_file())
    return [library.content(one["id"])[0] for one in kept()]


def test_each_verb_keeps_what_it_made_as_it_was_shown_and_saved(shop):
    texts = see(*WRITE, "Twice", "--json").values
    streamed = see(*WRITE, "--stream", "--seed", "5").output
    see(*DRAW, "-n", "2", "--label", "fox")
    see(*DRAW, "fox", "--svg", "-o", "fox.svg")
    see("edit", "painter", "a.png", "--box", "4,4,8,8", "--steps", "2", "-o", "changed.png")
    said = see("chat", "writer", "--system", "Be brief.", "-m", "Hello", "--max-tokens", "8").output
    found = kept()
    assert [(one["model"], one["kind"], one["prompt"]) for one in found] == [
        *[("writer", "create", prompt) for prompt in ("Once", "Twice", "Once")],
        *[("painter", "create", "fox")] * 3,
        *[("painter", "edit", ""), ("writer", "chat", "Hello")],
    ]
    written, library = contents(), Library(library_file())
    assert [text.decode() for text in written[:2]] == [row["content"] for row in texts]
    assert written[2].decode() == streamed.rstrip("\n") and said.strip() in written[-1].decode()
    files = [shop / name for name in ("out/0001.png", "out/0002.png", "fox.svg", "changed.png")]
    assert written[3:7] == [file.read_bytes() for file in files]
    signed = [library.get(one["id"])["manifest"] for one in found]
    assert [one["manifest"] for one in signed[:2]] == [row["manifest"] for row in texts]
    beside = json.loads((shop / "fox.svg.makar.json").read_bytes())
    assert signed[5] == beside and found[5]["type"] == "image/svg+xml"
    assert see("verify", "fox.svg").code == 0


def test_only_what_was_made_alone_says_how_long_the_next_takes(shop):
    words = [*WRITE, "--json"]
    see(*words, "Twice")
    (first, _) = kept()
    hash_ = Library(library_file()).get(first["id"])["manifest"]["manifest"]["artifact"]["hash"]
    assert Library(library_file()).pace(hash_) is None
    see(*words, "--seed", "5")
    pace = Library(library_file()).pace(hash_)
    assert pace == pytest.approx(kept_seconds()[-1] / 8, rel=0.01) and 0 < pace < 1


def kept_seconds():
    library = Library(library_file())
    return [library.get(one["id"])["seconds"] for one in kept()]


@pytest.mark.parametrize("words", [WRITE, [*WRITE, "--stream"], DRAW, ["chat", "writer", "-m", "Hello"]])
def test_nothing_is_kept_where_that_is_not_wanted(words, shop, monkeypatch):
    see(*words, "--no-gallery")
    monkeypatch.setenv("MAKAR_NO_GALLERY", "1")
    see(*words)
    assert not library_file().exists()


def broken(monkeypatch):
    library_file().write_bytes(b"no database" * 1000)


def newer(monkeypatch):
    with sqlite3.connect(library_file()) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def closed(monkeypatch):
    library_file().mkdir()


def held(monkeypatch):
    monkeypatch.setattr(library_module, "WAIT_SECONDS", 0.01)
    connection = sqlite3.connect(library_file(), check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def full(monkeypatch):
    connect = sqlite3.connect

    def small(*words, **more):
        connection = connect(*words, **more)
        connection.execute("PRAGMA max_page_count = 6")
        return connection

    monkeypatch.setattr(library_module.sqlite3, "connect", small)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(broken, "not a database"), (newer, "schema 99"), (closed, "unable to open"), (held, "locked"), (full, "full")],
)
def test_a_library_that_cannot_be_used_costs_one_line_and_no_result(spoil, said, shop, monkeypatch):
    plain = see(*WRITE, "--no-gallery").output
    lock = spoil(monkeypatch)
    seen = see(*WRITE)
    assert seen.output == plain and seen.messages.count("\n") == 1
    assert seen.messages.startswith("[not kept in the gallery: ") and said in seen.messages
    drawn = see(*DRAW, "-n", "3", "--json")
    assert len(drawn.values) == 3 and all((shop / row["path"]).is_file() for row in drawn.values)
    assert drawn.messages.count("not kept") == 1
    if lock:
        lock.close()


def test_what_is_too_large_is_left_out_and_the_rest_is_kept(shop, monkeypatch):
    monkeypatch.setattr(library_entry, "LARGEST_BYTES", 30)
    seen = see("generate", "writer", "Once", "A beginning of more than thirty letters", "--max-tokens", "1")
    assert seen.messages == "[not kept in the gallery: 0 MB for one asset, at most 0 MB in the gallery]\n"
    assert [one["prompt"] for one in kept()] == ["Once"]
    with pytest.raises(UsageError, match="in the gallery"):
        makar.keep(makar.load("writer").generate("A beginning of more than thirty letters"))


def test_thousands_of_one_command_do_not_push_everything_else_out(shop, monkeypatch):
    monkeypatch.setattr(gallery, "MOST", 3)
    seen = see(*WRITE, "-n", "5", "--json")
    assert len(seen.values) == 5 and [one["seed"] for one in kept()] == [0, 1, 2]
    assert seen.messages == "[the gallery keeps the first 3 of one command]\n"


def test_what_was_made_before_something_failed_is_kept(shop):
    (shop / "in-the-way").mkdir()
    see("edit", "painter", "a.png", "absent.png", "--box", "4,4,8,8", "--steps", "2", code=2)
    assert [one["kind"] for one in kept()] == ["edit"]


def test_samples_for_a_training_set_and_pictures_of_a_film_are_not_kept(shop):
    (shop / "frames").mkdir()
    for number in range(8):
        Image.fromarray(np.roll(photo(), number, axis=1)).save(shop / "frames" / f"{number}.png")
    see("edit", "frames", "--speed", "2", "--rate", "8", "--format", "gif", "-o", "film.gif")
    (film,) = kept()
    assert (film["model"], film["kind"], film["medium"]) == ("", "edit", "video")
    assert film["prompt"] == "a film, 2 times as fast, 8 frames a second, as gif"
    see("edit", "film.gif", "--rate", "4", "--format", "frames", "-o", "apart")
    assert len(list((shop / "apart").glob("*.png"))) >= 1 and len(kept()) == 1


def test_python_keeps_what_it_is_told_to(shop):
    assets = makar.load("painter").generate("fox", count=3, options={"steps": 2})
    assert not library_file().exists()
    assert makar.keep(assets[0]) == 1 and makar.keep(assets) == 2 and makar.keep(assets) == makar.keep([]) == 0
    assert [one["seed"] for one in kept()] == [0, 1, 2] and contents() == [asset.file for asset in assets]


KEEP = """
import sys
from makar.generation.library import Entry, Library
from makar.home import library_file
for number in range(20):
    manifest = {"id": sys.argv[1] + str(number), "artifact": None, "medium": "text", "seed": 0}
    said = {"model": "", "kind": "create", "prompt": "", "content": b"x" * 100_000, "type": "text/plain"}
    Library(library_file()).keep(Entry(signed={"manifest": manifest}, seconds=0.0, work=0.0, **said))
"""


def test_several_processes_keep_at_once(own_folder):
    made = [subprocess.Popen([sys.executable, "-c", KEEP, name]) for name in "abcd"]
    assert [process.wait(120) for process in made] == [0] * 4
    assert len(kept(limit=100)) == 80


@pytest.mark.loopback
def test_the_gallery_of_a_server_shows_what_the_shell_made(shop, own_folder):
    texts = see(*WRITE, "Twice", "--json").values
    see(*DRAW, "fox", "-n", "2")
    see(*DRAW, "fox", "--svg", "-o", "fox.svg")
    dark, light = (read_item(path) for path in (shop / "out" / "0001.png", shop / "out" / "0002.png"))
    judge([light], kind="thumb", value=[1], rater="ann", consent=True)
    judge([dark], kind="thumb", value=[0], rater="ann", consent=True)
    # Of both models the server has one.
    server = Server(own_folder, "writer")
    try:

        def listed(words=""):
            status, _, content = request(server.address, f"/makar/v1/assets?{words}")
            assert status == 200, content
            return json.loads(content)

        everything = listed()
        assert len(everything["data"]) == 5 and everything["filters"]["model"] == ["painter", "writer"]
        assert [one["prompt"] for one in listed("model=writer")["data"]] == ["Twice", "Once"]
        assert [one["seed"] for one in listed("rating=good")["data"]] == [1]
        assert [one["seed"] for one in listed("medium=image&for_rater=ann")["data"]] == [1, 0, 0]
        (text,) = listed("text=Twice")["data"]
        status, headers, content = request(server.address, f"/makar/v1/assets/{text['id']}/content")
        assert content.decode() == texts[1]["content"] and headers["content-type"].startswith("text/plain")
        drawing = next(one for one in everything["data"] if one["type"] == "image/svg+xml")
        status, headers, content = request(server.address, f"/makar/v1/assets/{drawing['id']}/content")
        assert content == (shop / "fox.svg").read_bytes() and headers["content-type"].startswith("image/svg+xml")
        assert headers["content-disposition"].endswith('.svg"') and "sandbox" in headers["content-security-policy"]
        status, _, content = request(server.address, "/makar/v1/models/painter/description")
        assert status == 404 and b"painter" in content
        see(*WRITE, "Thrice")
        assert listed()["data"][0]["prompt"] == "Thrice", "what is made meanwhile is there too"
    finally:
        assert server.stop() == 0


@pytest.mark.slow
@pytest.mark.loopback
@pytest.mark.browser
@pytest.mark.timeout(900)
def test_the_studio_shows_it_and_knows_which_model_it_does_not_have(shop, own_folder):
    see(*WRITE)
    see(*DRAW, "fox", "--seed", "7")
    see(*DRAW, "fox", "--svg", "--palette", "#102030,#d0e0f0", "-o", "fox.svg")
    see("chat", "writer", "-m", "Hello", "--max-tokens", "8")
    server = Server(own_folder, "writer")
    try:
        with opened() as browser:
            studio = Pages(browser, server.address)
            page = studio.go("gallery")
            page.locator(".card img").nth(1).wait_for()
            assert page.locator(".card").count() == 4
            assert page.wait_for_function("[...document.images].every((one) => one.complete && one.naturalWidth)")
            assert studio.violations() == []
            drawing = page.locator(".card", has=page.get_by_role("button", name="Image by painter: fox, seed 0"))
            assert drawing.locator(".rated").count() == 0, "outlines are not judged"
            drawing.get_by_role("button").first.click()
            dialog = page.get_by_role("dialog")
            dialog.get_by_role("button", name="Check it").click()
            dialog.get_by_text("in order").first.wait_for()
            assert dialog.get_by_text("broken").count() == 0
            line = dialog.get_by_role("tabpanel").inner_text().splitlines()[0]
            see(*shlex.split(line)[1:])
            assert Path("out/0002.svg").read_bytes() == Path("fox.svg").read_bytes(), "the line makes the same again"
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Image by painter: fox, seed 7").click()
            lines = {
                name: (dialog.get_by_role("tab", name=name).click(), dialog.get_by_role("tabpanel").inner_text())[1]
                for name in ("Shell", "Python", "curl")
            }
            assert parses(lines["Shell"].splitlines()[0]) is None
            assert 'makar.load("painter")' in lines["Python"] and "/v1/images/generations" in lines["curl"]
            dialog.get_by_role("link", name="Use these settings").click()
            page.get_by_text("painter is not here; this is writer").wait_for()
            page.get_by_role("button", name="Make", exact=True).wait_for()
            assert page.get_by_role("spinbutton", name="Seed").input_value() == "7"
            page = studio.go("gallery")
            page.get_by_role("button", name="Image by painter: fox, seed 7").click()
            page.get_by_role("dialog").get_by_role("link", name="Edit", exact=True).click()
            page.get_by_text(re.compile("painter is not here|no model")).first.wait_for()
            studio.close()
            assert studio.said == []
    finally:
        assert server.stop() == 0
