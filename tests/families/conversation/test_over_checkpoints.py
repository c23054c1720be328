"""Answers, preferences, scores, rewards over checkpoints whose layout is not ours: losses are those of transformers and of papers."""

import math

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="the extra transformers is not installed")

import transformers

from makar.artifacts.load import load_artifact
from makar.codecs.chat import ChatCodec
from makar.codecs.chat_config import CONVERSATION, PAIRS, PLAIN_TEMPLATE, PROMPTS, ChatCodecConfig
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.errors import ArtifactError, ConfigError, IntegrityError, UnsupportedError
from makar.families.adapter_config import adapter_of
from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.conversation.dpo_family import DpoFamily
from makar.families.conversation.feedback_config import DpoConfig, RewardConfig
from makar.families.conversation.policy_config import PPO, PolicyConfig
from makar.families.conversation.policy_family import PolicyFamily
from makar.families.conversation.reward_family import RewardFamily
from makar.families.family import build_family
from makar.families.pretrained.text_family import CausalCheckpoint
from makar.families.pretrained.text_whole import as_whole
from makar.tensor_spec import ANSWER, LEARNED, REJECTED, REJECTED_LEARNED, TARGET
from tests.codecs.test_chat import TURNS, row
from tests.families.pretrained import tiny_checkpoints

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
QUESTION = ({"role": "user", "content": "Who?"},)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return checkpoints by name: one with a chat template and dropout, one with neither and a narrow output layer."""
    place = tmp_path_factory.mktemp("checkpoints")
    return {name: tiny_checkpoints.save(name, place / name) for name in ("neox", "opt", "t5")}


@pytest.fixture
def opened(folders):
    """Return the opened checkpoints, which are then known on this machine."""
    return {name: load_artifact(folder) for name, folder in folders.items()}


def codec_of(artifact, makes):
    """Return the codec of conversations over the tokenizer of a checkpoint."""
    config = ChatCodecConfig(
        base=PretrainedTextCodecConfig(vocabulary=artifact.family_config.vocabulary),
        makes=makes,
        template=PLAIN_TEMPLATE,
    )
    return ChatCodec.from_files(config, artifact.codec().files())


def pairs_of(codec):
    """Return a batch of two pairs."""
    rows = [
        codec.encode(row(messages=QUESTION, chosen=chosen, rejected=rejected))
        for chosen, rejected in (("A fox.", "No."), ("I", "A long answer"))
    ]
    return {
        name: torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(one[name].astype(np.int64)) for one in rows], batch_first=True
        )
        for name in rows[0]
    }


def moved(family):
    """Give an adapter or a whole network weights that it could have learned."""
    generator = torch.Generator().manual_seed(3)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return family


def adapted(artifact, kind="lora"):
    """Return the settings of an adapter of a checkpoint."""
    return artifact.family_config.with_adapter(adapter_of(kind, base=artifact.family_config.base))


def answer(logits, tokens, learned):
    """Return the log-probability of an answer, token by token in float64."""
    shares = logits.double().log_softmax(-1)
    return sum(float(shares[at - 1, tokens[at]]) for at in range(1, len(tokens)) if learned[at])


@pytest.mark.parametrize("name", ["neox", "opt"])
def test_the_loss_of_answers_is_that_of_transformers_and_nothing_is_dropped(name, folders, opened):
    family = ChatFamily(ChatConfig(decoder=adapted(opened[name]))).train()
    family.initialise(torch.Generator().manual_seed(0))
    batch = pairs_of(codec_of(opened[name], PAIRS))
    tokens, learned = batch[TARGET], batch[LEARNED]
    labels = tokens.masked_fill(learned == 0, -100)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folders[name]).eval()
    with torch.no_grad():
        right = float(theirs(input_ids=tokens, labels=labels).loss)
    # In training mode: the checkpoint would drop a tenth of what it computes.
    found = family.phases()[0].loss({TARGET: tokens, LEARNED: learned}, torch.Generator())
    assert abs(float(found.value) - right) < 1e-4 and found.count == int(learned[:, 1:].sum())
    nothing = family.phases()[0].loss({TARGET: tokens, LEARNED: torch.zeros_like(learned)}, torch.Generator())
    assert float(nothing.value) == 0.0
    found.value.backward()
    assert all(parameter.grad is not None for parameter in family.parameters())


@pytest.mark.parametrize("kind, smoothing", [("lora", 0.0), ("dora", 0.2), ("whole", 0.0)])
def test_the_loss_of_dpo_is_that_of_the_paper(kind, smoothing, folders, opened):
    artifact = opened["neox"]
    decoder = as_whole(artifact.family_config) if kind == "whole" else adapted(artifact, kind)
    family = DpoFamily(DpoConfig(decoder=decoder, beta=0.3, smoothing=smoothing))
    if kind == "whole":
        with pytest.raises(ConfigError, match="--from"):
            family.validation_loss(pairs_of(codec_of(artifact, PAIRS)), torch.Generator())
        family.attach(CausalCheckpoint(artifact.family_config))
        family.begin(torch.Generator(), [])
    family, batch = moved(family).eval(), pairs_of(codec_of(artifact, PAIRS))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folders["neox"]).eval()
    losses = []
    with torch.no_grad():
        for at in range(2):
            ratios = [
                answer(family.network(batch[slot][at : at + 1])["logits"][0], batch[slot][at], batch[marks][at])
                - answer(theirs(batch[slot][at : at + 1]).logits[0], batch[slot][at], batch[marks][at])
                for slot, marks in ((TARGET, LEARNED), (REJECTED, REJECTED_LEARNED))
            ]
            logit = 0.3 * (ratios[0] - ratios[1])
            losses.append((1 - smoothing) * math.log1p(math.exp(-logit)) + smoothing * math.log1p(math.exp(logit)))
    found = family.validation_loss(batch, torch.Generator())
    assert abs(float(found.value) - sum(losses) / 2) < 1e-4 < abs(float(found.value) - math.log(2))
    # Who steps back to be asked goes on with what it has learned.
    assert abs(float(family.validation_loss(batch, torch.Generator()).value) - float(found.value)) < 1e-6


def test_over_an_adapter_that_was_learned_before_the_reference_is_that_adapter(opened):
    decoder = adapted(opened["neox"])
    before = moved(ChatFamily(ChatConfig(decoder=decoder)))
    family = DpoFamily(DpoConfig(decoder=decoder))
    family.attach(before)
    family.begin(torch.Generator().manual_seed(0), [])
    found = family.validation_loss(pairs_of(codec_of(opened["neox"], PAIRS)), torch.Generator())
    assert abs(float(found.value) - math.log(2)) < 1e-6


def test_a_checkpoint_without_a_template_writes_turns_as_text_and_with_its_own_end(opened):
    codec = codec_of(opened["opt"], PAIRS)
    tokens = codec.encode_turns([{"role": "system", "content": "Be kind."}, *QUESTION])
    assert codec.text.tokenizer.decode(tokens.tolist()) == "Be kind.\n\nUser:\nWho?\n\nAssistant:\n"
    assert codec.vocabulary == opened["opt"].family_config.vocabulary and codec.end_token in codec.end_tokens
    slots = codec_of(opened["opt"], CONVERSATION).encode(row(messages=TURNS))
    assert codec.decode_tokens(slots[TARGET][slots[LEARNED] > 0]) == "Here.\n2"
    assert (slots[TARGET][slots[LEARNED] > 0] == codec.end_token).sum() == 2
    assert codec_of(opened["neox"], PAIRS).chat_template == tiny_checkpoints.TEMPLATE
    assert "<|endoftext|>" in codec.chat_template


@pytest.mark.parametrize("kind", ["lora", "whole"])
def test_a_judge_is_the_classifier_of_transformers(kind, folders, opened, tmp_path):
    peft = pytest.importorskip("peft", reason="the extra transformers is not installed")
    from safetensors.torch import save_file

    artifact, codec = opened["opt"], codec_of(opened["opt"], PAIRS)
    decoder = as_whole(artifact.family_config) if kind == "whole" else adapted(artifact)
    family = RewardFamily(RewardConfig(decoder=decoder))
    if kind == "whole":
        family.attach(CausalCheckpoint(artifact.family_config))
        family.begin(torch.Generator().manual_seed(0), [])
    family = moved(family).eval()
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    tensors = {name: value.contiguous() for name, value in family.tensors().items()}
    save_file(tensors, tmp_path / family.config.tensors_name)
    classifier = transformers.AutoModelForSequenceClassification
    if kind == "whole":
        theirs = classifier.from_pretrained(tmp_path).eval()
    else:
        base = classifier.from_pretrained(folders["opt"], num_labels=1)
        theirs = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    batch = pairs_of(codec)
    with torch.no_grad():
        right = theirs(input_ids=batch[TARGET][:1, : int(batch[LEARNED][0].nonzero().max()) + 1]).logits[0, 0]
        found = family.scores(batch[TARGET], batch[LEARNED])[0]
        merged = family.merged().scores(batch[TARGET], batch[LEARNED])[0]
    assert abs(float(right - found)) < 1e-4 and abs(float(merged - found)) < 1e-4
    loss = family.train().phases()[0].loss(batch, torch.Generator())
    loss.value.backward()
    assert family.score.grad is not None and "told_right" in loss.metrics


@pytest.mark.parametrize("kind", ["lora", "whole"])
def test_answers_that_earn_become_likelier(kind, opened):
    artifact, codec = opened["neox"], codec_of(opened["neox"], PROMPTS)
    decoder = as_whole(artifact.family_config) if kind == "whole" else adapted(artifact)
    settings = {"reward": "pattern", "pattern": "[a-m]", "group": 8, "longest_answer": 2, "penalty": 0.0}
    family = PolicyFamily(PolicyConfig(decoder=decoder, **settings))
    family.know(codec)
    if kind == "whole":
        family.attach(CausalCheckpoint(artifact.family_config))
    family.begin(torch.Generator().manual_seed(0), [])
    family.train()
    slots = codec.encode(row(messages=(*QUESTION, {"role": "assistant", "content": "a"})))
    batch = {name: torch.from_numpy(slots[name].astype(np.int64))[None] for name in (TARGET, ANSWER)}
    with torch.no_grad():
        prepared = family.prepare(batch, torch.Generator().manual_seed(1))
    assert torch.allclose(prepared["old"], prepared["reference"], atol=1e-5)
    optimiser = torch.optim.SGD([one for group in family.phases()[0].groups for one in group.parameters], lr=0.5)
    loss = family.phases()[0].loss(prepared, torch.Generator()).value
    loss.backward()
    assert prepared["advantages"].abs().sum() > 0, "some answers earn and others do not"
    optimiser.step()
    gains = (family.log_probabilities(prepared[TARGET], prepared[LEARNED]) - prepared["old"]) * prepared["advantages"]
    assert float(gains.sum()) > 0


def test_values_have_no_place_in_an_adapter_and_runs_have_none_either(opened):
    with pytest.raises(UnsupportedError, match="an adapter"):
        PolicyConfig(decoder=opened["neox"].family_config, method=PPO).with_adapter(adapter_of("lora", base="0"))
    with pytest.raises(UnsupportedError, match="an adapter"):
        RewardConfig(decoder=opened["neox"].family_config, grams=2).with_adapter(adapter_of("lora", base="0"))


def test_a_whole_network_counts_its_weights_and_a_forged_one_is_found(opened):
    config = as_whole(opened["neox"].family_config)
    family = build_family(config)
    assert config.parameter_count() == sum(parameter.numel() for parameter in family.parameters())
    assert {name for group in family.phases()[0].groups for name in map(id, group.parameters)} == {
        id(parameter) for parameter in family.parameters()
    }
    with pytest.raises(IntegrityError, match="weights"):
        build_family(config.changed(weights=config.weights + 1))
    with pytest.raises(ArtifactError, match="cannot be read"):
        build_family(config.changed(network="[]"))
    with pytest.raises(ArtifactError, match="continues text"):
        build_family(config.changed(architecture="GPTNeoXForSequenceClassification"))
    with pytest.raises(ConfigError, match="weights that are learned themselves"):
        config.changed(adapter=adapter_of("lora", base=config.base))


@pytest.mark.filterwarnings("ignore")
def test_the_loss_of_dpo_is_that_of_trl(folders, opened, tmp_path):
    trl = pytest.importorskip("trl", reason="TRL is the yardstick where it is installed")
    peft = pytest.importorskip("peft", reason="the extra transformers is not installed")
    import datasets

    artifact = opened["neox"]
    family = moved(DpoFamily(DpoConfig(decoder=adapted(artifact), beta=0.3))).eval()
    batch = pairs_of(codec_of(artifact, PAIRS))
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    trainer = trl.DPOTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(folders["neox"]),
        args=trl.DPOConfig(output_dir=str(tmp_path), beta=0.3, report_to=[], bf16=False, use_cpu=True),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=transformers.AutoTokenizer.from_pretrained(folders["neox"], pad_token="<|endoftext|>"),
        peft_config=peft.LoraConfig(
            r=16, lora_alpha=32, target_modules=list(artifact.family_config.linears), task_type="CAUSAL_LM"
        ),
    )
    found = peft.set_peft_model_state_dict(trainer.model, family.tensors())
    assert not found.unexpected_keys
    width = max(batch[TARGET].shape[1], batch[REJECTED].shape[1])
    given, marks = (
        torch.cat([torch.nn.functional.pad(batch[slot], (0, width - batch[slot].shape[1])) for slot in slots])
        for slots in ((TARGET, REJECTED), (LEARNED, REJECTED_LEARNED))
    )
    asked = {"input_ids": given, "attention_mask": torch.ones_like(given), "completion_mask": marks}
    with torch.no_grad():
        right = float(trainer.compute_loss(trainer.model.eval(), asked))
    ours = float(family.validation_loss(batch, torch.Generator()).value)
    assert abs(ours - right) < 1e-4 < abs(ours - math.log(2))
