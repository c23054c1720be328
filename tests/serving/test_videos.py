"""Clips over HTTP with the official client: asked for, waited for, fetched, listed, deleted; the file is what was signed."""

import base64
import io
import json
import re
import time

import numpy as np
import openai
import pytest
from PIL import Image

from makar.api.model import verify
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.video_file import usual_form, video_bytes
from makar.data.video_reader import read_clip
from tests.cli.small_models import IMAGE_SETTINGS, see
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, folder, posted, request, talker, until
from tests.structure.test_docs import parses

pytestmark = [
    pytest.mark.loopback,
    # The shape of the API is what counts here; whose service ends does not.
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def server(place):
    home = place
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(home))
        for number, moving in enumerate(ALL[:12]):
            place = home / "data" / moving.colour
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.gif").write_bytes(video_bytes(shape_clip(moving, 0), "gif", comment=""))
        see("train", home / "data", "--steps", "2", *IMAGE_SETTINGS, "-o", "moving")
        talker(home / "models" / "talker")
        folder(home / "models" / "folds")
    running = Server(home)
    yield running
    assert running.stop() == 0


@pytest.fixture
def videos(server):
    with openai.OpenAI(base_url=server.address + "/v1", api_key="none", max_retries=0) as made:
        yield made.videos


ASKED = {"model": "moving", "prompt": "red", "extra_body": {"seed": 3, "steps": 2}}


def _made(videos, **changed):
    found = videos.create_and_poll(**{**ASKED, **changed}, poll_interval_ms=100)
    assert found.status == "completed" and found.progress == 100, found.error
    return found


def test_a_clip_is_made_and_is_what_was_signed(videos, tmp_path):
    found = _made(videos)
    assert found.size == "32x32" and found.seconds == "1" and found.prompt == "red" and found.model == "moving"
    content = videos.with_raw_response.download_content(found.id)
    file = tmp_path / f"clip.{usual_form()}"
    file.write_bytes(content.content)
    manifest = base64.b64decode(content.headers["x-makar-manifest"])
    file.with_name(file.name + ".makar.json").write_bytes(manifest)
    assert verify(file).is_intact and json.loads(manifest)["manifest"]["seed"] == 3
    assert len(read_clip(content.content, most_frames=9).frames) == 8
    again = _made(videos)
    assert videos.download_content(again.id).content == content.content
    assert [video.id for video in videos.list()][:2] == [again.id, found.id]
    assert videos.retrieve(found.id).status == "completed"
    assert videos.delete(found.id).deleted
    for gone in (videos.retrieve, videos.download_content, videos.delete):
        with pytest.raises(openai.NotFoundError):
            gone(found.id)


def test_a_picture_is_the_first_frame(videos):
    file = io.BytesIO()
    first = shape_clip(ALL[0], 5).frames[0]
    Image.fromarray(first).save(file, "PNG")
    found = _made(videos, input_reference=("first.png", file.getvalue(), "image/png"))
    frames = read_clip(videos.download_content(found.id).content, most_frames=9).frames
    near, far = (abs(frames[number].astype(float) - first).mean() for number in (0, -1))
    assert 1.5 * near < far


def test_a_clip_is_kept_unless_that_is_not_wanted(videos, server):
    found = _made(videos)
    status, headers, content = request(server.address, f"/makar/v1/assets/{found.makar['asset']}/content")
    assert status == 200 and content == videos.download_content(found.id).content
    assert headers["content-type"] == found.makar["type"]
    other = _made(videos, extra_body={"seed": 99, "steps": 2, "store": False})
    assert request(server.address, f"/makar/v1/assets/{other.makar['asset']}")[0] == 404


def test_a_clip_says_how_far_it_is_and_one_that_is_deleted_is_made_no_further(videos):
    endless = videos.create(model="moving", prompt="red", extra_body={"seed": 1, "steps": 1000})
    assert endless.progress == 0
    until(lambda: videos.retrieve(endless.id).progress > 0)
    first = videos.retrieve(endless.id)
    assert first.status == "in_progress" and first.makar["steps"] == 1000
    until(lambda: videos.retrieve(endless.id).progress > first.progress)
    later = videos.retrieve(endless.id)
    assert first.progress < later.progress < 100 and first.makar["step"] < later.makar["step"]
    assert later.progress == 100 * later.makar["step"] // 1000 and later.makar["seconds_left"] > 0
    videos.delete(endless.id)
    started = time.monotonic()
    _made(videos)
    assert time.monotonic() - started < 60


def changed(server, file, *, how, files=None, **texts):
    """Change a clip over HTTP and return (status, answer)."""
    data = {"model": "moving", "seed": "3", "how": json.dumps(how), "controls": '{"steps": 2}', **texts}
    return posted(server.address, "/makar/v1/edits", data, {"file": file, **(files or {})})


def test_a_clip_is_changed_as_the_verb_edit_does_and_kept(server):
    clip = shape_clip(ALL[0], 0)
    file = video_bytes(clip, "gif", comment="")
    status, found = changed(server, file, how={"go_on": True})
    assert status == 200, found
    assert found["medium"] == "video" and found["seed"] == 3
    kept = json.loads(request(server.address, f"/makar/v1/assets/{found['asset']}")[2])
    assert kept["kind"] == "edit" and kept["type"] == found["type"]
    assert kept["manifest"]["manifest"]["edit"]["operation"] == "go on"
    mask = io.BytesIO()
    half = np.zeros(clip.frames.shape[1:3], np.uint8)
    half[:, half.shape[1] // 2 :] = 255
    Image.fromarray(half).save(mask, "PNG")
    status, found = changed(server, file, how={}, files={"mask": mask.getvalue()})
    assert status == 200, found
    content = request(server.address, f"/makar/v1/assets/{found['asset']}/content")[2]
    assert len(read_clip(content, most_frames=99).frames) == len(clip.frames)


@pytest.mark.parametrize(
    "how, more, word",
    [
        ({"mask": "/etc/passwd"}, {}, "mask"),
        ({"image": "/etc/passwd"}, {}, "image"),
        ({"box": "/etc/passwd"}, {}, "four numbers"),
        ({}, {}, "nothing says what to do"),
        ({"go_on": True}, {"files": {"other": b"x"}}, "files"),
        ({"go_on": True}, {"model": "talker"}, "sound or video"),
        ({"from_second": 5, "to_second": 1}, {}, "hole"),
        ({"from_second": float("inf")}, {}, "hole"),
        ({"to_second": float("inf")}, {}, "hole"),
        ({"from_second": float("nan")}, {}, "a number of 64 bits"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_and_no_name_of_a_file_is_read(server, how, more, word):
    status, found = changed(server, video_bytes(shape_clip(ALL[0], 0), "gif", comment=""), how=how, **more)
    assert status == 400 and word in found["error"]["message"], found
    assert changed(server, b"no clip", how={"go_on": True})[0] == 400


def test_films_are_joined_and_cut_without_a_model_and_kept(server, tmp_path):
    films = [shape_clip(moving, 0) for moving in ALL[:2]]
    files = {"file": [video_bytes(film, "gif", comment="") for film in films]}
    how = {"start": 0.5, "end": 1.5, "format": "apng"}
    status, found = posted(server.address, "/makar/v1/edits", {"how": json.dumps(how)}, files)
    assert status == 200, found
    assert found["medium"] == "video" and found["type"] == "image/apng" and found["prompt"].startswith("2 films joined")
    content, raw = (
        request(server.address, f"/makar/v1/assets/{found['asset']}/{part}")[2] for part in ("content", "manifest")
    )
    given = [read_clip(file, most_frames=99) for file in files["file"]]
    rate = given[0].rate_hz
    joined = np.concatenate([film.frames for film in given])
    made = read_clip(content, most_frames=99)
    assert np.array_equal(made.frames, joined[round(0.5 * rate) : round(1.5 * rate)])
    place = tmp_path / "film.apng"
    place.write_bytes(content)
    place.with_name("film.apng.makar.json").write_bytes(raw)
    assert verify(place).is_intact and json.loads(raw)["manifest"]["edit"]["operation"] == "film"
    (kept,) = json.loads(request(server.address, "/makar/v1/assets?text=joined")[2])["data"]
    assert kept["id"] == found["asset"] and kept["kind"] == "edit" and kept["model"] == ""


@pytest.mark.parametrize(
    "texts, files, word",
    [
        ({"how": '{"go_on": true}'}, {}, "go_on"),
        ({"how": '{"speed": 0}'}, {}, "speed"),
        ({"how": '{"sound": "/etc/passwd"}'}, {}, "sound"),
        ({"how": "{}", "prompt": "red"}, {}, "without a model"),
        ({"how": '{"format": "gif"}'}, {"sound": b"RIFF"}, "sound of gif"),
        ({"how": "{}"}, {"file": b"no film"}, "no film"),
        ({"how": "{}"}, {"other": b"x"}, "files"),
    ],
)
def test_what_cannot_be_done_with_films_is_refused(server, texts, files, word):
    given = {"file": video_bytes(shape_clip(ALL[0], 0), "gif", comment=""), **files}
    status, found = posted(server.address, "/makar/v1/edits", texts, given)
    assert status == 400 and word in found["error"]["message"], found


def test_a_structure_is_made_kept_and_had_as_a_file(server, tmp_path):
    body = {"model": "folds", "prompt": "odd", "seed": 4, "controls": {"steps": 2, "residues": 12}}
    status, _, content = request(server.address, "/makar/v1/structures", body)
    assert status == 200, content
    found = json.loads(content)
    assert found["type"] == "chemical/x-pdb" and found["medium"] == "structure" and found["seed"] == 4
    _, headers, file = request(server.address, f"/makar/v1/assets/{found['asset']}/content")
    assert headers["content-type"] == "chemical/x-pdb" and headers["content-disposition"].endswith('.pdb"')
    assert sum(line.startswith(b"ATOM") for line in file.splitlines()) == 48
    place = tmp_path / "it.pdb"
    place.write_bytes(file)
    manifest = request(server.address, f"/makar/v1/assets/{found['asset']}/manifest")[2]
    place.with_name("it.pdb.makar.json").write_bytes(manifest)
    assert verify(place).is_intact
    assert request(server.address, "/makar/v1/structures", {**body, "model": "moving"})[0] == 400
    assert request(server.address, "/makar/v1/structures", {**body, "prompt": "purple"})[0] == 400


@pytest.mark.slow
def test_clips_are_compared_blind(server, place, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(place))
    see("train", place / "data", "--steps", "1", "--seed", "5", *IMAGE_SETTINGS, "-o", "moving-too")
    body = {"models": ["moving", "moving-too"], "prompts": ["red"], "rounds": 1, "seed": 1, "options": {"steps": 1}}
    session = json.loads(request(server.address, "/makar/v1/feedback/sessions", body)[2])
    path = f"/makar/v1/feedback/sessions/{session['id']}/pairs"
    status, _, content = request(server.address, path, {"rater": "ann"})
    pair = json.loads(content)
    assert status == 200 and pair["left"]["type"].startswith(("video/", "image/gif")), content
    assert pair["left"]["file"] != pair["right"]["file"]
    verdict = {"said": "left", "consent": True}
    assert request(server.address, f"/makar/v1/feedback/pairs/{pair['pair']}", verdict)[0] == 200


@pytest.mark.parametrize(
    "change, word",
    [
        ({"model": "absent"}, "absent"),
        ({"model": "talker"}, "video"),
        ({"size": "720x1280"}, "32x32"),
        ({"seconds": "8"}, "seconds"),
        ({"extra_body": {"steps": 0}}, "steps"),
        ({"extra_body": {"input_reference": {"file_id": "file-1"}}}, "input_reference"),
    ],
)
def test_what_no_clip_can_be_made_of_is_refused(videos, change, word):
    with pytest.raises(openai.APIStatusError, match=word) as found:
        videos.create(**{**ASKED, **change})
    assert 400 <= found.value.status_code < 500


def test_what_turns_out_to_be_impossible_is_said_of_the_clip(videos):
    found = videos.create_and_poll(**{**ASKED, "prompt": "purple"}, poll_interval_ms=100)
    assert found.status == "failed" and "purple" in found.error.message
    with pytest.raises(openai.ConflictError):
        videos.download_content(found.id)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, pytest.param(360, marks=pytest.mark.slow)])
def test_clips_are_made_and_shown_in_the_studio(server, width):
    with opened() as browser:
        studio = Pages(browser, server.address, width=width)
        page = studio.go("create?model=moving")
        page.get_by_label("How many").fill("2")
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("Made 2 in").wait_for()
        assert page.locator(".card .clip, .card img").count() == 2
        assert studio.violations() == [] and studio.overflow() <= 0
        page = studio.go("gallery?medium=video")
        page.locator(".card").first.wait_for()
        page.get_by_role("button", name=re.compile("^Clip by moving")).first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("The signed manifest").wait_for()
        assert dialog.locator(".clip").count() == 1 and studio.violations() == []
        assert parses(dialog.get_by_role("tabpanel").inner_text().splitlines()[0]) is None
        dialog.get_by_role("link", name="Edit").click()
        page.get_by_label("What to do").select_option("go_on")
        page.get_by_role("spinbutton", name="Steps").fill("2")
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("Made 1 in").wait_for()
        assert studio.violations() == [] and studio.overflow() <= 0
        page.get_by_label("What to do").select_option("paint")
        page.locator("makar-mask canvas").wait_for()
        assert studio.violations() == []
        studio.close()
        assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_films_are_joined_in_the_studio_without_a_model(videos, server, width):
    _made(videos)
    with opened() as browser:
        studio = Pages(browser, server.address, width=width, scheme="dark" if width < 999 else "light")
        page = studio.go("edit?model=moving")
        page.get_by_role("button", name="Films, without a model").click()
        for _ in range(2):
            page.get_by_label("Or one from the gallery").select_option(index=1)
        page.get_by_role("list", name="Films, in their order").get_by_role("listitem").nth(1).wait_for()
        page.get_by_role("spinbutton", name="Speed").fill("2")
        page.get_by_label("Form", exact=True).select_option("gif")
        page.get_by_role("button", name="Make the film").click()
        page.get_by_text("Made in").wait_for()
        assert page.get_by_role("button", name=re.compile("^Clip made of others: 2 films joined")).count() == 1
        assert studio.violations() == [] and studio.overflow() <= 0
        studio.close()
        assert studio.said == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_structures_are_made_shown_and_turned_in_the_studio(server, width):
    with opened() as browser:
        studio = Pages(browser, server.address, width=width, scheme="dark" if width < 999 else "light")
        page = studio.go("create?model=folds")
        page.get_by_role("spinbutton", name="Steps").fill("2")
        page.get_by_role("button", name="Make", exact=True).click()
        page.get_by_text("Made 1 in").wait_for()
        assert page.locator(".card makar-structure canvas").count() == 1
        assert studio.violations() == [] and studio.overflow() <= 0
        page = studio.go("gallery?medium=structure")
        page.get_by_role("button", name=re.compile("^Structure by folds")).first.click()
        drawing = page.get_by_role("application", name=re.compile("the backbone of"))
        drawing.wait_for()
        assert studio.violations() == []
        shown = "element => element.toDataURL()"
        before = drawing.evaluate(shown)
        drawing.press("ArrowLeft")
        turned = drawing.evaluate(shown)
        box = drawing.bounding_box()
        page.mouse.move(box["x"] + 50, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 70)
        page.mouse.up()
        dragged = drawing.evaluate(shown)
        assert len({before, turned, dragged}) == 3
        drawing.press("Home")
        assert drawing.evaluate(shown) == before
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save").click()
        assert saved.value.suggested_filename.endswith(".pdb")
        studio.close()
        assert studio.said == []
