"""Valid and invalid requests on every route, made by schemathesis: no answer is an error inside, and the memory does not grow."""

import json

import openai
import psutil
import pytest

from makar.families.diffusion.config import DiffusionConfig
from tests.clients.environment import CLIENTS, needs, said
from tests.families.encoder.test_embedder import embedder
from tests.generation.test_edit import saved
from tests.serving.server import Server, talker
from tests.serving.test_images_and_files import saved_text

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(7200), needs(CLIENTS)]

CASES, FEW = 500, 3
MOST_GROWTH = 0.05


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of small models."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker", context=64)
        saved(folder / "models" / "painter", DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8))
        saved_text(folder / "models" / "finder", *embedder())
    running = Server(folder)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.fixture(scope="module")
def known(server):
    """Return what is there: models, a file, a store, an answer that is kept."""
    with openai.OpenAI(base_url=server.address + "/v1", api_key="none", max_retries=0) as client:
        rows = b'{"custom_id": "1", "method": "POST", "url": "/v1/moderations", "body": {"input": "x"}}\n'
        file = client.files.create(file=("rows.jsonl", rows), purpose="batch").id
        store = client.vector_stores.create(name="one")
        client.vector_stores.files.create_and_poll(file, vector_store_id=store.id)
        kept = client.responses.create(model="talker", input="Hello", max_output_tokens=2).id
    return {
        "model": ["talker", "finder", "painter"],
        "file": [file],
        "file_id": [file],
        "input_file_id": [file],
        "training_file": ["file-" + "0" * 24],
        "store": [store.id],
        "response": [kept],
        "embedding_model": ["finder", "talker"],
        "messages": [
            [{"role": "user", "content": "Hello"}],
            [{"role": "system", "content": ""}, {"role": "user", "content": "x"}],
        ],
        "text": ["Hello", ["Hello", "you"], [{"role": "user", "content": "Hello"}]],
    }


def asked(server, known, cases, seconds):
    """Send requests and return what was seen; every failure is told."""
    seen = said("any_request.py", server.address, cases, seconds, given=json.dumps(known), seconds=7200)
    assert not seen["failures"], json.dumps(seen["failures"], indent=1)
    return seen


@pytest.mark.slow
def test_no_request_is_an_error_inside_and_the_memory_stays(server, known):
    asked(server, known, FEW, 60)
    before = psutil.Process(server.process.pid).memory_info().rss
    seen = asked(server, known, CASES, 3600)
    assert seen["routes"] >= 40 and set(seen["statuses"]) >= {"200", "400", "404"}
    assert psutil.Process(server.process.pid).memory_info().rss < (1 + MOST_GROWTH) * before


def test_every_route_is_described_and_stands_a_few(server, known):
    assert asked(server, known, FEW, 20)["routes"] >= 40
