"""Checkpoints of mainstream layout become models of ours with the same logits, train on, and go out again."""

import functools
import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

pytest.importorskip("transformers", reason="the extra transformers is not installed")

import transformers

import makar
from makar.api.importing import import_model
from makar.api.model import load
from makar.errors import TensorMismatchError, UnsupportedError
from makar.families.transformer.block_decoder import all_logits
from makar.tensor_spec import TARGET
from tests.cli.small_models import write_texts
from tests.families.pretrained import tiny_checkpoints

NATIVE = ["llama", "llama_3", "mistral", "qwen2", "qwen3"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Return a function from a name to the folder of that checkpoint."""
    place = tmp_path_factory.mktemp("checkpoints")
    return functools.cache(lambda name: tiny_checkpoints.save(name, place / name))


@pytest.mark.parametrize("name", NATIVE)
def test_logits_are_those_of_transformers_before_and_after(name, checkpoints, tmp_path):
    model = import_model(checkpoints(name), output=tmp_path / "model")
    network = transformers.AutoModelForCausalLM.from_pretrained(checkpoints(name)).eval()
    family = model.artifact.family()
    tokens = torch.randint(3, 250, (1, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(tokens).logits
        assert wanted.std() > 0.2
        assert (family.network(tokens) - wanted).abs().max() < 1e-4
        packed = family.sampler(model.artifact.codec()).weights("float32", positions=64)
        assert (all_logits(packed, tokens[0]) - wanted[0]).abs().max() < 1e-4
        model.export(tmp_path / "out", to="transformers")
        again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
        assert (again(tokens).logits - wanted).abs().max() < 1e-4
    ours, theirs = (
        transformers.AutoTokenizer.from_pretrained(folder) for folder in (tmp_path / "out", checkpoints(name))
    )
    text = "The fox  said: où?\n"
    assert ours(text).input_ids == theirs(text).input_ids and ours.eos_token == theirs.eos_token
    assert ours.chat_template == theirs.chat_template


@pytest.mark.parametrize("name", NATIVE)
def test_text_is_that_of_the_checkpoint_and_the_chain_says_where_it_came_from(name, checkpoints, tmp_path):
    options = {"temperature": 0.0, "max_tokens": 20}
    model = import_model(checkpoints(name), output="brought")
    assert load("brought").generate("the fox", options=options)[0].content == (
        load(checkpoints(name)).generate("the fox", options=options)[0].content
    )
    assert (
        model.artifact.header["training"]["imported"]["content"] == load(checkpoints(name)).artifact.family_config.base
    )
    assert makar.verify(model.path).is_intact
    back = import_model(model.export(tmp_path / "out", to="transformers"), output="back")
    assert back.hash == model.hash


def test_it_is_trained_on_and_has_int8(checkpoints, tmp_path):
    model = import_model(checkpoints("llama"), output="brought")
    texts = write_texts(tmp_path / "texts")
    run = makar.train(
        texts, steps=3, from_model="brought", output="grown", settings=["stages.0.optimisation.batch_size=2"]
    )
    assert run.model.artifact.header["family"] == model.artifact.header["family"]
    changed, before = run.model.artifact.family().tensors(), model.artifact.family().tensors()
    assert any(not torch.equal(changed[name], before[name]) for name in before)
    assert run.model.generate("Chapter", options={"precision": "int8", "max_tokens": 8})[0].content
    assert run.model.artifact.codec().decode({TARGET: np.array([1, 300])}) == load("brought").artifact.codec().decode(
        {TARGET: np.array([1, 300])}
    )


@pytest.mark.parametrize("name", ["gpt2", "gemma", "t5", "classifier"])
def test_other_layouts_are_used_as_they_are(name, checkpoints, tmp_path):
    with pytest.raises(UnsupportedError, match="our network does not compute") as caught:
        import_model(checkpoints(name), output=tmp_path / "model")
    assert "makar generate" in caught.value.do and not (tmp_path / "model").exists()


def test_what_our_network_does_not_compute_is_named(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints("llama_3"), tmp_path / "llama")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    rope = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16}
    for changes, words in (({"rope_parameters": rope}, "rope_type"), ({"mlp_bias": True}, "mlp_bias")):
        (folder / "config.json").write_text(json.dumps(settings | changes), encoding="utf-8")
        with pytest.raises(UnsupportedError, match=words):
            import_model(folder, output=tmp_path / "model")


def test_a_missing_tensor_is_named(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints("qwen2"), tmp_path / "qwen")
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("q_proj.bias"))
    del tensors[name]
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TensorMismatchError, match=f"missing {name}"):
        import_model(folder, output=tmp_path / "model")


def test_a_window_that_slides_limits_the_context(checkpoints, tmp_path):
    model = import_model(checkpoints("mistral"), output=tmp_path / "model")
    assert model.artifact.family_config.context == 32


def test_a_checkpoint_that_continues_no_text_is_not_trained_on_and_says_what_is(checkpoints, tmp_path):
    texts = write_texts(tmp_path / "texts")
    with pytest.raises(UnsupportedError, match="somebody else's model") as caught:
        makar.train(texts, steps=1, from_model=checkpoints("t5"))
    assert "continues text" in caught.value.expected


@pytest.mark.parametrize("name", ["qwen3", "llama"])
@pytest.mark.parametrize("adapter", [None, "lora"])
def test_it_is_taught_to_answer_in_its_own_template_or_with_new_tokens(name, adapter, checkpoints, tmp_path):
    model = import_model(checkpoints(name), output="brought")
    rows = [{"prompt": f"What is {number}?", "response": f"It is {number}."} for number in range(40)]
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    grown = makar.train(tmp_path / "talks.jsonl", steps=3, from_model="brought", output="talker", adapter=adapter)
    talker = grown.model
    assert grown.plan.recipe.name == "chat" and talker.artifact.codec().config.base.kind == "checkpoint-tokens"
    added = talker.artifact.codec().vocabulary - model.artifact.codec().vocabulary
    # Qwen's template needs no new tokens; a tokenizer without one gets the four roles, and no rows are to spare.
    assert added == (0 if name == "qwen3" else 4)
    assert talker.generate("What is 3?", options={"max_tokens": 6})[0].content is not None
    files = {path.name for path in talker.path.iterdir()}
    assert ("adapter_config.json" in files) == (adapter is not None)
    assert "chat_template" in json.loads((talker.path / "tokenizer_config.json").read_text(encoding="utf-8"))
    again = makar.plan(tmp_path / "talks.jsonl", steps=2, from_model="talker")
    assert again.recipe.stages[0].codec == talker.artifact.codec().config
