"""Models behind endpoints: streams of several companies, counts and cost, patience, faults in words; the key stays where it is."""

import json
import socket
import time

import pytest

pytest.importorskip("openai", reason="the extra remote is not installed")

import makar
from makar.api.labels import label
from makar.api.model import load
from makar.errors import ConfigError, RemoteError, UnsupportedError
from makar.evaluation.prompt_scores import Case, PromptJudge
from makar.families.remote.config import RemoteConfig
from tests.cli.small_models import see
from tests.families.remote import endpoint

TEXT = "".join(endpoint.TOKENS)
KEY = "sk-very-secret-0123456789"
PATIENT = {"retries": 0, "timeout_seconds": 5.0}

pytestmark = pytest.mark.loopback


@pytest.fixture
def server():
    """Return a running endpoint."""
    running = endpoint.start()
    yield running
    running.ending.set()
    running.shutdown()
    running.server_close()


def asked(server, name, prompt="Who?", **options):
    """Ask a model of the endpoint, and return the asset."""
    return load(f"openai:{name}", base_url=server.url).generate(prompt, seed=7, options={**PATIENT, **options})[0]


@pytest.mark.parametrize("company", ["openai", "google", "anthropic"])
def test_the_answer_and_what_it_took(company, server):
    asset = asked(server, company, max_tokens=50, temperature=0.5, stop=("END",))
    assert asset.content == asset.new_text == TEXT and asset.manifest["prompt"] == "Who?"
    service = asset.manifest["service"]
    assert (service["input_tokens"], service["output_tokens"], service["finish"]) == (9, 5, "stop")
    assert service["answered_by"] == f"{company}-2026" and service["name"] == company and "cost" not in service
    assert service["is_repeatable"] is False and service["base_url"] == server.url
    ((_, body, _),) = server.asked
    assert body["messages"] == [{"role": "user", "content": "Who?"}] and body["seed"] == 7
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (50, 0.5, ["END"]) and "top_p" not in body


def test_questions_are_put_to_an_endpoint_with_answers_to_choose_from(server, tmp_path):
    table = tmp_path / "questions.csv"
    table.write_text(
        "Question,Best Answer,Correct Answers,Incorrect Answers\n"
        f"Who is it?,{TEXT},{TEXT},nobody; everybody\nIs the earth flat?,no,no; not at all,yes; somewhat\n"
    )
    arguments = ["evaluate", "openai:openai", str(table), "--suite", "truthful", "--base-url", server.url]
    found = json.loads(see(*arguments, "-o", tmp_path / "report", "--json").output)
    # What it says is the true answer of the first question, and none of the second's.
    assert found["scores"]["chosen"]["value"] == 0.5
    assert found["scores"]["chosen"]["baselines"]["knows nothing"]["value"] == pytest.approx(1 / 3)
    assert "Of 1 of its answers nobody can tell" in " ".join(found["verdict"])
    (first, second) = (body["messages"][0]["content"] for _, body, _ in server.asked)
    assert first.startswith("Who is it?\n\nA. ") and "\nC. " in first and "somewhat" in second


def test_pieces_come_as_they_are_made_and_the_cost_is_stated(server):
    model = load("openai:openai", base_url=server.url)
    *pieces, asset = model.stream("Who?", options={**PATIENT, "input_price": 2.0, "output_price": 10.0})
    assert pieces == list(endpoint.TOKENS)
    assert asset.manifest["service"]["cost"] == pytest.approx((9 * 2 + 5 * 10) / 1e6)


def test_a_stream_in_the_shell_is_the_answer_alone(server):
    seen = see("generate", "openai:openai", "Who?", "--stream", "--base-url", server.url)
    assert seen.output == TEXT + "\n"


def test_a_conversation_is_sent_as_turns(server):
    talk = load("openai:google", base_url=server.url).chat(system="Be brief.", options=PATIENT)
    talk.reply("Who?"), talk.reply("And?")
    told, who, answer = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": TEXT},
    )
    assert server.asked[1][1]["messages"] == [told, who, answer, {"role": "user", "content": "And?"}]
    assert "stop" not in server.asked[1][1]


def test_a_busy_endpoint_is_asked_again_and_given_up_in_the_end(server):
    assert asked(server, "busy-2", retries=3).content == TEXT and len(server.asked) == 3
    server.asked.clear()
    with pytest.raises(RemoteError, match=r"limits the rate, 2 times: .*slow down") as caught:
        asked(server, "busy-9", retries=1)
    assert len(server.asked) == 2 and "requests_per_minute" in caught.value.do


def test_requests_go_out_no_faster_than_asked_for(server):
    model = load("openai:google", base_url=server.url)
    model.generate(["a", "b"], options={**PATIENT, "requests_per_minute": 300.0})
    times = [one[2] for one in server.asked]
    # A fifth of a second between them when they are sent; on a busy machine the first arrives late.
    assert times[1] - times[0] >= 0.1


def test_the_pace_is_kept_from_one_request_to_the_next(server):
    model = load("openai:google", base_url=server.url)
    started = time.monotonic()
    for _ in range(3):
        model.generate("a", options={**PATIENT, "requests_per_minute": 300.0})
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    "name, words",
    [
        ("unknown", 'has no model "unknown"'),
        ("refuses", "refuses the key"),
        ("picky", "cannot honour the request: .*seed"),
        ("broken", "broke, once: 500"),
        ("html", "no answer: nothing"),
        ("garbage", "what is no answer"),
        ("empty", "no answer: nothing"),
        ("odd", "what is no answer"),
        ("list", "what is no answer"),
        ("filtered", "its filter kept it back"),
        ("thinks", "tokens before it answered"),
    ],
)
def test_what_goes_wrong_is_said(name, words, server):
    with pytest.raises(RemoteError, match=words):
        asked(server, name)


def test_an_endpoint_that_is_slow_stalls_or_is_not_there(server):
    for name in ("slow", "stalls"):
        with pytest.raises(RemoteError, match=r"silent for 0\.2 s|cannot be reached"):
            asked(server, name, timeout_seconds=0.2)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(RemoteError, match="cannot be reached"):
            load("openai:x", base_url=address).generate("Who?", options=PATIENT)


def test_the_key_is_sent_and_nowhere_else_to_be_found(server, monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_REMOTE_KEY", KEY)
    for other in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(other, "sk-of-another-company")
    words = ["generate", "openai:google", "Who?", "--base-url", server.url, "-o", tmp_path / "out", "--json"]
    seen = see(*words)
    assert seen.values[0]["content"] == TEXT
    sent = {name.lower(): value for name, value in server.asked[0][0].items()}
    assert sent["authorization"] == f"Bearer {KEY}"
    failed = see("generate", "openai:refuses", "Who?", "--base-url", server.url, "--set", "retries=0", code=1)
    everything = seen.output + seen.messages + failed.output + failed.messages + json.dumps(seen.values)
    everything += "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())
    everything += "".join(
        path.read_text(encoding="utf-8", errors="replace") for path in makar.home.home().rglob("*") if path.is_file()
    )
    assert "secret" not in everything and "another-company" not in everything
    assert "another-company" not in json.dumps(server.asked[0][0])


def test_a_key_goes_to_its_own_company_only_and_never_unencrypted(monkeypatch):
    names = {
        "https://api.openai.com/v1": "OPENAI_API_KEY",
        "https://api.anthropic.com/v1": "ANTHROPIC_API_KEY",
        "https://generativelanguage.googleapis.com/v1beta/openai": "GEMINI_API_KEY",
        "https://openai.com.example.org/v1": "MAKAR_REMOTE_KEY",
        "http://10.0.0.3:8000/v1": "MAKAR_REMOTE_KEY",
    }
    assert {url: RemoteConfig(base_url=url).key_name for url in names} == names
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(RemoteError, match="OPENAI_API_KEY is not set"):
        load("openai:gpt-4o").generate("Who?")
    monkeypatch.setenv("MAKAR_REMOTE_KEY", KEY)
    with pytest.raises(UnsupportedError, match="unencrypted"):
        load("openai:x", base_url="http://10.0.0.3:8000/v1").generate("Who?")


@pytest.mark.parametrize(
    "name, url",
    [
        ("openai:", None),
        ("openai:x", "ftp://host/v1"),
        ("openai:x", "host/v1"),
        ("openai:x", "https://me:pw@host/v1"),
        ("openai:x", "https://host/v1?key=3"),
    ],
)
def test_an_address_that_is_none_is_refused(name, url):
    with pytest.raises(ConfigError):
        load(name, base_url=url)


def test_what_cannot_be_done_from_afar_is_refused(server, tmp_path):
    model = load("openai:google", base_url=server.url)
    with pytest.raises(UnsupportedError, match="nothing was asked"):
        model.generate()
    with pytest.raises(UnsupportedError, match="not on this machine"):
        model.export(tmp_path / "out", to="transformers")
    with pytest.raises(UnsupportedError, match='no control "top_k"'):
        model.generate("Who?", options={"top_k": 3})
    for refused in (model.artifact.family().phases, model.artifact.family().onnx_parts):
        with pytest.raises(UnsupportedError, match="not on this machine"):
            refused()
    (tmp_path / "one.txt").write_text("the rain in london. " * 20, encoding="utf-8")
    with pytest.raises(UnsupportedError, match="measured"):
        model.evaluate(tmp_path / "one.txt", folder=tmp_path / "report")
    with pytest.raises(UnsupportedError, match="an address for poe"):
        load("poe", base_url=server.url)
    assert not server.asked


def test_it_says_no_likelihood_and_writes_labels(server):
    model = load("openai:openai", base_url=server.url)
    with pytest.raises(UnsupportedError, match="how likely"):
        label(model, ["x"], labels="a,b")
    cases = [Case(values={"text": "x"}, expected=expected) for expected in (TEXT, "a")]
    judge = PromptJudge(model.artifact, labels=("a", TEXT))
    assert judge.score(makar.prompt("classify"), cases).right == (True, False)


def test_other_settings_of_patience_are_sent(server):
    asked(server, "google", sends_seed=False, top_p=0.3)
    assert "seed" not in server.asked[0][1] and server.asked[0][1]["top_p"] == 0.3


def test_an_asset_is_verified_as_far_as_it_can_be(server, tmp_path):
    found = makar.verify(asked(server, "google").save(tmp_path / "fox.txt"))
    assert found.is_intact and not found.is_complete
