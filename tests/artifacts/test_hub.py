"""A model by its name on the hub: fetched once from a server that speaks the hub's protocol, and explained where there is none."""

import functools
import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="the extra transformers is not installed")

import huggingface_hub

from makar.artifacts.hub import fetch_checkpoint, is_hub_name
from makar.artifacts.load import load_artifact
from makar.errors import ArtifactError, UnknownNameError
from makar.home import home

REVISION = "1" * 40


class Hub(http.server.BaseHTTPRequestHandler):
    """What the hub answers for one repository (https://huggingface.co/docs/hub/api)."""

    address = ""
    files = {}  # noqa: RUF012  # set by the test
    asked = []  # noqa: RUF012

    def do_GET(self):
        """Answer what a model has, or a file."""
        path = self.path.partition("?")[0]
        Hub.asked.append(path)
        if path.startswith("/api/models/fox/small"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in Hub.files.items()]
            body = json.dumps({"_id": "1", "id": "fox/small", "sha": REVISION, "siblings": siblings}).encode()
            if "/tree/" in path:
                rows = [{"type": "file", "path": n, "size": len(d), "oid": "0" * 40} for n, d in Hub.files.items()]
                body = json.dumps(rows).encode()
            self._send(body, "application/json")
        elif path.startswith(f"/fox/small/resolve/{REVISION}/"):
            self._send(Hub.files[path.partition(f"{REVISION}/")[2]], "application/octet-stream")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def _send(self, body, kind):
        self.send_response(200)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Repo-Commit": REVISION}
        for name, value in {**headers, "ETag": f'"{hashlib.sha1(body).hexdigest()}"'}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture
def hub():
    """Return the class of a running hub with a small repository."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Hub.asked = []
    Hub.address = f"http://127.0.0.1:{server.server_port}"
    Hub.files = {
        "config.json": b'{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}',
        "model.safetensors": b"weights",
        "pytorch_model.bin": b"a pickle",
        "modeling.py": b"raise SystemExit",
    }
    yield Hub
    server.shutdown()
    server.server_close()


@pytest.mark.loopback
def test_a_model_is_fetched_once_without_code_and_pickles(hub):
    folder = fetch_checkpoint("fox/small", endpoint=hub.address)
    assert folder == home() / "hub" / "fox--small"
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert kept == {name: hub.files[name] for name in ("config.json", "model.safetensors")}
    count = len(hub.asked)
    assert fetch_checkpoint("fox/small", endpoint=hub.address) == folder and len(hub.asked) == count


@pytest.mark.loopback
def test_how_a_sentence_encoder_makes_vectors_comes_along_and_what_other_programs_need_does_not(hub):
    hub.files |= {"modules.json": b"[]", "1_Pooling/config.json": b"{}", "2_Dense/model.safetensors": b"weights"}
    hub.files |= {"2_Dense/pytorch_model.bin": b"a pickle", "onnx/config.json": b"{}", "onnx/model.onnx": b"graph"}
    folder = fetch_checkpoint("fox/small", endpoint=hub.address)
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    below = {"1_Pooling/config.json", "2_Dense/model.safetensors"}
    assert {name for name in kept if not name.startswith(".")} == {
        "config.json",
        "model.safetensors",
        "modules.json",
        *below,
    }


@pytest.mark.loopback
def test_a_model_that_is_not_there_is_explained(hub):
    with pytest.raises(ArtifactError, match='no model "fox/none"') as caught:
        fetch_checkpoint("fox/none", endpoint=hub.address)
    assert "OWNER/NAME" in caught.value.do
    del hub.files["config.json"]
    with pytest.raises(ArtifactError, match=r"no config\.json"):
        fetch_checkpoint("fox/small", endpoint=hub.address)
    assert not (home() / "hub" / "fox--small").exists()


def test_without_a_network_it_says_what_to_do(monkeypatch):
    nobody = functools.partial(fetch_checkpoint, endpoint="http://127.0.0.1:9")
    monkeypatch.setattr("makar.artifacts.load.fetch_checkpoint", nobody)
    with pytest.raises(ArtifactError, match="hub cannot be reached") as caught:
        load_artifact("gpt2")
    assert "hf download gpt2" in caught.value.do


def test_only_names_of_the_hub_ask_the_hub(monkeypatch, tmp_path):
    def fail(*_args, **_more):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    for name in (
        "gpt",
        "poet",
        "models/poet",
        "./fox/small",
        "../fox",
        "/fox/small",
        "a/b/c",
        "fox/..",
        Path("fox/small"),
    ):
        with pytest.raises(UnknownNameError):
            load_artifact(name)
    assert is_hub_name("fox/small") and is_hub_name("distilbert-base-uncased")
