"""Preferences: losses equal the published formulas in float64, the reference is asked once, a judge is what transformers opens."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from makar.codecs.chat_config import PAIRS, ChatCodecConfig
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.errors import ConfigError, UnsupportedError
from makar.families.adapter_config import AdapterConfig
from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.conversation.dpo_family import DpoFamily
from makar.families.conversation.feedback_config import SCORES, DpoConfig, RewardConfig
from makar.families.conversation.preference import bradley_terry_loss
from makar.families.conversation.reward_family import RewardFamily
from makar.tensor_spec import LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET
from tests.codecs.test_chat import row
from tests.families.conversation.test_chat_family import DECODER, drawn, rows


def pairs():
    """Return a batch of pairs."""
    chosen, rejected = rows((9, 6)), rows((7, 8))
    return {**chosen, REJECTED: rejected[TARGET], REJECTED_LEARNED: rejected[LEARNED]}


def model(seed=0, **settings):
    """Return a model tuned by preferences beside the one that it began from."""
    family = drawn(DpoFamily(DpoConfig(decoder=DECODER, **settings)), seed)
    family.attach(drawn(ChatFamily(ChatConfig(decoder=DECODER)), seed=7))
    return family


def answer(family, tokens, learned):
    """Return the log-probability of an answer, token by token in float64."""
    logits = family.network(tokens[None, :-1])[0].double().log_softmax(-1)
    return sum(float(logits[t - 1, tokens[t]].detach()) for t in range(1, len(tokens)) if learned[t])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_dpo_is_that_of_the_paper(smoothing):
    family, batch = model(beta=0.3, smoothing=smoothing), pairs()
    losses = []
    for index in range(2):
        ratios = [
            answer(family, batch[tokens][index], batch[marks][index])
            - answer(family.parent, batch[tokens][index], batch[marks][index])
            for tokens, marks in ((TARGET, LEARNED), (REJECTED, REJECTED_LEARNED))
        ]
        logit = 0.3 * (ratios[0] - ratios[1])
        losses.append((1 - smoothing) * math.log1p(math.exp(-logit)) + smoothing * math.log1p(math.exp(logit)))
    found = family.validation_loss(batch, torch.Generator())
    assert abs(float(found.value) - sum(losses) / 2) < 1e-4
    assert found.count == 2


def test_a_model_that_has_not_moved_loses_the_logarithm_of_two():
    family = model(seed=7)
    assert abs(float(family.validation_loss(pairs(), torch.Generator()).value) - math.log(2)) < 1e-6


def test_the_reference_is_asked_once_and_its_bits_depend_on_nothing_else():
    family, batch = model(), pairs()
    first = family.reference.answers(batch[TARGET], batch[LEARNED])
    family.reference.family.network.embeddings.data.zero_()
    assert torch.equal(first, family.reference.answers(batch[TARGET], batch[LEARNED]))
    wider = torch.nn.functional.pad(batch[TARGET], (0, 4), value=5), torch.nn.functional.pad(batch[LEARNED], (0, 4))
    assert torch.equal(first, family.reference.answers(*wider))
    assert not torch.equal(first, model().reference.answers(batch[TARGET].roll(1, 1), batch[LEARNED]))


def test_a_model_before_that_talks_already_is_asked_itself_and_counted():
    family = model()
    assert family.reference.family is family.parent
    decoder = family.config.decoder
    assert family.config.frozen_bytes() == 4.0 * decoder.computed_weights()
    quarter = decoder.changed(adapter=AdapterConfig(bits=4))
    both = family.config.with_decoder(quarter).frozen_bytes()
    assert both == quarter.frozen_bytes() + 4.0 * decoder.computed_weights()
    assert ChatConfig(decoder=decoder).frozen_bytes() == 0.0


def test_without_the_model_before_there_is_nothing_to_compare_with():
    with pytest.raises(ConfigError, match="--from"):
        drawn(DpoFamily(DpoConfig(decoder=DECODER))).validation_loss(pairs(), torch.Generator())


def test_a_step_makes_the_preferred_answer_likelier_than_the_other():
    family, batch = model(seed=7).train(), pairs()
    optimiser = torch.optim.SGD(family.parameters(), lr=0.01)
    loss = family.phases()[0].loss
    before = loss(batch, torch.Generator())
    before.value.backward()
    optimiser.step()
    after = loss(batch, torch.Generator())
    assert after.value.item() < before.value.item() and after.metrics["margin"] > before.metrics["margin"]


def test_the_loss_of_a_judge_is_that_of_bradley_and_terry():
    family, batch = drawn(RewardFamily(RewardConfig(decoder=DECODER.changed(tied=True)))), pairs()
    chosen, rejected = (
        family.scores(batch[tokens], batch[marks]).detach().double().numpy()
        for tokens, marks in ((TARGET, LEARNED), (REJECTED, REJECTED_LEARNED))
    )
    right = np.mean(np.log1p(np.exp(-(chosen - rejected))))
    assert abs(float(family.validation_loss(batch, torch.Generator()).value) - right) < 1e-5
    # At the end of the answer, whatever fills the row up.
    alone = family.scores(batch[TARGET][1:, :6], batch[LEARNED][1:, :6])
    assert torch.allclose(alone[0], family.scores(batch[TARGET], batch[LEARNED])[1], atol=1e-5)


def test_a_judge_learns_scores_as_shares():
    family = drawn(RewardFamily(RewardConfig(decoder=DECODER.changed(tied=True), objective=SCORES)))
    batch = rows() | {SCORE: torch.tensor([0.25, 1.0])}
    found = 1 / (1 + np.exp(-family.scores(batch[TARGET], batch[LEARNED]).detach().double().numpy()))
    right = -np.mean([0.25 * np.log(found[0]) + 0.75 * np.log(1 - found[0]), np.log(found[1])])
    assert abs(float(family.validation_loss(batch, torch.Generator()).value) - right) < 1e-5


def test_a_judge_writes_nothing_and_needs_no_output_layer():
    family = drawn(RewardFamily(RewardConfig(decoder=DECODER.changed(tied=True))))
    with pytest.raises(UnsupportedError, match="writes none"):
        family.sampler(None).sample(None, [], [])
    with pytest.raises(ConfigError, match="output layer"):
        RewardConfig(decoder=DECODER)
    untied = drawn(ChatFamily(ChatConfig(decoder=DECODER)))
    family.begin_from(untied, [])
    assert torch.equal(family.network.embeddings, untied.network.embeddings)


def test_transformers_opens_a_judge_and_gives_the_same_numbers(tmp_path):
    transformers = pytest.importorskip("transformers")
    codec = fit_codec(ChatCodecConfig(base=ByteCodecConfig(), makes=PAIRS), iter([row(chosen="yes", rejected="no")]))
    family = drawn(RewardFamily(RewardConfig(decoder=DECODER.changed(tied=True, vocabulary=codec.vocabulary)))).eval()
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    save_file({name: value.contiguous() for name, value in family.tensors().items()}, tmp_path / "model.safetensors")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    slots = codec.encode(row(messages=({"role": "user", "content": "ok?"},), chosen="yes", rejected="no"))
    tokens = torch.from_numpy(slots[TARGET].astype(np.int64))[None]
    with torch.no_grad():
        found = float(theirs(input_ids=tokens).logits)
    assert abs(found - family.read_text("yes", codec, query="ok?")["score"]) < 1e-4


def voting_judge(objective=PAIRS):
    """Return a judge with a table of runs that has learned something."""
    settings = {"grams": 2, "gram_rows": 64, "gram_dropout": 0.0}
    family = drawn(RewardFamily(RewardConfig(decoder=DECODER.changed(tied=True), objective=objective, **settings)))
    with torch.no_grad():
        family.grams.table.normal_(generator=torch.Generator().manual_seed(5))
    return family.eval()


def test_a_table_of_runs_reads_the_answer_alone_and_has_its_share():
    family, batch = voting_judge(), pairs()
    tokens, marks = batch[TARGET], batch[LEARNED]
    network, table = family.votes(tokens, marks)
    assert torch.allclose(family.scores(tokens, marks), (network + table) / 2, atol=1e-6)
    asked_otherwise = torch.where(marks > 0, tokens, (tokens + 1) % DECODER.vocabulary)
    assert not torch.equal(asked_otherwise, tokens)
    assert torch.allclose(family.votes(asked_otherwise, marks)[1], table)
    family.gram_share.fill_(0.0)
    assert torch.allclose(family.scores(tokens, marks), network)


def test_the_share_of_the_table_is_the_one_that_judges_unseen_pairs_best():
    family, batch = voting_judge(), pairs()

    def cost(share):
        family.gram_share.fill_(share)
        with torch.no_grad():
            chosen = family.scores(batch[TARGET], batch[LEARNED])
            return float(bradley_terry_loss(chosen, family.scores(batch[REJECTED], batch[REJECTED_LEARNED])))

    best = min((step / 10 for step in range(11)), key=cost)
    family.calibrate([batch])
    assert abs(float(family.gram_share) - best) < 1e-6
    family.gram_share.fill_(0.3)
    family.calibrate([])
    assert abs(float(family.gram_share) - 0.3) < 1e-6


def test_the_table_learns_at_its_own_rate_and_both_voters_get_their_whole_loss():
    family, batch = voting_judge(), pairs()
    (phase,) = family.phases()
    (group,) = [one for one in phase.groups if one.parameters[0] is family.grams.table]
    assert group.learning_rate_scale == family.config.gram_rate
    with torch.no_grad():
        each = [
            bradley_terry_loss(*sides)
            for sides in zip(
                family.votes(batch[TARGET], batch[LEARNED]), family.votes(batch[REJECTED], batch[REJECTED_LEARNED])
            )
        ]
    assert abs(phase.loss(batch, torch.Generator()).value.item() - float(sum(each))) < 1e-5


def test_a_judge_with_a_table_is_saved_whole_and_hands_it_on():
    family, other = voting_judge(), drawn(voting_judge())
    family.gram_share.fill_(0.7)
    batch = pairs()
    right = family.scores(batch[TARGET], batch[LEARNED])
    other.load_tensors(family.tensors())
    assert torch.equal(other.scores(batch[TARGET], batch[LEARNED]), right)
    heir = drawn(voting_judge())
    heir.begin_from(family, [])
    assert torch.allclose(heir.scores(batch[TARGET], batch[LEARNED]), right)
    codec = fit_codec(ChatCodecConfig(base=ByteCodecConfig(), makes=PAIRS), iter([row(chosen="yes", rejected="no")]))
    # transformers would give other numbers.
    assert "config.json" not in family.files(codec)
    (part,) = family.onnx_parts()
    assert torch.allclose(part.module(batch[TARGET], batch[LEARNED]), right, atol=1e-6)
