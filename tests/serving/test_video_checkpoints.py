"""A pipeline that makes clips behind the server: its controls say how large and how long they are."""

import json

import pytest

from tests.serving.server import Server, request, until

pytest.importorskip("diffusers", reason="the extra diffusers is not installed")

from makar.families.pretrained.opening import quiet
from tests.families.pretrained.tiny_pipelines import wan

pytestmark = [pytest.mark.loopback, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    with quiet():
        wan().save_pretrained(folder / "models" / "wan")
    running = Server(folder)
    yield running
    assert running.stop() == 0


def test_a_clip_of_a_pipeline_is_made_as_its_controls_say(server):
    def values(path, body=None):
        status, _, content = request(server.address, path, body, timeout=300)
        assert status == 200, content
        return json.loads(content)

    controls = {"frames": 5, "width": 16, "height": 16}
    asked = values("/v1/videos", {"model": "wan", "prompt": "a fox", "seed": 1, "steps": 2, "controls": controls})
    assert asked["size"] == asked["seconds"] == "auto"
    until(lambda: values(f"/v1/videos/{asked['id']}")["status"] not in ("queued", "in_progress"), seconds=300)
    found = values(f"/v1/videos/{asked['id']}")
    assert found["status"] == "completed", found
    status, headers, content = request(server.address, f"/v1/videos/{asked['id']}/content")
    assert status == 200 and headers["content-type"] == found["makar"]["type"] and len(content) > 100
