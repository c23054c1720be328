"""Conversations, preferences and scores over checkpoints whose layout is not brought in: trained, asked, measured, opened by others."""

import json

import pytest
import torch

pytest.importorskip("transformers", reason="the extra transformers is not installed")
pytest.importorskip("peft", reason="the extra transformers is not installed")

import peft
import transformers

import makar
from makar.api.promotion import weigh
from makar.cli.tables import print_plan
from makar.errors import UnsupportedError
from tests.cli.small_models import write_texts
from tests.families.pretrained import tiny_checkpoints

SMALL = ["stages.0.optimisation.batch_size=2", "stages.0.optimisation.learning_rate=0.01"]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with three checkpoints, conversations, preferences and scores."""
    place = tmp_path_factory.mktemp("foreign")
    for name in ("neox", "opt", "t5"):
        tiny_checkpoints.save(name, place / name)
    asked = [(f"Who is {number}?", f"Fox {number}.", f"I do not know {number}.") for number in range(40)]
    talks = [
        {"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": two}]} for one, two, _ in asked
    ]
    pairs = [{"prompt": one, "chosen": two, "rejected": three} for one, two, three in asked]
    thumbs = [
        {"prompt": one, "response": two, "thumb": "up" if at % 2 else "down"} for at, (one, two, _) in enumerate(asked)
    ]
    for name, rows in (("talks", talks), ("pairs", pairs), ("thumbs", thumbs)):
        (place / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return place


@pytest.fixture(autouse=True)
def home(folder, monkeypatch):
    """Keep one home for what the tests of this file train."""
    monkeypatch.setenv("MAKAR_HOME", str(folder / "home"))
    monkeypatch.chdir(folder)


def trained(folder, data, output, **asked):
    """Return what a training over a checkpoint makes."""
    settings = [*SMALL, *asked.pop("settings", [])]
    return makar.train(folder / data, steps=3, output=output, settings=settings, **asked)


def logits_of(model):
    with torch.no_grad():
        return model.artifact.family().network(torch.arange(5, 25)[None])["logits"]


def their_logits(network):
    with torch.no_grad():
        return network.eval()(torch.arange(5, 25)[None]).logits


def test_a_checkpoint_is_taught_to_answer_by_an_adapter(folder, capsys):
    run = trained(folder, "talks.jsonl", "talker", from_model=folder / "neox", adapter="lora")
    talker = run.model
    planned = makar.plan(folder / "talks.jsonl", steps=3, from_model=folder / "neox", adapter="lora", settings=SMALL)
    assert planned.predicted["memory_bytes"] > planned.recipe.stages[0].family.frozen_bytes() > 0
    print_plan("talks", planned.to_dictionary())
    shown = capsys.readouterr().out
    assert "weights of the checkpoint" in shown and "memory" in shown
    assert planned.predicted["parameters"] == sum(one.numel() for one in talker.artifact.family().parameters())
    theirs = peft.PeftModel.from_pretrained(
        transformers.AutoModelForCausalLM.from_pretrained(folder / "neox"), str(talker.path)
    )
    plain = their_logits(transformers.AutoModelForCausalLM.from_pretrained(folder / "neox"))
    assert (their_logits(theirs) - plain).abs().max() > 1e-3
    assert (logits_of(talker) - their_logits(theirs)).abs().max() < 1e-4
    talk = talker.chat(options={"max_tokens": 4})
    assert talk.reply("Who is 3?") is not None and talk.messages[-1]["role"] == "assistant"
    scores = talker.evaluate(folder=folder / "report", samples=1).to_dictionary()["scores"]
    assert scores["answer_loss"]["value"] < scores["answer_loss"]["baselines"]["neox, before"]["value"]


@pytest.mark.slow
def test_an_adapter_is_trained_on_by_preferences_beside_what_it_was(folder):
    trained(folder, "talks.jsonl", "talker-2", from_model=folder / "neox", adapter="qlora")
    # Trained on without --adapter it is the same adapter, now by preferences, and the reference is what it was.
    kind = trained(folder, "pairs.jsonl", "kind", from_model="talker-2").model
    assert kind.artifact.recipe.name == "dpo" and kind.artifact.family_config.decoder.adapter is not None
    scores = kind.evaluate(folder=folder / "report-2", samples=2).to_dictionary()["scores"]
    assert "talker-2, before" in scores["answer_loss"]["baselines"] and scores["moved"]["value"] != 0
    assert makar.verify("kind").is_intact


def test_all_weights_are_learned_and_the_folder_is_needed_no_more(folder):
    place = folder / "moving"
    tiny_checkpoints.save("opt", place)
    whole = trained(folder, "talks.jsonl", "whole", from_model=place).model
    place.rename(folder / "moved")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(whole.path)
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder / "moved")
    assert (logits_of(makar.load("whole")) - their_logits(theirs)).abs().max() < 1e-5
    assert (their_logits(theirs) - their_logits(plain)).abs().max() > 1e-3
    tokenizer = transformers.AutoTokenizer.from_pretrained(whole.path)
    asked = [{"role": "user", "content": "Who?"}]
    written = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert whole.artifact.codec().encode_turns(asked).tolist() == list(written)
    with pytest.raises(UnsupportedError, match="all of whose weights"):
        makar.plan(folder / "pairs.jsonl", steps=1, from_model="whole", adapter="lora")


@pytest.mark.slow
def test_an_adapter_goes_out_merged_is_weighed_and_lies_on_its_base(folder):
    talker = trained(folder, "pairs.jsonl", "dora", from_model=folder / "opt", adapter="dora").model
    talker.export(folder / "merged", to="transformers")
    merged = transformers.AutoModelForCausalLM.from_pretrained(folder / "merged")
    assert (their_logits(merged) - logits_of(talker)).abs().max() < 1e-4
    assert transformers.AutoTokenizer.from_pretrained(folder / "merged").chat_template
    with pytest.raises(UnsupportedError, match="GGUF"):
        talker.export(folder / "gguf", to="gguf")
    added = makar.load(folder / "opt", loras=["dora"])
    assert (logits_of(added) - logits_of(talker)).abs().max() < 1e-4
    checks = {check.name: check for check in weigh("dora", folder / "opt", samples=2).checks}
    assert checks["held-out pairs whose preferred answer is likelier a token"].gain is not None


@pytest.mark.slow
def test_thumbs_teach_a_judge_and_the_judge_tunes(folder):
    judge = trained(folder, "thumbs.jsonl", "judge", from_model=folder / "neox", adapter="rslora").model
    first, second = judge.predict(["Fox 3.", "I do not know."], query="Who is 3?")
    assert first["score"] != second["score"]
    assert "told_right" in judge.evaluate(folder=folder / "report-3").to_dictionary()["scores"]
    judge.export(folder / "judge-whole", to="transformers")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "judge-whole").eval()
    assert theirs.config.num_labels == 1
    tiny = ["stages.0.family.group=2", "stages.0.family.longest_answer=3", "stages.0.family.decoder.recompute=true"]
    for method, adapter in (("grpo", "qlora"), ("ppo", None)):
        model = trained(
            folder, "talks.jsonl", method, from_model=folder / "neox", adapter=adapter, recipe=method,
            settings=[*tiny, "stages.0.family.reward=model", f"stages.0.family.judge={folder / 'home/models/judge'}"],
        ).model  # fmt: skip
        scores = model.evaluate(folder=folder / f"report-{method}", samples=2).to_dictionary()["scores"]
        assert "neox, before" in scores["strict"]["baselines"] and "divergence" in scores


@pytest.mark.slow
def test_stories_are_learned_by_all_weights_too(folder):
    write_texts(folder / "stories")
    settings = ["stages.0.family.recompute=true"]
    model = trained(folder, "stories", "stories", from_model=folder / "neox", settings=settings).model
    theirs = transformers.AutoModelForCausalLM.from_pretrained(model.path)
    assert (logits_of(model) - their_logits(theirs)).abs().max() < 1e-5
    assert model.generate("the fox", options={"max_tokens": 4})[0].content


def test_what_cannot_learn_to_talk_says_what_can(folder):
    for data in ("talks.jsonl", "pairs.jsonl"):
        with pytest.raises(UnsupportedError, match="writes a text from a text") as caught:
            makar.plan(folder / data, steps=1, from_model=folder / "t5", adapter="lora")
        assert "continues text" in str(caught.value)
