"""Responses and trainings over HTTP with the official client in its strict mode."""

import json

import openai
import pytest

from tests.serving.server import Server, request, talker, until

pytestmark = pytest.mark.loopback

SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
SCHEMA["additionalProperties"] = False
TOOL = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}


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
    """Return a server of it."""
    running = Server(place)
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(server):
    """Return the official client, which checks every field of every answer."""
    with openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def respond(client, given="Hello", **fields):
    extra = {"seed": 1, **fields.pop("extra_body", {})}
    return client.responses.create(
        **{"model": "talker", "input": given, "max_output_tokens": 20, "extra_body": extra, **fields}
    )


def test_an_answer_is_that_of_the_chat_and_is_kept(client):
    made = respond(client, instructions="Be brief.", metadata={"who": "me"})
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    chat = client.chat.completions.create(model="talker", messages=messages, max_tokens=20, seed=1)
    assert made.output_text == chat.choices[0].message.content
    assert made.usage.input_tokens == chat.usage.prompt_tokens and made.usage.output_tokens == 20
    assert made.status == "incomplete" and made.incomplete_details.reason == "max_output_tokens"
    again = client.responses.retrieve(made.id)
    assert again.output == made.output and again.metadata == {"who": "me"}
    (item,) = client.responses.input_items.list(made.id).data
    assert item.content[0].text == "Hello"
    asked = respond(client, [{"role": "user", "content": text} for text in "abc"])
    for order, said in (("asc", "abc"), ("desc", "cba")):
        found = client.responses.input_items.list(asked.id, order=order)
        assert "".join(one.content[0].text for one in found) == said
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_later_answer_goes_on_from_an_earlier_one_without_its_instructions(client):
    first = respond(client, instructions="Be brief.")
    second = respond(client, "And then?", previous_response_id=first.id)
    spelled = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "output_text", "text": first.output_text, "annotations": []}]},
        {"role": "user", "content": [{"type": "input_text", "text": "And then?"}]},
    ]
    assert respond(client, spelled).output_text == second.output_text != respond(client, "And then?").output_text
    unkept = respond(client, store=False)
    with pytest.raises(openai.NotFoundError):
        respond(client, previous_response_id=unkept.id)


def test_events_are_numbered_and_join_to_the_whole(client):
    events = list(respond(client, stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "incomplete"]
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == events[-4].text == events[-1].response.output_text == respond(client).output_text
    assert client.responses.retrieve(events[-1].response.id).output_text == said
    form = {"format": {"type": "json_schema", "name": "counted", "schema": SCHEMA, "strict": True}}
    with client.responses.stream(model="talker", input="Hello", text=form, max_output_tokens=80) as stream:
        assert json.loads(stream.get_final_response().output_text)


def test_the_form_of_an_answer_and_a_forced_call_are_kept(client):
    form = {"format": {"type": "json_schema", "name": "counted", "schema": SCHEMA, "strict": True}}
    made = respond(client, text=form, max_output_tokens=80)
    assert isinstance(json.loads(made.output_text)["count"], int) and made.status == "completed"
    called = respond(client, tools=[TOOL], tool_choice="required", max_output_tokens=120)
    (call,) = called.output
    assert call.type == "function_call" and isinstance(json.loads(call.arguments)["count"], int)
    events = list(respond(client, tools=[TOOL], tool_choice="required", max_output_tokens=120, stream=True))
    kinds = [event.type for event in events]
    assert "response.function_call_arguments.done" in kinds and kinds[-1] == "response.completed"
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "42"}
    assert respond(client, [result], previous_response_id=called.id).output_text


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "function"),
        ({"tools": [{"type": "file_search"}]}, "vector_store_ids"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 99}]}, "50"),
        ({"tool_choice": {"type": "file_search"}}, "file_search"),
        ({"tools": [{"type": "image_generation", "output_format": "webp"}]}, "output_format"),
        ({"input": [{"type": "image", "x": 1}]}, "function_call_output"),
        ({"input": 3}, "list"),
        ({"metadata": {"a": "x" * 600}}, "metadata"),
        ({"truncation": "disabled", "input": "long " * 200}, "context"),
        ({"extra_body": {"n": 2}}, "one"),
    ],
    ids=str,
)
def test_what_is_not_done_is_said(client, fields, words):
    with pytest.raises(openai.BadRequestError, match=words):
        respond(client, **fields)


def test_there_is_nothing_in_the_background_to_cancel(client):
    with pytest.raises(openai.BadRequestError, match="stream"):
        client.responses.cancel(respond(client).id)


def status(client, job):
    found = client.fine_tuning.jobs.retrieve(job.id)
    return "paused" if found.is_paused else found.status


def test_a_training_is_begun_watched_paused_gone_on_with_and_used(client):
    text = "".join(f"In which {number} bears buy {number * 7} loaves.\n" for number in range(400)).encode()
    file = client.files.create(file=("stories.txt", text), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="talker",
        training_file=file.id,
        suffix="tuned",
        seed=1,
        extra_body={"hyperparameters": {"steps": 100_000}},
    )
    assert job.status == "queued" and job.fine_tuned_model is None
    until(lambda: client.fine_tuning.jobs.list_events(job.id).data[1:], seconds=200)
    client.fine_tuning.jobs.pause(job.id)
    assert status(client, job) == "paused"
    waiting = client.fine_tuning.jobs.create(
        model="talker",
        training_file=file.id,
        suffix="short",
        metadata={"team": "a"},
        extra_body={"hyperparameters": {"steps": 2}},
    )
    until(lambda: status(client, waiting) in ("succeeded", "failed"), seconds=200)
    done = client.fine_tuning.jobs.retrieve(waiting.id)
    assert done.status == "succeeded", done.error
    answered = client.chat.completions.create(
        model=done.fine_tuned_model, messages=[{"role": "user", "content": "x"}], max_tokens=3
    )
    assert answered.choices
    client.fine_tuning.jobs.resume(job.id)
    until(lambda: status(client, job) == "running", seconds=100)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="cancelled"):
        client.fine_tuning.jobs.pause(job.id)
    assert [one.id for one in client.fine_tuning.jobs.list()] == [waiting.id, job.id]
    assert [one.id for one in client.fine_tuning.jobs.list(metadata={"team": "a"})] == [waiting.id]
    points = client.fine_tuning.jobs.checkpoints.list(waiting.id).data
    assert all(point.fine_tuned_model_checkpoint.startswith("talker-short") for point in points)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"suffix": "../up"}, "name"),
        ({"training_file": "file-" + "0" * 24}, "there is no"),
        ({"model": "nobody"}, "unknown model"),
        ({"extra_body": {"hyperparameters": {"steps": 0}}}, "above 0"),
        ({"extra_body": {"hyperparameters": {"n_epochs": 3}}}, "steps"),
        ({"extra_body": {"hyperparameters": {"steps": 1, "minutes": 1}}}, "one of them"),
        ({"extra_body": {"method": {"type": "reinforcement"}}}, "supervised"),
        ({"extra_body": {"recipe": "alchemy"}}, "recipe"),
    ],
    ids=str,
)
def test_a_training_that_cannot_be_is_refused_at_once(client, fields, words):
    file = client.files.create(file=("a.txt", b"x"), purpose="fine-tune")
    with pytest.raises(openai.APIStatusError, match=words) as found:
        client.fine_tuning.jobs.create(**{"model": "talker", "training_file": file.id, **fields})
    assert 400 <= found.value.status_code < 500


def test_data_that_teach_nothing_fail_with_the_words_of_the_training(client, server):
    file = client.files.create(file=("a.jsonl", b"no rows"), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="talker", training_file=file.id)
    until(lambda: status(client, job) == "failed", seconds=200)
    assert client.fine_tuning.jobs.retrieve(job.id).error.message
    assert request(server.address, "/v1/fine_tuning/jobs")[0] == 200
