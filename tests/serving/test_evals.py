"""Evaluations over HTTP with the official client in its strict mode: graders, runs over a model and over given answers, what is refused."""

import asyncio
import json

import openai
import pytest

from makar.errors import ConfigError
from makar.serving.eval_fields import filled
from makar.serving.evals import Evals
from makar.serving.graders import compares, grade, likeness
from makar.serving.shelf import Shelf
from tests.serving.server import Server, request, talker, until

pytestmark = pytest.mark.loopback
SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}, "answer": {"type": "string"}}}
CONFIG = {"type": "custom", "item_schema": SCHEMA, "include_sample_schema": True}
SAME = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "ilike",
}
NEAR = {
    "type": "text_similarity",
    "name": "near",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
    "evaluation_metric": "rouge_l",
    "pass_threshold": 0.6,
}
ROWS = [
    {"item": {"question": "1", "answer": "Paris"}, "sample": {"output_text": "It is paris."}},
    {"item": {"question": "2", "answer": "the red fox"}, "sample": {"output_text": "the red fox"}},
    {"item": {"question": "3", "answer": "Rome"}, "sample": {"output_text": "no idea"}},
    {"item": {"question": "4"}, "sample": {"output_text": "x"}},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of a small model of bytes."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
    running = Server(folder)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.fixture
def client(server):
    """Return the official client, which checks every field of every answer."""
    with openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def create(client, *criteria):
    return client.evals.create(
        data_source_config=CONFIG, testing_criteria=list(criteria or (SAME, NEAR)), name="capitals"
    )


def ended(client, run):
    until(
        lambda: client.evals.runs.retrieve(run.id, eval_id=run.eval_id).status not in ("queued", "in_progress"),
        seconds=120,
    )
    return client.evals.runs.retrieve(run.id, eval_id=run.eval_id)


def test_given_answers_are_graded(client):
    made = create(client)
    file = client.files.create(file=("rows.jsonl", "\n".join(map(json.dumps, ROWS)).encode()), purpose="user_data")
    run = client.evals.runs.create(
        made.id, data_source={"type": "jsonl", "source": {"type": "file_id", "id": file.id}}, name="a"
    )
    done = ended(client, run)
    assert done.status == "completed"
    counts = done.result_counts
    assert (counts.passed, counts.failed, counts.errored, counts.total) == (1, 2, 1, 4)
    assert {one.testing_criteria: (one.passed, one.failed) for one in done.per_testing_criteria_results} == {
        "same": (2, 1),
        "near": (1, 2),
    }
    items = client.evals.runs.output_items.list(run.id, eval_id=made.id).data
    assert [item.status for item in items] == ["fail", "pass", "fail", "error"]
    assert items[1].results[1].score == 1.0 and "item.answer" in items[3].sample.error.message
    passed = client.evals.runs.output_items.list(run.id, eval_id=made.id, status="pass").data
    assert [item.id for item in passed] == [items[1].id]
    one = client.evals.runs.output_items.retrieve(items[1].id, eval_id=made.id, run_id=run.id)
    assert one.to_dict() == items[1].to_dict()


def test_answers_of_a_model_are_those_of_the_chat(client):
    made = create(client, SAME)
    messages = [{"role": "user", "content": "Where is {{item.question}}?"}]
    source = {
        "type": "completions",
        "model": "talker",
        "source": {"type": "file_content", "content": [{"item": row["item"]} for row in ROWS[:2]]},
        "input_messages": {"type": "template", "template": messages},
        "sampling_params": {"max_completion_tokens": 5, "seed": 3, "temperature": 1.0},
    }
    done = ended(client, client.evals.runs.create(made.id, data_source=source))
    first = client.evals.runs.output_items.list(done.id, eval_id=made.id, order="asc").data[0]
    asked = [{"role": "user", "content": "Where is 1?"}]
    chat = client.chat.completions.create(
        model="talker", messages=asked, max_completion_tokens=5, seed=3, temperature=1.0
    )
    assert first.sample.output[0].content == chat.choices[0].message.content
    assert first.sample.usage.completion_tokens == 5 and done.per_model_usage[0].invocation_count == 2
    assert [run.id for run in client.evals.runs.list(made.id)] == [done.id]
    with pytest.raises(openai.ConflictError):
        client.evals.runs.cancel(done.id, eval_id=made.id)
    with pytest.raises(openai.NotFoundError, match="unknown model"):
        client.evals.runs.create(made.id, data_source={**source, "model": "nobody"})


@pytest.fixture
def evals(tmp_path):
    """Return evaluations of no server, one of them with one criterion."""
    made = Evals(
        Shelf(tmp_path / "evals", kind="eval_"),
        runs=Shelf(tmp_path / "runs", kind="evalrun_"),
        files=Shelf(tmp_path / "files", kind="file-"),
        folder=tmp_path / "results",
    )
    made.kept.put(made.kept.new_id(), {"testing_criteria": [SAME]})
    return made


def begun(evals, source):
    """Begin a run of the one evaluation; return its id."""
    name = evals.runs.new_id()
    evals.begin({"id": name, "eval_id": evals.kept.names()[0], "status": "queued", "data_source": source})
    return name


async def worked(evals):
    while await evals._step():
        pass


def test_a_conversation_in_an_item_may_hold_a_call_without_words(evals, monkeypatch):
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "here", "tool_call_id": "1"},
    ]
    source = {
        "type": "completions",
        "model": "talker",
        "source": {"type": "file_content", "content": [{"item": {"answer": "yes", "turns": turns}}]},
        "input_messages": {"type": "item_reference", "item_reference": "item.turns"},
    }
    name, asked = begun(evals, source), []
    chat = {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}], "usage": {}}

    async def app(scope, receive, send):
        asked.append(json.loads((await receive())["body"])["messages"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(chat).encode()})

    monkeypatch.setattr(evals, "_app", app)
    asyncio.run(worked(evals))
    (result,) = evals.results(name)
    assert evals.runs.get(name)["status"] == "completed" and result["status"] == "pass" and asked == [turns]
    assert [one["content"] for one in result["sample"]["input"]] == ["Where?", "", "here"]


def test_a_run_that_fails_for_an_unforeseen_reason_lets_the_next_be_worked_on(evals, monkeypatch):
    source = {"type": "jsonl", "source": {"type": "file_content", "content": ROWS[:1]}}
    runs, real = [begun(evals, source) for _ in range(2)], evals._graded

    async def graded(run, *words):
        return {}["nothing"] if run["id"] == runs[0] else await real(run, *words)

    monkeypatch.setattr(evals, "_graded", graded)
    asyncio.run(worked(evals))
    first, second = map(evals.runs.get, runs)
    assert first["status"] == "failed" and "KeyError" in first["error"]["message"] and second["status"] == "completed"


def test_an_evaluation_is_changed_listed_and_deleted_with_its_runs(client):
    made = create(client)
    changed = client.evals.update(made.id, name="towns", metadata={"a": "b"})
    assert changed.name == "towns" and client.evals.retrieve(made.id).metadata == {"a": "b"}
    assert [one.id for one in client.evals.list(limit=1).data] == [made.id]
    source = {"type": "jsonl", "source": {"type": "file_content", "content": ROWS}}
    run, later = (ended(client, client.evals.runs.create(made.id, data_source=source)) for _ in range(2))
    assert [one.id for one in client.evals.runs.list(made.id, status="completed")] == [run.id, later.id]
    assert not client.evals.runs.list(made.id, status="failed").data
    with pytest.raises(openai.BadRequestError, match="in_progress"):
        client.evals.runs.list(made.id, status="over")
    with pytest.raises(openai.NotFoundError):
        client.evals.runs.retrieve(run.id, eval_id=create(client).id)
    assert client.evals.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.evals.runs.retrieve(run.id, eval_id=made.id)


@pytest.mark.parametrize(
    "path, body, words",
    [
        ("", {"data_source_config": {"type": "logs"}, "testing_criteria": [SAME]}, "custom"),
        ("", {"data_source_config": {"type": "custom"}, "testing_criteria": [SAME]}, "item_schema"),
        ("", {"data_source_config": CONFIG, "testing_criteria": []}, "1 to 16"),
        (
            "",
            {"data_source_config": CONFIG, "testing_criteria": [{"type": "python", "name": "x", "source": "1"}]},
            "code is not run",
        ),
        ("", {"data_source_config": CONFIG, "testing_criteria": [{"type": "score_model"}]}, "blindly"),
        ("", {"data_source_config": CONFIG, "testing_criteria": [{**SAME, "operation": "regex"}]}, "ilike"),
        ("", {"data_source_config": CONFIG, "testing_criteria": [{**NEAR, "evaluation_metric": "meteor"}]}, "rouge_l"),
        ("", {"data_source_config": CONFIG, "testing_criteria": [{**NEAR, "pass_threshold": 3}]}, "pass_threshold"),
        ("", {"data_source_config": CONFIG, "testing_criteria": [SAME, SAME]}, "name"),
        ("/runs", {"data_source": {"type": "jsonl", "source": {"type": "stored_completions"}}}, "file_content"),
        ("/runs", {"data_source": {"type": "jsonl", "source": {"type": "file_content", "content": [{}]}}}, "item"),
        (
            "/runs",
            {"data_source": {"type": "completions", "source": {"type": "file_content", "content": ROWS}}},
            "input_messages",
        ),
        ("/runs", {"data_source": {"type": "spreadsheet"}}, "jsonl"),
    ],
)
def test_what_is_not_done_is_said_with_what_to_do(server, client, path, body, words):
    place = f"/v1/evals/{create(client).id}{path}" if path else "/v1/evals"
    status, _, content = request(server.address, place, body)
    assert status == 400 and words in content.decode(), content


def test_texts_are_compared_and_places_are_filled():
    assert (
        compares("eq", "a", "a")
        and compares("ne", "a", "b")
        and compares("like", "abc", "b")
        and not compares("like", "abc", "B")
    )
    for measure in ("fuzzy_match", "bleu", "rouge_1", "rouge_2", "rouge_l"):
        assert likeness(measure, "the red fox sleeps", "the red fox sleeps") == pytest.approx(1.0)
        assert likeness(measure, "zzz", "the red fox") == pytest.approx(0.0, abs=0.3)
    assert likeness("rouge_l", "the fox", "the red fox") == pytest.approx(0.8)
    assert (
        filled("{{item.a}} {{ sample.output_json.b }}", {"item": {"a": 1}, "sample": {"output_json": {"b": ["x"]}}})
        == '1 ["x"]'
    )
    with pytest.raises(ConfigError, match="nothing"):
        filled("{{item.nothing}}", {"item": {}})
    assert grade(SAME, {"item": {"answer": "a"}, "sample": {"output_text": "A"}}) == {
        "name": "same",
        "type": "string_check",
        "score": 1.0,
        "passed": True,
    }
