"""Every engine passes one test: the numbers and the text of the plain network; what an engine is given is written once and checked."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import makar
from makar.api.engines import use_engine
from makar.artifacts.engine_file import RECORD, engine_file
from makar.artifacts.save import save_artifact
from makar.codecs.chat_config import ChatCodecConfig
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.data.record import Record
from makar.errors import MakarError, MissingExtraError, UnknownNameError, UnsupportedError
from makar.families.conversation.config import ChatConfig
from makar.families.family import build_family
from makar.families.transformer import llama_reader
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.decoder import DecoderShape, pack_weights
from makar.families.transformer.layouts import transformers_settings
from makar.families.transformer.openvino_reader import OpenVinoReaders
from makar.families.transformer.reading import WeightsReader
from makar.home import home
from makar.recipe import Recipe, Stage
from makar.tensor_spec import TARGET
from tests.serving.server import talker


def _present(*packages):
    return all(importlib.util.find_spec(package) for package in packages)


IS_HERE = _present("llama_cpp", "gguf")
NO_GGUF = pytest.mark.skipif(not _present("gguf"), reason="gguf is not installed: pip install 'makar[gguf]'")
LLAMA_CPP = pytest.param(
    "llama.cpp",
    marks=pytest.mark.skipif(not IS_HERE, reason="llama-cpp-python is not installed: pip install 'makar[llamacpp]'"),
)
NO_OPENVINO = pytest.mark.skipif(
    not _present("openvino"), reason="openvino is not installed: pip install 'makar[openvino]'"
)
OPENVINO = pytest.param("openvino", marks=NO_OPENVINO)
BESIDE = [LLAMA_CPP, OPENVINO]
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


def chatty(place, *, context=256):
    """Save a small model that talks and has learned nothing."""
    said = ({"role": "user", "content": "Hello"}, {"role": "assistant", "content": "And you?"})
    record = Record(
        id="0" * 16, medium="text", content="Hello", document="d", source="s", split="train", roles={"messages": said}
    )
    codec = ChatCodecConfig(base=ByteCodecConfig())
    fitted = fit_codec(codec, iter([record]))
    config = ChatConfig(decoder=TransformerConfig(context=context, depth=1, width=16, heads=2)).bound_to(fitted.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    recipe = Recipe(
        name="chat", medium="text", summary="for tests", stages=(Stage(name="model", codec=codec, family=config),)
    )
    data = {"fingerprint": "ab" * 32, "name": "notes"}
    return save_artifact(place, recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=data)


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


@pytest.mark.parametrize("engine", ["torch", *BESIDE])
def test_every_engine_has_the_numbers_and_the_text_of_the_network(engine, model):
    use_engine(model, engine)
    for prompt in PROMPTS:
        tokens = [int(token) for token in model.artifact.codec().encode_text(prompt)]
        wanted, reader = network_logits(model, tokens), reader_of(model, engine)
        halves = len(tokens) // 2
        assert torch.allclose(reader.read([tokens[:halves]], [1])[0], wanted[halves - 1], atol=TOLERANCE)
        (made,) = reader.append([tokens[halves:]], [1])
        assert torch.allclose(made, wanted[halves:], atol=TOLERANCE)
        # What is forgotten and read again is what it was.
        reader.lengths[1] = 2
        assert torch.allclose(reader.append([tokens[2:4]], [1])[0], wanted[2:4], atol=TOLERANCE)
        (asset,) = model.generate(prompt, options=GREEDY)
        assert asset.new_text == greedy(model, prompt)
        stated = asset.manifest.get("computing", {})
        assert stated.get("engine") == (None if engine == "torch" else engine)


@pytest.mark.parametrize("engine", BESIDE)
def test_a_model_that_talks_is_computed_too(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    model = makar.load(chatty(tmp_path / "chatty").path)
    assert engine in model.artifact.family_config.engines
    own = model.generate("Hello", options=GREEDY)[0].content
    use_engine(model, engine)
    (asset,) = model.generate("Hello", options=GREEDY)
    assert asset.content == own and asset.manifest["computing"]["engine"] == engine
    use_engine(model, "torch")
    assert "computing" not in model.generate("Hello", options=GREEDY)[0].manifest


@pytest.mark.parametrize("engine", BESIDE)
def test_seeds_stops_company_and_a_full_context_are_kept(engine, model):
    use_engine(model, engine)
    drawn = {"temperature": 1.0, "top_p": 0.9, "max_tokens": 20}
    texts = [asset.new_text for asset in model.generate("Hello", count=3, seed=5, options=drawn)]
    alone = [model.generate("Hello", seed=5 + number, options=drawn)[0].new_text for number in range(3)]
    assert texts == alone and len(set(texts)) == 3
    stop = texts[0][3:5]
    assert model.generate("Hello", seed=5, options={**drawn, "stop": (stop,)})[0].new_text == texts[0].split(stop)[0]
    # Longer than the context: the last half of it is read again.
    assert len(model.generate("Hello" * 80, options={**drawn, "max_tokens": 60, "stretch": 2.0})[0].content) > 400


SHAPES = {
    "llama": {"query_key_norm": False, "rotary_scaling": (8.0, 1.0, 4.0, 16.0)},
    "qwen2": {"query_key_norm": False, "biased": True, "rotary_scaling": (2.0,)},
    "qwen3": {"tied": True, "key_value_heads": 1, "head_channels": 12},
    "compact": {"layout": "compact"},
}


@pytest.mark.parametrize("engine", BESIDE)
@pytest.mark.parametrize("stretch", [1.0, 2.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_layout_has_the_numbers_of_our_own_decoder(shape, stretch, engine, own_folder, tmp_path):
    settings = SHAPES[shape]
    model = makar.load(talker(tmp_path / "talker", context=256, settings=settings).path)
    if engine not in model.artifact.family_config.engines:
        with pytest.raises(UnsupportedError, match="no form in GGUF"):
            use_engine(model, engine)
        return
    use_engine(model, engine)
    family = model.artifact.family("cpu")
    if engine == "llama.cpp" and stretch != 1 and len(settings.get("rotary_scaling", ())) == 4:
        with pytest.raises(UnsupportedError, match="stretched"):
            family._engine.reader("float32", slots=1, stretch=stretch)
        return
    positions = int(256 * stretch)
    weights = family.sampler(model.artifact.codec()).weights("float32", positions=positions, stretch=stretch)
    ours = WeightsReader(weights, slots=1, capacity=positions)
    theirs = family._engine.reader("float32", slots=1, stretch=stretch)
    for start in range(0, int(200 * stretch), 100):
        tokens = [(7 * place + 3) % 256 for place in range(start, start + 100)]
        assert torch.allclose(ours.read([tokens], [0])[0], theirs.read([tokens], [0])[0], atol=TOLERANCE)


@pytest.mark.parametrize("precision, allowed", [("int8", 0.3), ("bfloat16", 0.2)])
@pytest.mark.parametrize("engine", BESIDE)
def test_other_number_formats_are_rounded_and_no_more(engine, precision, allowed, model):
    use_engine(model, engine, precision=precision)
    tokens = [(7 * place + 3) % 256 for place in range(50)]
    made = model.artifact.family("cpu")._engine.reader(precision, slots=1, stretch=1.0).append([tokens], [0])[0]
    difference = (made - network_logits(model, tokens)).abs().max()
    assert 1e-4 < difference < allowed


@NO_OPENVINO
def test_a_long_text_and_a_slot_after_an_error_of_openvino_have_the_right_numbers(model):
    settings = transformers_settings(model.artifact.family_config, tokens={})
    family = model.artifact.family("cpu")
    tensors = family.network.saved_tensors()
    shape = DecoderShape.from_transformers({**settings, "max_position_embeddings": 2048})
    reader = OpenVinoReaders(shape, lambda: tensors).reader("float32", slots=1, stretch=1.0)
    ours = WeightsReader(pack_weights(shape, tensors), slots=1, capacity=2048)
    for start in range(0, 1200, 100):
        tokens = [(7 * place + 3) % 256 for place in range(start, start + 100)]
        assert torch.allclose(ours.read([tokens], [0])[0], reader.read([tokens], [0])[0], atol=TOLERANCE)
    # What OpenVINO refuses is said, and the slot begins anew.
    whole, reader._embedding = reader._embedding, reader._embedding[:, :3]
    with pytest.raises(MakarError, match="OpenVINO ended"):
        reader.read([[1, 2]], [0])
    reader._embedding = whole
    assert reader.lengths == [0]
    (made,) = reader.read([[1, 2, 3]], [0])
    assert torch.allclose(made, network_logits(model, [1, 2, 3])[-1], atol=TOLERANCE)


@NO_OPENVINO
def test_nothing_is_sent_when_openvino_is_imported():
    code = (
        "import sys; seen = []; sys.addaudithook(lambda event, _: seen.append(event) if event.startswith('socket') else None);"
        "from makar.families.transformer.openvino_reader import _library; _library().Core(); print(seen);"
        "print(sys.modules['openvino_telemetry'])"
    )
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.split("\n")[:2] == ["[]", "None"]


@NO_GGUF
def test_a_file_for_an_engine_is_written_once_and_anew_when_it_was_changed(model):
    path = engine_file(model.artifact, "int8")
    first = path.stat().st_mtime_ns
    assert path.is_relative_to(home()) and engine_file(model.artifact, "int8").stat().st_mtime_ns == first
    assert json.loads((path.parent / RECORD).read_bytes())["model"] == model.hash
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert engine_file(model.artifact, "int8").stat().st_mtime_ns != first


@pytest.mark.parametrize(
    "engine, package, extra", [("llama.cpp", "llama_cpp", "llamacpp"), ("openvino", "openvino", "openvino")]
)
def test_an_engine_that_is_absent_or_broken_is_said_with_what_to_do(
    engine, package, extra, model, monkeypatch, tmp_path
):
    with pytest.raises(UnknownNameError, match=r"llama\.cpp"):
        use_engine(model, "llama.cp")
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=package) as absent:
            use_engine(model, engine)
        assert f"makar[{extra}]" in absent.value.do
    broken = tmp_path / package
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('no shared library')", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, package, raising=False)
        # What is set in its place while it is imported is taken back too.
        patch.setitem(sys.modules, "openvino_telemetry", None)
        patch.syspath_prepend(tmp_path)
        with pytest.raises(MakarError, match="no shared library"):
            use_engine(model, engine)


@pytest.mark.skipif(not IS_HERE, reason="llama-cpp-python is not installed: pip install 'makar[llamacpp]'")
def test_keys_and_values_beyond_the_memory_are_refused_by_llama_cpp(model):
    config = model.artifact.family_config
    readers = llama_reader.LlamaReaders(config.changed(context=1 << 20, depth=64), lambda _: None)
    with pytest.raises(UnsupportedError, match="keys and values"):
        readers.reader("float32", slots=1, stretch=1.0)
