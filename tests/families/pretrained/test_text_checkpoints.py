"""Text from checkpoints of transformers is what transformers itself writes, and what a checkpoint cannot do is said."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

import makar
from makar.api.model import load
from makar.errors import DataError, MakarError, UnsupportedError
from makar.families.family import build_family
from makar.families.pretrained.opening import quiet
from makar.generation.prompt_file import parse_prompt
from makar.tensor_spec import TARGET

CAUSAL = ["gpt2", "llama", "llama_3", "mistral", "qwen2", "qwen3", "gemma"]
FREE = {"max_tokens": 12, "temperature": 1.0, "top_p": 1.0}


def theirs(kind, folder):
    """Return network and tokenizer as transformers opens them."""
    with quiet():
        return kind.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", CAUSAL)
def test_the_likeliest_text_is_that_of_transformers(name, checkpoints):
    model = load(checkpoints(name))
    network, tokenizer = theirs(AutoModelForCausalLM, checkpoints(name))
    prompt = tokenizer("the fox", return_tensors="pt")
    with quiet():
        made = network.generate(**prompt, max_new_tokens=20, do_sample=False, pad_token_id=0)[0]
    made = made[prompt.input_ids.shape[1] :].tolist()
    ends = model.artifact.codec().end_tokens
    wanted = made[: next((at for at, token in enumerate(made) if token in ends), len(made))]
    sampler, options = model.artifact.family().sampler(model.artifact.codec()), {"temperature": 0.0, "max_tokens": 20}
    chosen = model.artifact.family().options(**options)
    pieces = sampler.sample(chosen, [{TARGET: prompt.input_ids[0]}], [0])
    assert [int(token) for _, slots, _ in pieces for token in slots[TARGET]] == wanted
    assert model.generate("the fox", options=options)[0].content.startswith("the fox")


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_text_is_the_same_alone_and_among_others_and_as_a_stream(name, checkpoints):
    model = load(checkpoints(name))
    together = [asset.content for asset in model.generate(["the fox", "rain"], count=2, seed=3, options=FREE)]
    alone = [
        model.generate(prompt, seed=seed, options=FREE)[0].content for prompt in ("the fox", "rain") for seed in (3, 4)
    ]
    assert together == alone and len(set(together)) == 4
    *pieces, asset = model.stream("the fox", seed=3, options=FREE)
    assert "the fox" + "".join(pieces) == asset.content == together[0]


def test_a_stop_text_ends_the_text_and_is_no_part_of_it(checkpoints):
    model = load(checkpoints("llama"))
    letters = {"max_tokens": 60, "temperature": 1.0, "top_p": 1.0}
    for seed in range(20):
        whole = model.generate("rain", seed=seed, options=letters)[0].new_text
        plain = [letter for letter in whole[1:-1] if letter.isascii() and letter.isprintable()]
        if plain:
            break
    cut = model.generate("rain", seed=seed, options={**letters, "stop": (plain[0],)})[0].new_text
    assert cut == whole[: whole.index(plain[0])]


def test_a_text_may_be_longer_than_the_context(checkpoints):
    model = load(checkpoints("gpt2"))
    long = model.generate("the fox", options={"max_tokens": 150, "temperature": 1.0})[0]
    assert len(model.artifact.codec().encode_text(long.content)) > 100
    assert model.generate("rain " * 40, options=FREE)[0].new_text


@pytest.mark.parametrize("name, topic", [("gpt2", "rain"), ("t5", "fox")])
def test_a_prompt_file_is_put_to_it_as_plain_text(name, topic, checkpoints):
    prompt = parse_prompt(b'+++\n[variables]\ntopic = "what"\n+++\nthe {{topic}}\n', name="plain")
    asset = load(checkpoints(name)).generate(prompt(topic=topic), options={"max_tokens": 4})[0]
    assert asset.manifest["template"]["name"] == "plain" and not asset.content.startswith("the")


def test_space_before_the_first_new_word_is_kept(checkpoints):
    codec = load(checkpoints("llama")).artifact.codec()
    word = codec.tokenizer.token_to_id("▁")
    assert codec.decode_tokens(np.array([word, codec.tokenizer.token_to_id("x")])) == " x"
    assert codec.decode({TARGET: codec.encode_text(" two  spaces")}) == " two  spaces"


def test_the_answer_is_that_of_transformers_and_holds_nothing_of_the_source(checkpoints):
    model = load(checkpoints("t5"))
    network, tokenizer = theirs(AutoModelForSeq2SeqLM, checkpoints("t5"))
    with quiet():
        made = network.generate(
            **tokenizer("the fox", return_tensors="pt"), max_new_tokens=15, do_sample=False, bad_words_ids=[[0]]
        )
    asset = model.generate("the fox", options={"max_tokens": 15})[0]
    assert asset.content == tokenizer.decode(made[0], skip_special_tokens=True)
    assert asset.manifest["prompt"] == "the fox" and asset.manifest["continues_characters"] == 0
    assert asset.manifest["settings"]["temperature"] == 0
    with pytest.raises(UnsupportedError, match="none was given"):
        model.generate()
    with pytest.raises(DataError, match="at most 64"):
        model.generate("fox " * 40)


def test_arithmetic_in_halves_changes_the_numbers_and_int8_names_the_way(checkpoints):
    model = load(checkpoints("gpt2"))
    many = {"max_tokens": 60, "temperature": 1.0, "top_p": 1.0}
    assert (
        model.generate("a", options=many)[0].content
        != model.generate("a", options={**many, "precision": "bfloat16"})[0].content
    )
    assert not torch.is_autocast_enabled("cpu")
    with pytest.raises(UnsupportedError, match="int8") as caught:
        model.generate("a", options={"precision": "int8"})
    assert "makar import" in caught.value.do


def test_a_hook_reshapes_what_is_drawn(checkpoints):
    from makar.generation.generate import generate

    def only_e(logits, history):
        del history
        return torch.where(torch.arange(len(logits)) == 69 - 1, 0.0, float("-inf"))

    artifact = load(checkpoints("gpt2")).artifact
    (asset,) = generate(artifact, prompts="x", options=FREE, hook=only_e)
    assert len(set(asset.new_text)) == 1 and asset.manifest["hook"] == "only_e"


@pytest.mark.parametrize("name, does", [("classifier", "label"), ("masked", "masked words"), ("answers", "answers")])
def test_a_head_that_writes_nothing_says_what_it_is_for(name, does, checkpoints):
    with pytest.raises(UnsupportedError, match=f"is a Bert.* {does}") as caught:
        load(checkpoints(name)).generate("the fox")
    assert "predict" in caught.value.do and "continues text" in caught.value.expected


def test_a_text_is_as_likely_as_transformers_says_and_is_measured(checkpoints, tmp_path):
    text = "the rain in london was dark, anna lives where the fox was. " * 8
    (tmp_path / "one.txt").write_text(text, encoding="utf-8")
    for name in ("gpt2", "llama"):
        model = load(checkpoints(name))
        network, _ = theirs(AutoModelForCausalLM, checkpoints(name))
        tokens = torch.from_numpy(model.artifact.codec().encode_text(text))[None, :60]
        loss = model.artifact.family().validation_loss({TARGET: tokens}, torch.Generator())
        assert float(loss.value) == pytest.approx(network(tokens, labels=tokens).loss.item(), rel=1e-5)
        report = model.evaluate(tmp_path / "one.txt", folder=tmp_path / name, samples=1)
        # One byte a token, but for the end: bits a byte are about bits a token.
        values = report.to_dictionary()
        nats = values["details"]["nats_per_token"]["value"]
        assert values["scores"]["bits_per_byte"]["value"] == pytest.approx(nats / np.log(2), rel=0.1)


def test_other_heads_are_not_measured_as_language_models(checkpoints, tmp_path):
    (tmp_path / "one.txt").write_text("the rain in london. " * 20, encoding="utf-8")
    for name in ("t5", "classifier"):
        with pytest.raises(UnsupportedError, match="how likely a text is"):
            load(checkpoints(name)).evaluate(tmp_path / "one.txt", folder=tmp_path / "report")


def test_proof_leads_to_the_files_of_the_folder(checkpoints, tmp_path):
    asset = load(checkpoints("gpt2")).generate("the fox", options=FREE)[0]
    found = makar.verify(asset.save(tmp_path / "fox.txt"))
    assert found.is_intact and any("GPT2LMHeadModel" in check.detail for check in found.checks)
    assert asset.manifest["data"]["name"] == "unknown" and asset.manifest["computing"]["precision"] == "float32"


def test_nothing_of_it_is_trained_or_exported_as_it_came(checkpoints, tmp_path):
    model = load(checkpoints("gpt2"))
    family = model.artifact.family()
    assert family.tensors() == {} and not any(one.requires_grad for one in family.parameters())
    for refused in (family.phases, family.onnx_parts, lambda: model.export(tmp_path / "out", to="onnx")):
        with pytest.raises(UnsupportedError):
            refused()


def test_a_forged_configuration_is_found(checkpoints):
    config = load(checkpoints("gpt2")).artifact.family_config
    changes = {
        "architecture": "LlamaForCausalLM",
        "task": "masked",
        "vocabulary": 3,
        "context": 5,
        "weights": 1,
        "labels": ("x",),
    }
    for name, value in changes.items():
        with pytest.raises(MakarError, match=name):
            build_family(config.changed(**{name: value}))
    with pytest.raises(MakarError, match="not on this machine"):
        build_family(config.changed(base="ab" * 32))


def test_a_large_network_computes_in_halves():
    from makar.families.pretrained.text_config import PretrainedTextConfig

    config = PretrainedTextConfig(weights=1_000_000_000)
    assert config.memory_plan("cpu", 8 << 30)["precision"] == "float32"
    assert config.memory_plan("cpu", 4 << 30)["precision"] == "bfloat16"
    assert config.memory_plan("cuda", 80 << 30)["precision"] == "bfloat16"
    assert config.computed_weights() == 1_000_000_000 and config.parameter_count() == 0
