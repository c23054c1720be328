"""A GGUF file holds the model, number for number and token for token; what llama.cpp would read otherwise is refused."""

import numpy as np
import pytest
import torch

pytest.importorskip("gguf", reason="the extra gguf is not installed")

import gguf

from makar.artifacts import export_gguf
from makar.artifacts.export import export_artifact
from makar.artifacts.save import save_artifact
from makar.codecs.chat_config import ChatCodecConfig
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, UnsupportedError
from makar.families.conversation.config import ChatConfig
from makar.families.conversation.feedback_config import RewardConfig
from makar.families.conversation.policy_config import PolicyConfig
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig
from makar.nn.rotary import rotary_frequencies
from makar.recipe import Recipe, Stage

TEXT = "the quick brown fox jumps over the lazy dog, and the dog is quick too. " * 8
DATA = {"fingerprint": "ab" * 32, "name": "notes"}
SHAPE = {"context": 32, "depth": 2, "width": 32, "heads": 4, "key_value_heads": 2}


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a small model with given settings."""

    def save(codec=None, **settings):
        codec = codec or BpeCodecConfig(vocabulary_size=300)
        record = Record(id="0" * 16, medium="text", content=TEXT, document="d", source="s", split="train")
        fitted = fit_codec(codec, iter([record]))
        config = TransformerConfig(**{**SHAPE, **settings}).bound_to(fitted.spec)
        family = build_family(config)
        family.initialise(torch.Generator().manual_seed(0))
        with torch.no_grad():
            for parameter in family.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        recipe = Recipe(
            name="text", medium="text", summary="for tests", stages=(Stage(name="model", codec=codec, family=config),)
        )
        return save_artifact(
            tmp_path / "model", recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=DATA
        )

    return save


def value(reader, key):
    """Return the value of a field."""
    return reader.fields[key].contents()


@pytest.mark.parametrize(
    "settings, kind",
    [
        ({}, "qwen3"),
        ({"tied": True, "head_channels": 12}, "qwen3"),
        ({"query_key_norm": False, "rotary_scaling": (8.0, 1.0, 4.0, 16.0)}, "llama"),
        ({"query_key_norm": False, "biased": True, "rotary_scaling": (2.0,)}, "qwen2"),
    ],
)
def test_the_file_says_what_the_model_is(settings, kind, saved, tmp_path):
    artifact = saved(**settings)
    folder = export_artifact(artifact, to="gguf", folder=tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.gguf", "provenance.json"]
    reader, config = gguf.GGUFReader(folder / "model.gguf"), artifact.family_config
    assert value(reader, "general.architecture") == kind
    numbers = {
        "context_length": config.context,
        "embedding_length": config.width,
        "block_count": config.depth,
        "feed_forward_length": config.hidden_width,
        "attention.head_count": config.heads,
        "attention.head_count_kv": config.shared_heads,
        "attention.key_length": config.head_width,
    }
    assert {name: value(reader, f"{kind}.{name}") for name in numbers} == numbers
    assert value(reader, f"{kind}.attention.layer_norm_rms_epsilon") == pytest.approx(config.norm_epsilon)
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    ours = artifact.family("cpu").tensors()
    assert np.array_equal(tensors["blk.1.ffn_down.weight"], ours["model.layers.1.mlp.down_proj.weight"].numpy())
    assert ("output.weight" in tensors) is not config.tied
    assert ("blk.0.attn_q_norm.weight" in tensors) is config.query_key_norm
    assert ("blk.0.attn_q.bias" in tensors) is config.biased
    codec = artifact.codec()
    tokens = value(reader, "tokenizer.ggml.tokens")
    assert tokens == [codec.tokenizer.id_to_token(number) for number in range(codec.vocabulary)]
    assert value(reader, "tokenizer.ggml.eos_token_id") == codec.end_token
    assert value(reader, "tokenizer.ggml.pre") == "gpt-2" and len(value(reader, "tokenizer.ggml.merges")) > 20


def test_rows_are_in_the_order_in_which_llama_cpp_rotates(saved, tmp_path):
    scaling = (8.0, 1.0, 4.0, 16.0)
    artifact = saved(query_key_norm=False, rotary_scaling=scaling)
    reader = gguf.GGUFReader(export_artifact(artifact, to="gguf", folder=tmp_path / "out") / "model.gguf")
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    config, name = artifact.family_config, "model.layers.0.self_attn.q_proj.weight"
    ours = artifact.family("cpu").tensors()[name].numpy()
    x, angles = np.random.default_rng(0).normal(size=config.width), np.linspace(0.3, 2, config.head_width // 2)
    half = config.head_width // 2
    for head in range(config.heads):
        rows = slice(head * config.head_width, (head + 1) * config.head_width)
        mine, theirs = ours[rows] @ x, tensors["blk.0.attn_q.weight"][rows] @ x
        turned = (mine[:half] + 1j * mine[half:]) * np.exp(1j * angles)
        there = (theirs[0::2] + 1j * theirs[1::2]) * np.exp(1j * angles)
        assert np.allclose(turned, there)
    usual, scaled = (rotary_frequencies(8, base=10000.0, scaling=one).numpy() for one in ((), scaling))
    assert np.allclose(usual / tensors["rope_freqs.weight"], scaled) and not np.allclose(usual, scaled)


@pytest.mark.parametrize("kind, settings", [(ChatConfig, {}), (PolicyConfig, {"method": "ppo"})])
def test_a_model_that_talks_is_there_with_its_roles_and_its_template(kind, settings, tmp_path):
    said = ({"role": "user", "content": TEXT[:40]}, {"role": "assistant", "content": TEXT[40:90]})
    record = Record(
        id="0" * 16, medium="text", content=TEXT, document="d", source="s", split="train", roles={"messages": said}
    )
    codec = ChatCodecConfig(base=BpeCodecConfig(vocabulary_size=300))
    fitted = fit_codec(codec, iter([record]))
    config = kind(decoder=TransformerConfig(**SHAPE), **settings).bound_to(fitted.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    recipe = Recipe(
        name="chat", medium="text", summary="for tests", stages=(Stage(name="model", codec=codec, family=config),)
    )
    artifact = save_artifact(
        tmp_path / "model", recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=DATA
    )
    export_artifact(artifact, folder=tmp_path / "gguf", to="gguf")
    reader = gguf.GGUFReader(tmp_path / "gguf" / export_gguf.FILE_NAME)
    assert value(reader, "general.architecture") == "qwen3"
    assert not any("value" in tensor.name for tensor in reader.tensors), "a head of values writes nothing"
    names, types = value(reader, "tokenizer.ggml.tokens"), value(reader, "tokenizer.ggml.token_type")
    assert len(names) == value(reader, "qwen3.vocab_size") == fitted.vocabulary
    roles = {name: kind for name, kind in zip(names, types) if name in [f"<|{role}|>" for role in fitted.turns.roles]}
    assert len(roles) == 4 and set(roles.values()) == {export_gguf.CONTROL}
    assert value(reader, "tokenizer.chat_template") == fitted.chat_template
    assert value(reader, "tokenizer.ggml.eos_token_id") == fitted.end_token
    assert not value(reader, "tokenizer.ggml.add_bos_token")
    assert export_gguf.writer_of(RewardConfig()) is None, "a judge writes nothing"


@pytest.mark.parametrize("codec", [CharacterCodecConfig(), ByteCodecConfig()])
def test_a_vocabulary_that_gguf_cannot_hold_is_refused(codec, saved, tmp_path):
    with pytest.raises(UnsupportedError, match="no form in GGUF") as caught:
        export_artifact(saved(codec), to="gguf", folder=tmp_path / "out")
    assert "bpe" in caught.value.do and not (tmp_path / "out").exists()


def test_other_layouts_and_media_are_refused(saved, image_artifact, tmp_path):
    with pytest.raises(UnsupportedError, match="compact has no form"):
        export_artifact(saved(layout="compact"), to="gguf", folder=tmp_path / "out")
    with pytest.raises(UnsupportedError, match="no form in GGUF"):
        export_artifact(image_artifact, to="gguf", folder=tmp_path / "out")


def test_a_file_that_reads_back_differently_is_not_left_behind(saved, tmp_path, monkeypatch):
    written = export_gguf._write

    def changed(path, config, artifact, vocabulary, tensors, precision):
        written(path, config, artifact, vocabulary, {key: values + 1 for key, values in tensors.items()}, precision)

    monkeypatch.setattr(export_gguf, "_write", changed)
    with pytest.raises(ArtifactError, match="reads back differently"):
        export_artifact(saved(), to="gguf", folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "precision, kind, half", [("float16", "F16", 1), ("bfloat16", "BF16", 32), ("int8", "Q8_0", 7)]
)
def test_smaller_number_formats_hold_the_weights_as_nearly_as_they_can(precision, kind, half, saved, tmp_path):
    artifact = saved(hidden=80)
    places = [
        export_artifact(artifact, to="gguf", folder=tmp_path / name, precision=name) / "model.gguf"
        for name in ("float32", precision)
    ]
    whole, small = (
        {one.name: (one.tensor_type.name, gguf.quants.dequantize(one.data, one.tensor_type)) for one in reader.tensors}
        for reader in map(gguf.GGUFReader, places)
    )
    assert value(gguf.GGUFReader(places[1]), "general.file_type") == half
    assert {whole[name][0] for name in whole} == {"F32"}
    # Rows of 80 numbers divide into no blocks of 32.
    assert small["blk.0.ffn_down.weight"][0] == ("F16" if kind == "Q8_0" else kind)
    assert small["blk.0.attn_q.weight"][0] == kind and small["output_norm.weight"][0] == "F32"
    for name, (_, values) in whole.items():
        error = np.abs(small[name][1].reshape(values.shape) - values)
        assert error.max() <= np.abs(values).max() / 120
        assert values.ndim > 1 or not error.any()
    assert any(np.abs(small[name][1].reshape(whole[name][1].shape) - whole[name][1]).max() > 0 for name in whole)


def test_numbers_that_a_format_has_not_are_found(saved, tmp_path):
    artifact = saved()
    with torch.no_grad():
        artifact.family("cpu").network.embeddings[0, 0] = 1e6
    with pytest.raises(ArtifactError, match="token_embd"):
        export_gguf.export_gguf(artifact, tmp_path / "out", precision="float16")
    assert not (tmp_path / "out").exists()
