"""A server behind the server: the answers are those of the engine behind, its errors are told, and what it cannot do is refused.

The engine is a second server of our own; vLLM, the server of llama.cpp or any other is asked alike.
"""

import concurrent.futures

import openai
import pytest

from tests.serving.server import Server, talker

pytestmark = pytest.mark.loopback
HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
ASKED = {"model": "talker", "messages": HELLO, "temperature": 0, "max_tokens": 12}


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """Return a server with a small model of bytes."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
    running = Server(folder)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, behind):
    """Return a server that has no model but the one behind it."""
    running = Server(tmp_path_factory.mktemp("empty"), "openai:talker", "--base-url", f"{behind.address}/v1")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


def asking(server):
    return openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    )


def test_answers_are_those_of_the_engine_behind(server, behind):
    with asking(server) as front, asking(behind) as engine:
        assert [model.id for model in front.models.list()] == ["talker"]
        wanted = engine.chat.completions.create(**ASKED)
        made = front.chat.completions.create(**ASKED)
        assert made.choices[0].message.content == wanted.choices[0].message.content
        assert made.usage.completion_tokens == wanted.usage.completion_tokens == 12
        streamed = front.chat.completions.create(**ASKED, stream=True)
        text = "".join(piece.choices[0].delta.content or "" for piece in streamed if piece.choices)
        assert text == wanted.choices[0].message.content
        # without chance on both sides: a draw may end before its first letter
        short = {"model": "talker", "input": "Hello", "max_output_tokens": 5, "temperature": 0}
        text = front.responses.create(**short).output_text
        assert text == engine.responses.create(**short).output_text


def test_many_at_once_get_their_own_answers(server):
    with asking(server) as front:

        def asked(word):
            messages = [{"role": "user", "content": word}]
            return front.chat.completions.create(**{**ASKED, "messages": messages}).choices[0].message.content

        words = [f"Word {number}" for number in range(6)]
        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            assert list(threads.map(asked, words)) == [asked(word) for word in words]


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": True},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
        {"extra_body": {"top_k": 3}},
    ],
    ids=["likelihoods", "form", "control"],
)
def test_what_cannot_be_asked_of_an_engine_behind_is_refused(server, fields):
    with asking(server) as front, pytest.raises(openai.BadRequestError):
        front.chat.completions.create(**ASKED, **fields)


def test_an_engine_that_refuses_is_told(tmp_path, behind):
    unknown = Server(tmp_path, "openai:nobody", "--base-url", f"{behind.address}/v1")
    with asking(unknown) as front, pytest.raises(openai.APIStatusError, match="nobody") as found:
        front.chat.completions.create(**{**ASKED, "model": "nobody"})
    assert found.value.status_code == 502 and unknown.stop() == 0


# Ten seconds of asking again.
@pytest.mark.slow
def test_an_engine_that_is_gone_is_told(tmp_path):
    gone = Server(tmp_path, "openai:talker", "--base-url", "http://127.0.0.1:9/v1")
    with asking(gone) as front, pytest.raises(openai.APIStatusError) as found:
        front.chat.completions.create(**ASKED)
    assert found.value.status_code == 502 and gone.stop() == 0
