"""Hostile bodies, foreign pages, missing keys, limits: 4xx with a reason, never an error of the server, and no route without its key."""

import asyncio
import http.client
import json
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Request

from makar.errors import MakarError
from makar.serving.bodies import DEEPEST, parse_object
from makar.serving.figures import Figures
from makar.serving.guard import Guard, Rules
from makar.serving.problems import Problem, problem_of
from makar.serving.server import read_key
from tests.serving.server import Server, request, talker

pytestmark = pytest.mark.loopback

KEY = "a-key-of-more-than-16-letters"
CHAT = "/v1/chat/completions"
HELLO = {"model": "talker", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with one small model."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
    return folder


@pytest.fixture(scope="module")
def server(home):
    """Return a server for this machine only."""
    running = Server(home, "--largest-upload", "1")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.fixture(scope="module")
def locked(home):
    """Return a server with a key, an origin and a rate."""
    words = ["--origin", "https://friend.example", "--requests-per-minute", "12"]
    running = Server(home, *words, environment={"MAKAR_SERVE_KEY": KEY})
    yield running
    running.stop()


def nested(levels, opening=b"[", closing=b"]"):
    return b'{"messages": ' + opening * levels + closing * levels + b"}"


HOSTILE = {
    "nan": b'{"model": "talker", "temperature": NaN}',
    "infinity": b'{"model": "talker", "temperature": Infinity}',
    "minus infinity": b'{"model": "talker", "temperature": -Infinity}',
    "huge float": b'{"model": "talker", "temperature": 1e999}',
    "huge integer": b'{"model": "talker", "seed": ' + b"9" * 10_000 + b"}",
    "64 bits": b'{"model": "talker", "seed": 9223372036854775808}',
    "surrogate": b'{"model": "talker", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "surrogate as name": b'{"\\udfff": 1}',
    "nul": b'{"model": "talker", "messages": [{"role": "user", "content": "a\\u0000b"}]}',
    "nul as name": b'{"model": "tal\\u0000ker"}',
    "broken utf-8": b'{"model": "\xff\xfe"}',
    "overlong utf-8": b'{"model": "\xc0\xaf"}',
    "utf-16": '{"model": "talker"}'.encode("utf-16"),
    "deep": nested(DEEPEST + 5),
    "very deep": nested(200_000),
    "deep objects": b'{"a":' * 100_000,
    "nothing": b"",
    "list": b"[]",
    "number": b"1",
    "text": b'"model"',
    "null": b"null",
    "no JSON": b"model=talker",
    "cut off": b'{"model": "talk',
    "two": b'{"model": "talker"}{}',
    "no model": b"{}",
    "model of another type": b'{"model": 3, "messages": []}',
    "model as path": b'{"model": "../../etc/passwd", "messages": []}',
    "null fields": b'{"model": null, "messages": null}',
    "messages of numbers": b'{"model": "talker", "messages": [1, null, [], {}]}',
    "booleans for numbers": b'{"model": "talker", "messages": [], "n": true}',
    "tools of rubbish": b'{"model": "talker", "messages": [{"role": "user", "content": "x"}], "tools": [1]}',
    "schema of rubbish": json.dumps(
        {**HELLO, "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "wizard"}}}}
    ).encode(),
    "regex bomb": json.dumps(
        {**HELLO, "response_format": {"type": "json_schema", "json_schema": {"schema": {"pattern": "(a+)+(" * 50}}}}
    ).encode(),
    "many": b'{"a": [' + b"1," * 100_000 + b"1]}",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_a_hostile_body_is_refused_with_a_reason(server, name, path):
    status, _, content = request(server.address, path, HOSTILE[name])
    assert 400 <= status < 500, (status, content)
    error = json.loads(content)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]


def test_the_server_still_answers_after_all_of_them(server):
    for body in HOSTILE.values():
        request(server.address, CHAT, body)
    status, _, content = request(server.address, CHAT, HELLO)
    assert status == 200 and json.loads(content)["usage"]["completion_tokens"] <= 2


def test_a_body_beyond_its_limit_is_cut_off_whatever_it_says(server):
    large = json.dumps({**HELLO, "user": "x" * (1 << 18)}).encode()
    assert request(server.address, CHAT, large)[0] == 413
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    chunks = (b"x" * 65536 for _ in range(64))
    try:
        connection.request("POST", CHAT, chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        # It closed the connection before everything was sent, which is as good.
        pass
    finally:
        connection.close()
    assert request(server.address, CHAT, b"{}", headers={"Content-Length": "99999999999"})[0] == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_a_foreign_page_could_send_is_refused(server, kind):
    assert request(server.address, CHAT, json.dumps(HELLO).encode(), headers={"Content-Type": kind})[0] == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "a b", "[::2]"])
def test_a_name_that_was_pointed_here_gets_nothing(server, host):
    assert request(server.address, "/v1/models", headers={"Host": host})[0] in (400, 403)
    assert request(server.address, "/v1/models", headers={"Host": "localhost:1"})[0] == 200


def test_a_foreign_page_is_refused_and_the_own_one_is_not(server):
    own = server.address
    assert request(server.address, "/v1/models", headers={"Origin": own})[0] == 200
    for origin in ("https://evil.example", "null", own + "0", own.replace("http", "ftp")):
        status, _, content = request(server.address, "/v1/models", headers={"Origin": origin})
        assert status == 403 and json.loads(content)["error"]["code"] == "foreign_origin"


@pytest.mark.parametrize(
    "path, words",
    [
        ("/v1/audio/voices", "speech"),
        ("/v1/videos/edits", "video"),
        ("/v1/assistants", "responses"),
        ("/v1/nothing", "openapi"),
        ("/", "openapi"),
        ("/v1/models/../../etc/passwd", "not"),
        ("/v1/%00", "openapi"),
    ],
)
def test_what_is_not_offered_says_what_is(server, path, words):
    status, _, content = request(server.address, path, HELLO)
    assert status in (404, 405) and words in json.loads(content)["error"]["message"]


def test_the_description_names_every_route_and_field(server):
    described = json.loads(request(server.address, "/openapi.json")[2])
    body = described["paths"][CHAT]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["model", "messages"] and body["properties"]["temperature"]["maximum"] == 2.0
    form = described["paths"]["/v1/images/edits"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["prompt"] and {"image", "mask", "reference", "to", "box", "to_seed"} < set(
        form["properties"]
    )
    assert "/v1/models/{model}" in described["paths"] and "/health" in described["paths"]


def test_with_a_key_every_route_but_health_and_the_files_of_the_studio_needs_it(locked):
    key = {"Authorization": f"Bearer {KEY}"}
    assert request(locked.address, "/health")[0] == 200
    for path in ("/v1/models", "/metrics", "/openapi.json", "/v1/nothing", "/makar/v1/assets", "/studio"):
        assert request(locked.address, path)[0] == 401
        assert request(locked.address, path, headers={"Authorization": f"Bearer {KEY}x"})[0] == 401
    assert request(locked.address, "/v1/models", headers=key)[0] == 200
    foreign = {**key, "Host": "example.org"}
    assert request(locked.address, "/v1/models", headers=foreign)[0] == 200
    friend = request(locked.address, "/v1/models", headers={**key, "Origin": "https://friend.example"})
    assert friend[0] == 200 and friend[1]["access-control-allow-origin"] == "https://friend.example"
    assert request(locked.address, "/v1/models", headers={**key, "Origin": "https://evil.example"})[0] == 403
    preflight = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST"}
    assert request(locked.address, CHAT, method="OPTIONS", headers=preflight)[0] == 200
    assert request(locked.address, CHAT, method="OPTIONS", headers={**preflight, "Origin": "null"})[0] == 403
    looked = [request(locked.address, "/makar/v1/assets/none/content", headers=key)[0] for _ in range(20)]
    assert looked == [404] * 20
    found = [request(locked.address, "/v1/models", headers=key) for _ in range(12)]
    assert found[-1][0] == 429 and found[-1][1]["retry-after"] and "within a minute" in found[-1][2].decode()


def test_a_key_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("MAKAR_SERVE_KEY", raising=False)
    assert read_key(None) is None
    (tmp_path / "key").write_text(f" {KEY}\n", encoding="utf-8")
    assert read_key(tmp_path / "key") == KEY
    for text in ("short", "ü" * 20, ""):
        (tmp_path / "key").write_text(text, encoding="utf-8")
        with pytest.raises(MakarError, match="key"):
            read_key(tmp_path / "key")
    with pytest.raises(MakarError, match="cannot be read"):
        read_key(tmp_path / "nothing")


def test_a_body_that_is_right_is_read_as_it_is():
    assert parse_object('{"a": [1, 2.5, "ü", null, {"b": true}]}'.encode()) == {"a": [1, 2.5, "ü", None, {"b": True}]}
    assert parse_object(nested(DEEPEST - 2))["messages"]
    with pytest.raises(Problem, match="nested"):
        parse_object(nested(DEEPEST + 2))


def test_an_error_inside_says_nothing_of_the_machine():
    problem = problem_of(RuntimeError("/secret/path"))
    assert problem["status"] == 500 and "secret" not in problem["error"]["message"]
    assert problem_of(MemoryError())["status"] == 503


def test_a_mistake_inside_is_answered_counted_and_written_down_like_every_answer(caplog):
    figures, app, sent = Figures(), FastAPI(), []

    async def broken(request: Request):
        raise KeyError("/secret/path")

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    app.add_api_route("/broken", broken)
    app.add_middleware(Guard, rules=Rules(), figures=figures)
    scope = {"type": "http", "method": "GET", "path": "/broken", "headers": [(b"host", b"localhost")]}
    asyncio.run(app(scope | {"query_string": b"", "root_path": "", "scheme": "http"}, receive, send))
    start, body = sent
    assert start["status"] == 500 and {b"x-request-id", b"x-content-type-options"} <= set(dict(start["headers"]))
    assert "KeyError" in json.loads(body["body"])["error"]["message"] and b"secret" not in body["body"]
    assert 'makar_requests_total{path="/broken",method="GET",status="500"} 1' in figures.text([]).splitlines()
    assert "GET /broken failed" in caplog.text and "/secret/path" in caplog.text
