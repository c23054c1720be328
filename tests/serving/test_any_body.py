"""Bodies of every route with any values in any field: the answer is an answer or says what is wrong, and never an error inside."""

import contextlib
import http.client
import json
import random
from urllib.parse import urlsplit

import pytest

from makar.serving.batch_lines import BatchFields
from makar.serving.bodies import schema_of
from makar.serving.eval_fields import EvalFields
from makar.serving.feedback_fields import FeedbackFields, ScoreFields, SessionFields
from makar.serving.fields import ChatFields, CompletionFields
from makar.serving.image_fields import ImageFields
from makar.serving.response_fields import ResponseFields
from makar.serving.store_fields import StoreFields
from makar.serving.studio.reading_routes import ReadingFields, ScriptFields
from makar.serving.text_fields import EmbeddingFields, ModerationFields
from makar.serving.tuning_fields import TuningFields
from tests.serving.server import Server, talker

pytestmark = pytest.mark.loopback

ROUTES = {
    "/v1/chat/completions": ChatFields,
    "/v1/completions": CompletionFields,
    "/v1/responses": ResponseFields,
    "/v1/images/generations": ImageFields,
    "/v1/embeddings": EmbeddingFields,
    "/v1/moderations": ModerationFields,
    "/v1/fine_tuning/jobs": TuningFields,
    "/v1/vector_stores": StoreFields,
    "/v1/batches": BatchFields,
    "/v1/evals": EvalFields,
    "/makar/v1/feedback": FeedbackFields,
    "/makar/v1/feedback/sessions": SessionFields,
    "/makar/v1/feedback/scores": ScoreFields,
    "/makar/v1/readings": ReadingFields,
    "/makar/v1/scripts": ScriptFields,
}
CASES = 120
WORDS = [
    "",
    "x",
    "Hello",
    "talker",
    "user",
    "auto",
    "none",
    "required",
    "json_schema",
    "text",
    "function",
    "ü\U0001f40d",
]
WORDS += ["file-" + "0" * 24, "resp_" + "0" * 24, "../../x", "a" * 3000, "\r\n", "%00", "-1", "{}", "$ref", "\u202e"]
NUMBERS = [0, 1, -1, 2, 3, 20, 21, 0.5, 1.5, -2.0, 1e300, -1e300, 1e-300, 2**31, 2**53, 2**63 - 1, -(2**63)]
NAMES = ["type", "role", "content", "text", "name", "function", "schema", "json_schema", "arguments", "parameters"]
NAMES += [
    "properties",
    "items",
    "tool_calls",
    "format",
    "include_usage",
    "steps",
    "minutes",
    "hyperparameters",
    "0",
    "enum",
]
GOOD = {
    "/v1/chat/completions": {"model": "talker", "messages": [{"role": "user", "content": "Hello"}]},
    "/v1/completions": {"model": "talker", "prompt": "Hello"},
    "/v1/responses": {"model": "talker", "input": "Hello", "store": False},
    "/v1/images/generations": {"model": "talker", "prompt": "Hello"},
    "/v1/embeddings": {"model": "talker", "input": "Hello"},
    "/v1/moderations": {"input": "Hello"},
    "/v1/fine_tuning/jobs": {"model": "talker", "training_file": "file-" + "0" * 24},
    "/v1/vector_stores": {"name": "one"},
    "/v1/batches": {"input_file_id": "file-" + "0" * 24, "endpoint": "/v1/moderations", "completion_window": "24h"},
    "/v1/evals": {
        "data_source_config": {"type": "custom", "item_schema": {}},
        "testing_criteria": [{"type": "string_check", "name": "a", "input": "x", "reference": "x", "operation": "eq"}],
    },
    "/makar/v1/feedback": {
        "kind": "thumb",
        "items": [{"text": "Hello"}],
        "value": 1,
        "rater": "x",
        "consent": True,
        "prompt": "Hello",
    },
    "/makar/v1/feedback/scores": {"rater": "x", "items": [{"text": "Hello"}]},
    "/makar/v1/feedback/sessions": {"models": ["talker", "talker"], "prompts": ["Hello"]},
    "/makar/v1/readings": {"voices": {"Ann": "talker"}, "script": "Ann: Hello"},
    "/makar/v1/scripts": {"script": "# One\nAnn: Hello"},
}


def anything(draw, depth=0):
    """Return any value of JSON."""
    kind = draw.randrange(7 if depth < 4 else 4)
    if kind == 0:
        return draw.choice([None, True, False])
    if kind == 1:
        return draw.choice(NUMBERS)
    if kind in (2, 3):
        return draw.choice(WORDS)
    if kind == 4:
        return [anything(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {draw.choice(NAMES): anything(draw, depth + 1) for _ in range(draw.randrange(4))}


def fitting(draw, described):
    """Return a value that a field may well have."""
    if "enum" in described:
        return draw.choice(described["enum"])
    if "anyOf" in described:
        return fitting(draw, draw.choice(described["anyOf"]))
    low, high = described.get("minimum", -2), described.get("maximum", 5)
    made = {
        "integer": lambda: draw.randint(int(low), int(min(high, 8))),
        "number": lambda: draw.uniform(low, min(high, 10)),
        "boolean": lambda: draw.random() < 0.5,
        "string": lambda: draw.choice(WORDS),
        "object": lambda: {draw.choice(NAMES): anything(draw, 1)},
        "array": lambda: [anything(draw, 1) for _ in range(draw.randrange(3))],
    }
    return made.get(described.get("type"), lambda: anything(draw))()


def bodies(path):
    """Yield bodies of a route: good ones with one, two or three fields of which some fit and some do not."""
    described = schema_of(ROUTES[path])["properties"]
    for number in range(CASES):
        draw = random.Random(f"{path} {number}")
        body = dict(GOOD[path])
        for name in draw.sample(sorted(described), draw.randint(1, min(3, len(described)))):
            body[name] = fitting(draw, described[name]) if draw.random() < 0.5 else anything(draw)
        # Nobody waits for a long answer here.
        long_ones = [name for name in ("max_tokens", "max_completion_tokens", "max_output_tokens") if name in described]
        body |= {name: 3 for name in long_ones if type(body.get(name, 999)) is int and body.get(name, 999) > 3}
        yield body


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of a small model of bytes."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker", context=64)
    running = Server(folder)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.mark.parametrize("path", ROUTES)
def test_no_body_is_an_error_inside(server, path):
    parts = urlsplit(server.address)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)) as connection:
        ask_all(connection, path)


def ask_all(connection, path):
    """Send every body of a route over one connection."""
    seen = set()
    for body in bodies(path):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        seen.add(answer.status)
        assert answer.status == 200 or 400 <= answer.status < 500, (body, content)
        if answer.status != 200:
            assert json.loads(content)["error"]["message"], body
        elif answer.headers["content-type"].startswith("text/event-stream"):
            assert b"error inside" not in content and b"server_error" not in content, (body, content)
    assert 400 in seen
