"""Batches over HTTP with the official client in its strict mode: answers as those of the route, mistakes by line, cancelling, restarts."""

import asyncio
import errno
import io
import json
import time
from pathlib import Path

import openai
import pytest

from makar.serving.batch_lines import kept_lines, read_lines
from makar.serving.batches import Batches
from makar.serving.shelf import Shelf
from tests.serving.server import Server, talker, until

pytestmark = pytest.mark.loopback
CHAT = "/v1/chat/completions"


def line(name, **body):
    asked = {
        "model": "talker",
        "messages": [{"role": "user", "content": f"Say {name}"}],
        "max_tokens": 4,
        "seed": 1,
        **body,
    }
    return {"custom_id": name, "method": "POST", "url": CHAT, "body": asked}


def rows(*lines):
    return "\n".join(map(json.dumps, lines)).encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with a small model of bytes."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server of it that has a key."""
    running = Server(place, environment={"MAKAR_SERVE_KEY": "a key of many letters"})
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.fixture
def client(server):
    """Return the official client, which checks every field of every answer."""
    with openai.OpenAI(
        base_url=server.address + "/v1",
        api_key="a key of many letters",
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


def begin(client, content, endpoint=CHAT):
    file = client.files.create(file=("rows.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"a": "b"})


def ended(client, batch, *, seconds=120):
    until(
        lambda: client.batches.retrieve(batch.id).status not in ("validating", "in_progress", "cancelling"),
        seconds=seconds,
    )
    return client.batches.retrieve(batch.id)


def answers(client, file):
    return {row["custom_id"]: row for row in map(json.loads, client.files.content(file).text.splitlines())}


def test_answers_are_those_of_the_route_and_mistakes_have_a_file_of_their_own(client):
    batch = begin(client, rows(line("a"), line("b"), line("c", model="nobody"), line("d", temperature=9)))
    assert batch.status == "validating" and batch.metadata == {"a": "b"}
    done = ended(client, batch)
    assert done.status == "completed" and done.completed_at
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (4, 2, 2)
    found = answers(client, done.output_file_id)
    alone = client.chat.completions.create(**line("a")["body"])
    assert found["a"]["response"]["status_code"] == 200
    assert found["a"]["response"]["body"]["choices"][0]["message"]["content"] == alone.choices[0].message.content
    wrong = answers(client, done.error_file_id)
    assert {name: row["response"]["status_code"] for name, row in wrong.items()} == {"c": 404, "d": 400}
    assert "nobody" in wrong["c"]["error"]["message"]
    assert done.usage.output_tokens == 8 and client.files.retrieve(done.output_file_id).purpose == "batch_output"
    assert client.batches.list(limit=1).data[0].id == batch.id


def test_what_is_wrong_with_a_file_is_said_by_its_line(client):
    lines = rows(line("a"), {**line("b"), "url": "/v1/embeddings"}, line("a"), {**line("d"), "method": "GET"})
    done = ended(client, begin(client, lines + b"\n[1]\n{\n" + rows(line("e", stream=True), {"custom_id": "f"})))
    assert done.status == "failed" and done.output_file_id is None
    said = {error.line: error.code for error in done.errors.data}
    assert said == {
        2: "mismatched_endpoint",
        3: "duplicate_custom_id",
        4: "invalid_method",
        5: "invalid_body",
        6: "invalid_body",
        7: "invalid_body",
        8: "invalid_method",
    }
    assert ended(client, begin(client, b"\n\n")).errors.data[0].code == "empty_file"


def test_other_routes_work_too_and_what_is_none_is_refused(client):
    row = {"custom_id": "1", "method": "POST", "url": "/v1/moderations", "body": {"input": "I will kill you"}}
    done = ended(client, begin(client, rows(row), "/v1/moderations"))
    assert answers(client, done.output_file_id)["1"]["response"]["body"]["results"][0]["flagged"] is True
    with pytest.raises(openai.BadRequestError, match="endpoint"):
        begin(client, rows(row), "/v1/files")
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id="file-" + "0" * 24, endpoint=CHAT, completion_window="24h")


def test_a_batch_is_cancelled_with_what_it_has(client):
    batch = begin(client, rows(*(line(str(number), max_tokens=100) for number in range(300))))
    waiting = begin(client, rows(line("a")))
    assert client.batches.cancel(waiting.id).status == "cancelled"
    with pytest.raises(openai.ConflictError, match="a batch reads it"):
        client.files.delete(batch.input_file_id)
    until(lambda: client.batches.retrieve(batch.id).request_counts.completed > 2, seconds=120)
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    done = ended(client, batch)
    assert done.status == "cancelled" and 2 < done.request_counts.completed < 300 and done.cancelled_at
    assert len(answers(client, done.output_file_id)) == done.request_counts.completed
    with pytest.raises(openai.ConflictError, match="cancelled") as refused:
        client.batches.cancel(batch.id)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert client.files.delete(batch.input_file_id).deleted


@pytest.mark.slow
def test_a_killed_server_goes_on_and_asks_nothing_twice(place, tmp_path):
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "talker").symlink_to(place / "models" / "talker")
    running = Server(home)
    with openai.OpenAI(base_url=running.address + "/v1", api_key="none", max_retries=0) as client:
        batch = begin(client, rows(*(line(str(number), max_tokens=30) for number in range(40))))
        until(lambda: client.batches.retrieve(batch.id).request_counts.completed > 5, seconds=120)
        running.process.kill()
        running.stop()
    (path,) = (home / "serving" / "batches" / "at-work").glob("*.output.jsonl")
    with path.open("ab") as file:
        file.write(b'{"torn')
    before = {row["custom_id"]: row["id"] for row in kept_lines(path)}
    running = Server(home)
    with openai.OpenAI(base_url=running.address + "/v1", api_key="none", max_retries=0) as client:
        done = ended(client, batch, seconds=200)
        found = answers(client, done.output_file_id)
        assert done.status == "completed" and done.request_counts.completed == 40 == len(found)
        assert len(before) > 5 and {name: found[name]["id"] for name in before} == before
    assert running.stop() == 0
    assert not list((home / "serving" / "batches" / "at-work").iterdir())


@pytest.fixture
def batches(tmp_path, monkeypatch):
    """Return batches of no server, which ask an application that says the same to everybody."""
    monkeypatch.setattr("makar.serving.background.AGAIN_SECONDS", 0.01)
    return Batches(
        Shelf(tmp_path / "kept", kind="batch_"), files=Shelf(tmp_path / "files", kind="file-"), folder=tmp_path / "work"
    )


def taken(batches, *lines):
    """Let batches take one of these lines."""
    file = batches._files.new_id()
    batches._files.put(file, {}, rows(*lines))
    batch = {"id": batches.kept.new_id(), "endpoint": CHAT, "input_file_id": file, "status": "validating"}
    batches.put(batch | {"expires_at": time.time() + 999, "request_counts": {"total": 0, "completed": 0, "failed": 0}})
    return batch["id"]


async def says_yes(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"said": "yes"}'})


def test_a_disk_that_is_full_for_a_while_loses_no_answer(batches, monkeypatch):
    name, asked, failed = taken(batches, *(line(str(number)) for number in range(20))), [], []
    real = Path.open

    class Full(io.FileIO):
        def write(self, content):
            super().write(bytes(content)[:10])
            raise OSError(errno.ENOSPC, "no space")

    def opened(path, mode="r", *words, **more):
        if mode == "ab" and path.stem.endswith("output") and len(asked) > 9 and not failed:
            failed.append(path)
            return Full(path, "ab")
        return real(path, mode, *words, **more)

    async def app(scope, receive, send):
        asked.append(json.loads((await receive())["body"])["messages"][0]["content"])
        await says_yes(scope, receive, send)

    async def work():
        monkeypatch.setattr(Path, "open", opened)
        batches.start(app)
        async with asyncio.timeout(30):
            while batches.kept.get(name)["status"] != "completed":
                await asyncio.sleep(0.01)
        await batches.stop()

    asyncio.run(work())
    done = batches.kept.get(name)
    found = [json.loads(row)["custom_id"] for row in batches._files.content(done["output_file_id"]).splitlines()]
    assert failed and sorted(found, key=int) == [str(number) for number in range(20)]
    assert done["request_counts"] == {"total": 20, "completed": 20, "failed": 0} and len(asked) < 30


def test_a_batch_that_is_cancelled_while_its_file_is_read_stays_cancelled(batches, monkeypatch):
    name = taken(batches, {"no": "request"})
    real = read_lines

    def reads(*words):
        batches.cancel(name)
        return real(*words)

    monkeypatch.setattr("makar.serving.batches.read_lines", reads)
    asyncio.run(batches._step())
    assert batches.kept.get(name)["status"] == "cancelled" and not batches._counts


def test_lines_are_read_strictly():
    good, errors = read_lines(rows(line("a")) + b"\r\n\r\n", CHAT)
    assert [one.custom_id for one in good] == ["a"] and not errors
    _, errors = read_lines(
        b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"x": NaN}}', CHAT
    )
    assert errors[0]["line"] == 1 and "NaN" in errors[0]["message"]
