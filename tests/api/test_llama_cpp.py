"""Every engine passes one test: the numbers and the text of the plain network; what an engine is given is written once and checked."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch

pytest.importorskip("gguf", reason="the extra gguf is not installed")

import makar
from makar.api.engines import use_engine
from makar.artifacts.engine_file import RECORD, engine_file
from makar.errors import MakarError, MissingExtraError, UnknownNameError, UnsupportedError
from makar.families.transformer import llama_reader
from makar.families.transformer.reading import WeightsReader
from makar.home import home
from makar.tensor_spec import TARGET
from tests.serving.server import talker

IS_HERE = importlib.util.find_spec("llama_cpp") is not None
ABSENT = pytest.mark.skipif(not IS_HERE, reason="llama-cpp-python is not installed: pip install 'makar[llamacpp]'")
ENGINES = ["torch", pytest.param("llama.cpp", marks=ABSENT)]
GREEDY = {"temperature": 0, "max_tokens": 24}
PROMPTS = ["Hello", "To be, or not to be, that is the question: " * 4]
TOLERANCE = 5e-3
"""Of logits whose spread is about 1, in float32; measured: 1e-5."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a small model of bytes with a home of its own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        yield makar.load(talker(folder / "talker", context=256).path)


def network_logits(model, tokens):
    with torch.inference_mode():
        return model.artifact.family("cpu").network(torch.tensor([tokens]))[0]


def greedy(model, prompt):
    codec = model.artifact.codec()
    tokens = [int(token) for token in codec.encode_text(prompt)]
    start = len(tokens)
    for _ in range(GREEDY["max_tokens"]):
        token = int(network_logits(model, tokens)[-1].argmax())
        if token in codec.end_tokens:
            break
        tokens.append(token)
    return codec.decode({TARGET: np.array(tokens[start:])})


def reader_of(model, engine):
    family = model.artifact.family("cpu")
    if engine == "torch":
        weights = family.sampler(model.artifact.codec()).weights("float32", positions=256)
        return WeightsReader(weights, slots=2, capacity=256)
    return family._engine.reader("float32", slots=2, stretch=1.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_the_numbers_and_the_text_of_the_network(engine, model):
    use_engine(model, engine)
    for prompt in PROMPTS:
        tokens = [int(token) for token in model.artifact.codec().encode_text(prompt)]
        wanted, reader = network_logits(model, tokens), reader_of(model, engine)
        halves = len(tokens) // 2
        assert torch.allclose(reader.read(tokens[:halves], 1), wanted[halves - 1], atol=TOLERANCE)
        (made,) = reader.append([tokens[halves:]], [1])
        assert torch.allclose(made, wanted[halves:], atol=TOLERANCE)
        # What is forgotten and read again is what it was.
        reader.lengths[1] = 2
        assert torch.allclose(reader.append([tokens[2:4]], [1])[0], wanted[2:4], atol=TOLERANCE)
        (asset,) = model.generate(prompt, options=GREEDY)
        assert asset.new_text == greedy(model, prompt)
        stated = asset.manifest.get("computing", {})
        assert stated.get("engine") == (None if engine == "torch" else "llama.cpp")


@ABSENT
def test_seeds_stops_company_and_a_full_context_are_kept_by_llama_cpp(model):
    use_engine(model, "llama.cpp")
    drawn = {"temperature": 1.0, "top_p": 0.9, "max_tokens": 20}
    texts = [asset.new_text for asset in model.generate("Hello", count=3, seed=5, options=drawn)]
    alone = [model.generate("Hello", seed=5 + number, options=drawn)[0].new_text for number in range(3)]
    assert texts == alone and len(set(texts)) == 3
    stop = texts[0][3:5]
    assert model.generate("Hello", seed=5, options={**drawn, "stop": (stop,)})[0].new_text == texts[0].split(stop)[0]
    # Longer than the context: the last half of it is read again.
    assert len(model.generate("Hello" * 80, options={**drawn, "max_tokens": 60, "stretch": 2.0})[0].content) > 400


@ABSENT
@pytest.mark.parametrize("stretch", [1.0, 2.0])
@pytest.mark.parametrize(
    "settings",
    [
        {"query_key_norm": False, "rotary_scaling": (8.0, 1.0, 4.0, 16.0)},
        {"query_key_norm": False, "biased": True, "rotary_scaling": (2.0,)},
        {"tied": True, "key_value_heads": 1, "head_channels": 12},
    ],
    ids=["llama", "qwen2", "qwen3"],
)
def test_every_layout_has_the_numbers_of_our_own_decoder(settings, stretch, own_folder, tmp_path):
    model = makar.load(talker(tmp_path / "talker", context=256, settings=settings).path)
    use_engine(model, "llama.cpp")
    family = model.artifact.family("cpu")
    if stretch != 1 and len(settings.get("rotary_scaling", ())) == 4:
        with pytest.raises(UnsupportedError, match="stretched"):
            family._engine.reader("float32", slots=1, stretch=stretch)
        return
    positions = int(256 * stretch)
    weights = family.sampler(model.artifact.codec()).weights("float32", positions=positions, stretch=stretch)
    ours = WeightsReader(weights, slots=1, capacity=positions)
    theirs = family._engine.reader("float32", slots=1, stretch=stretch)
    for start in range(0, int(200 * stretch), 100):
        tokens = [(7 * place + 3) % 256 for place in range(start, start + 100)]
        assert torch.allclose(ours.read(tokens, 0), theirs.read(tokens, 0), atol=TOLERANCE)


def test_a_file_for_an_engine_is_written_once_and_anew_when_it_was_changed(model):
    path = engine_file(model.artifact, "int8")
    first = path.stat().st_mtime_ns
    assert path.is_relative_to(home()) and engine_file(model.artifact, "int8").stat().st_mtime_ns == first
    assert json.loads((path.parent / RECORD).read_bytes())["model"] == model.hash
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert engine_file(model.artifact, "int8").stat().st_mtime_ns != first


def test_what_an_engine_cannot_run_is_refused_with_the_reason(model, monkeypatch, tmp_path):
    with pytest.raises(UnknownNameError, match=r"llama\.cpp"):
        use_engine(model, "llama.cp")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="llama_cpp") as absent:
        use_engine(model, "llama.cpp")
    assert "makar[llamacpp]" in absent.value.do
    config = model.artifact.family_config
    monkeypatch.undo()
    broken = tmp_path / "llama_cpp"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('no shared library')", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "llama_cpp", raising=False)
        patch.syspath_prepend(tmp_path)
        with pytest.raises(MakarError, match="no shared library"):
            use_engine(model, "llama.cpp")
    if IS_HERE:
        readers = llama_reader.LlamaReaders(config.changed(context=1 << 20, depth=64), lambda _: None)
        with pytest.raises(UnsupportedError, match="keys and values"):
            readers.reader("float32", slots=1, stretch=1.0)
