"""Clips over HTTP with the official client: asked for, waited for, fetched, listed, deleted; the file is what was signed."""

import base64
import io
import json

import openai
import pytest
from PIL import Image

from makar.api.model import verify
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.video_file import usual_form, video_bytes
from makar.data.video_reader import read_clip
from tests.cli.small_models import IMAGE_SETTINGS, see
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, talker

pytestmark = [
    pytest.mark.loopback,
    # The shape of the API is what counts here; whose service ends does not.
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        for number, moving in enumerate(ALL[:12]):
            place = folder / "data" / moving.colour
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.gif").write_bytes(video_bytes(shape_clip(moving, 0), "gif", comment=""))
        see("train", folder / "data", "--steps", "2", *IMAGE_SETTINGS, "-o", "moving")
        talker(folder / "models" / "talker")
    running = Server(folder)
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


@pytest.mark.parametrize(
    "change, word",
    [
        ({"model": "absent"}, "absent"),
        ({"model": "talker"}, "video"),
        ({"size": "720x1280"}, "32x32"),
        ({"seconds": "8"}, "seconds"),
        ({"extra_body": {"steps": 0}}, "steps"),
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
        assert page.locator(".clip").count() == 2 and page.get_by_role("link", name="Manifest").count() == 2
        assert studio.violations() == [] and studio.overflow() <= 0
        studio.close()
        assert studio.said == []
