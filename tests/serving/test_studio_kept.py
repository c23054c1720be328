"""What the studio keeps, in a real browser: folders that were brought before."""

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
