"""The real transformers library opens the saved folder and computes the same logits."""

import json

import pytest
import torch
from safetensors.torch import save_file

from makar.codecs.text import TextCodec
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.data.record import Record
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.family import TransformerFamily

transformers = pytest.importorskip("transformers")

TEXT = "To be, or not to be:\n\tthat is  the question. Où? 日本 🙂 <|endoftext|> don't  \n\n"
CONFIGS = [
    TransformerConfig(layout="mainstream", context=32, depth=2, width=32, heads=4, key_value_heads=2, tied=True),
    TransformerConfig(layout="mainstream", context=32, depth=2, width=32, heads=2, rotary_base=500.0),
    TransformerConfig(layout="compact", context=32, depth=2, width=32, heads=4, key_value_heads=1),
    TransformerConfig(layout="compact", context=32, depth=1, width=48, heads=2, logit_cap=0.0, hidden=40),
    TransformerConfig(context=32, depth=2, width=32, heads=4, key_value_heads=2, head_channels=12, tied=True),
    TransformerConfig(
        context=32, depth=2, width=32, heads=4, query_key_norm=False, rotary_scaling=(8.0, 1.0, 4.0, 16.0)
    ),
    TransformerConfig(
        context=32, depth=2, width=32, heads=4, query_key_norm=False, head_channels=6, rotary_scaling=(3.0,)
    ),
    TransformerConfig(context=32, depth=2, width=32, heads=4, key_value_heads=1, query_key_norm=False, biased=True),
]
NAMES = [
    "tied grouped",
    "mainstream",
    "compact grouped",
    "compact no cap",
    "wide heads",
    "llama",
    "llama linear",
    "qwen2",
]


def fitted_codec(config):
    record = Record(id="0", medium="text", content=TEXT * 3, document="d", source="d", split="train")
    return TextCodec.fit(config, iter([record]))


def random_family(config, vocabulary, seed=0):
    family = TransformerFamily(config.changed(vocabulary=vocabulary))
    generator = torch.Generator().manual_seed(seed)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return family


def save(folder, family, codec):
    for name, content in family.files(codec).items():
        (folder / name).write_bytes(content)
    save_file(family.tensors(), folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_transformers_computes_the_same_logits(config, tmp_path):
    codec = fitted_codec(CharacterCodecConfig())
    family = random_family(config, codec.vocabulary)
    save(tmp_path, family, codec)
    model, report = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert {key: found for key, found in report.items() if found} == {}
    tokens = torch.randint(0, codec.vocabulary, (3, 32), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs, ours = model(tokens).logits, family.network(tokens)
    assert ours.abs().mean() > 0.1
    assert (theirs - ours).abs().max() < 1e-4
    assert model.generation_config.eos_token_id == codec.end_token


def test_another_weight_gives_other_logits(tmp_path):
    codec = fitted_codec(ByteCodecConfig())
    family = random_family(CONFIGS[1], codec.vocabulary)
    save(tmp_path, random_family(CONFIGS[1], codec.vocabulary, seed=1), codec)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        assert (model(tokens).logits - family.network(tokens)).abs().max() > 1e-2


@pytest.mark.parametrize("config", [ByteCodecConfig(), CharacterCodecConfig(), BpeCodecConfig(vocabulary_size=300)])
@pytest.mark.parametrize("layout", ["mainstream", "compact"])
def test_auto_tokenizer_round_trips_exactly(config, layout, tmp_path):
    codec = fitted_codec(config)
    save(tmp_path, random_family(CONFIGS[1].changed(layout=layout), codec.vocabulary), codec)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in ("  two  spaces ", "line\r\n\tnext\n\n", "Où? 日本 🙂 é̂", "never seen: ß§ 中", "don't I'll , . !", ""):
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokens == codec.encode_text(text).tolist()
        assert tokenizer.decode(tokens) == text
    assert len(tokenizer) == codec.vocabulary
    assert tokenizer.eos_token_id == codec.end_token
    assert json.loads((tmp_path / "config.json").read_text())["eos_token_id"] == codec.end_token
