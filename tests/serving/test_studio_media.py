"""Structures, music, molecules and code in the studio: made, changed, compared and judged like images, over HTTP and in a real browser."""

import json
import re

import numpy as np
import pytest

from makar.api.model import verify
from makar.codecs.molecule_config import MoleculeCodecConfig
from makar.codecs.music_config import MusicCodecConfig
from makar.codecs.text_config import END_TOKEN, INFILL_TOKENS, code_codec
from makar.data.builtin.backbones import backbone
from makar.data.midi import read_midi
from makar.data.score import midi_of, score_of_midi
from makar.data.structure_writer import structure_bytes
from tests.generation.small_composer import chorale
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, folder, posted, request, talker
from tests.structure.test_docs import parses

pytestmark = pytest.mark.loopback
PDB = structure_bytes(backbone("helix", 2).part(0, 12))
MIDI = midi_of(chorale(2))
LOOKS = (("light", 1280), pytest.param("dark", 360, marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with small models: two of structures and of music, and one each of molecules and code."""
    place = tmp_path_factory.mktemp("media")
    holes = {"infill_share": 0.5, "infill_tokens": (*INFILL_TOKENS, END_TOKEN)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(place))
        for seed, name in enumerate(("folds", "folds-too")):
            folder(place / "models" / name, seed=seed)
            music = {"codec": MusicCodecConfig(), "medium": "music"}
            talker(place / "models" / name.replace("folds", "composer"), seed=seed, **music)
        talker(place / "models" / "smiles", codec=MoleculeCodecConfig(), medium="molecule")
        talker(place / "models" / "coder", codec=code_codec(300), medium="code", settings=holes)
    return place


@pytest.fixture(scope="module")
def server(home):
    """Return a server of these models."""
    running = Server(home)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser():
    """Return a running browser."""
    with opened() as running:
        yield running


def got(server, path, body=None):
    """Return the values of a route that answers."""
    status, _, content = request(server.address, path, body)
    assert status == 200, content
    return json.loads(content)


def content_of(server, asset):
    return request(server.address, f"/makar/v1/assets/{asset}/content")[2]


def places_in(pdb):
    """Return where the atoms are, float ``[residues, 4, 3]``; a model that learned nothing makes no unbroken chain."""
    lines = [line for line in pdb.decode().splitlines() if line.startswith("ATOM")]
    return np.array([[float(line[at : at + 8]) for at in (30, 38, 46)] for line in lines]).reshape(-1, 4, 3)


def changed(server, model, file, *, how, **texts):
    return posted(server.address, "/makar/v1/edits", {"model": model, "how": json.dumps(how), **texts}, {"file": file})


def test_residues_are_made_anew_and_the_rest_stays_where_it_was(server, tmp_path):
    how = {"from_residue": 4, "to_residue": 6, "residues": 5}
    status, found = changed(server, "folds", PDB, how=how, controls='{"steps": 1}', seed="3", prompt="odd")
    assert status == 200 and found["medium"] == "structure" and found["type"] == "chemical/x-pdb", found
    file = content_of(server, found["asset"])
    given, made = places_in(PDB), places_in(file)
    assert (
        len(made) == 14 and np.allclose(made[:3], given[:3], atol=1e-3) and np.allclose(made[8:], given[6:], atol=1e-3)
    )
    kept = got(server, f"/makar/v1/assets/{found['asset']}")
    assert kept["kind"] == "edit" and kept["manifest"]["manifest"]["edit"]["settings"] == how
    place = tmp_path / "it.pdb"
    place.write_bytes(file)
    manifest = request(server.address, f"/makar/v1/assets/{found['asset']}/manifest")[2]
    place.with_name("it.pdb.makar.json").write_bytes(manifest)
    assert verify(place).is_intact


@pytest.mark.parametrize(
    "model, file, how, word",
    [
        ("folds", PDB, {}, "nothing is asked for"),
        ("folds", PDB, {"from_residue": 40}, "of a chain of 12"),
        ("folds", PDB, {"from_residue": 4, "go_on": True}, "go_on"),
        ("folds", PDB, {"image": "/etc/passwd", "from_residue": 4}, "image"),
        ("folds", b"no structure", {"from_residue": 4}, "no structure"),
        ("composer", MIDI, {"keep": "/etc/passwd"}, "part"),
        ("composer", b"MThd, and no more", {"keep": "alto"}, "MIDI"),
        ("coder", b"a = 1", {"tests": "touch /tmp/x"}, "tests"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(server, model, file, how, word):
    status, found = changed(server, model, file, how=how)
    assert status == 400 and word in found["error"]["message"], found


def test_music_is_made_and_parts_are_written_to_one_that_stays(server, tmp_path):
    body = {"model": "composer", "prompt": "key=Am", "seed": 2, "controls": {"max_tokens": 60}}
    made = got(server, "/makar/v1/music", body)
    assert made["type"] == "audio/midi" and made["medium"] == "music" and made["seed"] == 2
    status, headers, file = request(server.address, f"/makar/v1/assets/{made['asset']}/content")
    assert file[:4] == b"MThd" and headers["content-disposition"].endswith('.mid"')
    status, _, refused = request(server.address, "/makar/v1/music", {**body, "controls": {"player": "fluidsynth"}})
    assert status == 400 and b"a player over HTTP" in refused
    again = got(server, "/makar/v1/music", body)
    assert content_of(server, again["asset"]) == file
    place = tmp_path / "it.mid"
    place.write_bytes(file)
    manifest = request(server.address, f"/makar/v1/assets/{made['asset']}/manifest")[2]
    place.with_name("it.mid.makar.json").write_bytes(manifest)
    assert verify(place).is_intact
    status, found = changed(server, "composer", MIDI, how={"keep": "alto"}, seed="1")
    assert status == 200, found
    alto = {(note.start, note.pitch) for note in chorale(2).notes if note.part == 1}
    made = {(note.start, note.pitch) for note in score_of_midi(read_midi(content_of(server, found["asset"]))).notes}
    assert alto < made, "what is given stays, and others are written to it"
    status, found = changed(server, "composer", MIDI, how={"go_on": True}, controls='{"max_tokens": 60}')
    assert status == 200 and got(server, f"/makar/v1/assets/{found['asset']}")["kind"] == "edit", found
    for path, model in (("music", "folds"), ("structures", "composer")):
        assert request(server.address, f"/makar/v1/{path}", {"model": model})[0] == 400


@pytest.mark.slow
@pytest.mark.parametrize("model, medium", [("composer", "music"), ("folds", "structure")])
def test_two_models_are_judged_blindly(server, model, medium):
    options = {"max_tokens": 40} if medium == "music" else {"steps": 1}
    body = {"models": [model, f"{model}-too"], "rounds": 1, "seed": 1, "options": options}
    session = got(server, "/makar/v1/feedback/sessions", body)
    pair = got(server, f"/makar/v1/feedback/sessions/{session['id']}/pairs", {"rater": "eve"})
    if medium == "music":
        assert pair["left"]["type"] == "audio/midi" and pair["left"]["file"] != pair["right"]["file"]
    else:
        assert "ATOM" in pair["left"]["text"] and pair["left"]["text"] != pair["right"]["text"]
    kept = got(server, f"/makar/v1/feedback/pairs/{pair['pair']}", {"said": "left", "consent": True})
    assert kept["medium"] == medium and {item["model"] for item in kept["items"]} == {model, f"{model}-too"}


def finish(page, count):
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_text(f"Made {count} in").last.wait_for()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme, width", LOOKS)
def test_residues_are_chosen_by_keys_and_by_pointer(browser, server, tmp_path, scheme, width):
    file = tmp_path / "given.pdb"
    file.write_bytes(PDB)
    studio = Pages(browser, server.address, scheme=scheme, width=width)
    page = studio.go("edit?model=folds")
    page.get_by_label("The file to change").set_input_files(file)
    line = page.get_by_role("slider", name=re.compile("^Residues"))
    for key in ("Home", "ArrowRight", "Shift+PageUp", "Shift+ArrowLeft"):
        line.press(key)
    assert line.get_attribute("aria-valuetext") == "residues 2 to 11 of 12"
    letters = line.locator("span")
    boxes = [letters.nth(at).bounding_box() for at in (3, 5)]
    page.mouse.move(boxes[0]["x"] + 2, boxes[0]["y"] + 4)
    page.mouse.down()
    page.mouse.move(boxes[1]["x"] + 2, boxes[1]["y"] + 4, steps=4)
    page.mouse.up()
    assert [page.get_by_label(name, exact=True).input_value() for name in ("From", "To")] == ["4", "6"]
    page.get_by_label("From", exact=True).fill("14")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_text("14 is out of range; expected: 1 to 13").wait_for()
    assert studio.violations() == []
    page.get_by_label("From", exact=True).fill("4")
    page.get_by_role("spinbutton", name="Steps").fill("1")
    page.get_by_role("spinbutton", name="Seed").fill("9")
    finish(page, 1)
    assert studio.violations() == [] and studio.overflow() <= 0
    made = got(server, "/makar/v1/assets?medium=structure&kind=edit&limit=1")["data"][0]
    given, after = places_in(PDB), places_in(content_of(server, made["id"]))
    stays = [*range(3), *range(6, 12)]
    assert made["seed"] == 9 and np.allclose(after[stays], given[stays], atol=1e-3)
    page.get_by_role("button", name="Before and after").click()
    drawing = page.get_by_role("application", name=re.compile("before in grey"))
    before = drawing.evaluate("element => element.toDataURL()")
    drawing.press("ArrowLeft")
    assert drawing.evaluate("element => element.toDataURL()") != before
    assert studio.violations() == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Structure by folds")).first.click()
    shell = page.get_by_role("dialog").get_by_role("tabpanel").inner_text().splitlines()[0]
    assert "--from-residue 4 --to-residue 6" in shell and parses(shell) is None
    studio.close()
    assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme, width", LOOKS)
def test_music_is_made_played_and_changed(browser, server, tmp_path, scheme, width):
    file = tmp_path / "given.mid"
    file.write_bytes(MIDI)
    studio = Pages(browser, server.address, scheme=scheme, width=width)
    page = studio.go("create?model=composer")
    page.get_by_label("What is told").fill("key=Am")
    page.get_by_role("spinbutton", name="Max tokens").fill("60")
    finish(page, 1)
    assert page.locator(".card makar-piece canvas").count() == 1
    assert studio.violations() == [] and studio.overflow() <= 0
    page = studio.go("edit?model=composer")
    page.get_by_label("The file to change").set_input_files(file)
    page.get_by_role("img", name=re.compile("20 notes")).wait_for()
    page.get_by_label("The part that stays").select_option("alto")
    finish(page, 1)
    page.get_by_role("button", name="Play").first.click()
    page.get_by_role("button", name="Stop").first.wait_for()
    assert studio.violations() == [] and studio.overflow() <= 0
    page.get_by_role("button", name=re.compile("^Piece by composer")).first.click()
    shell = page.get_by_role("dialog").get_by_role("tabpanel").inner_text().splitlines()[0]
    assert "--keep alto" in shell and parses(shell) is None
    studio.close()
    assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme, width", LOOKS)
def test_lines_of_code_are_written_anew_and_the_rest_stays(browser, server, scheme, width):
    studio = Pages(browser, server.address, scheme=scheme, width=width)
    page = studio.go("edit?model=coder")
    page.get_by_label("The file", exact=True).fill("a = 1\nb = 2\nc = 3\n")
    page.get_by_label("To line").fill("9")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_text("The file has 4 lines").wait_for()
    page.get_by_label("To line").fill("")
    page.get_by_label("From line").fill("2")
    page.get_by_text("from line 2, column 1 to line 2, column 6").wait_for()
    page.get_by_role("spinbutton", name="Max tokens").fill("9")
    page.get_by_role("spinbutton", name="How many").fill("2")
    finish(page, 2)
    assert studio.violations() == [] and studio.overflow() <= 0
    for one in got(server, "/makar/v1/assets?medium=code&limit=2")["data"]:
        text = content_of(server, one["id"]).decode()
        assert text.startswith("a = 1\n") and text.endswith("\nc = 3\n")
    page.get_by_role("button", name="Manifest and novelty").first.click()
    shell = page.get_by_role("dialog").get_by_role("tabpanel").inner_text().splitlines()[0]
    assert shell.startswith("makar edit coder FILE.py --infill") and parses(shell) is None
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Go on from it").first.click()
    assert page.get_by_label("The file", exact=True).input_value().startswith("a = 1\n")
    studio.close()
    assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme, width", LOOKS)
def test_structures_are_compared_and_judged_and_molecules_are_made(browser, server, scheme, width):
    studio = Pages(browser, server.address, scheme=scheme, width=width)
    page = studio.go("create?model=smiles")
    page.get_by_label("Beginning").fill("CC")
    page.get_by_role("spinbutton", name="Max tokens").fill("8")
    finish(page, 1)
    assert studio.violations() == [] and studio.overflow() <= 0
    page = studio.go("compare")
    page.get_by_label("Model", exact=True).select_option("folds")
    page.get_by_role("spinbutton", name="Steps").fill("1")
    page.get_by_label("Values").nth(1).fill("1, x")
    page.get_by_role("button", name="Make the grid").click()
    page.get_by_text("x cannot be used; expected: whole numbers from 0").wait_for()
    page.get_by_label("Values").nth(1).fill("1, 2")
    page.get_by_role("button", name="Make the grid").click()
    page.get_by_text("Made 2 in").wait_for()
    assert page.locator(".cells makar-structure canvas").count() == 2 and studio.violations() == []
    page = studio.go("arena")
    page.get_by_label("Medium").select_option("structure")
    for name in ("folds", "folds-too"):
        page.get_by_role("checkbox", name=name, exact=True).check()
    page.get_by_label("Your name").fill(f"ann-{width}")
    page.get_by_label("Answers to each prompt").fill("2")
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("application", name=re.compile("^Left: the backbone of")).wait_for()
    assert studio.violations() == [] and studio.overflow() <= 0
    page.keyboard.press("1")
    page.get_by_text("Left was folds").wait_for()
    page = studio.go("gallery?medium=structure")
    page.get_by_role("button", name="Good", exact=True).first.click()
    page.get_by_text(re.compile("^Kept")).wait_for()
    said = got(server, f"/makar/v1/feedback?rater=ann-{width}")["data"]
    assert [(one["kind"], one["medium"]) for one in said] == [("thumb", "structure"), ("pair", "structure")]
    studio.close()
    assert studio.said == []
