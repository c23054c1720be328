"""Runs in the environment of the clients: the official client of the other major, in its strict mode, on every route that it knows."""

import io
import json
import sys
import time

import openai

ADDRESS = sys.argv[1]
HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}}
ROWS = b'{"custom_id": "1", "method": "POST", "url": "/v1/moderations", "body": {"input": "x"}}\n'


def calls(client):
    """Yield the name of every call, after it was made."""
    asked = {"model": "talker", "max_tokens": 8, "seed": 1}
    assert {model.id for model in client.models.list()} >= {"talker", "finder", "painter"}
    yield "models"
    chat = client.chat.completions.create(messages=HELLO, n=2, logprobs=True, top_logprobs=2, **asked)
    assert len(chat.choices) == 2 and chat.choices[0].logprobs.content
    yield "chat"
    pieces = list(
        client.chat.completions.create(messages=HELLO, stream=True, stream_options={"include_usage": True}, **asked)
    )
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text == chat.choices[0].message.content and pieces[-1].usage.completion_tokens == 8
    yield "chat stream"
    called = client.chat.completions.create(
        messages=HELLO, tools=[TOOL], tool_choice="required", **{**asked, "max_tokens": 90}
    )
    assert isinstance(json.loads(called.choices[0].message.tool_calls[0].function.arguments)["count"], int)
    yield "chat tools"
    form = {"type": "json_schema", "json_schema": {"name": "counted", "schema": SCHEMA, "strict": True}}
    with client.chat.completions.stream(messages=HELLO, response_format=form, **{**asked, "max_tokens": 60}) as stream:
        assert isinstance(json.loads(stream.get_final_completion().choices[0].message.content)["count"], int)
    yield "chat stream helper"
    made = client.chat.completions.create(messages=HELLO, response_format=form, **{**asked, "max_tokens": 60})
    assert isinstance(json.loads(made.choices[0].message.content)["count"], int)
    yield "chat schema"
    written = client.completions.create(prompt="Hello", echo=True, **asked)
    assert written.choices[0].text.startswith("Hello")
    assert client.completions.create(prompt=[72, 101], **asked).choices
    yield "completions"
    response = client.responses.create(model="talker", input="Hello", max_output_tokens=8)
    assert client.responses.retrieve(response.id).output_text == response.output_text
    assert client.responses.create(model="talker", input="x", previous_response_id=response.id, max_output_tokens=2).id
    assert list(client.responses.input_items.list(response.id))
    yield "responses"
    events = list(client.responses.create(model="talker", input="Hello", max_output_tokens=8, stream=True))
    assert events[-1].type in ("response.completed", "response.incomplete")
    yield "responses stream"
    # Where nothing is said, the client asks for base64 and reads it itself, but in its strict mode it looks before it reads.
    wanted = client.embeddings.create(model="finder", input=["a fox"], encoding_format="float").data[0].embedding
    with openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="none", max_retries=0) as usual:
        found = usual.embeddings.create(model="finder", input=["a fox"]).data[0].embedding
    assert len(found) == len(wanted) > 2 and max(abs(one - other) for one, other in zip(found, wanted)) < 1e-6
    yield "embeddings"
    extra = {"seed": 3, "steps": 2, "guidance": 1.0}
    assert client.images.generate(model="painter", prompt="fox", extra_body=extra).data[0].b64_json
    yield "images"
    assert client.moderations.create(input="I will kill you").results[0].flagged
    yield "moderations"
    file = client.files.create(file=("rows.jsonl", io.BytesIO(ROWS)), purpose="batch")
    assert client.files.content(file.id).read() == ROWS and [one.id for one in client.files.list(limit=1).data] == [
        file.id
    ]
    yield "files"
    store = client.vector_stores.create(name="one")
    made = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("fox.txt", b"A fox sleeps in its den.")
    )
    assert (
        made.status == "completed" and client.vector_stores.search(store.id, query="den").data[0].filename == "fox.txt"
    )
    tool = {"type": "file_search", "vector_store_ids": [store.id]}
    answer = client.responses.create(model="makar-documents", input="Where does the fox sleep?", tools=[tool])
    assert answer.output[1].content[0].annotations[0].filename == "fox.txt"
    yield "vector stores"
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/moderations", completion_window="24h")
    end = time.monotonic() + 60
    while client.batches.retrieve(batch.id).status not in ("completed", "failed") and time.monotonic() < end:
        time.sleep(0.2)
    assert client.batches.retrieve(batch.id).request_counts.completed == 1
    yield "batches"
    criterion = {"type": "string_check", "name": "same", "input": "{{item.a}}", "reference": "x", "operation": "eq"}
    config = {"type": "custom", "item_schema": {"type": "object"}}
    made = client.evals.create(data_source_config=config, testing_criteria=[criterion])
    content = {"type": "file_content", "content": [{"item": {"a": "x"}}]}
    run = client.evals.runs.create(made.id, data_source={"type": "jsonl", "source": content})
    while client.evals.runs.retrieve(run.id, eval_id=made.id).status != "completed" and time.monotonic() < end:
        time.sleep(0.2)
    assert client.evals.runs.retrieve(run.id, eval_id=made.id).result_counts.passed == 1
    yield "evals"
    assert client.fine_tuning.jobs.list().data == []
    yield "fine tuning"
    try:
        client.audio.speech.create(model="talker", input="x", voice="alloy")
    except openai.NotFoundError as error:
        assert "no model of speech" in str(error)
        yield "what is not offered"


with openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="none", max_retries=0, _strict_response_validation=True) as made:
    print(json.dumps({"version": openai.__version__, "calls": list(calls(made))}))
