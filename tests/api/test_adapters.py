"""Adapters from data to text: every recipe that begins from a model of text, merged, stacked, switched, and refused with what differs."""

import importlib.util
import json
import shutil
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch

import makar
from makar.api.engines import use_engine
from makar.errors import (
    ArtifactError,
    IntegrityError,
    TensorMismatchError,
    UnknownNameError,
    UnsupportedError,
    UsageError,
)
from tests.cli.small_models import TEXT_SETTINGS, write_texts

WORDS = TEXT_SETTINGS[1::2]
SHORT = {"max_tokens": 12}


def write_rows(path, row):
    """Write sixty rows of a table."""
    path.write_text("".join(json.dumps(row(number)) + "\n" for number in range(60)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with stories, talks and preferences, a writer, another one, and adapters of the first."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("adapters")
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    write_texts(folder / "texts")
    write_rows(folder / "talks.jsonl", lambda n: {"prompt": f"What is {n}?", "response": f"It is {2 * n} bears."})
    write_rows(
        folder / "pairs.jsonl",
        lambda n: {"prompt": f"What is {n}?", "chosen": f"It is {2 * n} bears.", "rejected": "No."},
    )
    makar.train(folder / "texts", steps=6, output="writer", settings=WORDS)
    makar.train(folder / "texts", steps=2, output="other", settings=[*WORDS, "stages.0.family.hidden=64"])
    for seed, (name, kind) in enumerate({"plain": "lora", "long": "dora"}.items()):
        makar.train(folder / "texts", steps=6, output=name, from_model="writer", adapter=kind, seed=seed)
    makar.train(folder / "talks.jsonl", steps=4, output="talker", from_model="writer", adapter="lora")
    patch.undo()
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(made / "home"))
    return made


def logits(model, tokens=None):
    """Return the logits of a model of text at some tokens."""
    tokens = torch.arange(5, 25)[None] if tokens is None else tokens
    with torch.no_grad():
        return model.artifact.family().network(tokens)


def test_an_adapter_is_small_names_its_base_and_is_verified(folder):
    model = makar.load("plain")
    assert model.artifact.family_config.adapter.base == makar.load("writer").hash
    assert (model.path / "adapter_model.safetensors").stat().st_size > 0 and not (
        model.path / "model.safetensors"
    ).exists()
    assert model.artifact.recipe.parent.hash == makar.load("writer").hash and makar.verify("plain").is_complete
    assert model.generate("Chapter", options=SHORT)[0].content
    report = model.evaluate(folder=folder / "report", samples=2)
    assert report.to_dictionary()["scores"]


def test_the_plan_shows_the_memory_and_the_rank_is_a_setting(folder):
    whole = makar.plan(folder / "texts", steps=2, from_model="writer")
    plan = makar.plan(
        folder / "texts", steps=2, from_model="writer", adapter="lora", settings=["stages.0.family.adapter.rank=2"]
    )
    family = plan.recipe.stages[0].family
    assert plan.predicted["parameters"] == family.parameter_count() < 0.2 * whole.predicted["parameters"]
    assert plan.predicted["memory_bytes"] < whole.predicted["memory_bytes"] and family.frozen_bytes() > 0
    less = makar.plan(folder / "texts", steps=2, from_model="writer", adapter="qlora")
    assert less.recipe.stages[0].family.adapter.bits == 4
    assert less.recipe.stages[0].family.frozen_bytes() < 0.7 * family.frozen_bytes()


def test_an_adapter_is_trained_on_as_it_is(folder):
    more = makar.train(folder / "texts", steps=2, output="more", from_model="plain").model
    before, after = (model.artifact.family().tensors() for model in (makar.load("plain"), more))
    assert before.keys() == after.keys() and any(not torch.equal(before[name], after[name]) for name in before)
    assert more.artifact.family_config == makar.load("plain").artifact.family_config


@pytest.mark.parametrize("name", ["plain", "long", "talker"])
def test_merged_it_is_a_whole_model_with_the_same_numbers(name, folder, tmp_path):
    adapter = makar.load(name)
    adapter.export(tmp_path / "merged", to="transformers")
    whole = makar.import_model(tmp_path / "merged", output=f"{name}-whole")
    assert (logits(whole) - logits(adapter)).abs().max() < 1e-4
    plain = logits(makar.load("writer"))
    assert (logits(whole)[..., : plain.shape[-1]] - plain).abs().max() > 1e-3
    said = [model.generate("What is 3?", options=SHORT)[0].content for model in (whole, adapter)]
    assert said[0] == said[1] and makar.verify(f"{name}-whole").is_intact
    assert whole.artifact.family_config.tensors_name == "model.safetensors"
    assert makar.load("writer").hash in json.dumps(adapter.artifact.header)
    assert not [path for path in tmp_path.iterdir() if path.name != "merged"]


def test_it_goes_out_as_peft_wants_it_and_comes_back_as_it_was(folder, tmp_path):
    makar.load("long").export(tmp_path / "peft", to="peft")
    assert makar.import_model(tmp_path / "peft", output="back").hash == makar.load("long").hash
    with pytest.raises(UnsupportedError, match="no adapter"):
        makar.load("writer").export(tmp_path / "other", to="peft")
    with pytest.raises(UnsupportedError, match="an adapter of text") as refused:
        makar.load("long").export(tmp_path / "other", to="kohya")
    assert refused.value.do == "makar export long --to peft"
    # Trained on elsewhere it comes back as a new model over the same base.
    file = tmp_path / "peft" / "adapter_model.safetensors"
    changed = {name: value + 0.1 for name, value in safetensors.torch.load_file(file).items()}
    safetensors.torch.save_file(changed, file)
    settings = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    (tmp_path / "peft" / "adapter_config.json").write_text(json.dumps(settings | {"peft_version": "0.21.2"}))
    assert makar.import_model(tmp_path / "peft", output="back-2").hash != makar.load("long").hash
    (tmp_path / "peft" / "adapter_config.json").write_text(json.dumps(settings | {"r": 3}))
    with pytest.raises(ArtifactError, match="describe different models: r"):
        makar.import_model(tmp_path / "peft", output="back-3")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_talker_with_new_tokens_is_the_same_in_peft(folder, tmp_path):
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    talker = makar.load("talker")
    assert talker.artifact.recipe.name == "chat" and talker.artifact.family_config.decoder.adapter.whole
    makar.load("writer").export(tmp_path / "base", to="transformers")
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    base.resize_token_embeddings(talker.artifact.codec().vocabulary)
    tokens = torch.arange(5, 25)[None]
    with torch.no_grad():
        wanted = peft.PeftModel.from_pretrained(base, str(talker.path)).eval()(tokens).logits
    assert (logits(talker, tokens) - wanted).abs().max() < 1e-4


def test_preferences_are_learned_over_a_talker_and_over_an_adapter(folder, tmp_path):
    makar.load("talker").export(tmp_path / "merged", to="transformers")
    makar.import_model(tmp_path / "merged", output="talker-2")
    run = makar.train(folder / "pairs.jsonl", steps=3, output="kinder", from_model="talker-2", adapter="lora")
    assert run.plan.recipe.name == "dpo" and run.results[-1].inner_loss < 0.7
    assert run.model.artifact.family_config.tensors_name.startswith("adapter")
    again = makar.train(folder / "pairs.jsonl", steps=2, output="kinder-2", from_model="talker")
    assert (
        again.model.artifact.family_config.decoder.adapter
        == makar.load("talker").artifact.family_config.decoder.adapter
    )
    tiny = ["stages.0.family.group=2", "stages.0.family.longest_answer=2", "stages.0.optimisation.batch_size=2"]
    earner = makar.train(
        folder / "talks.jsonl",
        steps=1,
        output="earner",
        from_model="talker-2",
        adapter="lora",
        recipe="grpo",
        settings=tiny,
    )
    assert earner.model.artifact.family_config.tensors_name.startswith("adapter")
    for recipe, data in (("ppo", "talks.jsonl"), ("reward", "pairs.jsonl")):
        with pytest.raises(UnsupportedError, match="an adapter"):
            makar.train(folder / data, steps=1, output="none", from_model="talker", recipe=recipe)


def test_adapters_add_up_and_are_switched_at_run_time(folder):
    base, plain, long = (logits(makar.load(name)) for name in ("writer", "plain", "long"))
    assert torch.equal(logits(makar.load("writer", loras=["plain:0"])), base)
    assert (logits(makar.load("writer", loras=["plain"])) - plain).abs().max() < 1e-4
    both = makar.load("writer", loras=["plain:0.5", "long:2"])
    assert min((logits(both) - one).abs().max() for one in (base, plain, long)) > 1e-3
    # Of low rank both are, so twice a half is one, and their order does not matter.
    assert (logits(makar.load("writer", loras=["plain:0.5", "plain:0.5"])) - plain).abs().max() < 1e-4
    assert (logits(makar.load("writer", loras=["long:2", "plain:0.5"])) - logits(both)).abs().max() < 1e-4
    asset = both.generate("Chapter", options=SHORT, seed=2)[0]
    stated = asset.manifest["computing"]["adapters"]
    assert [(one["name"], one["weight"]) for one in stated] == [("plain", 0.5), ("long", 2.0)]
    model = makar.load("writer")
    family = model.artifact.family()
    family.use_engine(SimpleNamespace(stated={"engine": "llama.cpp"}))
    with pytest.raises(UnsupportedError, match="other adapters while llama"):
        model.switch(["plain:0.5"])
    family.use_engine(None)
    model.switch(["plain:0.5", "long:2"])
    assert model.generate("Chapter", options=SHORT, seed=2)[0].content == asset.content
    model.switch()
    assert torch.equal(logits(model), base) and "computing" not in model.generate("A", options=SHORT)[0].manifest


@pytest.mark.parametrize("name, loras", [("plain", []), ("long", []), ("writer", ["plain:0.5", "long:2"])])
def test_adapters_are_computed_by_openvino(name, loras, folder):
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed: pip install 'makar[openvino]'")
    model = makar.load(name, loras=loras)
    tokens = torch.arange(5, 15)
    wanted = logits(model, tokens[None])[0]
    use_engine(model, "openvino")
    reader = model.artifact.family()._engine.reader("float32", slots=1, stretch=1.0)
    assert torch.allclose(reader.append([tokens.tolist()], [0])[0], wanted, atol=5e-3)
    stated = model.generate("Chapter", options=SHORT)[0].manifest["computing"]
    assert stated["engine"] == "openvino" and len(stated.get("adapters", [])) == len(loras)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_that_peft_made_is_used(folder, tmp_path):
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    makar.load("writer").export(tmp_path / "base", to="transformers")
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    config = peft.LoraConfig(
        r=2, lora_alpha=6, target_modules=["q_proj", "up_proj"], use_rslora=True, init_lora_weights=False
    )
    theirs = peft.get_peft_model(base, config).eval()
    theirs.save_pretrained(tmp_path / "peft")
    tokens = torch.arange(5, 25)[None]
    with torch.no_grad():
        wanted = theirs(tokens).logits
    assert (logits(makar.load("writer", loras=[str(tmp_path / "peft")])) - wanted).abs().max() < 1e-4


def test_an_adapter_for_another_base_is_refused_with_what_differs(folder, tmp_path):
    with pytest.raises(ArtifactError, match=r'learned over "writer" .* hidden 0 there and 64 here') as caught:
        makar.load("other", loras=["plain"])
    assert "makar generate writer --lora plain" in caught.value.do
    makar.train(folder / "texts", steps=3, output="writer-2", settings=WORDS)
    with pytest.raises(ArtifactError, match="the shape is the same, the weights are others"):
        makar.load("writer-2", loras=["plain"])
    # Without our header the layers are what tells.
    bare = tmp_path / "bare"
    shutil.copytree(makar.load("plain").path, bare)
    (bare / "makar.json").unlink()
    with pytest.raises(TensorMismatchError, match=r"mlp\.gate_proj: 96 x 32, that of the base 64 x 32"):
        logits(makar.load("other", loras=[str(bare)]))
    assert logits(makar.load("writer-2", loras=[str(bare)])) is not None


def test_an_adapter_over_other_tokens_is_refused_and_shows_some(folder, tmp_path):
    with pytest.raises(
        ArtifactError, match=r'4 are only on one side, 0 have other numbers: "<\|assistant\|>"'
    ) as caught:
        makar.load("writer", loras=["talker"])
    # What is advised works: a talker brings its own tokens, so it is no addition to what it was learned over.
    assert caught.value.do.startswith("makar generate talker")
    with pytest.raises(ArtifactError, match='learned over "writer"') as caught:
        makar.load("other", loras=["talker"])
    assert caught.value.do == "makar generate talker"
    bare = shutil.copytree(makar.load("plain").path, tmp_path / "bare")
    (bare / "makar.json").unlink()
    tokenizer = json.loads((bare / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    one, other = list(vocabulary)[5:7]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    (bare / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(ArtifactError, match="0 are only on one side, 2 have other numbers"):
        makar.load("writer", loras=[str(bare)])


def test_damaged_and_foreign_adapters_are_refused(folder, tmp_path):
    bare = shutil.copytree(makar.load("plain").path, tmp_path / "bare")
    (bare / "makar.json").unlink()
    file, settings = bare / "adapter_model.safetensors", bare / "adapter_config.json"
    whole, stated = file.read_bytes(), json.loads(settings.read_text())
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IntegrityError, match="cannot be read"):
        makar.load("writer", loras=[str(bare)])
    file.write_bytes(whole)
    for change, words in (
        ({"peft_type": "IA3"}, "type 'IA3'"),
        ({"alpha_pattern": {"q_proj": 3}}, "alpha_pattern"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"r": "16"}, "rank '16'"),
    ):
        settings.write_text(json.dumps(stated | change))
        with pytest.raises((ArtifactError, IntegrityError), match=words):
            makar.load("writer", loras=[str(bare)])
    settings.write_text(json.dumps(stated))
    tensors = safetensors.torch.load_file(file)
    gone = next(name for name in tensors if name.endswith("lora_B.weight"))
    safetensors.torch.save_file({name: value for name, value in tensors.items() if name != gone}, file)
    with pytest.raises(IntegrityError, match="only one of the two"):
        makar.load("writer", loras=[str(bare)])
    file.rename(bare / "adapter_model.bin")
    with pytest.raises(ArtifactError, match="pickle"):
        makar.load("writer", loras=[str(bare)])
    # The model itself, cut off, is not opened either.
    copy = shutil.copytree(makar.load("plain").path, tmp_path / "copy")
    (copy / "adapter_model.safetensors").write_bytes(whole[:-8])
    with pytest.raises(IntegrityError, match=r"adapter_model\.safetensors has"):
        makar.load(copy)


def test_wrong_requests_are_said(folder):
    for texts, kind, words in (
        (["nobody"], UsageError, "no adapter"),
        (["plain:strong"], UsageError, "no adapter"),
    ):
        with pytest.raises(kind, match=words):
            makar.load("writer", loras=texts)
    with pytest.raises(UnsupportedError, match="one itself"):
        makar.load("plain", loras=["long"])
    with pytest.raises(UnsupportedError, match="an adapter already"):
        makar.train(folder / "texts", steps=1, output="twice", from_model="plain", adapter="lora")
    with pytest.raises(UsageError, match="of nothing"):
        makar.train(folder / "texts", steps=1, output="twice", adapter="lora")
    with pytest.raises(UnknownNameError, match='did you mean "lora"'):
        makar.plan(folder / "texts", steps=1, from_model="writer", adapter="lorra")
    with pytest.raises(UnknownNameError, match='"c_attn"'):
        makar.plan(
            folder / "texts", steps=1, from_model="writer", adapter="lora",
            settings=['stages.0.family.adapter.targets=["c_attn"]'],
        )  # fmt: skip


def test_a_base_that_is_gone_is_named(folder, tmp_path):
    moved = shutil.move(makar.load("writer").path, tmp_path / "away")
    try:
        with pytest.raises(ArtifactError, match="that this adapter changes is not on this machine"):
            logits(makar.load("plain"))
    finally:
        shutil.move(moved, folder / "home" / "models" / "writer")
    assert logits(makar.load("plain")) is not None
