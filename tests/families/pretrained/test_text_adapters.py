"""Adapters of checkpoints of transformers: trained, saved as PEFT folders, equal to PEFT, merged, added, and refused elsewhere."""

import json

import pytest
import torch

pytest.importorskip("transformers", reason="the extra transformers is not installed")
pytest.importorskip("peft", reason="the extra transformers is not installed")

import peft
import transformers

import makar
from makar.errors import ArtifactError, TensorMismatchError, UnknownNameError, UnsupportedError
from makar.families.family import build_family
from makar.families.pretrained.text_adapter import AdaptedModule
from tests.cli.small_models import write_texts
from tests.families.pretrained import tiny_checkpoints

FAST = ["stages.0.optimisation.batch_size=2"]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def logits_of(model):
    """Return the logits of a model at some tokens."""
    tokens = torch.arange(5, 25)[None]
    with torch.no_grad():
        return model.artifact.family().network(tokens)["logits"]


def their_logits(network):
    with torch.no_grad():
        return network.eval()(torch.arange(5, 25)[None]).logits


@pytest.fixture
def folder(tmp_path):
    """Return a folder with stories."""
    write_texts(tmp_path / "texts")
    return tmp_path


@pytest.mark.parametrize(
    "name, kind",
    [
        ("gpt2", "dora"),
        ("llama", "rslora"),
        *(pytest.param(name, "lora", marks=pytest.mark.slow) for name in ("gpt2", "gemma")),
    ],
)
def test_it_learns_and_peft_gives_the_same_numbers(name, kind, folder):
    checkpoint = tiny_checkpoints.save(name, folder / name)
    run = makar.train(folder / "texts", steps=4, output="poems", from_model=checkpoint, adapter=kind, settings=FAST)
    model = run.model
    base = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    plain = their_logits(base)
    theirs = peft.PeftModel.from_pretrained(base, str(model.path))
    assert (their_logits(theirs) - plain).abs().max() > 1e-5
    assert (logits_of(model) - their_logits(theirs)).abs().max() < 1e-4
    assert makar.verify("poems").is_intact and model.generate("the fox", options={"max_tokens": 4})[0].content
    config = model.artifact.family_config
    layers = dict(zip(config.linears, zip(config.inputs, config.outputs)))
    assert layers == config.linear_sizes() and all(one >= tiny_checkpoints.WIDTH for one in config.inputs)
    assert run.plan.predicted["parameters"] == sum(one.numel() for one in model.artifact.family().parameters())
    model.export(folder / "merged", to="transformers")
    merged = transformers.AutoModelForCausalLM.from_pretrained(folder / "merged")
    assert (their_logits(merged) - logits_of(model)).abs().max() < 1e-4
    assert transformers.AutoTokenizer.from_pretrained(folder / "merged")("fox").input_ids
    added = makar.load(checkpoint, loras=["poems"])
    assert (logits_of(added) - logits_of(model)).abs().max() < 1e-4
    assert added.generate("a", options={"max_tokens": 3})[0].manifest["computing"]["adapters"][0]["name"] == "poems"


def test_four_bits_and_blocks_that_are_computed_again(folder):
    checkpoint = tiny_checkpoints.save("llama", folder / "llama")
    settings = [*FAST, "stages.0.family.recompute=true"]
    run = makar.train(
        folder / "texts", steps=3, output="poems", from_model=checkpoint, adapter="qlora", settings=settings
    )
    family = run.plan.recipe.stages[0].family
    plain = makar.plan(folder / "texts", steps=3, from_model=checkpoint, adapter="lora", settings=FAST)
    assert run.plan.predicted["memory_bytes"] < plain.predicted["memory_bytes"]
    assert family.training_operations() > plain.recipe.stages[0].family.training_operations()
    built = build_family(family)
    built.initialise(torch.Generator().manual_seed(0))
    built.precision = "float32"
    batch = {"target": torch.arange(5, 22)[None]}
    (phase,) = built.train().phases()
    loss = phase.loss(batch, torch.Generator())
    loss.value.backward()
    assert built.network.is_gradient_checkpointing
    layers = [module.inner for module in built.network.modules() if isinstance(module, AdaptedModule)]
    assert all(layer.frozen.bytes * 8 <= 5 * layer.frozen.shape[0] * layer.frozen.shape[1] + 512 for layer in layers)
    assert all(layer.second[0].grad is not None for layer in layers)


def test_what_does_not_fit_is_refused(folder):
    one, other = (tiny_checkpoints.save(name, folder / name) for name in ("llama", "qwen2"))
    makar.train(folder / "texts", steps=1, output="poems", from_model=one, adapter="lora", settings=FAST)
    with pytest.raises(ArtifactError, match="was learned over"):
        makar.load(other, loras=["poems"])
    bare = folder / "bare"
    bare.mkdir()
    for path in makar.load("poems").path.glob("adapter_*"):
        (bare / path.name).write_bytes(path.read_bytes())
    gpt2 = tiny_checkpoints.save("gpt2", folder / "gpt2")
    with pytest.raises(TensorMismatchError, match="has no such layer"):
        logits_of(makar.load(gpt2, loras=[str(bare)]))
    with pytest.raises(UnknownNameError, match='"qproj"'):
        makar.plan(
            folder / "texts", steps=1, from_model=one, adapter="lora",
            settings=['stages.0.family.adapter.targets=["qproj"]'],
        )  # fmt: skip
    with pytest.raises(UnsupportedError, match="an adapter"):
        makar.plan(folder / "texts", steps=1, from_model=tiny_checkpoints.save("t5", folder / "t5"), adapter="lora")
    with pytest.raises(UnsupportedError, match="an adapter already"):
        makar.plan(folder / "texts", steps=1, from_model="poems", adapter="lora")
    with pytest.raises(UnsupportedError, match="as gguf"):
        makar.load("poems").export(folder / "out", to="gguf")
    makar.load("poems").export(folder / "peft", to="peft")
    settings = json.loads((folder / "peft" / "adapter_config.json").read_text())
    assert settings["target_modules"] and not settings["fan_in_fan_out"]
