"""Rewards that can be checked: formulas against float64, what earns a reward, what clip, penalty and group do, and that a toy is
learned."""

import numpy as np
import pytest
import torch

from makar.codecs.chat_config import PROMPTS, ChatCodecConfig
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.errors import ConfigError, UnsupportedError
from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.conversation.feedback_config import RewardConfig
from makar.families.conversation.policy_config import GRPO, PPO, PolicyConfig
from makar.families.conversation.policy_family import PolicyFamily, joined, prompts_of, texts_of
from makar.families.conversation.policy_losses import (
    clipped_objective,
    clipped_value_loss,
    divergence,
    group_advantages,
    mean_of_rows,
    traced_advantages,
)
from makar.families.conversation.reward_family import RewardFamily
from makar.families.conversation.verifiable import judgement_of, passes_tests
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import ANSWER, TARGET
from tests.codecs.test_chat import row
from tests.families.conversation.test_chat_family import drawn

CODEC = fit_codec(ChatCodecConfig(base=ByteCodecConfig(), makes=PROMPTS), iter([row()]))
DECODER = TransformerConfig(vocabulary=CODEC.vocabulary, width=32, heads=1, depth=1, context=64)


def policy(method=GRPO, **settings):
    """Return a model beside the one that it began from, which are the same."""
    settings = {"group": 4, "longest_answer": 3} | settings
    family = drawn(PolicyFamily(PolicyConfig(decoder=DECODER, method=method, **settings)))
    family.know(CODEC)
    before = ChatFamily(ChatConfig(decoder=DECODER))
    before.load_tensors({name: tensor.clone() for name, tensor in family.writer.tensors().items()})
    family.attach(before)
    return family


def prepared(family, given, seed=1):
    """Return what the family makes of a batch, as the trainer asks it to."""
    with torch.no_grad():
        return family.prepare(given, torch.Generator().manual_seed(seed))


def batch(*pairs):
    """Return prompts with right answers."""
    rows = [
        CODEC.encode(row(messages=({"role": "user", "content": asked}, {"role": "assistant", "content": right})))
        for asked, right in pairs
    ]
    return {
        slot: torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(np.asarray(one[slot]).astype(np.int64)) for one in rows], batch_first=True
        )
        for slot in (TARGET, ANSWER)
    }


def test_advantages_of_a_group_are_deviations_from_its_mean():
    rewards = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    found = group_advantages(rewards, 3).double().numpy()
    first = np.array([1.0, 0.0, 0.0])
    assert np.allclose(found[:3], (first - first.mean()) / (first.std(ddof=1) + 1e-4), atol=1e-6)
    assert not found[3:].any()


def test_the_objective_of_grpo_is_that_of_the_paper():
    draw = np.random.default_rng(0)
    policy_, old, reference = (torch.from_numpy(-draw.random((2, 4))) for _ in range(3))
    advantages, marks = torch.from_numpy(draw.normal(size=(2, 4))), torch.tensor([[1.0, 1, 1, 0], [1.0, 0, 0, 0]])
    total = 0.0
    for i in range(2):
        terms = []
        for t in range(4):
            if marks[i, t]:
                p, o, r, a = (float(value[i, t]) for value in (policy_, old, reference, advantages))
                ratio = np.exp(p - o)
                terms.append(min(ratio * a, np.clip(ratio, 0.8, 1.2) * a) - 0.04 * (np.exp(r - p) - (r - p) - 1))
        total += np.mean(terms) / 2
    gains = clipped_objective(policy_, old, advantages, clip=0.2) - 0.04 * divergence(policy_, reference)
    assert abs(float(mean_of_rows(gains, marks)) - total) < 1e-9


def test_traced_advantages_are_sums_of_later_surprises():
    rewards, values = torch.tensor([[0.0, 0.1, 1.0, 5.0]]), torch.tensor([[0.5, 0.4, 0.3, 9.0]])
    marks = torch.tensor([[1.0, 1, 1, 0]])
    surprises = [0.0 + 0.4 - 0.5, 0.1 + 0.3 - 0.4, 1.0 - 0.3]
    wanted = [
        surprises[0] + 0.9 * surprises[1] + 0.81 * surprises[2],
        surprises[1] + 0.9 * surprises[2],
        surprises[2],
        0,
    ]
    found = traced_advantages(rewards, values, marks, trace=0.9)
    assert torch.allclose(found, torch.tensor([wanted]), atol=1e-6)
    one = clipped_value_loss(torch.tensor([[1.0]]), torch.tensor([[0.0]]), torch.tensor([[2.0]]), clip=0.2)
    assert abs(one.item() - 0.5 * 1.8**2) < 1e-6


@pytest.mark.parametrize(
    "settings, answer, right, earned",
    [
        ({"reward": "exact"}, "12 ", "12", 1.0),
        ({"reward": "exact"}, "It is 12", "12", 0.0),
        ({"reward": "number"}, "It is 12.", "3*4 #### 12", 1.0),
        ({"reward": "number"}, "12 or 13", "12", 0.0),
        ({"reward": "pattern", "pattern": r"^<{answer}>$"}, "<1+1>", "1+1", 1.0),
        ({"reward": "pattern", "pattern": r"^<{answer}>$"}, "1+1", "1+1", 0.0),
    ],
)
def test_what_earns_a_reward(settings, answer, right, earned):
    assert judgement_of(PolicyConfig(**settings))(answer, right) == earned


def test_code_earns_a_reward_when_its_tests_have_run():
    tests = "assert add(1, 2) == 3"
    assert passes_tests("def add(a, b):\n    return a + b", tests) == 1.0
    assert passes_tests("Sure:\n```python\ndef add(a, b):\n    return a + b\n```", tests) == 1.0
    assert passes_tests("def add(a, b):\n    return a - b", tests) == 0.0
    assert passes_tests("import sys\nsys.exit(0)", tests) == 0.0
    assert passes_tests("print('every test has run')\nraise SystemExit", tests) == 0.0


def test_a_pattern_is_asked_for_only_where_it_is_used():
    for settings in ({"reward": "pattern"}, {"pattern": "x"}, {"reward": "pattern", "pattern": "("}):
        with pytest.raises(ConfigError, match="pattern"):
            PolicyConfig(**settings)


def judged(**settings):
    """Return a model that a reward model judges, and that one."""
    family = policy(reward="model", judge="any", **settings)
    judge = drawn(RewardFamily(RewardConfig(decoder=DECODER.changed(tied=True))), seed=3)
    family.judged_by(judge)
    return family, judge


@pytest.mark.parametrize("method", [GRPO, PPO])
def test_a_reward_model_says_what_an_answer_earns(method):
    family, judge = judged(method=method)
    given = batch(("1+1", "2"), ("2+2", "4"))
    prompts, answers = prompts_of(given[TARGET]), [[50, 51], [52]]
    tokens, learned = joined(prompts, answers, torch.device("cpu"))
    earned = family.rewards(tokens, learned, answers, ["", ""])
    assert torch.allclose(earned, judge.scores(tokens, learned).sigmoid()) and len(set(earned.tolist())) == 2
    shared = prepared(family.train(), given)
    assert shared["advantages"].abs().max() > 0
    before = [parameter.clone() for parameter in judge.parameters()]
    family.phases()[0].loss(shared, torch.Generator()).value.backward()
    assert all(torch.equal(*pair) for pair in zip(before, judge.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert float(family.validation_loss(given, torch.Generator()).value) > 0


def test_the_judge_is_no_part_of_the_model_and_has_to_be_there():
    family, _ = judged()
    assert not any("judge" in name for name in (*family.tensors(), *family.state_dict()))
    with pytest.raises(UnsupportedError, match="not there"):
        prepared(policy(reward="model", judge="any"), batch(("1+1", "2")))
    for settings in ({"reward": "model"}, {"judge": "any"}):
        with pytest.raises(ConfigError, match="judge"):
            PolicyConfig(**settings)
    with pytest.raises(UnsupportedError, match="opinion"):
        judgement_of(PolicyConfig(reward="model", judge="any"))


def test_prompts_and_right_answers_come_back_whole():
    found = batch(("1+1", "2"), ("what is 10+10", "20 é"))
    assert texts_of(found[ANSWER]) == ["2", "20 é"]
    for prompt, text in zip(prompts_of(found[TARGET]), ("1+1", "what is 10+10")):
        assert prompt[-1] == CODEC.begin_token and CODEC.decode({TARGET: prompt.numpy()[:-1]}) == text


@pytest.mark.parametrize("method", [GRPO, PPO])
def test_a_model_that_has_not_moved_pays_no_penalty(method):
    family = policy(method).train()
    shared = prepared(family, batch(("1+1", "2")))
    assert torch.allclose(shared["old"], shared["reference"], atol=1e-6)
    loss = family.phases()[0].loss(shared, torch.Generator())
    assert abs(loss.metrics["divergence_nats_a_token"]) < 1e-6 and loss.count == 4
    assert 0 < loss.metrics["different_answers"] <= 1 and 1 <= loss.metrics["answer_tokens"] <= 3
    assert len(family.phases()) == family.config.updates


def test_the_penalty_counts_when_the_model_has_moved_and_the_alarm_is_raised_beyond_the_limit():
    family = policy(penalty=0.5, largest_divergence=0.05)
    shared = prepared(family, batch(("1+1", "2")))
    still = family.phases()[0].loss(shared, torch.Generator()).value.item()
    assert not family.health(torch.Generator(), progress=0.5).alarm
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    assert family.phases()[0].loss(shared, torch.Generator()).value.item() > still
    prepared(family, batch(("1+1", "2")))
    assert "nats a token" in family.health(torch.Generator(), progress=0.5).alarm


def test_probabilities_are_those_with_which_answers_were_drawn():
    family = policy(temperature=0.5)
    shared = prepared(family, batch(("1+1", "2")))
    logits = family.network(shared[TARGET][:, :-1]) / 0.5
    drawn_at = logits.log_softmax(-1).gather(-1, shared[TARGET][:, 1:, None])[..., 0] * shared["learned"][:, 1:]
    assert torch.allclose(shared["old"], drawn_at, atol=1e-5)
    metrics = family.phases()[0].loss(shared, torch.Generator()).metrics
    assert abs(metrics["divergence_nats_a_token"]) < 1e-6, "a model that has not moved"


def test_clip_takes_away_what_moved_too_far():
    old, new, gain = torch.tensor([[0.0]]), torch.tensor([[0.5]]), torch.tensor([[1.0]])
    near, far = (clipped_objective(new, old, gain, clip=clip).item() for clip in (0.2, 1.0))
    assert abs(near - 1.2) < 1e-6 and abs(far - np.exp(0.5)) < 1e-6


@pytest.mark.parametrize("method", [GRPO, PPO])
def test_answers_that_earn_become_likelier(method):
    family = policy(method, reward="pattern", pattern="[a-z]", group=32, longest_answer=1, penalty=0.0).train()
    given = batch(("x", ""))
    optimiser = torch.optim.Adam(family.parameters(), lr=0.003)
    for step in range(12):
        shared = prepared(family, given, step)
        for phase in family.phases():
            optimiser.zero_grad()
            phase.loss(shared, torch.Generator()).value.backward()
            optimiser.step()
    letters = slice(ord("a"), ord("z") + 1)
    with torch.no_grad():
        before, after = (
            model.network(given[TARGET])[0, -1].softmax(-1)[letters].sum() for model in (family.parent, family)
        )
    assert after > 1.3 * before


def test_weights_are_kept_by_how_many_prompts_they_answer():
    family = policy(reward="pattern", pattern=".*")
    found = family.validation_loss(batch(("1+1", "2"), ("2+2", "4")), torch.Generator())
    assert found.count == 2 and 0 < found.value.item() < 0.5
    family = policy()
    assert family.validation_loss(batch(("1+1", "2"), ("2+2", "4")), torch.Generator()).value.item() > 1
