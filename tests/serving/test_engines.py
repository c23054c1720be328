"""Engines: which one a model has follows from what it is, the choice is explained, and what does not fit or is not installed is refused."""

import importlib.util
import json

import pytest

from makar import registry
from makar.errors import MissingExtraError, UnsupportedError, UsageError
from makar.generation.library import Entry, Library
from makar.serving.engines import AUTO, BESIDE, ENGINES, Choice, check_engine, check_runs, choose, reason
from makar.serving.places import place_of
from makar.serving.pool import Pool
from tests.serving.server import ROOT, Server, request, talker

FACTS = {"medium": "text", "parameters": 12_600_000, "together": True, "reads": False, "hash": "ab"}


def pool(*models, **more):
    return Pool(models, options={}, memory_bytes=1 << 40, most_waiting=1, **more)


@pytest.fixture
def places(own_folder):
    """Return a home with a model of ours, a checkpoint and a pipeline, as far as a list of models looks into them."""
    talker(own_folder / "models" / "ours")
    for name, mark in (("checkpoint", "config.json"), ("pipeline", "model_index.json")):
        (own_folder / "models" / name).mkdir()
        (own_folder / "models" / name / mark).write_text("{}", encoding="utf-8")
    return own_folder


def test_every_family_names_an_engine_that_there_is():
    found = {kind: registry.config_class(kind).engine for kind in registry.BUILT_IN["families"]}
    assert set(found.values()) == set(ENGINES) - set(BESIDE)
    others = {kind for kind in found if kind.startswith("pretrained")} | {"remote"}
    assert {kind for kind, engine in found.items() if engine != "torch"} == others


def test_what_a_model_is_decides_what_runs_it(places):
    found = {name: place_of(name).engine for name in ("ours", "checkpoint", "pipeline", "openai:theirs")}
    assert found == {
        "ours": "torch",
        "checkpoint": "transformers",
        "pipeline": "diffusers",
        "openai:theirs": "endpoint",
    }


def test_a_model_that_an_engine_does_not_run_is_left_out_or_refused_when_it_was_named(places):
    assert [place.name for place in pool().places] == ["checkpoint", "ours", "pipeline"]
    assert [place.name for place in pool(engine="torch").places] == ["ours"]
    assert [place.name for place in pool("ours", engine="torch").places] == ["ours"]
    with pytest.raises(UnsupportedError, match="transformers, which runs it") as found:
        pool("checkpoint", engine="torch")
    assert "makar import" in str(found.value.do)
    assert [place.name for place in pool(engine="llama.cpp").places] == ["ours"]
    with pytest.raises(UnsupportedError, match="layout mainstream"):
        pool("checkpoint", engine="llama.cpp")
    assert [place.name for place in pool(engine="openvino").places] == ["ours"]


def test_an_engine_that_is_not_here_is_said_with_what_to_do(monkeypatch):
    for name in (AUTO, "torch"):
        check_engine(name)
    with pytest.raises(UsageError, match="vllm") as unknown:
        check_engine("vllm")
    assert "torch, transformers" in unknown.value.expected and "--base-url" in unknown.value.do
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name, extra in (("transformers", "transformers"), ("llama.cpp", "llamacpp"), ("openvino", "openvino")):
        with pytest.raises(MissingExtraError) as absent:
            check_engine(name)
        assert f"makar[{extra}]" in absent.value.do
    check_runs(AUTO, ("torch",), "ours")


def test_auto_weighs_what_is_installed_and_what_was_measured(monkeypatch):
    engines = ("torch", "llama.cpp", "openvino")
    assert choose(AUTO, ("torch",), {}) == Choice(engine="torch")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    absent = choose(AUTO, engines, {"torch": 0.1, "llama.cpp": 0.01})
    assert absent.engine == "torch" and "llama.cpp and openvino would run it too and are not installed" in absent.why
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    unknown = choose(AUTO, engines, {"torch": 0.1, "llama.cpp": None})
    assert unknown.engine == "torch" and "--engine llama.cpp and --engine openvino are compared once" in unknown.why
    # Without the pace of its own engine nothing says that another is faster.
    assert choose(AUTO, engines, {"torch": None, "llama.cpp": 0.01, "openvino": 0.02}).engine == "torch"
    faster = choose(AUTO, engines, {"torch": 0.1, "llama.cpp": 0.01})
    assert faster.engine == "llama.cpp" and "--engine openvino is compared once" in faster.why
    assert choose(AUTO, engines, {"torch": 0.1, "llama.cpp": 0.03, "openvino": 0.02}).engine == "openvino"
    slower = choose(AUTO, engines, {"torch": 0.01, "llama.cpp": 0.1, "openvino": 0.05})
    assert slower.engine == "torch" and "10 of llama.cpp, 20 of openvino" in slower.why
    assert choose("llama.cpp", engines, {"torch": 0.01, "llama.cpp": 0.1}).engine == "llama.cpp"


@pytest.mark.parametrize(
    "own, changes, pace, words",
    [
        ("torch", {}, 0.0005, ("engine torch", "what Makar saved", "12.6 M weights", "running batch", "2000 tokens a")),
        ("torch", {"medium": "image", "together": False}, 0.25, ("answered in turn", "0.25 seconds a step")),
        ("transformers", {"together": False}, None, ("checkpoints of transformers", "known after the first")),
        ("endpoint", {}, None, ("http://engine/v1", "nothing is computed here")),
    ],
)
def test_the_choice_is_explained_in_one_line(own, changes, pace, words):
    address = "http://engine/v1" if own == "endpoint" else None
    line = reason(Choice(engine=own, why="said\nin words"), FACTS | changes, pace=pace, address=address)
    assert "\n" not in line and all(word in line for word in words), line


@pytest.mark.slow
@pytest.mark.loopback
def test_an_engine_that_auto_chose_and_that_does_not_work_gives_way_to_the_own_one(own_folder, tmp_path):
    artifact = talker(own_folder / "models" / "ours")
    library = Library(own_folder / "library.sqlite")
    for number, (engine, seconds) in enumerate((("llama.cpp", 1.0), (None, 9.0))):
        manifest = {"id": f"{number:032x}", "artifact": {"hash": artifact.hash}, "medium": "text", "seed": 0, "run": ""}
        manifest |= {"computing": {"engine": engine}} if engine else {}
        said = {"model": "ours", "kind": "create", "prompt": "", "content": b"x", "type": "text/plain"}
        library.keep(Entry(signed={"manifest": manifest, "signature": {}}, seconds=seconds, work=10, **said))
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    server = Server(own_folder, "ours", environment={"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"})
    try:
        found = json.loads(request(server.address, "/makar/v1/models/ours/description")[2])["engine"]
        assert found["name"] == "torch" and "llama.cpp does not" in found["why"] and "broken" in found["why"]
    finally:
        assert server.stop() == 0
