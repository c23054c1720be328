"""Feedback and blind comparisons over HTTP, with a real server and real models."""

import asyncio
import base64
import concurrent.futures
import io
import json

import numpy as np
import pytest
from fastapi import Request
from PIL import Image

from makar.data.feedback import table
from makar.data.feedback.table import FeedbackTable
from makar.serving.feedback import list_feedback
from makar.serving.feedback_fields import FeedbackFields, judgement_of
from tests.serving.server import Server, request, talker

pytestmark = pytest.mark.loopback
BASE = "/makar/v1/feedback"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server with two models of text."""
    home = tmp_path_factory.mktemp("home")
    for seed, name in enumerate(("poe", "eliot")):
        talker(home / "models" / name, seed=seed)
    running = Server(home, "--set", "max_tokens=12")
    yield running
    assert running.stop() == 0, "".join(running.said)


def ask(server, path, body=None, *, method=None, status=200, timeout=60):
    found, _, content = request(server.address, BASE + path, body, method=method, timeout=timeout)
    assert found == status, content
    return json.loads(content) if content[:1] in b"{[" else content


def png(colour=9):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def said(**words):
    return {
        "kind": "thumb",
        "items": [{"text": "Yes.", "model": "poe"}],
        "value": 1,
        "rater": "ann",
        "consent": True,
    } | words


def test_many_raters_wait_for_models_that_are_being_loaded(server):
    # The first test of the server: no model is loaded, and there are more raters than a server has threads.
    session = ask(server, "/sessions", {"models": ["poe", "eliot"], "prompts": ["Who"], "seed": 5})["id"]

    def draw(number):
        return ask(server, f"/sessions/{session}/pairs", {"rater": f"r{number}"}, timeout=300)

    with concurrent.futures.ThreadPoolExecutor(40) as threads:
        pairs = list(threads.map(draw, range(40)))
    assert len({pair["pair"] for pair in pairs}) == 40
    assert len({frozenset((pair["left"]["text"], pair["right"]["text"])) for pair in pairs}) == 1


def test_what_the_server_was_started_with_holds_where_a_request_says_nothing(server):
    def tokens(**fields):
        body = {"model": "poe", "prompt": "Hello", "seed": 0, "logit_bias": {"256": -100}, **fields}
        _, _, content = request(server.address, "/v1/completions", body)
        return json.loads(content)["usage"]["completion_tokens"]

    assert (tokens(), tokens(controls={"max_tokens": 5}), tokens(max_tokens=7)) == (12, 5, 7)


def test_what_is_said_is_kept_listed_shown_and_taken_back(server):
    kept = ask(server, "", said(prompt="Is it?", note="short"))
    shown = ask(server, f"/{kept['id']}")
    assert shown["items"][0]["text"] == "Yes." and shown["prompt"] == [{"role": "user", "content": "Is it?"}]
    star = ask(server, "", said(kind="stars", items=[{"png": png()}], value=4, rater="bob", consent=False))
    assert star["medium"] == "image"
    again = ask(server, "", said(items=[{"hash": kept["items"][0]["hash"]}], value=0, rater="bob"))
    assert again["items"][0]["model"] == "poe"
    listed = ask(server, "?rater=bob&limit=1")
    assert [one["id"] for one in listed["data"]] == [again["id"]] and listed["has_more"]
    assert listed["counts"] == {"stars": 1, "thumb": 1}
    assert [one["id"] for one in ask(server, "?medium=image&content=true")["data"]] == [star["id"]]
    assert ask(server, f"/contents/{star['items'][0]['hash']}") == base64.b64decode(png())
    assert len(request(server.address, f"{BASE}/export")[2].splitlines()) == 3
    for one in (kept, star, again):
        assert ask(server, f"/{one['id']}", method="DELETE")["deleted"]
    assert ask(server, "")["data"] == []
    ask(server, f"/{kept['id']}", status=404)
    ask(server, f"/contents/{'0' * 64}", status=404)


def test_what_was_judged_is_read_for_the_page_that_is_shown_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    FeedbackTable().add([judgement_of(FeedbackFields.from_dictionary(said(prompt=str(n)))) for n in range(5)])
    read, real = [], table._judgement
    monkeypatch.setattr(
        table, "_judgement", lambda *words, content: read.append(content) or real(*words, content=content)
    )
    query = Request({"type": "http", "query_string": b"content=true&limit=2", "headers": []})
    shown = json.loads(asyncio.run(list_feedback(query)).body)
    assert [one["items"][0]["text"] for one in shown["data"]] == ["Yes.", "Yes."] and shown["has_more"]
    assert read.count(True) == 2 and shown["counts"] == {"thumb": 5}


def test_an_export_is_read_back(server):
    ask(
        server,
        "",
        said(kind="pair", items=[{"text": "a", "model": "poe"}, {"text": "b", "model": "eliot"}], value=[2, 1]),
    )
    ask(server, "", said(kind="edit", items=[{"text": "teh"}, {"text": "the"}], value=None))
    _, _, content = request(server.address, f"{BASE}/export")
    for one in ask(server, "")["data"]:
        ask(server, f"/{one['id']}", method="DELETE")
    border = "b0rder"
    form = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode() + content
    form += f"\r\n--{border}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
    status, _, answer = request(server.address, f"{BASE}/import", form, headers=headers)
    assert status == 200 and json.loads(answer) == {"new": 2, "lines": 2}
    pairs = [json.loads(line) for line in request(server.address, f"{BASE}/export?form=preferences")[2].splitlines()]
    assert [(one["chosen"][0]["content"], one["rejected"][0]["content"]) for one in pairs] == [
        ("b", "a"),
        ("the", "teh"),
    ]
    status, _, answer = request(server.address, f"{BASE}/import", form.replace(b'"the"', b'"thy"'), headers=headers)
    assert status == 400 and b"not that of its hash" in answer


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": []}, {"items": [3]}, {"items": [{}]}, {"items": [{"text": ""}]}, {"items": [{"text": "a", "png": "b"}]},
        {"items": [{"png": "no base64"}]}, {"items": [{"png": base64.b64encode(b"GIF89a").decode()}]}, {"value": 7},
        {"value": "much"}, {"value": None}, {"value": True}, {"kind": "applause"}, {"rater": ""}, {"rater": "a\nb"}, {"consent": None},
        {"prompt": 3}, {"prompt": [{"role": "assistant", "content": "I"}]}, {"items": [{"hash": "../x"}]},
        {"items": [{"hash": "0" * 64}]}, {"items": [{"text": "a", "manifest": {"manifest": {}, "signature": {}}}]},
        {"items": [{"text": "a", "manifest": 3}]}, {"items": [{"text": "a"}] * 65}, {"note": "x" * 5000},
    ],
)  # fmt: skip
def test_wrong_bodies_are_refused(server, wrong):
    before = len(ask(server, "")["data"])
    assert "error" in ask(server, "", said(**wrong), status=400)
    assert len(ask(server, "")["data"]) == before


def test_models_are_compared_blindly_and_ranked(server):
    session = ask(server, "/sessions", {"models": ["poe", "eliot"], "prompts": ["Who", "What", "When"], "seed": 3})
    shown, names = [], {"poe", "eliot"}
    for number in range(3):
        pair = ask(server, f"/sessions/{session['id']}/pairs", {"rater": "ann"})
        assert ask(server, f"/sessions/{session['id']}/pairs", {"rater": "ann"})["pair"] == pair["pair"]
        assert not names & set(json.dumps(pair).replace(pair["prompt"], "").split('"')), "the names are not said"
        verdict = {"said": ("left", "right", "tie")[number], "consent": True}
        judged = ask(server, f"/pairs/{pair['pair']}", verdict)
        assert {item["model"] for item in judged["items"]} == names and judged["session"] == session["id"]
        assert [item["manifest"] != "" for item in judged["items"]] == [True, True]
        ask(server, f"/pairs/{pair['pair']}", verdict, status=400)
        shown.append((pair["prompt"], pair["left"]["text"], pair["right"]["text"]))
    assert len({prompt for prompt, *_ in shown}) == 3
    assert ask(server, f"/sessions/{session['id']}/pairs", {"rater": "ann"}) == {"pair": None}
    # Another person sees the same answers: each model answers once.
    other = ask(server, f"/sessions/{session['id']}/pairs", {"rater": "bob"})
    assert {other["left"]["text"], other["right"]["text"]} == next(
        set(texts) for prompt, *texts in shown if prompt == other["prompt"]
    )
    ranking = ask(server, f"/ranking?session={session['id']}")
    assert ranking["comparisons"] == 3 and ranking["pairs"][0]["verdict"] == "not yet decided"
    assert ask(server, "/sessions")["data"][0]["judged"] == 3 == ask(server, f"/sessions/{session['id']}")["judged"]
    assert ask(server, "/ranking?session=none")["models"] == []


def test_what_somebody_likes_is_scored_and_what_waits_is_counted(server):
    before = ask(server, "/waiting")
    assert set(before) == {"text", "image"}
    for colour, stars in ((10, 1), (20, 1), (220, 5), (240, 5)):
        ask(server, "", said(kind="stars", items=[{"png": png(colour)}], value=stars, rater="zoe"))
    assert ask(server, "/waiting")["image"] == before["image"] + 4
    found = ask(server, "/scores", {"rater": "zoe", "items": [{"png": png(30)}, {"png": png(200)}]})
    assert found["scores"][0] < found["scores"][1] and found["pairs"] == 4
    ask(server, "/scores", {"rater": "all", "items": [{"png": png(30)}]})
    for body in (
        {"rater": "nobody", "items": [{"png": png()}]},
        {"rater": "zoe", "items": [{"png": png()}, {"text": "a"}]},
    ):
        ask(server, "/scores", body, status=400)


def test_a_training_on_feedback_is_fixed_to_what_was_said(server):
    def train(data):
        body = {"model": "poe", "training_file": data, "hyperparameters": {"steps": 100_000}}
        status, _, content = request(server.address, "/v1/fine_tuning/jobs", body)
        return status, json.loads(content)

    assert train("feedback:nobody-yet")[0] == 400
    last = [
        ask(server, "", said(rater="max", items=[{"text": f"{n}."}], value=n % 2, prompt="Which?"))["id"]
        for n in range(4)
    ][-1]
    ask(server, "", said(rater="max", items=[{"text": "No."}], consent=False))
    status, job = train("feedback:max")
    assert status == 200 and job["training_file"] == f"feedback:max@{last}"
    assert train(f"feedback:max@{last}")[1]["training_file"] == f"feedback:max@{last}"
    # The studio's words are kept with the job: going on says them again.
    body = {"source": "feedback:max", "from_model": "poe", "steps": 100_000}
    status, _, content = request(server.address, "/makar/v1/runs", body)
    kept = next(server.home.rglob(f"{json.loads(content)['id']}.json"))
    assert status == 200 and f"feedback:max@{last}" in json.loads(kept.read_text())["words"]
    for job in json.loads(request(server.address, "/v1/fine_tuning/jobs")[2])["data"]:
        path = f"/v1/fine_tuning/jobs/{job['id']}/cancel"
        assert json.loads(request(server.address, path, {})[2])["status"] == "cancelled"


def test_wrong_comparisons_are_refused(server):
    for body in (
        {"models": ["poe"]},
        {"models": ["poe", "poe"]},
        {"models": ["poe", 3]},
        {"models": ["poe", "eliot"], "rounds": 0},
    ):
        ask(server, "/sessions", body, status=400)
    ask(server, "/sessions", {"models": ["poe", "nobody"]}, status=404)
    ask(server, "/sessions/none/pairs", {"rater": "ann"}, status=404)
    ask(server, "/pairs/none", {"said": "left", "consent": True}, status=404)
    odd = ask(server, "/sessions", {"models": ["poe", "eliot"], "options": {"steps": 3}})
    assert "steps" in ask(server, f"/sessions/{odd['id']}/pairs", {"rater": "ann"}, status=400)["error"]["message"]
