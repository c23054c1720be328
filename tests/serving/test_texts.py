"""Chat and completions over HTTP with the official client in its strict mode: what comes back, in pieces and whole, and what is refused."""

import ast
import concurrent.futures
import json

import openai
import pytest

import makar
from tests.generation.small_coder import FILE, coder
from tests.serving.server import Server, request, talker, until

pytestmark = pytest.mark.loopback

HELLO = [{"role": "user", "content": "Hello"}]
ENDLESS = {"max_tokens": 100_000, "logit_bias": {"256": -100, str(ord("U")): -100}}
"""Never the token that ends a text, nor what would end it."""
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "look", "description": "looks", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "listen", "parameters": SCHEMA}},
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with two small models: one of bytes, one of code."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
        coder(folder / "models" / "coder", steps=1)
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server of both."""
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


def chat(client, **fields):
    return client.chat.completions.create(
        **{"model": "talker", "messages": HELLO, "max_tokens": 20, "seed": 1, **fields}
    )


def test_models_are_listed_and_described(client, server):
    assert [model.id for model in client.models.list()] == ["coder", "talker"]
    found = client.models.retrieve("talker")
    assert found.owned_by == "makar" and found.medium == "text"
    chat(client)
    assert client.models.retrieve("talker").capabilities["context"] == 512
    with pytest.raises(openai.NotFoundError, match='did you mean "talker"'):
        client.models.retrieve("talkr")
    assert json.loads(request(server.address, "/health")[2])["status"] == "ok"


def test_an_answer_is_the_one_that_the_model_gives_in_python(client, place, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(place))
    made = chat(client, n=2, temperature=1.0)
    model = makar.load("talker")
    options = {"max_tokens": 20, "temperature": 1.0, "stop": ("\nUser:",)}
    alone = [model.generate("User: Hello\nAssistant:", seed=seed, options=options)[0] for seed in (1, 2)]
    assert [choice.message.content for choice in made.choices] == [one.new_text.lstrip() for one in alone]
    assert [one["sha256"] for one in made.makar["assets"]] == [one.hash for one in alone]
    assert made.usage.prompt_tokens == 22 and made.usage.completion_tokens == 40 and made.usage.total_tokens == 62
    assert made.choices[0].finish_reason == "length" and made.system_fingerprint == f"makar-{model.hash[:16]}"


def test_pieces_join_to_the_whole_and_usage_comes_last(client):
    whole = chat(client, n=2)
    said, finished = ["", ""], {}
    chunks = list(chat(client, n=2, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            finished |= {choice.index: choice.finish_reason} if choice.finish_reason else {}
    assert said == [choice.message.content for choice in whole.choices] and finished == {0: "length", 1: "length"}
    assert chunks[0].choices[0].delta.role == "assistant" and len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage and chunks[-2].usage is None


def test_the_bytes_of_a_stream_are_as_the_protocol_wants_them(server):
    body = {"model": "talker", "messages": HELLO, "max_tokens": 3, "stream": True}
    status, headers, content = request(server.address, "/v1/chat/completions", body)
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    events = content.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk" for event in events[:-2])


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"top_p": 0.05},
        {"frequency_penalty": 2.0, "temperature": 0.0},
        {"presence_penalty": 2.0, "temperature": 0.0},
        {"logit_bias": {str(ord("z")): 100}},
        {"max_completion_tokens": 5},
        {"response_format": {"type": "json_object"}},
        {"extra_body": {"top_k": 1}},
        {"extra_body": {"min_p": 0.9}},
        {"extra_body": {"repetition_penalty": 5.0}},
        {"messages": [{"role": "developer", "content": "Be brief."}, *HELLO]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        {"tools": TOOLS},
    ],
    ids=str,
)
def test_every_field_changes_the_answer(client, changes):
    plain = chat(client, temperature=changes.get("temperature", 1.0)).choices[0].message.content
    assert chat(client, **{"temperature": 1.0, **changes}).choices[0].message.content != plain


def test_temperature_and_stop_texts_change_the_answer(client):
    plain = chat(client, temperature=1.0).choices[0].message.content
    assert chat(client, temperature=0.0).choices[0].message.content != plain
    stopped = chat(client, temperature=1.0, stop=plain[6:8]).choices[0]
    assert stopped.message.content == plain[: plain.index(plain[6:8])] and stopped.finish_reason == "stop"


def test_likelihoods_are_given_where_they_are_asked_for(client):
    made = chat(client, logprobs=True, top_logprobs=3).choices[0]
    assert len(made.logprobs.content) == 20 and all(len(one.top_logprobs) == 3 for one in made.logprobs.content)
    assert bytes(part for one in made.logprobs.content for part in one.bytes).decode("utf-8", "replace").lstrip() == (
        made.message.content
    )
    assert chat(client).choices[0].logprobs is None
    streamed = [chunk.choices[0].logprobs for chunk in chat(client, logprobs=True, stream=True) if chunk.choices]
    assert sum(len(one.content) for one in streamed if one and one.content) == 20


def test_an_answer_keeps_the_schema_that_was_asked_for(client):
    form = {"type": "json_schema", "json_schema": {"name": "counted", "strict": True, "schema": SCHEMA}}
    for seed in range(3):
        made = chat(client, response_format=form, max_tokens=80, seed=seed)
        assert isinstance(json.loads(made.choices[0].message.content)["count"], int)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "listen"}}])
def test_a_forced_call_can_always_be_read(client, choice):
    made = chat(client, tools=TOOLS, tool_choice=choice, max_tokens=120).choices[0]
    (call,) = made.message.tool_calls
    assert made.finish_reason == "tool_calls" and made.message.content is None
    assert call.function.name == ("listen" if isinstance(choice, dict) else call.function.name)
    assert isinstance(json.loads(call.function.arguments)["count"], int)
    chunks = list(chat(client, tools=TOOLS, tool_choice=choice, max_tokens=120, stream=True))
    (delta,) = [chunk.choices[0].delta.tool_calls[0] for chunk in chunks if chunk.choices[0].delta.tool_calls]
    assert delta.function.arguments == call.function.arguments and chunks[-1].choices[0].finish_reason == "tool_calls"
    answered = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "42"},
    ]
    assert chat(client, messages=answered, tools=TOOLS).choices[0].message.content


def test_the_helpers_of_the_client_work_on_top(client):
    import pydantic

    class Counted(pydantic.BaseModel):
        count: int

    made = client.chat.completions.parse(
        model="talker", messages=HELLO, response_format=Counted, max_tokens=80, temperature=1
    )
    assert isinstance(made.choices[0].message.parsed.count, int)
    with client.chat.completions.stream(model="talker", messages=HELLO, max_tokens=8, seed=1) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
    assert said == stream.current_completion_snapshot.choices[0].message.content != ""


def test_a_text_goes_on_from_text_or_tokens_with_echo_and_likelihoods(client):
    made = client.completions.create(model="talker", prompt=["Hello", [72, 105]], max_tokens=4, n=2, echo=True, seed=0)
    texts = [choice.text for choice in made.choices]
    assert [text[:5] for text in texts[:2]] == ["Hello"] * 2 and all(text.startswith("Hi") for text in texts[2:])
    assert made.usage.prompt_tokens == 7 and made.usage.completion_tokens == 16
    judged = client.completions.create(model="talker", prompt="Hello", max_tokens=0, echo=True, logprobs=1).choices[0]
    assert judged.text == "Hello" and judged.logprobs.tokens == list("Hello")
    assert judged.logprobs.text_offset == [0, 1, 2, 3, 4] and all(one < 0 for one in judged.logprobs.token_logprobs)
    # The client's own types want a reason to end in every piece, which neither OpenAI nor anybody else sends.
    lenient = openai.OpenAI(base_url=client.base_url, api_key="none")
    streamed = lenient.completions.create(model="talker", prompt="Hello", max_tokens=4, seed=0, echo=True, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == texts[0]
    usual = client.completions.create(model="talker", prompt="Hello", seed=0)
    assert usual.usage.completion_tokens == 16


def test_a_prompt_longer_than_the_context_is_said_to_be_cut(client):
    for prompt, cut in (("Hello", None), ("Hello" * 200, "true")):
        raw = client.completions.with_raw_response.create(model="talker", prompt=prompt, max_tokens=1, seed=0)
        assert raw.headers.get("x-makar-cut") == cut


def test_a_suffix_asks_to_fill_the_hole(client, place, monkeypatch, tmp_path):
    before, after = FILE.split("    b = a + 1\n")
    made = client.completions.create(model="coder", prompt=before, suffix=after, max_tokens=12, temperature=0)
    monkeypatch.setenv("MAKAR_HOME", str(place))
    (tmp_path / "code.py").write_text(f"{before}<FILL_ME>{after}", encoding="utf-8")
    (alone,) = makar.load("coder").edit(tmp_path / "code.py", how={"infill": True}, options={"max_tokens": 12})
    assert made.choices[0].text == alone.new_text and made.makar["assets"][0]["sha256"] == alone.hash
    with pytest.raises(openai.BadRequestError, match="code"):
        client.completions.create(model="talker", prompt=before, suffix=after)


def test_code_keeps_to_its_syntax_over_http(client, place, monkeypatch):
    prompt, asked = "def f(x):\n    return ", {"controls": {"syntax": "python"}, "manifest": True}
    fields = {"model": "coder", "prompt": prompt, "max_tokens": 12, "temperature": 1.0, "seed": 3}
    made = client.completions.create(**fields, extra_body=asked)
    ast.parse(prompt + made.choices[0].text)
    assert made.makar["manifests"][0]["manifest"]["syntax"]["is_whole"]
    monkeypatch.setenv("MAKAR_HOME", str(place))
    options = {"max_tokens": 12, "temperature": 1.0, "syntax": "python"}
    (alone,) = makar.load("coder").generate(prompt, seed=3, options=options)
    assert made.choices[0].text == alone.new_text
    for wrong, words in (({"prompt": "def f(x) y"}, "cannot begin python"), ({"suffix": "\n"}, "a hole filled")):
        with pytest.raises(openai.BadRequestError, match=words):
            client.completions.create(**{**fields, **wrong}, extra_body=asked)


def test_what_the_client_sends_beyond_is_named(client):
    made = client.chat.completions.with_raw_response.create(
        model="talker", messages=HELLO, max_tokens=2, user="me", extra_body={"colour": 1, "manifest": True}
    )
    assert made.headers["x-makar-ignored"] == "colour, user" and made.headers["x-request-id"].startswith("req_")
    signed = made.parse().makar["manifests"][0]
    assert signed["manifest"]["id"] == made.parse().makar["assets"][0]["asset"] and signed["signature"]


@pytest.mark.parametrize(
    "name, shown",
    [
        (" \x8aF", '" \\x8aF"'),
        ("", '""'),
        ("a,b", '"a,b"'),
        ("x\r\nset-cookie: y", '"x\\r\\nset-cookie: y"'),
        ("\t", '"\\t"'),
    ],
)
def test_whatever_the_client_sends_beyond_can_be_named_in_a_header(client, name, shown):
    made = client.moderations.with_raw_response.create(input="Hello", extra_body={name: 1})
    assert made.headers["x-makar-ignored"] == shown and "set-cookie" not in made.headers


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"temperature": 3}, "at most 2"),
        ({"n": 0}, "at least 1"),
        ({"stop": [""]}, "stop"),
        ({"messages": []}, "0 messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
        ({"messages": [{"role": "user"}]}, "content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
            "pict",
        ),
        ({"modalities": ["audio"]}, "text"),
        ({"logit_bias": {"9999": 1}}, "below 257"),
        ({"response_format": {"type": "xml"}}, "json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "schema"),
        ({"tool_choice": "required"}, "without tools"),
        ({"tools": [{"type": "web_search"}]}, "function"),
        ({"logprobs": True, "top_logprobs": 21}, "at most 20"),
        ({"top_logprobs": 2}, "without logprobs"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"messages": "Hello"}, "list"),
        ({"max_completion_tokens": 3, "response_format": {"type": "json_schema", "schema": SCHEMA}}, "tokens at least"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_with_400(client, fields, words):
    for is_streamed in (False, True):
        with pytest.raises(openai.BadRequestError, match=words) as found:
            chat(client, stream=is_streamed, **fields)
        assert found.value.type == "invalid_request_error" and found.value.code


def test_texts_at_once_are_the_texts_one_by_one(client):
    alone = [chat(client, seed=seed).choices[0].message.content for seed in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        together = pool.map(lambda seed: chat(client, seed=seed).choices[0].message.content, range(6))
        assert list(together) == alone


def test_a_client_that_goes_stops_the_work(client, server):
    def cancelled():
        text = request(server.address, "/metrics")[2].decode()
        busy = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("makar_model_busy")]
        return int(text.split("\nmakar_cancelled_total ")[1].split("\n")[0]), sum(busy)

    before = cancelled()[0]
    with chat(client, stream=True, **ENDLESS) as stream:
        next(stream)
        assert cancelled()[1] == 1
    until(lambda: cancelled() == (before + 1, 0))
    with pytest.raises(openai.APITimeoutError):
        chat(client, timeout=0.5, **ENDLESS)
    until(lambda: cancelled() == (before + 2, 0))


def test_turns_that_do_not_fit_are_left_out_and_it_is_said(client):
    turns = [
        {"role": role, "content": f"{number} " + "long " * 15} for number in range(6) for role in ("user", "assistant")
    ]
    made = client.chat.completions.with_raw_response.create(
        model="talker", messages=[*turns, *HELLO], max_tokens=4, seed=1
    )
    left_out = int(made.headers["x-makar-left-out-turns"])
    assert left_out % 2 == 0 and made.parse().makar["left_out_turns"] == left_out > 0
