"""Other engines in the server: the official client gets streams, likelihoods, forms and stops as from every engine, and can stop early."""

import importlib.util
import json

import openai
import pytest

from tests.serving.server import Server, request, talker, until

pytestmark = pytest.mark.loopback
ENGINES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(package) is None,
            reason=f"{package} is not installed: pip install 'makar[{extra}]'",
        ),
    )
    for name, package, extra in (("llama.cpp", "llama_cpp", "llamacpp"), ("openvino", "openvino", "openvino"))
]
HELLO = [{"role": "user", "content": "Hello"}]
ASKED = {"model": "talker", "messages": HELLO, "temperature": 0, "max_tokens": 12, "seed": 1}
ENDLESS = {"max_tokens": 100_000, "logit_bias": {"256": -100, str(ord("U")): -100}}


@pytest.fixture(scope="module", params=ENGINES)
def served(request, tmp_path_factory):
    """Return the name of an engine, and a server whose one model it computes."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
    running = Server(folder, "talker", "--engine", request.param)
    yield request.param, running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


def test_another_engine_does_what_every_engine_does(served):
    engine, server = served
    with openai.OpenAI(base_url=server.address + "/v1", api_key="none", max_retries=0) as client:
        made = client.chat.completions.create(**ASKED, logprobs=True, top_logprobs=2)
        text = made.choices[0].message.content
        assert len(made.choices[0].logprobs.content) == 12
        streamed = client.chat.completions.create(**ASKED, stream=True)
        assert "".join(piece.choices[0].delta.content or "" for piece in streamed if piece.choices) == text
        drawn = {**ASKED, "temperature": 1.0, "top_p": 0.9, "seed": 7}
        first, second = (client.chat.completions.create(**drawn).choices[0].message.content for _ in range(2))
        assert first == second
        endless = client.chat.completions.create(**{**ASKED, **ENDLESS}, stream=True)
        next(iter(endless))
        endless.close()
        until(lambda: b'makar_model_busy{model="talker"} 0' in request(server.address, "/metrics")[2])
    said = json.loads(request(server.address, "/makar/v1/models/talker/description")[2])["engine"]
    assert said["name"] == engine and "as --engine says" in said["why"] and "\n" not in said["why"]
    assert any(f"engine {engine}: it runs" in line for line in server.said)
