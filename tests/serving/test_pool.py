"""Several models: loaded when asked for, unloaded for room, started again when their process is killed, nothing lost without an error."""

import concurrent.futures
import json
import shutil
import signal
import time
from pathlib import Path

import openai
import psutil
import pytest

from makar.errors import MakarError, UsageError
from makar.serving.places import PROCESS_BYTES, bytes_needed, place_of
from makar.serving.server import LOOPBACK, Wanted, listen, serve
from tests.serving.server import Server, request, talker, until

pytestmark = pytest.mark.loopback

HELLO = [{"role": "user", "content": "Hello"}]
ENDLESS = {"max_tokens": 100_000, "logit_bias": {"256": -100, str(ord("U")): -100}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with three small models."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        for seed, name in enumerate(("first", "second", "third")):
            talker(folder / "models" / name, seed=seed)
    return folder


@pytest.fixture(scope="module")
def server(home):
    """Return a server with room for one model at a time, and three that may wait."""
    running = Server(home, "--memory", str((PROCESS_BYTES >> 20) + 20), "--waiting", "3")
    yield running
    children = psutil.Process(running.process.pid).children()
    assert running.stop() == 0
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


@pytest.fixture
def client(server):
    """Return the official client."""
    with openai.OpenAI(base_url=server.address + "/v1", api_key="none", max_retries=0) as made:
        yield made


def loaded(server):
    return [model["id"] for model in json.loads(request(server.address, "/v1/models")[2])["data"] if model["is_loaded"]]


def workers(server):
    return psutil.Process(server.process.pid).children()


def say(client, model="first", **fields):
    return client.chat.completions.create(**{"model": model, "messages": HELLO, "max_tokens": 4, **fields})


def test_one_model_makes_room_for_the_next(server, client):
    assert loaded(server) == []
    for name in ("first", "second"):
        say(client, name)
        assert loaded(server) == [name] and len(workers(server)) == 1


def test_models_that_do_not_fit_together_can_be_asked_for_at_once(server, client):
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda name: say(client, name).choices, ("third", "first")))
    assert all(found) and len(loaded(server)) == 1


def test_work_in_the_middle_is_told_when_its_process_is_killed_and_the_next_is_answered(server, client):
    say(client)
    with pytest.raises(openai.APIError, match="ended in the middle"):
        for number, _ in enumerate(say(client, stream=True, **ENDLESS)):
            if number == 2:
                (process,) = workers(server)
                process.send_signal(signal.SIGKILL)
    started = time.monotonic()
    until(lambda: loaded(server) == ["first"], seconds=60)
    assert say(client).choices[0].message.content is not None
    assert time.monotonic() - started < 60
    assert 'makar_model_deaths{model="first"} 1' in request(server.address, "/metrics")[2].decode()


def test_whoever_comes_when_too_many_wait_is_told_so(server, client):
    say(client)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        streams = list(pool.map(lambda _: say(client, stream=True, **ENDLESS), range(3)))
        with pytest.raises(openai.RateLimitError, match="wait") as found:
            say(client)
        assert found.value.response.headers["retry-after"] == "1"
        for stream in streams:
            stream.close()
    until(lambda: json.loads(request(server.address, "/health")[2]) and _answers(client))


def _answers(client):
    try:
        return say(client).choices
    except openai.RateLimitError:
        return False


def test_a_model_whose_folder_was_deleted_is_gone_and_one_that_came_is_there(server, client, home, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(home))
    shutil.rmtree(home / "models" / "third")
    with pytest.raises(openai.NotFoundError):
        say(client, "third")
    talker(home / "models" / "fourth")
    assert say(client, "fourth").choices


def test_a_damaged_model_is_said_to_be_so_and_does_not_stop_the_server(server, client, home, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(home))
    folder = talker(home / "models" / "damaged").path
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(openai.ConflictError, match="cannot be trusted"):
        say(client, "damaged")
    shutil.rmtree(folder)
    assert say(client).choices


def test_a_server_on_another_address_wants_a_key(monkeypatch):
    monkeypatch.delenv("MAKAR_SERVE_KEY", raising=False)
    with pytest.raises(UsageError, match="without a key"):
        serve(Wanted(host="0.0.0.0"), on_start=print)
    assert "127.0.0.1" in LOOPBACK


def test_a_port_that_is_taken_is_said_to_be():
    with listen("127.0.0.1", 0) as taken, pytest.raises(MakarError, match="is taken"):
        listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UsageError, match="cannot be used"):
        listen("203.0.113.7", 0)


def test_names_of_models_are_folders_and_nothing_else(home, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(home))
    assert place_of("first").medium == "text" and place_of("openai:gpt").name == "gpt"
    assert bytes_needed(place_of("first").source) > PROCESS_BYTES
    with pytest.raises(MakarError, match="unknown model"):
        place_of("nothing")
    assert Path(place_of(str(home / "models" / "first")).source).is_absolute()
